"""Share groups of this broker: the group coordinator and the share coordinator, brought together.

The group coordinator decides and says what has to happen to the state of share partitions; here the share coordinator is
asked (`Persister`), and what came of it is told back:

    heartbeat ──► group coordinator ──► answer
                        │ then, beside it
                        └──► persister.initialize ──► group coordinator: initialized, or not

    alter, delete ──► group coordinator ──► persister ──► group coordinator ──► answer

If a step is lost (a crash, another coordinator), what is noted in the group says so: initializations are begun again by a
heartbeat, deletions by the next attempt to delete.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ...coordinator.groups.share.members import HeartbeatResult, check_request
from ...coordinator.groups.share.offsets import AlterResult, DeleteResult
from ...coordinator.groups.share.states import DeleteStates, InitializeStates
from ...protocol.apis.alter_share_group_offsets import AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse
from ...protocol.apis.delete_share_group_offsets import (
    DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse,
    DeleteShareGroupOffsetsResponseTopic,
)
from ...protocol.apis.share_group_describe import DescribedGroup
from ...protocol.apis.share_group_heartbeat import ShareGroupHeartbeatRequest
from ...protocol.errors import ErrorCode, KafkaError
from ..purgatory import settled
from .groups import request_context
from .service import mapped

if TYPE_CHECKING:
    from ..dispatch import Context
    from ..server import Broker

log = logging.getLogger("ottla.broker.coordinators")

#: The feature that lets share groups in.
SHARE_VERSION = "share.version"

#: What was asked of single partitions, with the error where there was one.
Outcome = Mapping[bytes, Mapping[int, KafkaError | None]]


class ShareGroups:
    """The share groups that this broker coordinates."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        #: Initializations under way.
        self._tasks: set[asyncio.Task[Any]] = set()

    def check_enabled(self) -> None:
        """Raise UNSUPPORTED_VERSION unless share groups are served: by the finalised feature, or by the configuration."""
        broker = self._broker
        if broker.image.features.get(SHARE_VERSION, 0) < 1 and not broker.config.boolean("group.share.enable"):
            raise KafkaError(ErrorCode.UNSUPPORTED_VERSION)

    async def stop(self) -> None:
        """Leave what is under way: the next coordinator begins it again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ── members ─────────────────────────────────────────────────────────────────────────────────────────────────

    def heartbeat(self, context: Context, request: ShareGroupHeartbeatRequest) -> Any:
        """ShareGroupHeartbeat."""
        check_request(request)
        host = self._broker.groups.host(request.group_id)
        now_ms = self._broker.clock.now_ms()
        result = host.carry_out(host.shard.share.heartbeat(request, request_context(context), now_ms))
        return mapped(result, self._answer)

    def _answer(self, result: HeartbeatResult | KafkaError) -> Any:
        if isinstance(result, KafkaError):
            return result
        if result.initialize is not None:
            name = f"initialize share partitions of {result.initialize.group_id}"
            task = asyncio.create_task(self._initialize(result.initialize), name=name)
            self._tasks.add(task)
            task.add_done_callback(self._on_task_end)
        return result.response

    def _on_task_end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._broker.metrics.uncaught_exceptions += 1
            log.error("%s failed", task.get_name(), exc_info=task.exception())

    async def _initialize(self, asked: InitializeStates) -> Outcome:
        """Have share partitions initialized and tell the group what came of it."""
        persister = self._broker.persister
        outcome = await _each(
            (topic_id, partition, persister.initialize(asked.group_id, topic_id, partition, asked.state_epoch, offset))
            for topic_id, offsets in asked.start_offsets.items()
            for partition, offset in offsets.items()
        )
        try:
            host = self._broker.groups.host(asked.group_id)
            share = host.shard.share
            await settled(host.carry_out(share.initialized(asked.group_id, _without_error(outcome))))
            await settled(host.carry_out(share.not_initialized(asked.group_id, _with_error(outcome))))
        except KafkaError as error:
            log.warning("share partitions of group %s are initialized again later: %s", asked.group_id, error)
        return outcome

    # ── administrators ──────────────────────────────────────────────────────────────────────────────────────────

    async def describe(self, group_id: str) -> DescribedGroup:
        """ShareGroupDescribe of one group."""
        host = self._broker.groups.host(group_id)
        found: DescribedGroup = await settled(host.when_settled(lambda: host.shard.share.describe(group_id)))
        return found

    async def initialized_partitions(self, group_id: str) -> Mapping[bytes, frozenset[int]]:
        """Return the partitions a group has state of."""
        host = self._broker.groups.host(group_id)
        found: Mapping[bytes, frozenset[int]] = await settled(
            host.when_settled(lambda: host.shard.share.initialized_partitions(group_id))
        )
        return found

    async def alter_offsets(self, request: AlterShareGroupOffsetsRequest) -> AlterShareGroupOffsetsResponse:
        """AlterShareGroupOffsets."""
        host = self._broker.groups.host(request.group_id)
        result: AlterResult = await settled(host.carry_out(host.shard.share.alter_offsets(request)))
        outcome = await self._initialize(result.initialize) if result.initialize.start_offsets else {}
        for topic in result.response.responses:
            for partition in topic.partitions:
                error = outcome.get(topic.topic_id, {}).get(partition.partition_index)
                if error is not None:
                    partition.error_code, partition.error_message = error.code, error.message
        return result.response

    async def delete_offsets(self, request: DeleteShareGroupOffsetsRequest) -> DeleteShareGroupOffsetsResponse:
        """DeleteShareGroupOffsets."""
        host = self._broker.groups.host(request.group_id)
        result: DeleteResult = await settled(host.carry_out(host.shard.share.delete_offsets(request)))
        errors = await self._delete(result.delete)
        done = [topic_id for topic_id, error in errors.items() if error is None]
        await settled(host.carry_out(host.shard.share.deleted(request.group_id, done)))
        return DeleteShareGroupOffsetsResponse(
            responses=[*(self._deleted_topic(*one) for one in errors.items()), *result.refused]
        )

    def _deleted_topic(self, topic_id: bytes, error: KafkaError | None) -> DeleteShareGroupOffsetsResponseTopic:
        topic = self._broker.image.topics.by_id(topic_id)
        return DeleteShareGroupOffsetsResponseTopic(
            topic_name="" if topic is None else topic.name,
            topic_id=topic_id,
            error_code=ErrorCode.NONE if error is None else error.code,
            error_message=None if error is None else error.message,
        )

    async def delete_states(self, group_id: str) -> None:
        """DeleteGroups, first step: delete what the share coordinator has of a group. Raises `KafkaError`.

        Groups that do not exist or are of another kind are left to the second step.
        """
        host = self._broker.groups.host(group_id)
        asked: DeleteStates | None = await settled(host.carry_out(host.shard.share.delete_group_states(group_id)))
        if asked is not None:
            for error in (await self._delete(asked)).values():
                if error is not None:
                    raise error

    async def _delete(self, asked: DeleteStates) -> dict[bytes, KafkaError | None]:
        """Return the first error of each topic."""
        persister = self._broker.persister
        outcome = await _each(
            (topic_id, partition, persister.delete(asked.group_id, topic_id, partition))
            for topic_id, partitions in asked.partitions.items()
            for partition in sorted(partitions)
        )
        return {
            topic_id: next((error for error in partitions.values() if error is not None), None)
            for topic_id, partitions in outcome.items()
        }


async def _each(asked: Iterable[tuple[bytes, int, Awaitable[None]]]) -> Outcome:
    """Await something for each of many partitions, all at once."""
    places, awaited = [], []
    for topic_id, partition, one in asked:
        places.append((topic_id, partition))
        awaited.append(one)
    outcome: dict[bytes, dict[int, KafkaError | None]] = {}
    for (topic_id, partition), error in zip(
        places, await asyncio.gather(*awaited, return_exceptions=True), strict=True
    ):
        if error is not None and not isinstance(error, KafkaError):
            raise error
        outcome.setdefault(topic_id, {})[partition] = error
    return outcome


def _without_error(outcome: Outcome) -> dict[bytes, frozenset[int]]:
    return _chosen(outcome, failed=False)


def _with_error(outcome: Outcome) -> dict[bytes, frozenset[int]]:
    return _chosen(outcome, failed=True)


def _chosen(outcome: Outcome, *, failed: bool) -> dict[bytes, frozenset[int]]:
    chosen = {
        topic_id: frozenset(partition for partition, error in partitions.items() if (error is not None) is failed)
        for topic_id, partitions in outcome.items()
    }
    return {topic_id: partitions for topic_id, partitions in chosen.items() if partitions}
