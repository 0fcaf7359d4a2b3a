"""A segment written anew takes the place of those it was made from; no crash leaves half of each.

    on disk                              in memory        a crash here leaves                  and opening makes of it
    1  X.log.cleaned, synced             old segments     .cleaned, old ones                   old ones
    2  X.log.swap     ── folder synced   old              .swap, old ones                      the new one (old ones go)
    3  old ones .deleted                 the new one      .swap, some old ones                 the new one
                      ── folder synced
    4  X.log          ── folder synced   the new one      .swap or X.log                       the new one

A file system may lose any of several renames when power fails, so the folder is synced between the steps: the .swap,
which says "the segments that I cover are to go", stays until they are gone for good. The names are Kafka's, and Kafka
finishes or undoes what we left, as we do what it left. Old files keep the name .deleted for file.delete.delay.ms.

Steps 2 and the syncs run in a worker; 3 and the renames of 4, a few system calls, on the event loop, where the log is
used. In between, the new segment is served from its .swap name.
"""

from __future__ import annotations

from ottla.log import retention
from ottla.log.cleaner.clean import Cleaned
from ottla.log.cleaner.source import CleaningAborted
from ottla.log.files import Files
from ottla.log.log import Log
from ottla.log.recovery import CLEANED_SUFFIX, SWAP_SUFFIX
from ottla.log.segment import LOG_SUFFIX, SEGMENT_SUFFIXES, Segment, file_name


def remove_cleaned(files: Files, directory: str, base_offset: int, suffix: str = CLEANED_SUFFIX) -> None:
    """Worker: a group that was given up."""
    for kind in SEGMENT_SUFFIXES:
        files.remove(f"{directory}/{file_name(base_offset, kind)}{suffix}")


def make_swap(files: Files, directory: str, base_offset: int) -> None:
    """Worker, step 2: from here on the new segment wins. The log comes last: without it the others mean nothing."""
    for kind in reversed(SEGMENT_SUFFIXES):
        name = f"{directory}/{file_name(base_offset, kind)}"
        files.rename(name + CLEANED_SUFFIX, name + SWAP_SUFFIX)
    files.sync_directory(directory)


def check_unchanged(log: Log, old: list[Segment], truncations: int) -> int:
    """The place of the old segments in the log; CleaningAborted if they are not there as they were."""
    if not log.gone and log.truncations == truncations:
        for number, segment in enumerate(log.segments[:-1]):
            if segment is old[0]:
                if log.segments[number : number + len(old)] == old and log.segments[-1] is not old[-1]:
                    return number
                break
    raise CleaningAborted(f"{log.name} changed while it was cleaned")


def replace(log: Log, old: list[Segment], cleaned: Cleaned, truncations: int, now_ms: int) -> Segment:
    """Loop, step 3: readers get the new segment, the old files go."""
    number = check_unchanged(log, old, truncations)
    segment = Segment(
        log.files, log.directory, cleaned.base_offset, cleaned.size, created_ms=old[0].created_ms, cache=log.cache,
        interval=log.config.index_interval_bytes, suffix=SWAP_SUFFIX,
    )  # fmt: skip
    segment.sealed = True
    segment.next_offset = old[-1].next_offset
    segment.take_indexes(
        cleaned.index, cleaned.time_index, cleaned.aborted, cleaned.max_timestamp, cleaned.offset_of_max_timestamp
    )
    log.segments[number : number + len(old)] = [segment]
    log.segments_changed()
    retention.delete_files(log, old, now_ms, keep_snapshot_of=cleaned.base_offset)
    return segment


def finish(log: Log, segment: Segment) -> bool:
    """Loop, step 4: the new segment's own name. False where it went meanwhile, with its log or by retention."""
    if log.gone or segment not in log.segments:
        return False
    names = log.files.list(log.directory)
    for kind in SEGMENT_SUFFIXES:
        name = file_name(segment.base_offset, kind)
        if name + SWAP_SUFFIX in names:
            log.files.rename(f"{log.directory}/{name}{SWAP_SUFFIX}", f"{log.directory}/{name}")
    segment.suffix = ""
    segment.file.path = segment.path(LOG_SUFFIX)
    return True
