"""`read`: what is in a topic between two moments, as one `Batch`; no group, nothing committed.

    batch = await read("localhost:9092", "orders", start=datetime(2026, 1, 1), end="latest")
    table = batch.to_arrow()

The end is found once, before the first record is read: what is written meanwhile is not in it. All of it is in memory at once;
`max_bytes` bounds that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..config import Config
from ..errors import ClientError, ConfigError
from ..offsets import EARLIEST, LATEST, list_offsets
from .assignors.types import TopicAndPartition
from .batch import Batch, Slice
from .consumer import Consumer
from .starting import timestamp_of

#: As much as is read into memory unless more is asked for.
READ_BYTES_MAX = 1 << 30


async def read(
    config: Config | Mapping[str, Any] | str | None,
    topic: str,
    *,
    start: str | int | datetime | timedelta = "earliest",
    end: str | int | datetime = "latest",
    partitions: Iterable[int] | None = None,
    key: Any = None,
    value: Any = None,
    max_bytes: int = READ_BYTES_MAX,
    **settings: Any,
) -> Batch:
    """Records from `start` on and before `end`: earliest, latest, an offset, a datetime; a timedelta is so long ago."""
    reading: Consumer[Any, Any] = Consumer(config, key=key, value=value, **settings)
    async with reading as consumer:
        view = await consumer.cluster.topic(topic)
        numbers = range(len(view.partitions)) if partitions is None else partitions
        keys = [(topic, number) for number in numbers]
        begins, ends = await _bounds(consumer, keys, start), await _bounds(consumer, keys, end)
        if isinstance(end, int):  # an offset that is not written yet is not waited for
            last = await _bounds(consumer, keys, "latest")
            ends = {each: min(ends[each], last[each]) for each in keys}
        wanted = {each: begins[each] for each in keys if begins[each] < ends[each]}
        consumer.assign(wanted)
        return Batch(await _collect(consumer, ends, max_bytes))


async def _bounds(consumer: Consumer[Any, Any], keys: list[TopicAndPartition], at: Any) -> dict[TopicAndPartition, int]:
    """The offset of each partition that a moment stands for."""
    isolation = int(consumer.config.isolation_level == "read_committed")
    if isinstance(at, int):
        return dict.fromkeys(keys, at)
    if isinstance(at, timedelta):
        at = datetime.now(UTC) - at
    if isinstance(at, datetime):
        found = await list_offsets(consumer.cluster, dict.fromkeys(keys, timestamp_of(at)), isolation=isolation)
        late = [key for key in keys if found[key].offset < 0]
        if late:
            found.update(await list_offsets(consumer.cluster, dict.fromkeys(late, LATEST), isolation=isolation))
    else:
        words = {"earliest": EARLIEST, "latest": LATEST}
        if at not in words:
            raise ConfigError(f"{at!r}: expected earliest, latest, an offset, a datetime or a timedelta")
        found = await list_offsets(consumer.cluster, dict.fromkeys(keys, words[at]), isolation=isolation)
    return {key: each.offset for key, each in found.items()}


async def _collect(consumer: Consumer[Any, Any], ends: dict[TopicAndPartition, int], max_bytes: int) -> list[Slice]:
    slices: list[Slice] = []
    fetcher, positions = consumer._fetcher, consumer.positions.by_key
    size = 0
    while True:
        for key, position in positions.items():
            if position.delivered >= ends[key]:
                position.paused = True
        found = fetcher.next_columns()
        if found is None:
            if all(position.paused for position in positions.values()):
                return slices
            consumer._check()
            await fetcher.arrival()
            continue
        position, columns = found
        position.delivered = columns.next_offset
        stop = columns.row_of(ends[position.key])
        if stop:
            slices.append(Slice(columns, 0, stop))
            size += columns.payload_bytes if columns.count else 0
        if size > max_bytes:
            raise ClientError(
                f"more than {max_bytes} bytes lie between start and end",
                hint="read fewer partitions, a shorter time, or set max_bytes",
            )
