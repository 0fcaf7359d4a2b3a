"""A partition: what is visible, what is durable, and who is told what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.broker.partition import ACKS_ALL, Partition, PendingAppends
from ottla.log.config import DEFAULT_LOG_CONFIG
from ottla.log.errors import KafkaStorageError
from ottla.log.log import Log
from ottla.log.memory_files import FaultyFiles
from ottla.metadata.image import PartitionImage
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.support.in_process import batch

NOW_MS = 1_700_000_000_000
NODE = 1


class ManualCommit:
    """Stands for `GroupCommit`: the test says when the disk begins and when it is done."""

    def __init__(self) -> None:
        self.asked: set[Partition] = set()

    def request(self, partition: Partition) -> None:
        self.asked.add(partition)

    def begin(self) -> Callable[[], None]:
        """Begin a round; returns what ends it."""
        points = [(partition, partition.log.prepare_sync()) for partition in self.asked]
        self.asked.clear()

        def finish() -> None:
            for partition, point in points:
                point.run()
                partition.on_synced(point)

        return finish

    def sync(self) -> None:
        self.begin()()


class World:
    """A partition this broker leads, on a disk that may fail."""

    def __init__(self, *, durable: bool = True, **config: Any) -> None:
        self.files = FaultyFiles()
        self.commit = ManualCommit()
        self.failures: list[BaseException] = []
        self.log = Log.open(self.files, "/data/t-0", replace(DEFAULT_LOG_CONFIG, **config), now_ms=NOW_MS)
        self.partition = Partition(
            "t", bytes(15) + b"\1", 0, self.log,
            group_commit=self.commit if durable else None,  # type: ignore[arg-type]
            on_failure=lambda partition, problem: self.failures.append(problem),
        )  # fmt: skip
        self.lead()

    def lead(
        self,
        leader: int = NODE,
        epoch: int = 0,
        isr: tuple[int, ...] = (NODE,),
        replicas: tuple[int, ...] | None = None,
    ) -> None:
        self.partition.apply(image(leader, epoch, isr, replicas), NODE)

    def append(self, *values: bytes, acks: int = ACKS_ALL, **options: Any) -> Any:
        return self.partition.append_as_leader(bytearray(batch(*values or (b"v",), **options)), acks, NOW_MS)

    def told(self, end_offset: int) -> list[ErrorCode]:
        """What somebody who waits for an offset is told, now or later."""
        answers: list[ErrorCode] = []
        self.partition.when_committed(end_offset, answers.append)
        return answers


def image(leader: int, epoch: int, isr: tuple[int, ...], replicas: tuple[int, ...] | None = None) -> PartitionImage:
    return PartitionImage(leader=leader, leader_epoch=epoch, partition_epoch=0, replicas=replicas or isr, isr=isr)


class Waiting:
    """Stands for a fetch that waits."""

    def __init__(self, partition: Partition) -> None:
        self.woken = 0
        partition.fetches_waiting.add(self)  # type: ignore[arg-type]

    def on_progress(self) -> None:
        self.woken += 1


# ── what is visible, and when an answer leaves ──────────────────────────────────────────────────────────────────────


def test_in_os_mode_a_record_is_committed_with_its_append() -> None:
    world = World(durable=False)
    assert world.append(b"a", b"b").last_offset == 1
    assert world.partition.high_watermark == 2
    assert world.told(2) == [ErrorCode.NONE]


def test_an_unsynced_record_of_acks_all_is_not_visible() -> None:
    world = World()
    world.append(b"a")
    answers = world.told(1)
    assert (world.partition.high_watermark, answers) == (0, [])
    world.commit.sync()
    assert (world.partition.high_watermark, answers) == (1, [ErrorCode.NONE])


def test_acks_1_alone_is_visible_at_once_and_asks_for_no_sync() -> None:
    world = World()
    world.append(b"a", acks=1)
    assert world.partition.high_watermark == 1
    assert not world.commit.asked


def test_acks_1_behind_a_pending_sync_is_not_shown_before_it() -> None:
    world = World()
    world.append(b"a")
    world.append(b"b", acks=1)
    assert world.partition.high_watermark == 0
    world.commit.sync()
    assert world.partition.high_watermark == 2


def test_what_is_appended_during_a_sync_waits_for_the_next_one() -> None:
    world = World()
    world.append(b"a")
    first = world.told(1)
    finish = world.commit.begin()
    world.append(b"b")
    second = world.told(2)
    finish()
    assert (world.partition.high_watermark, first, second) == (1, [ErrorCode.NONE], [])
    world.commit.sync()
    assert (world.partition.high_watermark, second) == (2, [ErrorCode.NONE])


def test_acks_1_during_a_sync_is_shown_when_nobody_waits_for_the_disk_any_more() -> None:
    world = World()
    world.append(b"a")
    finish = world.commit.begin()
    world.append(b"b", acks=1)
    finish()
    assert world.partition.high_watermark == 2


def test_waiting_fetches_are_told_when_the_watermark_moves_and_not_before() -> None:
    world = World()
    fetch = Waiting(world.partition)
    world.append(b"a")
    assert fetch.woken == 0
    world.commit.sync()
    assert fetch.woken == 1


def test_a_repeated_batch_is_not_appended_again_but_its_answer_waits_for_the_first() -> None:
    world = World()
    options = {"producer_id": 7, "producer_epoch": 0, "base_sequence": 0}
    first = world.append(b"a", **options)
    again = world.append(b"a", **options)
    assert (again.duplicate, again.first_offset, world.log.log_end_offset) == (True, first.first_offset, 1)
    answers = world.told(again.last_offset + 1)
    assert answers == []
    world.commit.sync()
    assert answers == [ErrorCode.NONE]


def test_who_waits_for_less_is_answered_first() -> None:
    world = World()
    order: list[int] = []
    for number in range(3):
        world.append(b"v")
        world.partition.when_committed(number + 1, lambda error, number=number: order.append(number))  # type: ignore[misc]
    world.commit.sync()
    assert order == [0, 1, 2]


@given(st.lists(st.sampled_from(["all", "one", "begin", "finish"]), max_size=40))
def test_whatever_happens_the_watermark_rises_and_no_answer_of_acks_all_is_early(steps: list[str]) -> None:
    """The invariants of the module, over any order of appends and rounds of the disk."""
    world = World()
    rounds: list[Callable[[], None]] = []
    synced = seen = 0
    answers: list[tuple[int, list[ErrorCode]]] = []
    for step in [*steps, "finish", "begin", "finish"]:
        if step in ("all", "one"):
            end = world.append(acks=ACKS_ALL if step == "all" else 1).last_offset + 1
            if step == "all":
                answers.append((end, world.told(end)))
        elif step == "begin" and not rounds:
            synced_next = world.log.log_end_offset if world.commit.asked else synced
            rounds.append(world.commit.begin())
        elif step == "finish" and rounds:
            rounds.pop()()
            synced = synced_next
        mark = world.partition.high_watermark
        assert world.log.log_start_offset <= seen <= mark <= world.log.log_end_offset
        assert all(end <= synced for end, told in answers if told)
        seen = mark
    assert all(told == [ErrorCode.NONE] for _, told in answers)
    assert world.partition.high_watermark == world.log.log_end_offset


async def test_a_coordinator_waits_for_its_own_records() -> None:
    world = World()
    world.append(b"a")
    coroutine = world.partition.wait_committed(1)
    coroutine.send(None)
    world.commit.sync()
    with pytest.raises(StopIteration):
        coroutine.send(None)
    await world.partition.wait_committed(1)


# ── leadership ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_does_not_lead_appends_nothing() -> None:
    world = World()
    world.lead(leader=2, epoch=1)
    with pytest.raises(KafkaError) as caught:
        world.append(b"a")
    assert caught.value.code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert world.log.log_end_offset == 0


def test_who_loses_leadership_tells_everybody_who_waits() -> None:
    world = World()
    world.append(b"a")
    answers, fetch = world.told(1), Waiting(world.partition)
    world.lead(leader=2, epoch=1)
    assert answers == [ErrorCode.NOT_LEADER_OR_FOLLOWER]
    assert fetch.woken == 1


def test_records_carry_the_epoch_of_their_leader() -> None:
    world = World(durable=False)
    world.append(b"a")
    world.lead(epoch=5)
    world.append(b"b")
    assert world.log.end_offset_for_epoch(0) == (0, 1)
    assert world.log.end_offset_for_epoch(5) == (5, 2)


@pytest.mark.parametrize(
    ("asked", "error"),
    [(-1, None), (4, None), (3, ErrorCode.FENCED_LEADER_EPOCH), (5, ErrorCode.UNKNOWN_LEADER_EPOCH)],
)
def test_a_client_of_another_epoch_is_told_which_of_us_is_behind(asked: int, error: ErrorCode | None) -> None:
    world = World()
    world.lead(epoch=4)
    if error is None:
        world.partition.check_epoch(asked)
    else:
        with pytest.raises(KafkaError) as caught:
            world.partition.check_epoch(asked)
        assert caught.value.code == error


def test_acks_all_needs_min_insync_replicas_and_acks_1_does_not() -> None:
    world = World(min_insync_replicas=2)
    world.lead(isr=(NODE,), replicas=(NODE, NODE + 1))
    with pytest.raises(KafkaError, match=r"insufficient to satisfy the min.isr requirement of 2") as caught:
        world.append(b"a")
    assert caught.value.code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert world.log.log_end_offset == 0
    assert world.append(b"a", acks=1).first_offset == 0


def test_a_topic_made_for_three_brokers_can_be_written_where_there_is_one() -> None:
    """`min.insync.replicas` above the number of replicas asks for all of them, as in Kafka."""
    world = World(min_insync_replicas=2)
    assert world.append(b"a").first_offset == 0


def test_a_closed_partition_says_why_to_all_who_wait() -> None:
    world = World()
    world.append(b"a")
    answers, fetch = world.told(1), Waiting(world.partition)
    world.partition.close(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    assert answers == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
    assert fetch.woken == 1


# ── a failing disk ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_write_takes_the_partition_out_of_service_and_tells_who_waits() -> None:
    world = World()
    world.append(b"a")
    answers, fetch = world.told(1), Waiting(world.partition)
    world.files.fail_after(0)
    with pytest.raises(KafkaStorageError):
        world.append(b"b")
    assert answers == [ErrorCode.KAFKA_STORAGE_ERROR]
    assert fetch.woken == 1
    assert len(world.failures) == 1
    assert not world.partition.is_leader


async def test_a_failed_sync_is_an_error_for_every_producer_that_waits() -> None:
    world = World()
    world.append(b"a")
    answers = world.told(1)
    waiting = world.partition.wait_committed(1)
    waiting.send(None)
    world.partition.on_disk_failure(OSError(5, "Input/output error"))
    world.partition.on_disk_failure(OSError(5, "Input/output error"))
    assert answers == [ErrorCode.KAFKA_STORAGE_ERROR]
    assert len(world.failures) == 1
    with pytest.raises(KafkaError) as caught:
        waiting.send(None)
    assert caught.value.code == ErrorCode.KAFKA_STORAGE_ERROR


# ── deleting and reading ────────────────────────────────────────────────────────────────────────────────────────────


def test_records_are_deleted_up_to_the_high_watermark_and_no_further() -> None:
    world = World(durable=False)
    for _ in range(3):
        world.append(b"a")
    fetch = Waiting(world.partition)
    assert world.partition.delete_records_before(1) == 1
    assert fetch.woken == 1
    for wrong in (4, -2):
        with pytest.raises(KafkaError) as caught:
            world.partition.delete_records_before(wrong)
        assert caught.value.code == ErrorCode.OFFSET_OUT_OF_RANGE
    assert world.partition.delete_records_before(-1) == 3


def test_readers_of_committed_records_stop_at_the_watermark_too() -> None:
    world = World()
    world.append(b"a")
    assert world.partition.last_stable_offset == 0
    world.commit.sync()
    assert world.partition.last_stable_offset == 1


# ── the answer of one produce request ───────────────────────────────────────────────────────────────────────────────


class Item:
    """A partition's place in a produce response."""

    error_code = ErrorCode.NONE
    base_offset = 0


