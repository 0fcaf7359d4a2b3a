"""Committed offsets: what OffsetCommit, OffsetFetch and OffsetDelete decide, and when offsets expire.

Whether topics and partitions exist, and who may see them, is checked before this is called: names and ids both
stand in the requests that arrive here. Behaviour is that of Kafka 4.2's OffsetMetadataManager.
"""

from __future__ import annotations

from ...protocol.apis.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ...protocol.apis.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from ...protocol.apis.offset_fetch import (
    OffsetFetchRequestGroup,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)
from ...protocol.apis.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...protocol.schema import ZERO_UUID
from ..decision import Decision, RequestContext
from . import rebalance
from .classic_group import ClassicGroup, GroupState
from .kind import CommitCheck, Group, ShardState
from .offsets import OffsetStore
from .records import OffsetAndMetadata, OffsetKey, offset_commit_record, offset_tombstone

__all__ = ["Commits"]

_NONE = ErrorCode.NONE  # an enum's member costs more to find than a name
_new_tuple = tuple.__new__

#: What a client is told where nothing is committed.
NO_OFFSET = -1
#: From this version of OffsetCommit an unknown group has an error of its own (KIP-848).
_GROUP_ID_NOT_FOUND_SINCE = 9
#: The retention time of OffsetCommit v2 to v4 that means: as the broker is configured.
_DEFAULT_RETENTION = -1
#: The latest time that can be stored.
_NEVER_MS = (1 << 63) - 1


