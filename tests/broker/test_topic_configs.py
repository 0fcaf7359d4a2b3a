"""Every topic config that a log knows reaches the live log, from the topic's own setting and from the broker's default."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.log.config import LogConfig
from ottla.metadata.configs.broker import BROKER as BROKER_CONFIGS
from ottla.metadata.configs.definition import CLUSTER_WIDE
from ottla.metadata.configs.topic import TOPIC as TOPIC_CONFIGS
from ottla.protocol.apis.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.protocol.errors import ErrorCode
from ottla.records.header import TimestampType
from tests.broker.test_partitions import BROKER, TOPIC, alter
from tests.support.in_process import Client, RunningBroker, batch, produce_request

#: A value that is not the default, and what the log has of it (None: the same number).
VALUES: dict[str, tuple[str, Any]] = {
    "segment.bytes": ("2000000", None), "segment.ms": ("4000", None), "segment.jitter.ms": ("5", None),
    "segment.index.bytes": ("600", None), "retention.ms": ("7000", None), "retention.bytes": ("8", None),
    "max.message.bytes": ("900", None), "index.interval.bytes": ("10", None),
    "message.timestamp.type": ("LogAppendTime", TimestampType.LOG_APPEND_TIME),
    "message.timestamp.before.max.ms": ("11", None), "message.timestamp.after.max.ms": ("12", None),
    "cleanup.policy": ("compact", frozenset({"compact"})), "delete.retention.ms": ("13", None),
    "min.compaction.lag.ms": ("14", None), "max.compaction.lag.ms": ("15", None),
    "min.cleanable.dirty.ratio": ("0.25", 0.25), "file.delete.delay.ms": ("16", None), "flush.messages": ("17", None),
    "flush.ms": ("18", None), "compression.type": ("lz4", "lz4"), "compression.gzip.level": ("2", None),
    "compression.lz4.level": ("3", None), "compression.zstd.level": ("4", None), "min.insync.replicas": ("1", None),
    "unclean.leader.election.enable": ("true", True), "preallocate": ("true", True),
}  # fmt: skip
FIELDS = {name.replace("_", "."): name for name in LogConfig.__dataclass_fields__}
WITHOUT_FIELD = {  # what no log needs to know
    "leader.replication.throttled.replicas", "follower.replication.throttled.replicas", "remote.storage.enable",
    "local.retention.ms", "local.retention.bytes", "remote.log.copy.disable", "remote.log.delete.on.disable",
    "internal.segment.bytes", "errors.deadletterqueue.group.enable",
}  # fmt: skip


def test_the_table_of_this_test_is_whole() -> None:
    assert set(VALUES) == set(FIELDS) & set(TOPIC_CONFIGS)
    assert set(TOPIC_CONFIGS) - set(VALUES) == WITHOUT_FIELD
    silent = {name for name in VALUES if TOPIC_CONFIGS[name].no_effect}
    assert silent == {"unclean.leader.election.enable"}, "what has an effect says so"


@pytest.mark.parametrize("name", VALUES)
async def test_a_change_reaches_the_live_log_and_so_does_taking_it_back(
    broker: RunningBroker, client: Client, name: str
) -> None:
    log = (await broker.topic("t")).log
    text, wanted = VALUES[name]
    wanted = int(text) if wanted is None else wanted
    before = getattr(log.config, FIELDS[name])
    assert before != wanted or name == "min.insync.replicas"
    await alter(client, TOPIC, "t", name, text)
    assert getattr(log.config, FIELDS[name]) == wanted
    await alter(client, TOPIC, "t", name, None)
    assert getattr(log.config, FIELDS[name]) == before
    key = TOPIC_CONFIGS[name].synonyms[0]
    if BROKER_CONFIGS[key].update_mode == CLUSTER_WIDE:
        await alter(client, BROKER, "", key, text)
        assert getattr(log.config, FIELDS[name]) == wanted
        await alter(client, BROKER, "", key, None)
        assert getattr(log.config, FIELDS[name]) == before


async def answered(client: Client, data: bytes) -> tuple[int, int]:
    answer = (await client.call(produce_request("t", data), 9)).responses[0].partition_responses[0]
    return answer.error_code, answer.log_append_time_ms


async def test_timestamps_are_judged_and_stamped_as_the_topic_says_at_that_moment(
    broker: RunningBroker, client: Client
) -> None:
    await broker.topic("t")
    now_ms = broker.clock.time_ms
    old, new = batch(b"old", timestamp=now_ms - 5000), batch(b"new", timestamp=now_ms + 5000)
    assert [await answered(client, old), await answered(client, new)] == [(0, -1)] * 2
    await alter(client, TOPIC, "t", "message.timestamp.before.max.ms", "4999")
    await alter(client, TOPIC, "t", "message.timestamp.after.max.ms", "4999")
    assert [await answered(client, old), await answered(client, new)] == [(ErrorCode.INVALID_TIMESTAMP, -1)] * 2
    await alter(client, TOPIC, "t", "message.timestamp.before.max.ms", "5000")
    await alter(client, TOPIC, "t", "message.timestamp.after.max.ms", "5000")
    assert [await answered(client, old), await answered(client, new)] == [(0, -1)] * 2
    await alter(client, TOPIC, "t", "message.timestamp.before.max.ms", "0")
    await alter(client, TOPIC, "t", "message.timestamp.type", "LogAppendTime")
    broker.clock.time_ms += 100_000
    assert await answered(client, old) == (0, now_ms + 100_000), "the producer's time does not matter any more"
    rows = [ListOffsetsPartition(partition_index=0, timestamp=now_ms + 100_000)]
    listed = await client.call(
        ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=rows)]), 5
    )
    found = listed.topics[0].partitions[0]
    assert (found.offset, found.timestamp) == (4, now_ms + 100_000)
