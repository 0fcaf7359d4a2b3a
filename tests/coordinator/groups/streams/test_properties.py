"""What holds for a streams group whatever its members do, in whatever order, and whenever the broker is killed."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ottla.coordinator import GroupCoordinatorConfig, GroupShard
from ottla.coordinator.groups.streams.config import StreamsConfig
from ottla.coordinator.groups.streams.group import StreamsGroup
from ottla.protocol.errors import KafkaError
from tests.support.streams_driver import StreamsDriver, Task, word_count

WHO = st.sampled_from("abcde")
PICK = st.integers(0, 59)
#: Threads of three processes.
PROCESS = {"a": "p", "b": "p", "c": "q", "d": "q", "e": "r"}
SESSION_MS = 10_000


class Threads(RuleBasedStateMachine):
    """Five stream threads of three processes against one group."""

    @initialize(delay_ms=st.sampled_from([0, 1_000]), ready=st.booleans())
    def begin(self, delay_ms: int, ready: bool) -> None:
        streams = StreamsConfig(session_timeout_ms=SESSION_MS, initial_rebalance_delay_ms=delay_ms)
        self.driver = StreamsDriver(GroupCoordinatorConfig(streams=streams))
        self.driver.topics(**{"in": 3})
        if ready:
            self.driver.topics(rep=3, log=3)
        self.epoch_seen = 0

    # -- what happens --------------------------------------------------------------------------------------------

    def _try(self, who: str, action: Any, **fields: Any) -> None:
        """Do what a client does; one that is refused stops everything and knows nothing any more."""
        try:
            action(who, **fields)
        except KafkaError:
            self.driver.clients.pop(who, None)

    def _client(self, pick: int) -> str:
        names = sorted(self.driver.clients)
        return names[pick % len(names)]

    @rule()
    def everybody_beats(self) -> None:
        """Nobody has taken over yet what it was told."""
        for who in sorted(self.driver.clients):
            self._try(who, self.driver.beat)

    @rule(who=WHO)
    def join(self, who: str) -> None:
        self._try(who, self.driver.join, process=PROCESS[who], rebalance_timeout_ms=4_000, topology=word_count())

    @precondition(lambda self: self.driver.clients)
    @rule(pick=PICK)
    def beat(self, pick: int) -> None:
        self._try(self._client(pick), self.driver.beat)

    @precondition(lambda self: self.driver.clients)
    @rule(pick=PICK)
    def settle(self, pick: int) -> None:
        self.driver.settle(self._client(pick))

    @precondition(lambda self: self.driver.clients)
    @rule(pick=PICK)
    def lose_an_answer(self, pick: int) -> None:
        """The broker has moved on, the client does not know."""
        who = self._client(pick)
        client = self.driver.clients[who]
        before = (client.epoch, client.active, client.standby)
        self._try(who, self.driver.beat)
        client.epoch, client.active, client.standby = before

    @precondition(lambda self: self.driver.clients)
    @rule(pick=PICK)
    def leave(self, pick: int) -> None:
        self._try(self._client(pick), self.driver.leave)

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

    def check(self) -> None:
        """All of it, for the walk without hypothesis."""
        self.nobody_runs_what_another_runs()
        self.a_target_gives_every_task_to_one_member()
        self.epochs_are_in_order()

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


#: How often each thing happens in a walk; what a real group does most stands out.
_STEPS = {"beat": 40, "settle": 25, "join": 8, "create_topics": 6, "everybody_beats": 6, "lose_an_answer": 5, "tick": 4,
          "leave": 3, "configure": 2, "restart": 1}  # fmt: skip
WALKS, STEPS = 40, 150
#: Replaying everything is what takes time.
_REPLAY_EVERY = 10


def walk(seed: int) -> None:
    """One long random conversation, checked after each step, and its end."""
    random = Random(seed)
    threads = Threads()
    threads.begin(random.choice([0, 0, 1_000]), random.random() < 0.8)
    for number, name in enumerate(random.choices(list(_STEPS), list(_STEPS.values()), k=STEPS)):
        if name in ("beat", "settle", "lose_an_answer", "leave"):
            if threads.driver.clients:
                getattr(threads, name)(random.randrange(60))
        elif name == "join":
            threads.join(random.choice("abcde"))
        elif name == "tick":
            threads.tick(random.choice([500, 1_000, 4_000]))
        elif name == "configure":
            threads.configure(random.choice("012"))
        else:
            getattr(threads, name)()
        threads.check()
        if number % _REPLAY_EVERY == 0:
            threads.a_restart_gives_the_stored_state_back()
    threads.teardown()


@pytest.mark.slow
def test_long_walks_keep_every_task_with_one_owner() -> None:
    """As below, in conversations long enough for several rebalances to overlap."""
    for seed in range(WALKS):
        walk(seed)


@pytest.mark.slow
def test_any_conversation_keeps_every_task_with_one_owner() -> None:
    """Tasks have one owner at any moment, targets are whole, a restart loses nothing, and the group always converges."""
    settings_ = settings(max_examples=40, stateful_step_count=50)

    class Case(Threads.TestCase):  # type: ignore[name-defined,misc]
        settings = settings_

    Case().runTest()
