"""Commits: what was processed, by policy, and on request.

    Commit.AFTER           what was processed, every auto.commit.interval.ms, before partitions go away, and at the end
    Commit.every("1s")     the same, as often as that
    Commit.BATCH           after each batch, before the next is given
    Commit.MANUAL          only when `commit` is called

Never committed: what is in hand. A commit for partitions that the group has given to another member meanwhile is refused by
the coordinator; on the way of automatic commits that is counted (`late_commits`), a call to `commit` raises it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from ...protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ...protocol.errors import ErrorCode
from ..cluster import Cluster
from ..errors import BrokerError, ClientError, broker_error, error_code
from ..offsets import by_topic, failures_as_one
from ..settings import Duration
from ..telemetry.windows import Window
from .assignors.types import TopicAndPartition
from .membership import CoordinatorLink

log = logging.getLogger("ottla.client")

#: The group does not know this member, or not in this generation, any more.
FENCED = {
    ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.ILLEGAL_GENERATION, ErrorCode.FENCED_INSTANCE_ID,
    ErrorCode.FENCED_MEMBER_EPOCH,
}  # fmt: skip
_AGAIN = {ErrorCode.REBALANCE_IN_PROGRESS, ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
          ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE}  # fmt: skip

_INTERVAL = Duration("commit", 0, "How often to commit.")


@dataclass(frozen=True)
class Commit:
    """When what was processed is committed."""

    kind: str
    interval_ms: int | None = None

    AFTER: ClassVar[Commit]
    BATCH: ClassVar[Commit]
    MANUAL: ClassVar[Commit]

    @staticmethod
    def every(interval: str | int | timedelta) -> Commit:
        """As AFTER, with an interval of its own: "1s", a timedelta, milliseconds."""
        return Commit("after", _INTERVAL.parse(interval))

    @property
    def automatic(self) -> bool:
        return self.kind != "manual"


Commit.AFTER = Commit("after")
Commit.BATCH = Commit("batch")
Commit.MANUAL = Commit("manual")

#: (offset, leader epoch) or (offset, leader epoch, metadata)
Offset = tuple[Any, ...]


class Committer:
    """Sends commits for one member; one at a time, so that an older one never overtakes a newer one."""

    def __init__(self, cluster: Cluster, group: str, identity: Callable[[], tuple[str, int, str | None]]) -> None:
        self.cluster = cluster
        self.group = group
        self.link = CoordinatorLink(cluster, group)
        #: How long OffsetCommit took, for telemetry.
        self.latency_ms = Window()
        self.metrics = {"commits": 0, "late_commits": 0, "failed_commits": 0}
        self._identity = identity
        self._lock = asyncio.Lock()

    async def commit(self, offsets: Mapping[TopicAndPartition, Offset], *, timeout_ms: int | None = None) -> None:
        """Commit these offsets, or raise why not."""
        if not offsets:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (timeout_ms or self.cluster.config.default_api_timeout_ms) / 1000
        left, attempt = dict(offsets), 0
        async with self._lock:
            while left:
                began = loop.time()
                failures = await self._try(left)
                self.latency_ms.add((loop.time() - began) * 1000)
                fatal: list[Exception] = [e for e in failures.values() if not _may_retry(e)]
                if fatal:
                    failures_as_one("OffsetCommit", _distinct(fatal))
                left = {key: left[key] for key in failures}
                if not left:
                    break
                attempt += 1
                wait_s = self.cluster.backoff_s(attempt)
                if loop.time() + wait_s > deadline:
                    failures_as_one("OffsetCommit", _distinct(list(failures.values())))
                await asyncio.sleep(wait_s)
        self.metrics["commits"] += 1

    async def _try(self, offsets: Mapping[TopicAndPartition, Offset]) -> dict[TopicAndPartition, ClientError]:
        member_id, generation, instance_id = self._identity()
        topics = [
            OffsetCommitRequestTopic(
                name=topic,
                partitions=[
                    OffsetCommitRequestPartition(
                        partition_index=number,
                        committed_offset=offsets[topic, number][0],
                        committed_leader_epoch=offsets[topic, number][1],
                        committed_metadata=offsets[topic, number][2] if len(offsets[topic, number]) > 2 else "",
                    )
                    for number in numbers
                ],
            )
            for topic, numbers in by_topic(offsets).items()
        ]
        request = OffsetCommitRequest(
            group_id=self.group,
            generation_id_or_member_epoch=generation,
            member_id=member_id,
            group_instance_id=instance_id,
            topics=topics,
        )
        try:
            answer = await self.link.send(request, low=2, high=9)
        except ClientError as problem:
            return dict.fromkeys(offsets, problem)
        failures: dict[TopicAndPartition, ClientError] = {}
        for topic in answer.topics:
            for part in topic.partitions:
                if part.error_code:
                    key = (topic.name, part.partition_index)
                    failures[key] = self._problem(error_code(part.error_code), key)
        return {key: problem for key, problem in failures.items() if key in offsets}

    def _problem(self, code: ErrorCode, key: TopicAndPartition) -> BrokerError:
        if code in _AGAIN:
            self.link.doubt()
            return broker_error(code, api="OffsetCommit", topic_partition=key, retriable=True)
        hint = "the group gave the partition to another member: what was processed since will be read again there"
        return broker_error(code, api="OffsetCommit", topic_partition=key, hint=hint if code in FENCED else None)

    async def commit_quietly(self, offsets: Mapping[TopicAndPartition, Offset], timeout_ms: int) -> bool:
        """An automatic commit: what fails is counted and said in the log. Whether it was done; fencing is raised."""
        try:
            await self.commit(offsets, timeout_ms=timeout_ms)
        except ClientError as problem:
            if isinstance(problem, BrokerError) and problem.code in FENCED:
                self.metrics["late_commits"] += 1
                log.warning("a commit came too late: %s", problem)
            else:
                self.metrics["failed_commits"] += 1
                log.warning("a commit failed: %s", problem)
            return False
        except ExceptionGroup as problems:
            self.metrics["failed_commits"] += 1
            log.warning("commits failed: %s", problems.exceptions[0])
            return False
        return True

    def close(self) -> None:
        self.link.close()


def _may_retry(error: ClientError) -> bool:
    return error.retriable and not (isinstance(error, BrokerError) and error.code in FENCED)


def _distinct(errors: list[Exception]) -> list[Exception]:
    """One error of each text: a fenced member fails for all partitions alike."""
    found: dict[Any, Exception] = {}
    for error in errors:
        found.setdefault(getattr(error, "code", str(error)), error)
    return list(found.values())
