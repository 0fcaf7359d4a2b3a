"""One partition of `__consumer_offsets` as a state machine: its groups and their offsets.

The shell keeps one `GroupShard` per partition it leads and carries out the decisions it returns (`decision`):

    replay(records of the log) … finish_loading()       after a start, or when leadership arrives
    join, sync, heartbeat, leave                        requests of members
    commit_offsets, fetch_offsets, delete_offsets       requests about offsets
    describe, list_groups, delete_groups                requests of administrators
    on_timer, on_appended, clean_up, topics_deleted     events from the shell
    unload()                                            leadership is gone, or the log has failed

Invariant: what must survive (`ClassicGroup.stored`, the offsets, the foreign records) changes in `replay` and
`replay_end_marker` only, so that replaying the log into a fresh shard gives the same state.
"""

from __future__ import annotations

from ...protocol.apis.describe_groups import DescribedGroup, DescribedGroupMember
from ...protocol.apis.heartbeat import HeartbeatRequest
from ...protocol.apis.join_group import JoinGroupRequest, JoinGroupResponse
from ...protocol.apis.leave_group import LeaveGroupRequest
from ...protocol.apis.list_groups import ListedGroup
from ...protocol.apis.offset_commit import OffsetCommitRequest
from ...protocol.apis.offset_delete import OffsetDeleteRequest
from ...protocol.apis.offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from ...protocol.apis.sync_group import SyncGroupRequest, SyncGroupResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..decision import Completion, Decision, Reply, RequestContext, StoredRecord, Ticket, Timer, TimerKey
from ..shard import NO_PRODUCER_ID
from . import rebalance
from .classic import Classic, GroupCreated, StaticMemberReplaced
from .classic_group import ClassicGroup, GroupState
from .commits import Commits
from .config import GroupCoordinatorConfig
from .offsets import OffsetStore
from .records import (
    ForeignKey,
    GroupKey,
    OffsetKey,
    group_tombstone,
    offset_tombstone,
    parse_group_metadata,
    parse_key,
    parse_offset_commit,
)

__all__ = ["GroupShard"]

CLASSIC_GROUP_TYPE = "classic"
#: From this version of DescribeGroups an unknown group has an error of its own (KIP-1043).
_GROUP_ID_NOT_FOUND_SINCE = 6


