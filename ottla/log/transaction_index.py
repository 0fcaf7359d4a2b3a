"""The aborted transactions of a segment: what a read-committed consumer must skip.

    .txnindex   version int16 = 0 │ producer_id int64 │ first_offset int64 │ last_offset int64 │ last_stable_offset int64

An entry of 34 bytes stands in the segment that holds the abort marker (its last_offset). last_stable_offset is what the
partition's last stable offset was once the marker was written; when it is at or above the end of a fetch, no later
segment can hold an abort that concerns the fetched range, and the search ends.

Kafka makes the file when the first abort needs it; here a sealed segment always has one, if empty, so that a file that
got lost is told from one that never was and is made anew from the log.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ottla.log.errors import CorruptSidecarError

ENTRY = struct.Struct(">hqqqq")
VERSION = 0


class AbortedTransaction(NamedTuple):
    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


def encode(entries: list[AbortedTransaction]) -> bytes:
    return b"".join(ENTRY.pack(VERSION, *entry) for entry in entries)


def decode(data: bytes, base_offset: int) -> list[AbortedTransaction]:
    if len(data) % ENTRY.size:
        raise CorruptSidecarError(f"transaction index of {len(data)} bytes is no multiple of {ENTRY.size}")
    entries = []
    last = base_offset - 1
    for version, *fields in ENTRY.iter_unpack(data):
        entry = AbortedTransaction(*fields)
        if version != VERSION or entry.last_offset <= last or entry.first_offset > entry.last_offset:
            raise CorruptSidecarError("transaction index is not ascending or of an unknown version")
        last = entry.last_offset
        entries.append(entry)
    return entries
