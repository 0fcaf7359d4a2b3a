"""Schemas of records, loaded before the records are handed out: `record.value` is a property and cannot wait.

A deserializer over a registry (serde/registered.py) says for a run of records what it lacks; that is loaded in a thread of the
registry's, while other partitions go on. What cannot be had is told by the value that needs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

from ._columns_cy import KEY, VALUE, Columns

Wanting = list[tuple[int, Any]]


def wanting(readers: tuple[Any, Any]) -> Wanting:
    """The readers (of keys, of values) that need schemas, each with its column."""
    return [pair for pair in zip((KEY, VALUE), readers, strict=True) if hasattr(pair[1], "missing")]


def missing(readers: Wanting, runs: Iterable[Columns]) -> Awaitable[Any] | None:
    """What has to be awaited before these records can be read; None where all is here."""
    loads = []
    for columns in runs:
        for column, reader in readers:
            load = reader.missing(column, columns)
            if load is not None:
                loads.append(asyncio.wrap_future(reader.serde.registry.submit(load)))
    return asyncio.gather(*loads, return_exceptions=True) if loads else None
