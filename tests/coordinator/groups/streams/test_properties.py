"""What holds for a streams group whatever its members do, in whatever order, and whenever the broker is killed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ottla.coordinator import GroupCoordinatorConfig, GroupShard
from ottla.coordinator.groups.streams.config import StreamsConfig
from ottla.coordinator.groups.streams.group import StreamsGroup
from ottla.protocol.errors import KafkaError
from tests.support.streams_driver import StreamsDriver, Task, word_count

WHO = st.sampled_from("abcde")
#: Threads of three processes.
PROCESS = {"a": "p", "b": "p", "c": "q", "d": "q", "e": "r"}
SESSION_MS = 10_000


class Threads(RuleBasedStateMachine):
    """Five stream threads of three processes against one group."""

    def __init__(self) -> None:
        super().__init__()
        streams = StreamsConfig(session_timeout_ms=SESSION_MS, initial_rebalance_delay_ms=1_000)
        self.driver = StreamsDriver(GroupCoordinatorConfig(streams=streams))
        self.driver.topics(**{"in": 3})
        self.epoch_seen = 0

    # -- what happens --------------------------------------------------------------------------------------------

    def _try(self, who: str, action: Any, **fields: Any) -> None:
        """Do what a client does; one that is refused stops everything and knows nothing any more."""
        try:
            action(who, **fields)
        except KafkaError:
            self.driver.clients.pop(who, None)

    @rule(who=WHO)
    def join(self, who: str) -> None:
        self._try(who, self.driver.join, process=PROCESS[who], rebalance_timeout_ms=4_000, topology=word_count())

    @precondition(lambda self: self.driver.clients)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        self._try(data.draw(st.sampled_from(sorted(self.driver.clients))), self.driver.beat)

    @precondition(lambda self: self.driver.clients)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        self.driver.settle(data.draw(st.sampled_from(sorted(self.driver.clients))))

    @precondition(lambda self: self.driver.clients)
    @rule(data=st.data())
    def lose_an_answer(self, data: st.DataObject) -> None:
        """The broker has moved on, the client does not know."""
        who = data.draw(st.sampled_from(sorted(self.driver.clients)))
        client = self.driver.clients[who]
        before = (client.epoch, client.active, client.standby)
        self._try(who, self.driver.beat)
        client.epoch, client.active, client.standby = before

    @precondition(lambda self: self.driver.clients)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self._try(data.draw(st.sampled_from(sorted(self.driver.clients))), self.driver.leave)

    @rule(ms=st.sampled_from([500, 1_000, 4_000]))
    def tick(self, ms: int) -> None:
        """Time passes; a client that the broker has forgotten by then stops by itself (its poll interval is over)."""
        self.driver.tick(ms)
        group = self.group()
        for who in [who for who in self.driver.clients if group is None or who not in group.members]:
            del self.driver.clients[who]

    @rule()
    def create_topics(self) -> None:
        self.driver.create_topics()

    @rule(replicas=st.sampled_from(["0", "1", "2"]))
    def configure(self, replicas: str) -> None:
        self.driver.configure(streams_num_standby_replicas=replicas)

    @rule()
    def restart(self) -> None:
        self.driver.restart()

    # -- what must hold ------------------------------------------------------------------------------------------

    def group(self) -> StreamsGroup | None:
        return self.driver.shard.state.find("g", StreamsGroup)

    @invariant()
    def nobody_runs_what_another_runs(self) -> None:
        """No task is active twice, and no process has it twice in any role."""
        running: dict[Task, str] = {}
        homes: set[tuple[str, Task]] = set()
        for who, client in self.driver.clients.items():
            for task in client.runs:
                assert running.setdefault(task, who) == who
            for task in client.runs | client.copies:
                assert (client.process, task) not in homes
                homes.add((client.process, task))

    @invariant()
    def a_target_gives_every_task_to_one_member(self) -> None:
        group = self.group()
        if group is None or not group.members or group.state_name not in ("Reconciling", "Stable"):
            return
        assert set(group.targets) == set(group.members)
        active = [(key, p) for each in group.targets.values() for key, some in each.active.items() for p in some]
        assert sorted(active) == [(key, p) for key in "01" for p in range(3)]

    @invariant()
    def epochs_are_in_order(self) -> None:
        group = self.group()
        if group is None:
            return
        assert group.group_epoch >= self.epoch_seen
        self.epoch_seen = group.group_epoch
        assert group.target_epoch <= group.group_epoch
        assert all(0 <= member.member_epoch <= group.group_epoch for member in group.members.values())

    @invariant()
    def a_restart_gives_the_stored_state_back(self) -> None:
        driver, group = self.driver, self.group()
        fresh = GroupShard(driver.config)
        for offset, record in enumerate(driver.log):
            fresh.replay(record, offset, driver.now_ms)
        again = fresh.state.find("g", StreamsGroup)
        if group is None or again is None:
            assert group is again
            return
        assert (again.members, again.targets, again.topology) == (group.members, group.targets, group.topology)
        assert (again.group_epoch, again.target_epoch, again.state) == (
            group.group_epoch,
            group.target_epoch,
            group.state,
        )
        tables = ("_active", "_standby", "_warmup")
        assert [getattr(again, name) for name in tables] == [getattr(group, name) for name in tables]

    def teardown(self) -> None:
        """In the end the group is stable, and everything is run by the members there are."""
        driver = self.driver
        driver.tick(2 * SESSION_MS)
        driver.clients.clear()
        driver.topics(**{"in": 3})
        for who in "ace":
            driver.join(who, process=PROCESS[who])
        driver.tick(1_000)
        driver.converge()
        runs = sorted(task for client in driver.clients.values() for task in client.runs)
        assert runs == [(key, p) for key in "01" for p in range(3)]


@pytest.mark.slow
def test_any_conversation_keeps_every_task_with_one_owner() -> None:
    """Tasks have one owner at any moment, targets are whole, a restart loses nothing, and the group always converges."""
    settings_ = settings(max_examples=80, stateful_step_count=50)

    class Case(Threads.TestCase):  # type: ignore[name-defined,misc]
        settings = settings_

    Case().runTest()
