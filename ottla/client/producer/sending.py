"""`send_many`: many records, one answer.

    list, generator ──► chunks ──► append_many (compiled) ──┐
    Arrow, DataFrame ──► columns ──► lists of a chunk ──────┤──► segments: which records lie in which batch
                                                            └──► wait for the batches ──► SendReport

A chunk is what is taken from an iterator before the loop has its turn. Where a record cannot be appended at once, the producer's
way of single records takes over for that one: it waits for metadata or room, or raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ClientError, DeliveryError
from ..serde.pending import SchemaPendingError
from ._append_cy import Segment

if TYPE_CHECKING:
    from .producer import Producer

CHUNK = 2000


class Failure(NamedTuple):
    """Records of one partition that were not delivered."""

    topic: str
    partition: int
    records: int
    error: ClientError


@dataclass
class SendReport:
    """What became of the records of one `send_many`."""

    topic: str
    records: int = 0
    failed: int = 0
    #: Partition -> offset of the first record that was delivered there (-1: not known, as with acks=0), and how many.
    base_offsets: dict[int, int] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


async def send_many(producer: Producer[Any, Any], topic: str, records: Any, *, raise_errors: bool) -> SendReport:
    """Append everything, wait for it, report."""
    report = SendReport(topic)
    segments: list[Segment] = []
    for chunk in _chunks(records):
        try:
            items = _serialized(producer, topic, chunk)
        except SchemaPendingError as pending:
            await pending.wait()
            items = _serialized(producer, topic, chunk)
        report.records += len(items)
        await _append_chunk(producer, topic, items, report, segments)
    await _finish(segments)
    for segment in segments:
        _tell(report, *segment.span)
    if report.failures and raise_errors:
        first = report.failures[0].error
        raise DeliveryError(
            f"{report.failed} of {report.records} records were not delivered; the first: {first}", list(report.failures)
        ) from first
    return report


async def _append_chunk(
    producer: Producer[Any, Any], topic: str, items: list[Any], report: SendReport, segments: list[Segment]
) -> None:
    appender = producer._appender
    start = 0
    while start < len(items):
        in_batches = producer._partitioner is None and producer._headers is None
        if in_batches:
            start += appender.append_many(topic, items, start, report, segments)
        if start >= len(items):
            break
        if in_batches and appender.reason == 0:
            await asyncio.sleep(0)  # a batch is full: let it go out
            continue
        item = items[start]
        key, value = item if type(item) is tuple else (None, item)
        ack = await producer._enqueue_bytes(topic, value, key)
        ack.note(report, segments)
        start += 1


async def _finish(segments: list[Segment]) -> None:
    """Wait for all batches."""
    loop = asyncio.get_running_loop()
    for segment in segments:
        batch = segment.span[0]
        if not batch.done:
            future = loop.create_future()
            batch.add_done_callback(lambda future=future: None if future.done() else future.set_result(None))
            await future


def _tell(report: SendReport, batch: Any, first: int, count: int) -> None:
    errors = [batch.error_of(first + index) for index in range(count)] if batch.error is not None else []
    bad = [error for error in errors if error is not None]
    partition: int = batch.partition
    if bad:
        report.failed += len(bad)
        report.failures.append(Failure(batch.topic, partition, len(bad), bad[0]))
    if len(bad) < count:
        report.counts[partition] = report.counts.get(partition, 0) + count - len(bad)
        if partition not in report.base_offsets:
            good = next((i for i in range(count) if not errors or errors[i] is None), 0)
            report.base_offsets[partition] = batch.outcome(first + good).offset


def _serialized(producer: Producer[Any, Any], topic: str, chunk: list[Any]) -> list[Any]:
    """The records as bytes, where the producer has serializers."""
    make_key, make_value = producer._key, producer._value
    if make_key is None and make_value is None:
        return chunk
    items: list[Any] = []
    for item in chunk:
        key, value = item if type(item) is tuple else (None, item)
        if make_key is not None and key is not None:
            key = make_key(key, topic)
        if make_value is not None and value is not None:
            value = make_value(value, topic)
        items.append((key, value))
    return items


def _chunks(records: Any) -> Iterator[list[Any]]:
    if isinstance(records, list | tuple):
        if len(records) <= CHUNK:
            yield list(records)
        else:
            for start in range(0, len(records), CHUNK):
                yield list(records[start : start + CHUNK])
    elif is_table(records):
        yield from _table_chunks(records)
    elif isinstance(records, Iterable):
        iterator = iter(records)
        while chunk := list(islice(iterator, CHUNK)):
            yield chunk
    else:
        raise TypeError(f"send_many takes an iterable, an Arrow table or a DataFrame, not {type(records).__name__}")


def is_table(records: Any) -> bool:
    """Whether it has columns: Arrow, polars, or pandas."""
    return hasattr(records, "__arrow_c_stream__") or type(records).__module__.startswith("pandas.")


def _table_chunks(records: Any) -> Iterator[list[Any]]:
    """Records of a table by way of Arrow: (key, value) pairs, values, or rows as dicts."""
    import pyarrow as pa

    table = pa.table(records) if hasattr(records, "__arrow_c_stream__") else pa.Table.from_pandas(records)
    names = set(table.column_names)
    for batch in table.to_batches(max_chunksize=CHUNK):
        if "value" not in names:
            yield batch.to_pylist()
            continue
        values = batch.column("value").to_pylist()
        if "key" in names:
            yield list(zip(batch.column("key").to_pylist(), values, strict=True))
        else:
            yield values
