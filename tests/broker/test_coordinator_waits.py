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
    OffsetCommitResponse,
)
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.support.in_process import ANSWER_TIMEOUT_S, Client, RunningBroker


def commit_at(host: ShardHost, offset: int) -> OffsetCommitResponse | Deferred:
    partition = OffsetCommitRequestPartition(partition_index=0, committed_offset=offset)
    topic = OffsetCommitRequestTopic(name="t", partitions=[partition])
    request = OffsetCommitRequest(group_id="g", topics=[topic])
    answer: OffsetCommitResponse | Deferred = host.carry_out(
        host.shard.commit_offsets(request, RequestContext(9, "c", "/h"), 0)
    )
    return answer


def commit(host: ShardHost, offset: int) -> Deferred:
    """A commit whose record is not on disk yet."""
    answer = commit_at(host, offset)
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


@pytest.mark.parametrize("durability", ["os", "fsync"])
async def test_the_first_commit_of_a_turn_is_answered_at_once_unless_it_waits_for_the_disk(durability: str) -> None:
    """All others share one append."""
    async with (
        RunningBroker(**{"ottla.durability": durability}) as broker,
        Client(broker.port) as client,
        asyncio.timeout(ANSWER_TIMEOUT_S),
    ):
        await client.call(FindCoordinatorRequest(key="g"), 0)
        host = broker.broker.groups.host("g")
        for _ in range(2):
            log, begun, appends = host.partition.log, host.partition.log.log_end_offset, host.partition.appends
            answers = [commit_at(host, offset) for offset in range(4)]
            at_once = 1 if durability == "os" else 0
            assert log.log_end_offset == begun + at_once
            assert [isinstance(answer, Deferred) for answer in answers] == [False] * at_once + [True] * (4 - at_once)
            for answer in answers:
                assert (await settled(answer)).topics[0].partitions[0].error_code == ErrorCode.NONE
            assert (log.log_end_offset, host.partition.appends) == (begun + 4, appends + 1 + at_once)


async def test_who_commits_to_a_host_that_is_closed_is_sent_away(broker: RunningBroker, client: Client) -> None:
    await client.call(FindCoordinatorRequest(key="g"), 0)
    host = broker.broker.groups.host("g")
    end = host.partition.log.log_end_offset
    host.close()
    with pytest.raises(KafkaError) as caught:
        await settled(commit(host, 1))
    assert caught.value.code is ErrorCode.NOT_COORDINATOR
    assert host.partition.log.log_end_offset == end
