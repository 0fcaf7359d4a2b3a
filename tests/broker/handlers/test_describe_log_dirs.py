"""DescribeLogDirs: where partitions lie, and how large they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ottla.log.disk_files import DiskFiles
from ottla.protocol.apis.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker


@pytest.mark.parametrize("version", range(5))
async def test_null_means_all_partitions(broker: RunningBroker, client: Client, version: int) -> None:
    partition = await broker.topic("t")
    (result,) = (await client.call(DescribeLogDirsRequest(topics=None), version)).results
    assert (result.error_code, result.log_dir) == (0, "/data")
    ((row,),) = [topic.partitions for topic in result.topics if topic.name == "t"]
    assert (row.partition_index, row.partition_size, row.offset_lag) == (0, partition.log.size, 0)


async def test_only_what_was_asked_for_is_told(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    await broker.topic("u")
    asked = [
        DescribableLogDirTopic(topic="u", partitions=[0, 9]),
        DescribableLogDirTopic(topic="never-was", partitions=[0]),
    ]
    (result,) = (await client.call(DescribeLogDirsRequest(topics=asked), 4)).results
    assert [topic.name for topic in result.topics] == ["u"]


async def test_the_room_of_the_disk_is_told_where_there_is_a_disk(tmp_path: Path) -> None:
    sets = {"log.dirs": str(tmp_path)}
    async with RunningBroker(files=DiskFiles(), **sets) as broker, broker.connect() as client:
        (result,) = (await client.call(DescribeLogDirsRequest(topics=None), 4)).results
    assert result.total_bytes > result.usable_bytes > 0


async def test_a_dead_directory_is_an_error(broker: RunningBroker, client: Client) -> None:
    await broker.topic("t")
    broker.broker.logs.directories[0].health.fail(OSError(5, "Input/output error"))
    (result,) = (await client.call(DescribeLogDirsRequest(topics=None), 4)).results
    assert (result.error_code, result.topics) == (ErrorCode.KAFKA_STORAGE_ERROR, [])
