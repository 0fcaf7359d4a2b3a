"""One partition of `__consumer_offsets` as a state machine: its groups and their offsets.

The shell keeps one `GroupShard` per partition it leads and carries out the decisions it returns (`decision`):

    replay(records of the log) … finish_loading()       after a start, or when leadership arrives
    join, sync, heartbeat, leave                        requests of members
    commit_offsets, fetch_offsets, delete_offsets       requests about offsets
    describe, list_groups, delete_groups                requests of administrators
    on_timer, on_appended, clean_up, topics_deleted,    events from the shell
    image_changed
    unload()                                            leadership is gone, or the log has failed

What differs from kind to kind is found in a table of kinds (`kind`).

Invariant: what must survive (`ClassicGroup.stored`, groups of other kinds, the offsets) changes in `replay` and
`replay_end_marker` only, so that replaying the log into a fresh shard gives the same state.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...metadata.image import MetadataImage
from ...protocol.apis.describe_groups import DescribedGroup, DescribedGroupMember
from ...protocol.apis.heartbeat import HeartbeatRequest
from ...protocol.apis.join_group import JoinGroupRequest, JoinGroupResponse
from ...protocol.apis.leave_group import LeaveGroupRequest
from ...protocol.apis.list_groups import ListedGroup
from ...protocol.apis.offset_commit import OffsetCommitRequest
from ...protocol.apis.offset_delete import OffsetDeleteRequest
from ...protocol.apis.offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from ...protocol.apis.sync_group import SyncGroupRequest
from ...protocol.apis.txn_offset_commit import TxnOffsetCommitRequest
from ...protocol.errors import ErrorCode, KafkaError
from ..decision import Completion, Decision, Reply, RequestContext, StoredRecord, Ticket, Timer, TimerKey
from ..shard import NO_PRODUCER_ID
from .classic import Classic
from .classic_group import ClassicGroup, GroupState
from .commits import Commits
from .config import GroupCoordinatorConfig
from .consumer import classic_side
from .consumer.group import ConsumerGroup
from .consumer.kind import Consumer
from .kind import Group, GroupKind, ShardState
from .offsets import OffsetStore
from .records import (
    GroupKey,
    OffsetAndMetadata,
    OffsetKey,
    offset_tombstone,
    parse,
    parse_key,
    parse_offset_commit,
)
from .share.kind import Share
from .streams.kind import Streams

__all__ = ["GroupShard"]

#: From this version of DescribeGroups an unknown group has an error of its own (KIP-1043).
_GROUP_ID_NOT_FOUND_SINCE = 6


class GroupShard:
    """The groups whose id hashes to one partition of `__consumer_offsets`."""

    __slots__ = (
        "_commits",
        "_foreign",
        "_kind_of_completion",
        "_kind_of_record",
        "_kind_of_timer",
        "_store",
        "classic",
        "consumer",
        "kinds",
        "share",
        "state",
        "streams",
    )  # fmt: skip

    def __init__(self, config: GroupCoordinatorConfig) -> None:
        self.state = state = ShardState(config)
        self._store = OffsetStore()
        #: By group: the keys of records that no kind below owns.
        self._foreign: dict[str, set[bytes]] = {}
        self._commits = Commits(state, self._store)
        self.classic = Classic(state)
        self.share = Share(state)
        self.consumer = Consumer(state)
        self.streams = Streams(state)
        #: The table of kinds; a kind is asked for what it named as its own.
        self.kinds: tuple[GroupKind, ...] = (
            self.classic,
            self.consumer,
            self.share,
            self.streams,
        )
        kinds = self.kinds
        self._kind_of_record: dict[int, GroupKind] = {number: kind for kind in kinds for number in kind.RECORD_TYPES}
        self._kind_of_timer: dict[str, GroupKind] = {name: kind for kind in kinds for name in kind.TIMERS}
        self._kind_of_completion: dict[type[Completion], GroupKind] = {
            completion: kind for kind in kinds for completion in kind.COMPLETIONS
        }

    # -- replay ------------------------------------------------------------------------------------------------

    def replay(self, record: StoredRecord, record_offset: int, now_ms: int, producer_id: int = NO_PRODUCER_ID) -> None:
        """Apply one record of the log. `producer_id` is that of the transaction it belongs to, if any.

        `now_ms` only dates a group that has offsets and no record of its own.
        """
        key = parse_key(record.key)
        if isinstance(key, OffsetKey):
            value = None if record.value is None else parse_offset_commit(record.key, record.value, record_offset)
            if value is not None and key.group_id not in self.state.groups:
                self.state.groups[key.group_id] = ClassicGroup(key.group_id, now_ms)
            self._store.replay(key, value, producer_id)
        elif key is not None:
            kind = self._kind_of_record.get(key.record_type)
            if kind is not None:
                kind.replay(*parse(record), now_ms)
            else:
                self._replay_foreign(key, record)

    def _replay_foreign(self, key: GroupKey, record: StoredRecord) -> None:
        keys = self._foreign.setdefault(key.group_id, set())
        if record.value is not None:
            keys.add(record.key)
        else:
            keys.discard(record.key)
        if not keys:
            del self._foreign[key.group_id]

    def replay_end_marker(self, producer_id: int, committed: bool) -> None:
        """Apply the control record that ends a transaction."""
        self._store.replay_end_marker(producer_id, committed)

    def finish_loading(self, now_ms: int) -> Decision:
        """Take up the groups that were read."""
        decision = Decision()
        self.state.loading = False
        for kind in self.kinds:
            kind.finish_loading(now_ms, decision)
        return decision

    def unload(self) -> Decision:
        """Send everybody who waits to look for the coordinator anew; this shard is not used after it."""
        decision = Decision()
        for kind in self.kinds:
            kind.unload(decision)
        return decision

    def image_changed(self, image: MetadataImage, now_ms: int) -> list[Decision]:
        """Follow the metadata; the first image is given before anything is replayed."""
        old = self.state.follow(image)
        return [decision for kind in self.kinds for decision in kind.image_changed(old, image, now_ms)]

    # -- members -----------------------------------------------------------------------------------------------

    def join(
        self, request: JoinGroupRequest, context: RequestContext, ticket: Ticket, random_id: str, now_ms: int
    ) -> Decision:
        """JoinGroup: answered through the ticket. `random_id` goes into a new member id."""
        group_id = request.group_id
        group = self.state.groups.get(group_id)
        if group is None or isinstance(group, ClassicGroup) or self.classic.check_join(request):
            return self._convert(group_id, self.classic.join(request, context, ticket, random_id, now_ms))
        if isinstance(group, ConsumerGroup) and not group.is_empty():
            if context.api_version == 0:
                request.rebalance_timeout_ms = request.session_timeout_ms
            return classic_side.join(self.consumer, group, request, context, ticket, random_id, now_ms)
        if group.is_empty() and group.CONVERTS:
            return self._join_converted(group, request, context, ticket, random_id, now_ms)
        response = JoinGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        return Decision(replies=[Reply(ticket, response)])

    def _join_converted(
        self, group: Group, request: JoinGroupRequest, context: RequestContext, ticket: Ticket, random_id: str,
        now_ms: int,
    ) -> Decision:  # fmt: skip
        """Let the first classic member into a group that nobody of another kind is in: it becomes a classic group."""
        if request.member_id:
            response = JoinGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID, member_id=request.member_id)
            return Decision(replies=[Reply(ticket, response)])
        del self.state.groups[group.group_id]
        decision = self.classic.join(request, context, ticket, random_id, now_ms)
        decision.records[:0] = group.tombstones()
        decision.timers[:0] = [Timer(key, None) for key in group.timers()]
        decision.notes.insert(0, f"Converted the empty {group.TYPE} group {group.group_id} to a classic group")
        return decision

    def sync(self, request: SyncGroupRequest, ticket: Ticket) -> Decision:
        """SyncGroup: answered through the ticket."""
        group = self.state.find(request.group_id, ConsumerGroup)
        if group is not None and not group.is_empty():
            return classic_side.sync(self.consumer, group, request, ticket)
        return self._convert(request.group_id, self.classic.sync(request, ticket))

    def _convert(self, group_id: str, decision: Decision) -> Decision:
        """A classic record turns what was an (abandoned) group of another kind into a classic one."""
        if decision.records and group_id in self._foreign:
            decision.records[:0] = self._foreign_tombstones(group_id)
        return decision

    def heartbeat(self, request: HeartbeatRequest) -> Decision:
        """Heartbeat."""
        group = self.state.find(request.group_id, ConsumerGroup)
        if group is not None:
            return classic_side.heartbeat(self.consumer, group, request)
        return self.classic.heartbeat(request)

    def leave(self, request: LeaveGroupRequest, context: RequestContext, now_ms: int) -> Decision:
        """LeaveGroup."""
        group = self.state.find(request.group_id, ConsumerGroup)
        if group is not None:
            return classic_side.leave(self.consumer, group, request, context, now_ms)
        return self.classic.leave(request, context, now_ms)

    # -- offsets -----------------------------------------------------------------------------------------------

    def commit_offsets(self, request: OffsetCommitRequest, context: RequestContext, now_ms: int) -> Decision:
        """OffsetCommit; raises `KafkaError` if all of it is refused."""
        return self._commits.commit(request, context, now_ms)

    def commit_offsets_in_transaction(
        self, request: TxnOffsetCommitRequest, context: RequestContext, now_ms: int
    ) -> Decision:  # fmt: skip
        """TxnOffsetCommit; raises `KafkaError` if all of it is refused. The records go into the producer's transaction."""
        return self._commits.commit_in_transaction(request, context, now_ms)

    def fetch_offsets(self, request: OffsetFetchRequestGroup, *, require_stable: bool) -> OffsetFetchResponseGroup:
        """OffsetFetch of one group."""
        return self._commits.fetch(request, require_stable=require_stable)

    def committed_offsets(self) -> Iterator[tuple[OffsetKey, OffsetAndMetadata]]:
        """Walk through all committed offsets."""
        return self._store.committed.items()

    def delete_offsets(self, request: OffsetDeleteRequest) -> Decision:
        """OffsetDelete; raises `KafkaError` if all of it is refused."""
        return self._commits.delete(request)

    # -- administrators ----------------------------------------------------------------------------------------

    def describe(self, group_id: str, api_version: int) -> DescribedGroup:
        """DescribeGroups of one group. Protocol and metadata are shown of a stable group only, as Kafka does."""
        group = self.state.groups.get(group_id)
        if not isinstance(group, ClassicGroup):
            unknown = DescribedGroup(group_id=group_id, group_state=GroupState.DEAD.value)
            if api_version >= _GROUP_ID_NOT_FOUND_SINCE:
                why = "not found" if group is None else "is not a classic group"
                unknown.error_code = ErrorCode.GROUP_ID_NOT_FOUND
                unknown.error_message = f"Group {group_id} {why}."
            return unknown
        protocol_name = (group.protocol_name if group.state is GroupState.STABLE else None) or ""
        return DescribedGroup(
            group_id=group_id,
            group_state=group.state.value,
            protocol_type=group.protocol_type or "",
            protocol_data=protocol_name,
            members=[
                DescribedGroupMember(
                    member_id=member.member_id,
                    group_instance_id=member.group_instance_id,
                    client_id=member.client_id,
                    client_host=member.client_host,
                    member_metadata=member.metadata(protocol_name) if protocol_name else b"",
                    member_assignment=member.assignment,
                )
                for member in group.members.values()
            ],
        )

    def list_groups(self, states: list[str], types: list[str]) -> list[ListedGroup]:
        """ListGroups: filters are names in any case; an empty filter lets everything through."""
        wanted_states = {state.strip().lower() for state in states}
        wanted_types = {group_type.lower() for group_type in types}
        return [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.listed_protocol_type,
                group_state=group.state_name,
                group_type=group.TYPE,
            )
            for group in self.state.groups.values()
            if (not wanted_types or group.TYPE in wanted_types)
            and (not wanted_states or group.state_name.lower() in wanted_states)
        ]

    def sizes(self) -> Iterator[tuple[str, str, int]]:
        """Tell of each group its id, its state and how many members it has."""
        for group in self.state.groups.values():
            yield group.group_id, group.state_name, len(group.members)

    def delete_group(self, group_id: str) -> Decision:
        """DeleteGroups of one group, with all its offsets. The response is an error code."""
        decision = Decision(response=ErrorCode.NONE)
        group = self.state.groups.get(group_id)
        if group is None:
            decision.response = ErrorCode.GROUP_ID_NOT_FOUND
            return decision
        try:
            group.validate_delete()
        except KafkaError as error:
            decision.response = error.code
            return decision
        decision.records += [offset_tombstone(*key) for key in self._store.keys_of_group(group_id)]
        self._bury(group, decision)
        decision.notes.append(f"Group {group_id} is deleted with {len(decision.records) - 1} offsets")
        return decision

    def _bury(self, group: Group, decision: Decision) -> None:
        decision.records += self._foreign_tombstones(group.group_id)
        decision.records += group.tombstones()
        decision.timers += [Timer(key, None) for key in group.timers()]

    def _foreign_tombstones(self, group_id: str) -> list[StoredRecord]:
        return [StoredRecord(key, None) for key in sorted(self._foreign.get(group_id, ()))]

    # -- events ------------------------------------------------------------------------------------------------

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """A timer that a decision asked for has fired."""
        return self._kind_of_timer[key[0]].on_timer(key, now_ms)

    def on_appended(self, completion: Completion, error: ErrorCode, now_ms: int) -> Decision:
        """The records of a decision are committed (`error` is NONE), or will never be."""
        return self._kind_of_completion[type(completion)].on_appended(completion, error, now_ms)

    def clean_up(self, now_ms: int) -> list[Decision]:
        """Drop the offsets whose retention is over, and groups that have nothing left; one decision per group."""
        decisions = []
        for group in tuple(self.state.groups.values()):
            if group.group_id in self._foreign:
                continue  # Whether such a group is empty is not ours to say.
            expired, nothing_remains = self._commits.expired(group, now_ms)
            decision = Decision(records=[offset_tombstone(*key) for key in expired])
            if nothing_remains and group.EXPIRES and group.is_empty():
                self._bury(group, decision)
                decision.notes.append(f"Group {group.group_id} is empty and its offsets have expired")
            if decision.records:
                decisions.append(decision)
        return decisions

    def topics_deleted(self, topics: list[tuple[str, bytes]]) -> Decision:
        """Topics (name, id) are gone, and with them the offsets committed for them."""
        return self._commits.delete_topics(topics)
