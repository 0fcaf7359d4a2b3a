"""Reads that wait until what was decided before them is committed (`ShardHost.when_settled`)."""

from __future__ import annotations

import asyncio

import pytest

from ottla.broker.coordinators.shard_host import ShardHost
from ottla.broker.purgatory import Deferred, settled
from ottla.coordinator.decision import RequestContext
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.support.in_process import ANSWER_TIMEOUT_S, Client, RunningBroker


def commit(host: ShardHost, offset: int) -> Deferred:
    """A commit whose record is not on disk yet."""
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topic = OffsetCommitRequestTopic(name="t", partitions=[partition])
    request = OffsetCommitRequest(group_id="g", topics=[topic])
    answer = host.carry_out(host.shard.commit_offsets(request, RequestContext(9, "c", "/h"), 0))
    assert isinstance(answer, Deferred)
    return answer


async def test_a_read_that_fails_when_its_turn_comes_fails_alone(broker: RunningBroker, client: Client) -> None:
    """The error of one waiter once went to whoever committed, and ended every later fsync of the broker (franz-go, KIP-848)."""
    await client.call(FindCoordinatorRequest(key="g"), 0)
    host = broker.broker.groups.host("g")

    def stale() -> None:
        raise KafkaError(ErrorCode.STALE_MEMBER_EPOCH)

    committed, refused = commit(host, 1), host.when_settled(stale)
    others = [host.when_settled(lambda: "read"), commit(host, 2)]
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        with pytest.raises(KafkaError) as caught:
            await settled(refused)
        assert caught.value.code is ErrorCode.STALE_MEMBER_EPOCH
        assert await settled(others[0]) == "read"
        for answer in (committed, others[1], commit(host, 3)):
            assert (await settled(answer)).topics[0].partitions[0].error_code == ErrorCode.NONE