class GroupShard:
    """The groups whose id hashes to one partition of `__consumer_offsets`."""

    __slots__ = ("_classic", "_commits", "_config", "_foreign", "_groups", "_loading", "_store")

    def __init__(self, config: GroupCoordinatorConfig) -> None:
        self._config = config
        #: Before `finish_loading`, records make groups; after it, they only confirm what events have made.
        self._loading = True
        self._groups: dict[str, ClassicGroup] = {}
        self._store = OffsetStore()
        #: By group: the keys of records that belong to kinds of groups not served yet.
        self._foreign: dict[str, set[bytes]] = {}
        self._classic = Classic(self._groups, config)
        self._commits = Commits(self._groups, self._store, config)

    # -- replay ------------------------------------------------------------------------------------------------

    def replay(self, record: StoredRecord, record_offset: int, now_ms: int, producer_id: int = NO_PRODUCER_ID) -> None:
        """Apply one record of the log. `producer_id` is that of the transaction it belongs to, if any.

        `now_ms` only dates a group that has offsets and no record of its own.
        """
        key = parse_key(record.key)
        if isinstance(key, OffsetKey):
            value = None if record.value is None else parse_offset_commit(record.key, record.value, record_offset)
            if value is not None and key.group_id not in self._groups:
                self._groups[key.group_id] = ClassicGroup(key.group_id, now_ms)
            self._store.replay(key, value, producer_id)
        elif isinstance(key, GroupKey):
            self._replay_group(key.group_id, record)
        elif isinstance(key, ForeignKey):
            keys = self._foreign.setdefault(key.group_id, set())
            if record.value is not None:
                keys.add(record.key)
            else:
                keys.discard(record.key)
            if not keys:
                del self._foreign[key.group_id]

    def _replay_group(self, group_id: str, record: StoredRecord) -> None:
        if record.value is None:
            group = self._groups.pop(group_id, None)
            if group is not None:
                group.state = GroupState.DEAD
            return
        stored = parse_group_metadata(record.key, record.value)
        live = self._groups.get(group_id)
        if live is None or self._loading:
            self._groups[group_id] = ClassicGroup.from_stored(group_id, stored)
        else:
            live.stored = stored

    def replay_end_marker(self, producer_id: int, committed: bool) -> None:
        """Apply the control record that ends a transaction."""
        self._store.replay_end_marker(producer_id, committed)

    def finish_loading(self, now_ms: int) -> Decision:
        """Take up the groups that were read: every member has its session from now on."""
        decision = Decision()
        self._loading = False
        for group in tuple(self._groups.values()):
            for member in group.members.values():
                rebalance.restart_heartbeat(group.group_id, member, decision)
            if len(group.members) > self._config.group_max_size:
                reason = f"Freshly-loaded group {group.group_id} is over capacity {self._config.group_max_size}"
                rebalance.prepare(group, self._config, decision, reason, now_ms)
        return decision

    def unload(self) -> Decision:
        """Send everybody who waits to look for the coordinator anew; this shard is not used after it."""
        decision = Decision()
        for group in self._groups.values():
            group.state = GroupState.DEAD
            for member_id, ticket in group.joins.items():
                response = JoinGroupResponse(error_code=ErrorCode.NOT_COORDINATOR, member_id=member_id)
                decision.replies.append(Reply(ticket, response))
            for ticket in group.syncs.values():
                decision.replies.append(Reply(ticket, SyncGroupResponse(error_code=ErrorCode.NOT_COORDINATOR)))
            group.joins.clear()
            group.syncs.clear()
        return decision

    # -- members -----------------------------------------------------------------------------------------------

    def join(
        self, request: JoinGroupRequest, context: RequestContext, ticket: Ticket, random_id: str, now_ms: int
    ) -> Decision:
        """JoinGroup: answered through the ticket. `random_id` goes into a new member id."""
        decision = self._classic.join(request, context, ticket, random_id, now_ms)
        return self._convert(request.group_id, decision)

    def sync(self, request: SyncGroupRequest, ticket: Ticket) -> Decision:
        """SyncGroup: answered through the ticket."""
        return self._convert(request.group_id, self._classic.sync(request, ticket))

    def _convert(self, group_id: str, decision: Decision) -> Decision:
        """A classic record turns what was an (abandoned) group of another kind into a classic one."""
        if decision.records and group_id in self._foreign:
            decision.records[:0] = self._foreign_tombstones(group_id)
        return decision

    def heartbeat(self, request: HeartbeatRequest) -> Decision:
        """Heartbeat."""
        return self._classic.heartbeat(request)

    def leave(self, request: LeaveGroupRequest, context: RequestContext, now_ms: int) -> Decision:
        """LeaveGroup."""
        return self._classic.leave(request, context, now_ms)

    # -- offsets -----------------------------------------------------------------------------------------------

    def commit_offsets(self, request: OffsetCommitRequest, context: RequestContext, now_ms: int) -> Decision:
        """OffsetCommit; raises `KafkaError` if all of it is refused."""
        return self._commits.commit(request, context, now_ms)

    def fetch_offsets(self, request: OffsetFetchRequestGroup, *, require_stable: bool) -> OffsetFetchResponseGroup:
        """OffsetFetch of one group."""
        return self._commits.fetch(request, require_stable=require_stable)

    def delete_offsets(self, request: OffsetDeleteRequest) -> Decision:
        """OffsetDelete; raises `KafkaError` if all of it is refused."""
        return self._commits.delete(request)

    # -- administrators ----------------------------------------------------------------------------------------

    def describe(self, group_id: str, api_version: int) -> DescribedGroup:
        """DescribeGroups of one group. Protocol and metadata are shown of a stable group only, as Kafka does."""
        group = self._groups.get(group_id)
        if group is None:
            unknown = DescribedGroup(group_id=group_id, group_state=GroupState.DEAD.value)
            if api_version >= _GROUP_ID_NOT_FOUND_SINCE:
                unknown.error_code = ErrorCode.GROUP_ID_NOT_FOUND
                unknown.error_message = f"Group {group_id} not found."
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
        if types and CLASSIC_GROUP_TYPE not in {group_type.lower() for group_type in types}:
            return []
        return [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type or "",
                group_state=group.state.value,
                group_type=CLASSIC_GROUP_TYPE,
            )
            for group in self._groups.values()
            if not wanted_states or group.state.value.lower() in wanted_states
        ]

    def delete_group(self, group_id: str) -> Decision:
        """DeleteGroups of one group, with all its offsets. The response is an error code."""
        decision = Decision(response=ErrorCode.NONE)
        group = self._groups.get(group_id)
        if group is None:
            decision.response = ErrorCode.GROUP_ID_NOT_FOUND
            return decision
        try:
            group.validate_no_members()
        except KafkaError as error:
            decision.response = error.code
            return decision
        decision.records += [offset_tombstone(*key) for key in self._store.keys_of_group(group_id)]
        self._bury(group, decision)
        decision.notes.append(f"Group {group_id} is deleted with {len(decision.records) - 1} offsets")
        return decision

    def _bury(self, group: ClassicGroup, decision: Decision) -> None:
        decision.records += self._foreign_tombstones(group.group_id)
        decision.records.append(group_tombstone(group.group_id))
        decision.timers.append(Timer(rebalance.join_key(group.group_id), None))
        decision.timers.append(Timer(rebalance.sync_key(group.group_id), None))
        for member_id in group.pending_members:
            decision.timers.append(Timer(rebalance.heartbeat_key(group.group_id, member_id), None))

    def _foreign_tombstones(self, group_id: str) -> list[StoredRecord]:
        return [StoredRecord(key, None) for key in sorted(self._foreign.get(group_id, ()))]

    # -- events ------------------------------------------------------------------------------------------------

    def on_timer(self, key: TimerKey, now_ms: int) -> Decision:
        """A timer that a decision asked for has fired."""
        decision = Decision()
        kind, group_id = key[0], key[1]
        group = self._groups.get(group_id)
        if group is None:
            return decision
        if kind == "heartbeat":
            rebalance.session_over(group, self._config, decision, key[2], now_ms)
        elif kind == "join":
            rebalance.join_time_over(group, self._config, decision, now_ms)
        else:
            rebalance.sync_time_over(group, self._config, decision, now_ms)
        return decision

    def on_appended(self, completion: Completion, error: ErrorCode, now_ms: int) -> Decision:
        """The records of a decision are committed (`error` is NONE), or will never be."""
        if isinstance(completion, rebalance.AssignmentStored):
            group = self._groups.get(completion.group_id)
            if group is None:
                return Decision()
            return rebalance.assignment_stored(group, self._config, completion, error, now_ms)
        if isinstance(completion, StaticMemberReplaced):
            return self._classic.static_member_replaced(completion, error)
        assert isinstance(completion, GroupCreated)
        return self._classic.group_created(completion, error)

    def clean_up(self, now_ms: int) -> list[Decision]:
        """Drop the offsets whose retention is over, and groups that have nothing left; one decision per group."""
        decisions = []
        for group in tuple(self._groups.values()):
            if group.group_id in self._foreign:
                continue  # Whether such a group is empty is not ours to say.
            expired, nothing_remains = self._commits.expired(group, now_ms)
            decision = Decision(records=[offset_tombstone(*key) for key in expired])
            if nothing_remains and group.state is GroupState.EMPTY and not group.pending_members:
                self._bury(group, decision)
                decision.notes.append(f"Group {group.group_id} is empty and its offsets have expired")
            if decision.records:
                decisions.append(decision)
        return decisions

    def topics_deleted(self, topics: list[tuple[str, bytes]]) -> Decision:
        """Topics (name, id) are gone, and with them the offsets committed for them."""
        return self._commits.delete_topics(topics)
