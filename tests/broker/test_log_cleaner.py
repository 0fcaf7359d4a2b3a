"""Compaction in a running broker: what is due is cleaned, within its limits, and nobody notices but the disk."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from ottla.broker.log_cleaner import Throttle
from ottla.broker.partition import Partition
from ottla.protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig, CreateTopicsRequest
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import build_batch
from ottla.records.header import Record
from tests.log.support import values
from tests.support.in_process import Client, RunningBroker, batch, produce_request
from tests.support.wires import turns

NOW = 1_700_000_000_000
FAST = {"log.cleaner.backoff.ms": "5"}


async def create(broker: RunningBroker, client: Client, **configs: str) -> Partition:
    wanted = [CreatableTopicConfig(name=name.replace("_", "."), value=value) for name, value in configs.items()]
    topic = CreatableTopic(name="t", num_partitions=1, replication_factor=1, assignments=[], configs=wanted)
    answer = await client.call(CreateTopicsRequest(topics=[topic], timeout_ms=5000, validate_only=False), 7)
    assert answer.topics[0].error_code == 0
    return broker.broker.partitions.get("t", 0)


async def produce(client: Client, **pairs: str | None) -> None:
    records = [Record(0, NOW, key.encode(), value and value.encode()) for key, value in pairs.items()]
    answer = await client.call(produce_request("t", bytes(build_batch(records))), 9)
    assert answer.responses[0].partition_responses[0].error_code == 0


async def until(met: Any) -> None:
    for _ in range(3000):
        if met():
            return
        await turns(3)
    raise AssertionError("it does not happen")


async def alter(client: Client, name: str, value: str) -> None:
    change = AlterableConfig(name=name, config_operation=0, value=value)
    resource = AlterConfigsResource(resource_type=2, resource_name="t", configs=[change])
    answer = await client.call(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False), 1)
    assert answer.responses[0].error_code == 0


async def test_a_dirty_log_is_compacted_and_stays_so_after_a_restart() -> None:
    async with RunningBroker(**FAST) as broker, broker.connect() as client:
        partition = await create(broker, client, cleanup_policy="compact")
        for number in range(5):
            await produce(client, a=f"a{number}", b=f"b{number}")
        partition.log.roll(NOW)
        await until(lambda: broker.broker.upkeep.cleaner.passes)
        assert values(partition.log) == [b"a4", b"b4"]
        assert broker.files.read_all("/data/cleaner-offset-checkpoint") == b"0\n1\nt 0 10\n"
        await broker.restart(clean=False)
        assert values(broker.broker.partitions.get("t", 0).log) == [b"a4", b"b4"]


async def test_a_change_of_the_topic_s_configuration_takes_effect_on_the_live_log() -> None:
    async with RunningBroker(**FAST) as broker, broker.connect() as client:
        partition = await create(broker, client, cleanup_policy="delete")
        for number in range(3):
            await produce(client, a=f"a{number}")
        partition.log.roll(NOW)
        await alter(client, "cleanup.policy", "compact")
        await until(lambda: broker.broker.upkeep.cleaner.passes)
        assert values(partition.log) == [b"a2"]


async def test_a_record_without_a_key_is_refused_as_kafka_does() -> None:
    async with RunningBroker() as broker, broker.connect() as client:
        await create(broker, client, cleanup_policy="compact,delete")
        answer = await client.call(produce_request("t", batch(b"no key")), 9)
        result = answer.responses[0].partition_responses[0]
        assert result.error_code == ErrorCode.INVALID_RECORD
        assert result.record_errors[0].batch_index == 0
        assert result.record_errors[0].batch_index_error_message == "Compacted topic cannot accept message without key."


async def test_without_a_policy_nothing_is_deleted_or_compacted() -> None:
    """KIP-1161."""
    async with RunningBroker(**FAST) as broker, broker.connect() as client:
        partition = await create(broker, client, cleanup_policy="", retention_ms="1", retention_bytes="0")
        for number in range(3):
            await produce(client, a=f"a{number}")
        partition.log.roll(NOW)
        broker.clock.time_ms = NOW + 10_000
        assert await broker.broker.upkeep.apply_retention() == 0
        assert broker.broker.upkeep.cleaner._choose() is None
        assert len(values(partition.log)) == 3


async def test_damage_takes_one_log_out_of_compaction_and_no_other() -> None:
    async with RunningBroker(**FAST) as broker, broker.connect() as client:
        partition = await create(broker, client, cleanup_policy="delete")
        await produce(client, a="a0")
        await produce(client, a="a1")
        path = partition.log.active.file.path
        partition.log.roll(NOW)
        broker.files._names[path].data[70] ^= 1  # type: ignore[attr-defined]
        await alter(client, "cleanup.policy", "compact")
        await until(lambda: broker.broker.upkeep.cleaner.uncleanable)
        assert "damaged batch" in broker.broker.upkeep.cleaner.uncleanable["t", 0]
        await produce(client, a="a2")


async def test_the_cleaner_can_be_turned_off() -> None:
    async with RunningBroker(**{"log.cleaner.enable": "false"}) as broker:
        assert broker.broker.upkeep.cleaner._tasks == []


def test_a_throttle_lets_so_many_bytes_pass_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    stopping = threading.Event()
    monkeypatch.setattr(stopping, "wait", waited.append)
    monkeypatch.setattr("ottla.broker.log_cleaner.time.monotonic", lambda: 100.0)
    throttle = Throttle(stopping)
    throttle.spent(1_000_000)
    assert waited == []
    throttle.bytes_per_s = 1_000_000
    throttle.spent(500_000)
    throttle.spent(250_000)
    assert waited == [0.5, 0.75]