def test_an_answer_leaves_when_its_last_partition_is_committed() -> None:
    one, two = World(), World()
    one.append(b"a")
    two.append(b"a")
    pending, left = PendingAppends("response"), []
    pending.answer.on_result(left.append)
    pending.on_finish = lambda: left.append("timer stopped")
    pending.add(one.partition, 1, Item())
    pending.add(two.partition, 1, Item())
    pending.release()
    one.commit.sync()
    assert left == []
    two.commit.sync()
    assert left == ["timer stopped", "response"]


def test_a_partition_that_fails_is_an_error_in_its_own_place() -> None:
    good, bad = World(), World()
    good.append(b"a")
    bad.append(b"a")
    items = Item(), Item()
    pending = PendingAppends("response")
    pending.add(good.partition, 1, items[0])
    pending.add(bad.partition, 1, items[1])
    pending.release()
    bad.partition.on_disk_failure(OSError())
    good.commit.sync()
    assert pending.answer.result == "response"
    assert [(item.error_code, item.base_offset) for item in items] == [(0, 0), (ErrorCode.KAFKA_STORAGE_ERROR, -1)]


def test_when_time_is_up_only_those_that_wait_are_timed_out() -> None:
    good, slow = World(), World()
    good.append(b"a")
    slow.append(b"a")
    items = Item(), Item()
    pending = PendingAppends("response")
    pending.add(good.partition, 1, items[0])
    pending.add(slow.partition, 1, items[1])
    pending.release()
    good.commit.sync()
    pending.expire()
    assert pending.answer.done
    assert [item.error_code for item in items] == [ErrorCode.NONE, ErrorCode.REQUEST_TIMED_OUT]
    slow.commit.sync()
    assert items[1].error_code == ErrorCode.REQUEST_TIMED_OUT, "what was told is not taken back"
