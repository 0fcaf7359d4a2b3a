"""One cleaning pass over one log, as a sequence of steps.

`clean_log` is a generator: between two of its yields it runs where the log is used (the event loop), and what it yields
is a call for a worker thread. The caller runs each, and goes on; what a worker's call raises is thrown in here, so that a
pass cleans up behind itself. Tests run the calls on the spot, and crash between them.

Before anything is cleaned, what is dirty is synced and the recovery point above it is on the medium: a cleaned log has
holes in its offsets, and recovery takes holes above the recovery point of a log that is not compacted for lost records.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import NamedTuple

from ottla.log.cleaner import plan, swap
from ottla.log.cleaner._keys_cy import SLOT_BYTES, KeyMap
from ottla.log.cleaner.clean import Cleaned, PassContext, build_map, clean_group
from ottla.log.cleaner.plan import DirtyLog
from ottla.log.cleaner.source import CleaningAborted, CleaningFailed, Pace, SourceSegment
from ottla.log.cleaner.transactions import CleanedTransactions
from ottla.log.log import Log
from ottla.log.recovery import SWAP_SUFFIX
from ottla.log.segment import Segment

Step = Callable[[], object]
#: A map smaller than this saves nothing.
SLOTS_MIN = 1024


class CleanerConfig(NamedTuple):
    """The log.cleaner.* configs that a pass needs."""

    dedupe_buffer_bytes: int = 128 << 20
    io_buffer_bytes: int = 512 << 10
    load_factor: float = 0.9


class PassResult:
    """What a pass did, for the broker's log and metrics."""

    __slots__ = ("bytes_after", "bytes_before", "end_offset", "keys", "map_full", "records_kept", "records_read")

    def __init__(self) -> None:
        self.end_offset = 0  # the next first dirty offset
        self.keys = 0
        self.map_full = False
        self.bytes_before = self.bytes_after = 0
        self.records_read = self.records_kept = 0


def clean_log(
    dirty: DirtyLog, config: CleanerConfig, pace: Pace, key: tuple[int, int], now_ms: Callable[[], int],
    checkpoint: Callable[[], Callable[[], None]], result: PassResult,
) -> Generator[Step, None, None]:  # fmt: skip
    """Clean a log once. `checkpoint()` prepares the write of the recovery points; `key` is 128 bits of chance.

    Ends with CleaningAborted where the log changed, CleaningFailed where it can not be cleaned.
    """
    log = dirty.log
    end = dirty.first_uncleanable_offset
    if log.recovery_point < end:
        point = log.prepare_sync()
        yield point.run
        log.complete_sync(point)
    yield checkpoint()
    truncations = log.truncations
    sources = plan.sources_of(log, end)
    started = now_ms()
    context = PassContext(
        log.files.for_worker(), log.directory, max(config.io_buffer_bytes // 2, 1 << 14), pace, plan.last_batches(log),
        started, started + log.config.delete_retention_ms, log.config.index_interval_bytes,
    )  # fmt: skip
    keys = KeyMap(_slots(dirty, end, config), config.load_factor, key)
    unread = [source for _, source in sources if source.next_offset > dirty.first_dirty_offset]
    if not unread or log.gone:
        raise CleaningAborted(f"{log.name} changed before it was cleaned")
    aborted = plan.aborted_in(log, dirty.first_dirty_offset)

    def take_in() -> None:
        result.end_offset = build_map(context, keys, unread, dirty.first_dirty_offset, aborted)

    yield take_in
    result.keys, result.map_full = len(keys), result.end_offset < end
    whole = [pair for pair in sources if pair[1].base_offset < result.end_offset]
    transactions = CleanedTransactions(plan.aborted_in(log, log.segments[0].base_offset))
    for group in plan.group(log, whole):
        yield from _clean_one(log, group, context, keys, transactions, truncations, now_ms, result)


def _slots(dirty: DirtyLog, end: int, config: CleanerConfig) -> int:
    """Room for every record that may be in the dirty part, or for as many as the buffer has."""
    most = max(SLOTS_MIN, config.dedupe_buffer_bytes // SLOT_BYTES)
    return min(most, max(SLOTS_MIN, int((end - dirty.first_dirty_offset) / min(config.load_factor, 0.7)) + 2))


def _clean_one(
    log: Log, group: list[tuple[Segment, SourceSegment]], context: PassContext, keys: KeyMap,
    transactions: CleanedTransactions, truncations: int, now_ms: Callable[[], int], result: PassResult,
) -> Generator[Step, None, None]:  # fmt: skip
    """Clean one group and put it in place."""
    files, base = context.files, group[0][1].base_offset
    old = [segment for segment, _ in group]
    cleaned: list[Cleaned] = []
    in_place = False

    def write() -> None:
        sources = [source for _, source in group]
        cleaned.append(clean_group(context, keys, result.end_offset, transactions, sources))

    def give_up() -> None:
        if not log.gone:
            swap.remove_cleaned(files, log.directory, base)
            swap.remove_cleaned(files, log.directory, base, SWAP_SUFFIX)

    try:
        swap.check_unchanged(log, old, truncations)
        yield write
        swap.check_unchanged(log, old, truncations)
        yield lambda: swap.make_swap(files, log.directory, base)
        segment = swap.replace(log, old, cleaned[0], truncations, now_ms())
        in_place = True
    except (CleaningAborted, CleaningFailed):
        if not in_place:
            yield give_up
        raise
    yield lambda: log.sync_folder()
    if swap.finish(log, segment):
        yield lambda: log.sync_folder()
    result.bytes_before += sum(source.size for _, source in group)
    result.bytes_after += cleaned[0].size
    result.records_read += cleaned[0].records_read
    result.records_kept += cleaned[0].records_kept
