"""Questions about offsets, for Consumer and Admin: by time, committed, and where a leader epoch ends.

    list_offsets     {partition: timestamp} ──► one ListOffsets per leader ──► {partition: Found}
    committed        group ──► OffsetFetch to its coordinator ──► {partition: Committed}
    epoch_ends       {partition: epoch} ──► one OffsetForLeaderEpoch per leader ──► {partition: (epoch, end)}

Each tries again, after new metadata, for as long as errors are such that a retry helps; what is left is raised, several
failures as one ExceptionGroup.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from ..protocol.apis.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ..protocol.apis.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from ..protocol.apis.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from ..protocol.errors import ErrorCode
from ..protocol.schema import Request
from .cluster import GROUP, Cluster, Coordinator, Node
from .errors import BrokerError, ClientError, broker_error, error_code

TopicAndPartition = tuple[str, int]
ValueT = TypeVar("ValueT")
ResultT = TypeVar("ResultT")

EARLIEST, LATEST, MAX_TIMESTAMP = -2, -1, -3
READ_UNCOMMITTED, READ_COMMITTED = 0, 1
#: ListOffsets version that a special timestamp needs.
_VERSION_OF = {MAX_TIMESTAMP: 7, -4: 8, -5: 9, -6: 11}


class Found(NamedTuple):
    """An offset, the timestamp of its record (-1: none was looked for), and its leader epoch. -1: there is no such record."""

    offset: int
    timestamp: int = -1
    leader_epoch: int = -1


class Committed(NamedTuple):
    """How far a group has read: the next offset it wants."""

    offset: int
    leader_epoch: int = -1
    metadata: str = ""


def failures_as_one(what: str, failures: list[Exception]) -> None:
    """Raise nothing, the one failure, or a group of them."""
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ExceptionGroup(f"{what}: {len(failures)} failures", failures)


def by_topic(keys: Iterable[TopicAndPartition]) -> dict[str, list[int]]:
    """Topic -> partitions."""
    found: dict[str, list[int]] = {}
    for topic, partition in keys:
        found.setdefault(topic, []).append(partition)
    return found


async def per_leader(
    cluster: Cluster,
    wanted: Mapping[TopicAndPartition, ValueT],
    ask: Callable[[int, dict[TopicAndPartition, ValueT]], Awaitable[dict[TopicAndPartition, ResultT | BrokerError]]],
    *,
    what: str,
    timeout_ms: int | None = None,
) -> dict[TopicAndPartition, ResultT]:
    """Ask the leader of each partition about it; retriable failures are asked again."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (timeout_ms or cluster.config.default_api_timeout_ms) / 1000
    left = dict(wanted)
    done: dict[TopicAndPartition, ResultT] = {}
    attempt = 0
    while left:
        failures = await _one_round(cluster, left, ask, done)
        fatal: list[Exception] = [error for error in failures.values() if not error.retriable]
        failures_as_one(what, fatal)
        left = {key: left[key] for key in failures}
        if not left:
            break
        attempt += 1
        wait_s = cluster.backoff_s(attempt)
        if loop.time() + wait_s > deadline:
            failures_as_one(what, list(failures.values()))
        cluster.want_metadata()
        await asyncio.sleep(wait_s)
    return done


async def _one_round(
    cluster: Cluster,
    left: dict[TopicAndPartition, ValueT],
    ask: Callable[[int, dict[TopicAndPartition, ValueT]], Awaitable[dict[TopicAndPartition, ResultT | BrokerError]]],
    done: dict[TopicAndPartition, ResultT],
) -> dict[TopicAndPartition, ClientError]:
    failures: dict[TopicAndPartition, ClientError] = {}
    by_node: dict[int, dict[TopicAndPartition, ValueT]] = {}
    for topic in {key[0] for key in left}:
        if topic not in cluster.metadata.topics:
            await cluster.topic(topic)
    for key, value in left.items():
        node = cluster.metadata.leader(*key)
        if node < 0:
            count = len(cluster.metadata.topics[key[0]].partitions) if key[0] in cluster.metadata.topics else 0
            code = ErrorCode.LEADER_NOT_AVAILABLE if key[1] < count else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            failures[key] = broker_error(code, topic_partition=key)
        else:
            by_node.setdefault(node, {})[key] = value
    nodes = list(by_node)
    answers = await asyncio.gather(*(ask(node, by_node[node]) for node in nodes), return_exceptions=True)
    for node, answer in zip(nodes, answers, strict=True):
        if isinstance(answer, ClientError):
            failures.update(dict.fromkeys(by_node[node], answer))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            for key, result in answer.items():
                if isinstance(result, BrokerError):
                    failures[key] = result
                else:
                    done[key] = result
    return failures


