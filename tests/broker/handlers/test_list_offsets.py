"""ListOffsets: every way to name a moment of a log."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.protocol.apis.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.protocol.errors import ErrorCode
from tests.support.in_process import Client, RunningBroker, batch, produce_request

T0 = 1_700_000_000_000


async def ask(client: Client, timestamp: int, version: int = 7, **options: Any) -> Any:
    partition = ListOffsetsPartition(partition_index=0, timestamp=timestamp, **options)
    wanted = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=[partition])])
    return (await client.call(wanted, version)).topics[0].partitions[0]


@pytest.fixture
async def log(broker: RunningBroker, client: Client) -> None:
    """Three batches at T0, T0+1000 (the highest) and T0+500."""
    await broker.topic("t")
    for records in (batch(b"a", b"b", timestamp=T0), batch(b"c", timestamp=T0 + 1000), batch(b"d", timestamp=T0 + 500)):
        await client.call(produce_request("t", records), 9)


@pytest.mark.parametrize(
    ("timestamp", "found", "offset"),
    [
        (-1, -1, 4), (-2, -1, 0), (-3, T0 + 1000, 2), (-4, -1, 0), (-5, -1, -1),
        (0, T0, 0), (T0, T0, 0), (T0 + 1, T0 + 1000, 2), (T0 + 1000, T0 + 1000, 2), (T0 + 1001, -1, -1),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("log")
async def test_each_kind_of_moment(client: Client, timestamp: int, found: int, offset: int) -> None:
    answer = await ask(client, timestamp, 10)
    assert (answer.error_code, answer.timestamp, answer.offset) == (0, found, offset)


@pytest.mark.parametrize(("timestamp", "version"), [(-3, 6), (-4, 7), (-5, 8), (-6, 10), (-7, 11)])
@pytest.mark.usefixtures("log")
async def test_a_special_moment_is_unknown_to_versions_before_it(client: Client, timestamp: int, version: int) -> None:
    assert (await ask(client, timestamp, version)).error_code == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize(("timestamp", "offsets"), [(-1, [4, 0]), (-2, [0])])
@pytest.mark.usefixtures("log")
async def test_version_0_lists_where_segments_begin(client: Client, timestamp: int, offsets: list[int]) -> None:
    assert (await ask(client, timestamp, 0, max_num_offsets=5)).old_style_offsets == offsets


@pytest.mark.usefixtures("log")
async def test_a_partition_named_twice_is_refused(client: Client) -> None:
    partition = ListOffsetsPartition(partition_index=0, timestamp=-1)
    wanted = ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(name="t", partitions=[partition, partition])])
    answers = (await client.call(wanted, 7)).topics[0].partitions
    assert {x.error_code for x in answers} == {ErrorCode.INVALID_REQUEST}


@pytest.mark.usefixtures("log")
async def test_a_newer_leader_epoch_than_ours_is_refused(client: Client) -> None:
    assert (await ask(client, -1, current_leader_epoch=9)).error_code == ErrorCode.UNKNOWN_LEADER_EPOCH