class Commits:
    """The offsets of one partition of `__consumer_offsets`."""

    __slots__ = ("_config", "_groups", "_store")

    def __init__(self, state: ShardState, store: OffsetStore) -> None:
        self._groups = state.groups
        self._store = store
        self._config = state.config

    # -- OffsetCommit ------------------------------------------------------------------------------------------

    def commit(self, request: OffsetCommitRequest, context: RequestContext, now_ms: int) -> Decision:
        """Commit offsets for a member, or for anybody while the group has no members.

        Raises `KafkaError` if the whole commit is refused.
        """
        decision = Decision()
        check = self._check_commit(request, context, decision)
        retention_ms = request.retention_time_ms
        expires_ms = -1 if retention_ms == _DEFAULT_RETENTION else min(now_ms + retention_ms, _NEVER_MS)
        response = OffsetCommitResponse()
        group_id, records = request.group_id, decision.records
        for topic in request.topics:
            name, topic_id, results = topic.name, topic.topic_id, []
            for partition in topic.partitions:
                index, metadata = partition.partition_index, partition.committed_metadata or ""
                if check is not None:
                    check(name, topic_id, index)
                error = _NONE
                if metadata and self._is_too_long(metadata):
                    error = ErrorCode.OFFSET_METADATA_TOO_LARGE
                else:
                    offset, epoch = partition.committed_offset, partition.committed_leader_epoch
                    committed = (offset, epoch, metadata, now_ms, expires_ms, topic_id, -1)
                    records.append(
                        offset_commit_record(group_id, name, index, _new_tuple(OffsetAndMetadata, committed))
                    )
                results.append(OffsetCommitResponsePartition(partition_index=index, error_code=error))
            response.topics.append(OffsetCommitResponseTopic(name=name, topic_id=topic_id, partitions=results))
        decision.response = response
        return decision

    def commit_in_transaction(
        self, request: TxnOffsetCommitRequest, context: RequestContext, now_ms: int
    ) -> Decision:  # fmt: skip
        """Commit offsets that count once the producer's transaction does (TxnOffsetCommit).

        Raises `KafkaError` if the whole commit is refused.
        """
        decision = Decision()
        group = self._groups.get(request.group_id)
        check = None
        if group is not None:
            check = self._check_transactional(group, request, context)
        elif request.generation_id >= 0:
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        response = TxnOffsetCommitResponse()
        for topic in request.topics:
            results = []
            for partition in topic.partitions:
                index = partition.partition_index
                if check is not None:
                    check(topic.name, ZERO_UUID, index)
                error = ErrorCode.NONE
                if self._is_too_long(partition.committed_metadata or ""):
                    error = ErrorCode.OFFSET_METADATA_TOO_LARGE
                else:
                    offset = OffsetAndMetadata(
                        partition.committed_offset, partition.committed_leader_epoch,
                        partition.committed_metadata or "", now_ms,
                    )  # fmt: skip
                    decision.records.append(offset_commit_record(request.group_id, topic.name, index, offset))
                results.append(TxnOffsetCommitResponsePartition(partition_index=index, error_code=error))
            response.topics.append(TxnOffsetCommitResponseTopic(name=topic.name, partitions=results))
        decision.response = response
        return decision

    @staticmethod
    def _check_transactional(
        group: Group, request: TxnOffsetCommitRequest, context: RequestContext
    ) -> CommitCheck | None:  # fmt: skip
        """Fence members and generations (KIP-447); v0 to v2 name neither."""
        try:
            return group.validate_offset_commit(
                request.member_id, request.group_instance_id, request.generation_id, transactional=True,
                api_version=context.api_version,
            )  # fmt: skip
        except KafkaError as error:
            if error.code is ErrorCode.STALE_MEMBER_EPOCH:
                raise KafkaError(ErrorCode.ILLEGAL_GENERATION) from error
            raise

    def _check_commit(
        self, request: OffsetCommitRequest, context: RequestContext, decision: Decision
    ) -> CommitCheck | None:
        generation_id, member_id = request.generation_id_or_member_epoch, request.member_id
        group = self._groups.get(request.group_id)
        if group is None:
            if generation_id < 0:
                return None  # The replay of the first offset will make the group.
            if context.api_version >= _GROUP_ID_NOT_FOUND_SINCE:
                raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {request.group_id} not found.")
            raise KafkaError(ErrorCode.ILLEGAL_GENERATION)
        check = group.validate_offset_commit(
            member_id, request.group_instance_id, generation_id, transactional=False, api_version=context.api_version
        )
        if isinstance(group, ClassicGroup) and group.state in (GroupState.STABLE, GroupState.PREPARING_REBALANCE):
            # A commit is a sign of life as good as a heartbeat.
            rebalance.restart_heartbeat(group.group_id, group.members[member_id], decision)
        return check

    def _is_too_long(self, text: str) -> bool:
        # Kafka counts UTF-16 units, at most two for each of our characters.
        size_max = self._config.offset_metadata_max_bytes
        return len(text) * 2 > size_max and len(text.encode("utf-16-le")) // 2 > size_max

    # -- OffsetFetch -------------------------------------------------------------------------------------------

    def fetch(self, request: OffsetFetchRequestGroup, *, require_stable: bool) -> OffsetFetchResponseGroup:
        """Read committed offsets: of the topics asked for, or all of the group's if `topics` is None."""
        group_id = request.group_id
        group = self._groups.get(group_id)
        if group is not None:
            group.validate_offset_fetch(request.member_id, request.member_epoch)
        committed = self._store.committed.of_group(group_id) if group is not None else {}
        if request.topics is None:
            wanted = [(topic, ZERO_UUID, list(partitions)) for topic, partitions in committed.items()]
        else:
            wanted = [(topic.name, topic.topic_id, topic.partition_indexes) for topic in request.topics]
        topics = []
        for name, topic_id, partitions in wanted:
            offsets = committed.get(name, {})
            results = [
                self._fetch_one(group_id, name, topic_id, index, offsets.get(index), require_stable)
                for index in partitions
            ]
            topics.append(OffsetFetchResponseTopics(name=name, topic_id=topic_id, partitions=results))
        return OffsetFetchResponseGroup(group_id=group_id, topics=topics)

    def _fetch_one(
        self, group_id: str, topic: str, topic_id: bytes, index: int, offset: OffsetAndMetadata | None, stable: bool
    ) -> OffsetFetchResponsePartitions:
        if stable and self._store.is_unstable(group_id, topic, index):
            return no_offset(index, ErrorCode.UNSTABLE_OFFSET_COMMIT)
        # An offset of an earlier topic of the same name says nothing about this one.
        if offset is None or (topic_id != ZERO_UUID and offset.topic_id not in (ZERO_UUID, topic_id)):
            return no_offset(index)
        return OffsetFetchResponsePartitions(
            partition_index=index,
            committed_offset=offset.committed_offset,
            committed_leader_epoch=offset.leader_epoch,
            metadata=offset.metadata,
            error_code=ErrorCode.NONE,
        )

    # -- OffsetDelete, expiry, deleted topics ------------------------------------------------------------------

    def delete(self, request: OffsetDeleteRequest) -> Decision:
        """Delete offsets that no member is using. Raises `KafkaError` if the group does not allow it at all."""
        if not request.group_id:
            raise KafkaError(ErrorCode.INVALID_GROUP_ID)
        group = self._groups.get(request.group_id)
        if group is None:
            raise KafkaError(ErrorCode.GROUP_ID_NOT_FOUND, f"Group {request.group_id} not found.")
        group.validate_offset_delete()
        decision = Decision()
        response = OffsetDeleteResponse()
        for topic in request.topics:
            error = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if group.is_subscribed(topic.name) else ErrorCode.NONE
            result = OffsetDeleteResponseTopic(name=topic.name)
            for partition in topic.partitions:
                index = partition.partition_index
                result.partitions.append(OffsetDeleteResponsePartition(partition_index=index, error_code=error))
                if not error and self._has_offset(OffsetKey(request.group_id, topic.name, index)):
                    decision.records.append(offset_tombstone(request.group_id, topic.name, index))
            response.topics.append(result)
        decision.response = response
        return decision

    def _has_offset(self, key: OffsetKey) -> bool:
        return self._store.committed.get(*key) is not None or self._store.is_unstable(*key)

    def delete_topics(self, topics: list[tuple[str, bytes]]) -> Decision:
        """Drop the offsets of deleted topics (name, id)."""
        decision = Decision()
        decision.records += [offset_tombstone(*key) for key in self._store.keys_of_topics(topics, ZERO_UUID)]
        return decision

    def expired(self, group: Group, now_ms: int) -> tuple[list[OffsetKey], bool]:
        """Find a group's offsets whose time is over, and whether the group has none besides."""
        if not self._store.committed.of_group(group.group_id):
            return [], not self._store.has_open_transactions(group.group_id)
        age_start = group.offset_age_start()
        if age_start is None:
            return [], False
        retention_ms = self._config.offsets_retention_ms

        def is_expired(offset: OffsetAndMetadata) -> bool:
            if offset.expire_timestamp_ms != -1:
                return now_ms >= offset.expire_timestamp_ms
            return now_ms - age_start(offset) >= retention_ms

        return self._store.expired_keys(group.group_id, group.is_subscribed, is_expired)


def no_offset(index: int, error: ErrorCode = ErrorCode.NONE) -> OffsetFetchResponsePartitions:
    """Say that a partition has no committed offset, or why it cannot be told."""
    return OffsetFetchResponsePartitions(
        partition_index=index, committed_offset=NO_OFFSET, committed_leader_epoch=-1, metadata="", error_code=error
    )
