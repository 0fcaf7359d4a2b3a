"""Conversations of Streams members with their coordinator: statuses, fencing, reconciliation, time-outs, restarts."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.coordinator import GroupCoordinatorConfig
from ottla.coordinator.groups.classic_group import ClassicGroup
from ottla.coordinator.groups.streams.config import StreamsConfig
from ottla.coordinator.groups.streams.configured import StatusCode
from ottla.coordinator.groups.streams.member import MemberState
from ottla.coordinator.groups.streams.topology import SUBTOPOLOGIES_MAX
from ottla.protocol.apis.streams_group_heartbeat import Endpoint, Subtopology, Topology
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.support.streams_driver import StreamsDriver, join_of, word_count

ALL = frozenset((key, partition) for key in "01" for partition in range(4))


def config(**options: Any) -> GroupCoordinatorConfig:
    return GroupCoordinatorConfig(streams=StreamsConfig(**{"initial_rebalance_delay_ms": 0, **options}))


@pytest.fixture
def driver() -> StreamsDriver:
    """A group that assigns at once, and a source topic with four partitions."""
    made = StreamsDriver(config())
    made.topics(**{"in": 4})
    return made


def codes(response: Any) -> list[int]:
    return [status.status_code for status in response.status]


def ready(driver: StreamsDriver, *whos: str) -> None:
    """Members with all topics there, and everything assigned."""
    for who in whos:
        driver.join(who)
        driver.create_topics()
    driver.converge()


# -- topics --------------------------------------------------------------------------------------------------------


def test_internal_topics_are_asked_for_and_then_the_tasks_come(driver: StreamsDriver) -> None:
    joined = driver.join("a")
    assert codes(joined) == [StatusCode.MISSING_INTERNAL_TOPICS]
    assert {topic.name: topic.partitions for topic in driver.to_create.values()} == {"rep": 4, "log": 4}
    assert driver.group.state_name == "NotReady"
    driver.create_topics()
    beat = driver.beat("a")
    assert codes(beat) == []
    assert driver.clients["a"].active == ALL
    assert driver.group.state_name == "Stable"


def test_missing_source_topics_are_named() -> None:
    driver = StreamsDriver(config())
    response = driver.join("a")
    assert [(s.status_code, s.status_detail) for s in response.status] == [
        (StatusCode.MISSING_SOURCE_TOPICS, "Source topics in are missing.")
    ]
    driver.topics(**{"in": 2})
    assert codes(driver.beat("a")) == [StatusCode.MISSING_INTERNAL_TOPICS]


def test_sources_that_are_read_together_must_have_the_same_size(driver: StreamsDriver) -> None:
    driver.topics(other=3)
    response = driver.join("a", topology=join_of("in", "other"))
    assert codes(response) == [StatusCode.INCORRECTLY_PARTITIONED_TOPICS]
    assert "[{in=4, other=3}]" in response.status[0].status_detail
    driver.topics(other=4)
    assert codes(driver.beat("a")) == []
    assert len(driver.clients["a"].active) == 4


def test_a_source_that_grows_under_a_stateful_task_is_a_mismatch(driver: StreamsDriver) -> None:
    ready(driver, "a")
    driver.topics(**{"in": 6})
    response = driver.beat("a")
    assert codes(response) == [StatusCode.INCORRECTLY_PARTITIONED_TOPICS]
    assert driver.group.state_name == "NotReady"
    assert driver.clients["a"].active == frozenset()


def test_another_topic_of_the_cluster_changes_nothing(driver: StreamsDriver) -> None:
    ready(driver, "a")
    epoch, records = driver.group.group_epoch, len(driver.log)
    driver.topics(elsewhere=1)
    driver.beat("a")
    assert (driver.group.group_epoch, len(driver.log)) == (epoch, records)


# -- members -------------------------------------------------------------------------------------------------------


def test_a_second_member_gets_tasks_when_the_first_has_given_them_back(driver: StreamsDriver) -> None:
    ready(driver, "a")
    driver.join("b")
    assert driver.clients["b"].active == frozenset()
    driver.beat("a")
    assert driver.group.members["a"].state is MemberState.UNREVOKED_TASKS
    driver.beat("b")
    assert driver.clients["b"].active == frozenset()  # "a" still runs everything
    driver.settle("a")
    driver.beat("a")
    driver.beat("b")
    assert driver.clients["a"].active | driver.clients["b"].active == ALL
    assert not driver.clients["a"].active & driver.clients["b"].active


def test_tasks_of_a_dead_member_go_to_the_others(driver: StreamsDriver) -> None:
    ready(driver, "a", "b")
    del driver.clients["b"]
    for _ in range(10):
        driver.tick(5_000)
        driver.beat("a")
    driver.converge()
    assert driver.clients["a"].active == ALL
    assert list(driver.group.members) == ["a"]


def test_who_does_not_give_tasks_back_in_time_is_removed(driver: StreamsDriver) -> None:
    ready(driver, "a")
    driver.clients["a"].epoch = driver.group.members["a"].member_epoch
    driver.join("b")
    for _ in range(13):
        driver.tick(5_000)
        error = driver.try_to(driver.beat, "a")
        driver.beat("b")
    assert error is ErrorCode.UNKNOWN_MEMBER_ID
    driver.clients.pop("a")
    driver.converge()
    assert driver.clients["b"].active == ALL


def test_the_answer_that_was_lost_is_given_again(driver: StreamsDriver) -> None:
    driver.join("a")
    driver.create_topics()
    lost = driver.send("a", member_epoch=2)
    assert lost.member_epoch == 3
    again = driver.send("a", member_epoch=2, active_tasks=[], standby_tasks=[], warmup_tasks=[])
    assert again.member_epoch == 3
    assert driver.try_to(driver.send, "a", member_epoch=1) is ErrorCode.FENCED_MEMBER_EPOCH
    assert driver.try_to(driver.send, "a", member_epoch=4) is ErrorCode.FENCED_MEMBER_EPOCH


def test_the_first_members_are_gathered(driver: StreamsDriver) -> None:
    driver = StreamsDriver(config(initial_rebalance_delay_ms=3_000))
    driver.topics(**{"in": 4})
    first = driver.join("a", topology=join_of("in"))
    second = driver.join("b", topology=join_of("in"))
    assert codes(first) == codes(second) == [StatusCode.ASSIGNMENT_DELAYED]
    assert (first.member_epoch, second.member_epoch) == (1, 1)
    driver.beat("a")
    driver.tick(3_000)
    assert driver.group.target_epoch == driver.group.group_epoch
    driver.converge()
    assert {who: len(client.active) for who, client in driver.clients.items()} == {"a": 2, "b": 2}


def test_nobody_waits_twice_for_the_first_assignment(driver: StreamsDriver) -> None:
    """A group that was left by all and joined again waits again, once."""
    driver = StreamsDriver(config(initial_rebalance_delay_ms=3_000))
    driver.topics(**{"in": 4})
    driver.join("a", topology=join_of("in"))
    driver.leave("a")
    driver.tick(3_000)
    assert codes(driver.join("a", topology=join_of("in"))) == [StatusCode.ASSIGNMENT_DELAYED]
    driver.tick(3_000)
    driver.converge()
    assert len(driver.clients["a"].active) == 4


def test_a_full_group_takes_nobody(driver: StreamsDriver) -> None:
    driver = StreamsDriver(config(max_size=1))
    driver.topics(**{"in": 4})
    driver.join("a")
    assert driver.try_to(driver.join, "b") is ErrorCode.GROUP_MAX_SIZE_REACHED


# -- topology, configs, shutdown, endpoints ------------------------------------------------------------------------


def test_an_older_topology_is_told_and_a_newer_one_refused(driver: StreamsDriver) -> None:
    driver.join("a", topology=word_count(3))
    assert StatusCode.STALE_TOPOLOGY in codes(driver.join("b", topology=word_count(2)))
    for other in (word_count(4), Topology(epoch=3, subtopologies=join_of("in").subtopologies)):
        assert driver.try_to(driver.join, "c", topology=other) is ErrorCode.INVALID_REQUEST


def test_standbys_come_and_go_with_the_config_of_the_group(driver: StreamsDriver) -> None:
    ready(driver, "a", "b")
    driver.configure(streams_num_standby_replicas="1")
    driver.converge()
    stateful = {task for task in ALL if task[0] == "1"}
    copies = [task for client in driver.clients.values() for task in client.copies]
    assert sorted(copies) == sorted(stateful)
    assert all(not client.copies & client.active for client in driver.clients.values())
    driver.configure(streams_num_standby_replicas="0")
    driver.converge()
    assert not any(client.copies for client in driver.clients.values())


def test_the_interval_of_the_group_is_told(driver: StreamsDriver) -> None:
    driver.configure(streams_heartbeat_interval_ms="7000")
    assert driver.join("a").heartbeat_interval_ms == 7000


def test_a_shutdown_is_told_to_all_until_the_group_is_empty(driver: StreamsDriver) -> None:
    ready(driver, "a", "b")
    assert StatusCode.SHUTDOWN_APPLICATION in codes(driver.beat("a", shutdown_application=True))
    assert StatusCode.SHUTDOWN_APPLICATION in codes(driver.beat("b"))
    driver.leave("a", "b")
    assert codes(driver.join("c")) == []


def test_endpoints_are_told_when_they_changed(driver: StreamsDriver) -> None:
    ready(driver, "a")
    driver.join("b", user_endpoint=Endpoint(host="b.example", port=1))
    driver.converge()
    told = driver.beat("a")
    (endpoint,) = told.partitions_by_user_endpoint
    shown = {each.topic: each.partitions for each in endpoint.active_partitions}
    mine = sorted(partition for key, partition in driver.clients["b"].active if key == "0")
    assert (endpoint.user_endpoint.host, shown["in"]) == ("b.example", mine)
    quiet = driver.beat("a", endpoint_information_epoch=told.endpoint_information_epoch)
    assert quiet.partitions_by_user_endpoint is None


# -- offsets, restarts, other kinds --------------------------------------------------------------------------------


def commit(driver: StreamsDriver, who: str, epoch: int, partition: int, version: int = 9) -> ErrorCode:
    driver.commit(who, {("in", partition): 5}, generation=epoch, member_id=who, version=version)
    found = driver.answers.pop().response
    return found if isinstance(found, ErrorCode) else ErrorCode(found.topics[0].partitions[0].error_code)


def test_an_offset_of_an_old_epoch_counts_for_tasks_held_since_then(driver: StreamsDriver) -> None:
    ready(driver, "a")
    old = driver.clients["a"].epoch
    driver.join("b")
    driver.converge()
    mine = min(p for key, p in driver.clients["a"].active if key == "0")
    others = min(p for key, p in driver.clients["b"].active if key == "0")
    assert driver.clients["a"].epoch > old
    assert commit(driver, "a", old, mine) is ErrorCode.NONE
    assert commit(driver, "a", old, others) is ErrorCode.STALE_MEMBER_EPOCH
    assert commit(driver, "b", old, others) is ErrorCode.STALE_MEMBER_EPOCH
    assert commit(driver, "b", driver.clients["b"].epoch, others) is ErrorCode.NONE
    assert commit(driver, "x", 1, mine) is ErrorCode.UNKNOWN_MEMBER_ID
    assert commit(driver, "a", old, mine, version=8) is ErrorCode.UNSUPPORTED_VERSION


def test_a_restart_forgets_nothing_that_was_promised(driver: StreamsDriver) -> None:
    ready(driver, "a", "b")
    before = driver.shard.streams.describe("g")
    driver.restart()
    after = driver.shard.streams.describe("g")
    assert [after.members, after.group_epoch, after.group_state] == [
        before.members, before.group_epoch, before.group_state,
    ]  # fmt: skip
    records = len(driver.log)
    assert codes(driver.beat("a")) == []
    assert len(driver.log) == records
    driver.tick(46_000)
    assert driver.try_to(driver.beat, "a") is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_member_that_must_give_back_has_its_time_again_after_a_restart(driver: StreamsDriver) -> None:
    ready(driver, "a")
    driver.join("b")
    driver.beat("a")
    driver.restart()
    for _ in range(13):
        driver.tick(5_000)
        error = driver.try_to(driver.beat, "a")
        driver.beat("b")
    assert error is ErrorCode.UNKNOWN_MEMBER_ID


def test_a_group_is_deleted_when_it_is_empty(driver: StreamsDriver) -> None:
    ready(driver, "a")
    assert driver.shard.delete_group("g").response is ErrorCode.NON_EMPTY_GROUP
    driver.leave("a")
    driver.carry_out("admin", driver.shard.delete_group("g"))
    assert driver.answers.pop().response is ErrorCode.NONE
    assert driver.shard.state.groups == {}
    driver.restart()
    assert driver.shard.state.groups == {}


def test_an_empty_classic_group_becomes_a_streams_group_with_its_offsets(driver: StreamsDriver) -> None:
    driver.commit("nobody", {("in", 0): 7}, generation=-1, member_id="")
    assert isinstance(driver.shard.state.groups["g"], ClassicGroup)
    driver.join("a", topology=join_of("in"))
    assert driver.group.members.keys() == {"a"}
    assert driver.offsets() == {("in", 0): 7}
    driver.restart()
    assert driver.group.members.keys() == {"a"}


def test_an_empty_streams_group_becomes_a_classic_group(driver: StreamsDriver) -> None:
    ready(driver, "a")
    super(StreamsDriver, driver).join("c", version=3)
    refused = driver.answers.pop().response
    assert refused.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    driver.leave("a")
    super(StreamsDriver, driver).join("c", version=3)
    assert isinstance(driver.shard.state.groups["g"], ClassicGroup)
    driver.restart()
    assert isinstance(driver.shard.state.groups["g"], ClassicGroup)
    with pytest.raises(KafkaError, match="not a streams group"):
        driver.send("a", member_epoch=1)


def test_offsets_of_topics_that_are_read_do_not_expire(driver: StreamsDriver) -> None:
    ready(driver, "a")
    assert commit(driver, "a", driver.clients["a"].epoch, 0) is ErrorCode.NONE
    month_ms = 30 * 24 * 3_600_000
    assert driver.shard.clean_up(driver.now_ms + month_ms) == []
    driver.leave("a")
    (decision,) = driver.shard.clean_up(driver.now_ms + month_ms)
    driver.carry_out("", decision)
    assert driver.shard.state.groups == {}


def test_a_topology_has_a_bound(driver: StreamsDriver) -> None:
    many = [Subtopology(subtopology_id=str(number), source_topics=["in"]) for number in range(SUBTOPOLOGIES_MAX + 1)]
    topology = Topology(epoch=0, subtopologies=many)
    assert driver.try_to(driver.join, "a", topology=topology) is ErrorCode.STREAMS_INVALID_TOPOLOGY
