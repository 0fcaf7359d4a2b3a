"""What holds for a classic group whatever its clients do, in whatever order, and whichever appends fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ottla.coordinator import GroupCoordinatorConfig, GroupShard
from ottla.coordinator.groups.classic_group import ClassicGroup, GroupState
from ottla.protocol.apis.join_group import JoinGroupResponse
from ottla.protocol.apis.sync_group import SyncGroupResponse
from ottla.protocol.errors import ErrorCode
from tests.support.group_driver import GroupDriver, subscription

WHO = st.sampled_from(["A", "B", "C", "D"])
STATIC = {"C": "c", "D": "d"}
PARTITIONS = 4


class Clients(RuleBasedStateMachine):
    """Four clients, two of them static, against one group."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = GroupDriver(GroupCoordinatorConfig(group_initial_rebalance_delay_ms=100))
        self.waiting: dict[str, int] = {}
        self.generation_seen = 0
        #: By generation: what each client was told to read.
        self.owned: dict[int, dict[str, set[str]]] = {}
        self.failing = False

    # -- what happens --------------------------------------------------------------------------------------------

    @rule(who=WHO, version=st.sampled_from([0, 3, 5, 9]), protocols=st.sampled_from(["r", "rs", "sr"]),
          forgetful=st.booleans())  # fmt: skip
    def join(self, who: str, version: int, protocols: str, forgetful: bool) -> None:
        instance = STATIC.get(who) if version >= 5 else None
        self.driver.join(
            who, version=version, member_id="" if forgetful else None, instance=instance, rebalance_ms=30_000,
            protocols={name: subscription(["t"]) for name in protocols},
        )  # fmt: skip

    @rule(who=WHO)
    def sync(self, who: str) -> None:
        group = self.group()
        assignments = {}
        if group is not None and group.members:
            members = sorted(group.members)
            for number, member_id in enumerate(members):
                owned = [str(n) for n in range(PARTITIONS) if n % len(members) == number]
                assignments[member_id] = ",".join(owned).encode()
        self.driver.sync(who, assignments)

    @rule(who=WHO)
    def heartbeat(self, who: str) -> None:
        self.driver.heartbeat(who)

    @rule(who=WHO)
    def leave(self, who: str) -> None:
        self.driver.leave(who)

    @rule(who=WHO, offset=st.integers(0, 9))
    def commit(self, who: str, offset: int) -> None:
        self.driver.commit(who, {("t", 0): offset})

    @rule(ms=st.sampled_from([1, 100, 5_000, 10_000, 31_000]))
    def tick(self, ms: int) -> None:
        self.driver.tick(ms)

    @rule()
    def hold(self) -> None:
        self.driver.holding = True

    @rule()
    def release(self) -> None:
        self.driver.release()

    @rule()
    def restart(self) -> None:
        """A broker that is killed: whoever waits will never hear."""
        self.driver.release()
        self.driver.restart()
        self.generation_seen = 0

    @rule()
    def delete(self) -> None:
        self.driver.carry_out("admin", self.driver.shard.delete_group("g"))
        if self.group() is None:
            self.generation_seen = 0
            self.owned.clear()

    # -- what must hold ------------------------------------------------------------------------------------------

    def group(self) -> ClassicGroup | None:
        return self.driver.shard.state.groups.get("g")

    @invariant()
    def answers_make_sense(self) -> None:
        group = self.group()
        for who, response in self.driver.take_answers():
            if isinstance(response, JoinGroupResponse) and not response.error_code:
                assert group is not None
                # Only the leader is told who the members are, and it is one of them.
                if response.members:
                    assert response.leader == response.member_id
                    assert response.leader in {member.member_id for member in response.members}
            if isinstance(response, SyncGroupResponse) and not response.error_code:
                generation = self.driver.generations[who]
                got = set(response.assignment.decode().split(",")) - {""}
                self.owned.setdefault(generation, {})[self.driver.member_ids[who]] = got

    @invariant()
    def the_generation_never_goes_back(self) -> None:
        group = self.group()
        if group is not None:
            assert group.generation_id >= self.generation_seen
            self.generation_seen = group.generation_id

    @invariant()
    def no_partition_has_two_owners(self) -> None:
        group = self.group()
        if group is not None and group.state is GroupState.STABLE:
            owned = [partition for member in group.members.values() for partition in member.assignment.split(b",")]
            named = [partition for partition in owned if partition]
            assert len(named) == len(set(named))

    @invariant()
    def the_books_are_in_order(self) -> None:
        group = self.group()
        if group is None:
            return
        assert set(group.static_members.values()) <= set(group.members)
        assert not group.pending_members & set(group.members)
        assert set(group.joins) <= set(group.members)
        assert set(group.syncs) <= set(group.members)
        assert group.pending_sync_members <= set(group.members)
        assert (group.leader_id in group.members) if group.members else (group.leader_id is None)
        assert bool(group.members) != (group.state is GroupState.EMPTY) or group.state is GroupState.PREPARING_REBALANCE
        counts: dict[str, int] = {}
        for member in group.members.values():
            for name, _ in member.protocols:
                counts[name] = counts.get(name, 0) + 1
        assert counts == group.supported

    @invariant()
    def a_restart_gives_the_stored_state_back(self) -> None:
        driver = self.driver
        fresh = GroupShard(driver.config)
        for offset, record in enumerate(driver.log):
            fresh.replay(record, offset, driver.now_ms)
        fresh.finish_loading(driver.now_ms)
        live, replayed = self.group(), fresh.state.groups.get("g")
        assert dict(fresh._store.committed.items()) == dict(driver.shard._store.committed.items())
        if live is None or replayed is None:
            assert live is replayed
            return
        assert live.stored == replayed.stored
        quiet = not driver._held and not live.joins and not live.pending_members
        if quiet and live.state in (GroupState.STABLE, GroupState.EMPTY) and live.stored is not None:
            assert driver.shard.describe("g", 6) == fresh.describe("g", 6)

    @invariant()
    def nobody_waits_without_a_timer(self) -> None:
        """Whoever waits is freed by a timer at the latest."""
        group = self.group()
        if group is None or not (group.joins or group.syncs) or self.driver._held:
            return
        assert len(self.driver.deadlines) > 0


@pytest.mark.slow
def test_any_conversation_keeps_the_group_sound() -> None:
    """Generations rise, partitions have one owner, a restart loses nothing that was promised."""
    settings_ = settings(max_examples=60, stateful_step_count=40)

    class Case(Clients.TestCase):  # type: ignore[name-defined,misc]
        settings = settings_

    Case().runTest()


def test_everybody_who_waits_is_answered_in_the_end() -> None:
    """Time alone ends every rebalance."""
    driver = GroupDriver()
    for who in "ABCD":
        driver.join(who, version=3)
    driver.tick(10 * 60 * 1000)
    answered: dict[str, Any] = {answer.who: answer.response for answer in driver.take_answers()}
    assert set(answered) == set("ABCD")
    assert {ErrorCode(response.error_code) for response in answered.values()} == {ErrorCode.NONE}
