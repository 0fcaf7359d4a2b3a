"""Dead-letter topics of share groups (KIP-1191): where records go that no consumer could work on.

A group names its topic in `errors.deadletterqueue.topic.name`. Records that are rejected, or were delivered as often as
the limit allows, are produced there before they are archived, each with headers that say where it came from:

    __dlq.errors.topic · .partition · .offset · .group · .delivery.count · .message

and with `errors.deadletterqueue.copy.record.enable` with its key and value as well. The topic must permit it
(`errors.deadletterqueue.group.enable`), its name must begin with `errors.deadletterqueue.topic.name.prefix`, and it is
made if `errors.deadletterqueue.auto.create.topics.enable` says so. Where that fails, the records are archived all the
same: a topic that cannot be written must not stop a group. Whoever looks finds it in the log and in the counters.

A crash between producing and archiving produces a letter again: at least once, like everything here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...controller.topics import create_topics
from ...coordinator.share_partition import DeadLetter
from ...log.errors import KafkaStorageError
from ...log.log import Origin
from ...metadata.configs.resolve import topic_values
from ...metadata.image import ResourceType
from ...protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ...protocol.errors import ErrorCode, KafkaError
from ...records.batch import Record, build_batch, iter_headers, read_records
from ..chance import RANDOM
from ..partition import ACKS_ALL, Partition

if TYPE_CHECKING:
    from ..server import Broker
    from .metrics import ShareMetrics
    from .settings import ShareGroupSettings

log = logging.getLogger("ottla.broker.share")

GROUP_ENABLE = "errors.deadletterqueue.group.enable"
AUTO_CREATE = "errors.deadletterqueue.auto.create.topics.enable"
NAME_PREFIX = "errors.deadletterqueue.topic.name.prefix"

REJECTED = b"Offset rejected by client."
LIMIT_REACHED = b"Offset delivery count exceeded the threshold."

RETRY_S = 1.0
ATTEMPTS = 5
#: Source records are read in pieces of so many bytes.
READ_BYTES = 1024 * 1024
#: What a record takes in a batch beside key, value and headers, at most.
RECORD_OVERHEAD = 64
BATCH_OVERHEAD = 61


class DeadLetterWriter:
    """Produces dead letters of all groups of this broker."""

    __slots__ = ("_broker", "_metrics")

    def __init__(self, broker: Broker, metrics: ShareMetrics) -> None:
        self._broker = broker
        self._metrics = metrics

    async def write(
        self, group_id: str, source: Partition, settings: ShareGroupSettings, letter: DeadLetter
    ) -> None:  # fmt: skip
        """Produce the records of a letter; a failure is logged and counted."""
        for attempt in range(ATTEMPTS):
            try:
                await self._write(group_id, source, settings, letter)
                return
            except KafkaError as problem:
                failures = self._metrics.dead_letter_produce_failures
                failures[group_id] = failures.get(group_id, 0) + 1
                if not problem.code.retriable or attempt == ATTEMPTS - 1:
                    log.error(
                        "records %d..%d of %s-%d, given up by group %s, are not in its dead-letter topic %r: %s",
                        letter.first_offset, letter.last_offset, source.topic, source.index, group_id,
                        settings.dead_letter_topic, problem,
                    )  # fmt: skip
                    return
            await asyncio.sleep(RETRY_S * 2**attempt)

    async def _write(
        self, group_id: str, source: Partition, settings: ShareGroupSettings, letter: DeadLetter
    ) -> None:  # fmt: skip
        name = settings.dead_letter_topic
        await self._ensure_topic(name)
        topic = self._broker.image.topics.get(name)
        if topic is None:
            raise KafkaError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        target = self._broker.partitions.get(name, source.index % len(topic.partitions))
        records = self._records(group_id, source, settings, letter)
        for batch in _in_batches(records, target.log.config.max_message_bytes):
            now_ms = self._broker.clock.now_ms()
            data = build_batch([record._replace(timestamp=now_ms, offset=n) for n, record in enumerate(batch)])
            requests = self._metrics.dead_letter_produce_requests
            requests[group_id] = requests.get(group_id, 0) + 1
            result = target.append_as_leader(data, ACKS_ALL, now_ms, Origin.CLIENT)
            await target.wait_committed(result.last_offset + 1)
            written = self._metrics.dead_letter_records
            written[group_id] = written.get(group_id, 0) + len(batch)

    async def _ensure_topic(self, name: str) -> None:
        """Check that the topic may be used, and make it if it may be made. Raises INVALID_CONFIG."""
        broker = self._broker
        levels = broker.config.levels_in(broker.image)
        prefix = str(levels.value(NAME_PREFIX) or "")
        if not name or name.startswith("__") or not name.startswith(prefix):
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"the topic's name must begin with {prefix!r} and not with '__'")
        topic = broker.image.topics.get(name)
        if topic is not None:
            own = broker.image.configs.get(ResourceType.TOPIC, name)
            if topic_values(own, levels).get(GROUP_ENABLE) is not True:
                raise KafkaError(ErrorCode.INVALID_CONFIG, f"the topic does not have {GROUP_ENABLE}=true")
            return
        if levels.value(AUTO_CREATE) is not True:
            raise KafkaError(ErrorCode.INVALID_CONFIG, f"there is no such topic, and {AUTO_CREATE} is not true")
        configs = {GROUP_ENABLE: "true", "message.timestamp.type": "CreateTime"}
        wanted = CreatableTopic(
            name=name,
            num_partitions=-1,
            replication_factor=-1,
            configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
        )
        request = CreateTopicsRequest(topics=[wanted], timeout_ms=30_000)
        response = await broker.controller.submit(
            lambda image: create_topics(image, request, levels=broker.config.levels_in(image), random=RANDOM)
        )
        error = ErrorCode(response.topics[0].error_code)
        if error not in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS):
            raise KafkaError(error, response.topics[0].error_message)

    def _records(
        self, group_id: str, source: Partition, settings: ShareGroupSettings, letter: DeadLetter
    ) -> Iterator[Record]:
        """Make the records of a letter, one for each offset."""
        copies = _source_records(source, letter) if settings.copies_dead_letters else iter(())
        copy = next(copies, None)
        for offset in range(letter.first_offset, letter.last_offset + 1):
            while copy is not None and copy.offset < offset:
                copy = next(copies, None)
            same = copy if copy is not None and copy.offset == offset else None
            headers = (
                ("__dlq.errors.topic", source.topic.encode()),
                ("__dlq.errors.partition", b"%d" % source.index),
                ("__dlq.errors.offset", b"%d" % offset),
                ("__dlq.errors.group", group_id.encode()),
                ("__dlq.errors.delivery.count", b"%d" % letter.delivery_count),
                ("__dlq.errors.message", REJECTED if letter.rejected else LIMIT_REACHED),
            )
            key, value = (None, None) if same is None else (same.key, same.value)
            yield Record(0, 0, key, value, headers)


def _source_records(source: Partition, letter: DeadLetter) -> Iterator[Record]:
    """Iterate over the records of a letter that are still in the log."""
    offset = max(letter.first_offset, source.log.log_start_offset)
    while offset <= letter.last_offset:
        try:
            data = source.log.read(offset, READ_BYTES, source.high_watermark)
        except KafkaStorageError:
            raise
        except KafkaError:
            return  # deleted meanwhile: the letter says where it was
        if not data:
            return
        for position, header in iter_headers(data):
            offset = header.next_offset
            if not header.is_control:
                yield from read_records(data, position)
            if offset > letter.last_offset:
                return


def _in_batches(records: Iterator[Record], most: int) -> Iterator[list[Record]]:
    """Gather records into batches of at most so many bytes; a record that is larger alone goes alone."""
    batch: list[Record] = []
    size = BATCH_OVERHEAD
    for record in records:
        added = RECORD_OVERHEAD + len(record.key or b"") + len(record.value or b"")
        added += sum(len(key) + len(value or b"") + 10 for key, value in record.headers)
        if batch and size + added > most:
            yield batch
            batch, size = [], BATCH_OVERHEAD
        batch.append(record)
        size += added
    if batch:
        yield batch