async def list_offsets(
    cluster: Cluster,
    wanted: Mapping[TopicAndPartition, int],
    *,
    isolation: int = READ_UNCOMMITTED,
    timeout_ms: int | None = None,
) -> dict[TopicAndPartition, Found]:
    """The offsets at these timestamps (ms; EARLIEST, LATEST and others are negative)."""
    low = max([1, *(_VERSION_OF.get(timestamp, 1) for timestamp in wanted.values())])
    low = max(low, 2 if isolation else 1)

    async def ask(node: int, asked: dict[TopicAndPartition, int]) -> dict[TopicAndPartition, Found | BrokerError]:
        topics = [
            ListOffsetsTopic(
                name=topic,
                partitions=[
                    ListOffsetsPartition(partition_index=number, timestamp=asked[topic, number]) for number in numbers
                ],
            )
            for topic, numbers in by_topic(asked).items()
        ]
        request = ListOffsetsRequest(
            replica_id=-1, isolation_level=isolation, topics=topics, timeout_ms=cluster.config.request_timeout_ms
        )
        answer = await cluster.request(request, Node(node), low=low, retry=False)
        found: dict[TopicAndPartition, Found | BrokerError] = {}
        for topic in answer.topics:
            for part in topic.partitions:
                key = (topic.name, part.partition_index)
                if part.error_code:
                    found[key] = broker_error(part.error_code, api="ListOffsets", topic_partition=key)
                else:
                    found[key] = Found(part.offset, part.timestamp, part.leader_epoch)
        return _complete(asked, found, "ListOffsets")

    return await per_leader(cluster, wanted, ask, what="ListOffsets", timeout_ms=timeout_ms)


async def epoch_ends(
    cluster: Cluster, wanted: Mapping[TopicAndPartition, int]
) -> dict[TopicAndPartition, tuple[int, int]]:
    """(leader epoch, end offset): where the newest epoch that is not above the asked one ends."""

    async def ask(
        node: int, asked: dict[TopicAndPartition, int]
    ) -> dict[TopicAndPartition, tuple[int, int] | BrokerError]:
        topics = [
            OffsetForLeaderTopic(
                topic=topic,
                partitions=[OffsetForLeaderPartition(partition=n, leader_epoch=asked[topic, n]) for n in numbers],
            )
            for topic, numbers in by_topic(asked).items()
        ]
        answer = await cluster.request(
            OffsetForLeaderEpochRequest(replica_id=-1, topics=topics), Node(node), retry=False
        )
        found: dict[TopicAndPartition, tuple[int, int] | BrokerError] = {}
        for topic in answer.topics:
            for part in topic.partitions:
                key = (topic.topic, part.partition)
                if part.error_code:
                    found[key] = broker_error(part.error_code, api="OffsetForLeaderEpoch", topic_partition=key)
                else:
                    found[key] = (part.leader_epoch, part.end_offset)
        return _complete(asked, found, "OffsetForLeaderEpoch")

    return await per_leader(cluster, wanted, ask, what="OffsetForLeaderEpoch")


def _complete(asked: Mapping[TopicAndPartition, Any], found: dict[TopicAndPartition, Any], api: str) -> dict[Any, Any]:
    """What the answer does not mention failed too; what was not asked does not count."""
    for key in asked:
        if key not in found:
            found[key] = broker_error(ErrorCode.UNKNOWN_SERVER_ERROR, "the answer leaves it out", api=api)
    return {key: found[key] for key in asked}


async def committed(
    cluster: Cluster,
    group: str,
    partitions: Iterable[TopicAndPartition] | None = None,
    *,
    require_stable: bool = True,
    member: tuple[str, int] | None = None,
    send: Callable[..., Awaitable[Any]] | None = None,
) -> dict[TopicAndPartition, Committed]:
    """What a group committed, of these partitions or of all. `member`: id and epoch of a KIP-848 member."""
    topics = None if partitions is None else by_topic(partitions)

    def request(version: int) -> Request:
        if version >= 8:
            asked = None
            if topics is not None:
                asked = [OffsetFetchRequestTopics(name=t, partition_indexes=p) for t, p in topics.items()]
            one = OffsetFetchRequestGroup(group_id=group, topics=asked)
            if member is not None and version >= 9:
                one.member_id, one.member_epoch = member
            return OffsetFetchRequest(groups=[one], require_stable=require_stable)
        old = None
        if topics is not None:
            old = [OffsetFetchRequestTopic(name=t, partition_indexes=p) for t, p in topics.items()]
        stable = {"require_stable": require_stable} if version >= 7 else {}
        return OffsetFetchRequest(group_id=group, topics=old, **stable)

    send = send or _to_coordinator(cluster, group)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + cluster.config.default_api_timeout_ms / 1000
    attempt = 0
    while True:
        answer = await send(request, kind=OffsetFetchRequest, low=2, high=9)
        part = answer.groups[0] if answer.groups else answer
        code = error_code(part.error_code)
        found: dict[TopicAndPartition, Committed] = {}
        for topic in part.topics:
            for row in topic.partitions:
                code = code or error_code(row.error_code)
                if row.committed_offset >= 0:
                    key = (topic.name, row.partition_index)
                    found[key] = Committed(row.committed_offset, row.committed_leader_epoch, row.metadata or "")
        if not code:
            return found
        problem = broker_error(code, api="OffsetFetch", hint=f"group {group!r}")
        attempt += 1
        if not problem.retriable or loop.time() + cluster.backoff_s(attempt) > deadline:
            raise problem
        cluster.forget_coordinator(GROUP, group)
        await asyncio.sleep(cluster.backoff_s(attempt))


def _to_coordinator(cluster: Cluster, group: str) -> Callable[..., Awaitable[Any]]:
    async def send(request: Any, **more: Any) -> Any:
        return await cluster.request(request, Coordinator(GROUP, group), **more)

    return send
