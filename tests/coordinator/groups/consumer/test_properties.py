"""Whatever members, topics, time and the coordinator's log do: nobody has a partition twice, and the group comes to rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ottla.coordinator.groups.consumer.group import ConsumerGroup
from ottla.protocol.errors import KafkaError
from tests.support.consumer_driver import Client, ConsumerDriver

NAMES = ["A", "B", "C", "D"]
TOPICS = ["t", "u", "v"]
PATTERNS = ["t|u", "[uv]", ".*"]
ROUNDS = 12


class ConsumerGroups(RuleBasedStateMachine):
    """Four consumers, three topics."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = ConsumerDriver()

    @initialize(t=st.integers(1, 5), u=st.integers(0, 3))
    def topics(self, t: int, u: int) -> None:
        self.driver.topics(t=t, u=u)

    def members(self) -> dict[str, Client]:
        """Clients that the coordinator knows; the others have lost what they had."""
        group = self.driver.shard.state.groups.get("g")
        known = group.members if isinstance(group, ConsumerGroup) else {}
        return {who: client for who, client in self.driver.clients.items() if who in known}

    @rule(
        who=st.sampled_from(NAMES), topics=st.sets(st.sampled_from(TOPICS)), assignor=st.sampled_from([None, "range"])
    )
    def join(self, who: str, topics: set[str], assignor: str | None) -> None:
        self.driver.join_group(who, topics=sorted(topics), server_assignor=assignor)

    @rule(who=st.sampled_from(NAMES), pattern=st.sampled_from(PATTERNS))
    def join_by_pattern(self, who: str, pattern: str) -> None:
        self.driver.join_group(who, topics=None, subscribed_topic_regex=pattern)

    @rule(who=st.sampled_from(NAMES))
    def beat(self, who: str) -> None:
        if who in self.driver.clients:
            self.driver.beat(who)

    @rule(who=st.sampled_from(NAMES))
    def settle(self, who: str) -> None:
        self.driver.settle(who)

    @rule(who=st.sampled_from(NAMES), topics=st.sets(st.sampled_from(TOPICS)))
    def resubscribe(self, who: str, topics: set[str]) -> None:
        if who in self.driver.clients:
            subscription: dict[str, Any] = {"subscribed_topic_names": sorted(topics), "subscribed_topic_regex": ""}
            self.driver.client(who).subscription = subscription
            self.driver.beat(who, **subscription)

    @rule(who=st.sampled_from(NAMES))
    def lose_an_answer(self, who: str) -> None:
        """The coordinator heard the client, the client not the coordinator: it says everything anew."""
        if who in self.driver.clients:
            before = replace(self.driver.client(who), reported=None)
            self.driver.beat(who)
            after = self.driver.client(who)
            if after.epoch:
                self.driver.clients[who] = before

    @rule(who=st.sampled_from(NAMES))
    def leave(self, who: str) -> None:
        self.driver.leave_group(who)

    @rule(ms=st.sampled_from([1_000, 11_000, 44_000, 61_000]))
    def time(self, ms: int) -> None:
        self.driver.tick(ms)

    @rule(name=st.sampled_from(TOPICS), partitions=st.integers(0, 6))
    def change_topic(self, name: str, partitions: int) -> None:
        topic = self.driver.image.topics.get(name)
        if topic is None or partitions == 0 or partitions > len(topic.partitions):
            self.driver.topics(**{name: partitions})
            if partitions == 0:
                for client in self.driver.clients.values():
                    client.owned = frozenset(p for p in client.owned if p[0] != name)
                    client.assigned = frozenset(p for p in client.assigned if p[0] != name)

    @rule()
    def restart(self) -> None:
        self.driver.restart()

    @invariant()
    def nobody_has_a_partition_twice(self) -> None:
        self.driver.take_answers()
        owned = [partition for client in self.members().values() for partition in client.owned]
        assert len(owned) == len(set(owned))

    @invariant()
    def the_log_gives_the_same_state(self) -> None:
        fresh = ConsumerDriver(self.driver.config)
        fresh.image, fresh.log = self.driver.image, list(self.driver.log)
        fresh.restart()
        live, replayed = self.driver.shard.state.groups.get("g"), fresh.shard.state.groups.get("g")
        if isinstance(live, ConsumerGroup):
            assert isinstance(replayed, ConsumerGroup)
            for name in ("group_epoch", "target_epoch", "metadata_hash", "members", "target", "target_owners", "owners",
                         "static_members", "name_counts", "pattern_counts", "pattern_topics", "resolved", "assignors"):  # fmt: skip
                assert getattr(live, name) == getattr(replayed, name), name
        else:
            assert replayed is None

    @precondition(lambda self: self.members())
    @rule()
    def come_to_rest(self) -> None:
        """If only the clients go on, all that is subscribed to is assigned, once."""
        driver = self.driver
        driver.tick(10_001)
        for _ in range(ROUNDS):
            for who, client in list(driver.clients.items()):
                if client.epoch == 0 and client.reported is None and not client.subscription:
                    continue
                driver.beat(who)
                assert not isinstance(driver.answers[-1].response, KafkaError) or client.epoch == 0
                driver.settle(who)
        group = driver.shard.state.groups.get("g")
        if not isinstance(group, ConsumerGroup) or not group.members:
            return
        assert group.state_name == "Stable"
        wanted = {
            (topic.name, index)
            for topic in driver.image.topics
            if group.is_subscribed(topic.name)
            for index in range(len(topic.partitions))
        }
        owned = [partition for client in self.members().values() for partition in client.owned]
        assert sorted(owned) == sorted(wanted)


TestConsumerGroups = ConsumerGroups.TestCase
TestConsumerGroups.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
