"""The order of a partition's batches and their sequence numbers, whatever the answers."""

from __future__ import annotations

from ottla.client.producer.batch import Batch, Identity
from ottla.client.producer.queues import PartitionQueue

ME = Identity(7, 0)


def known() -> PartitionQueue:
    """A queue whose partition has acknowledged something before."""
    queue = PartitionQueue("t", 0)
    queue.known_as = ME.producer_id
    return queue


def batch(queue: PartitionQueue, number: int, records: int = 10) -> Batch:
    made = Batch("t", 0, 0, (number,), 0.0, queue)
    made.size_records = records
    queue.pending.append(made)
    return made


def send(queue: PartitionQueue, identity: Identity = ME) -> Batch:
    """Send the first batch, as the sender does."""
    first = queue.first
    assert first is not None
    assert queue.may_send(5)
    queue.adopt(identity)
    first.identity, first.sequence = queue.identity, queue.number(first)
    queue.sent(first)
    return first


def acknowledge(queue: PartitionQueue, done: Batch) -> None:
    queue.answered(done)
    queue.acknowledged(done)
    done.done = True


def test_numbers_follow_one_another_over_batches_in_flight() -> None:
    queue = known()
    for number in range(6):
        batch(queue, number)
    assert [send(queue).sequence for _ in range(5)] == [0, 10, 20, 30, 40]
    assert not queue.may_send(5)


def test_numbers_wrap_at_two_to_the_31() -> None:
    queue = known()
    queue.identity, queue.next_sequence = ME, (1 << 31) - 4
    queue.last_acked = (1 << 31) - 5
    first, second = batch(queue, 0), batch(queue, 1)
    send(queue)
    send(queue)
    assert (first.sequence, second.sequence) == ((1 << 31) - 4, 6)
    acknowledge(queue, first)
    assert queue.is_next(second)


def test_a_repetition_waits_until_it_is_alone_and_keeps_its_number() -> None:
    queue = known()
    first, second, third = (batch(queue, number) for number in range(3))
    send(queue)
    send(queue)
    queue.answered(first)
    queue.again(first)
    assert not queue.may_send(5)
    queue.answered(second)
    queue.again(second)
    assert send(queue) is first
    assert first.sequence == 0
    assert not queue.may_send(5)
    acknowledge(queue, first)
    assert send(queue) is second
    assert send(queue) is third
    assert third.sequence == 20


def test_after_a_lost_batch_the_partition_counts_anew_with_a_higher_epoch() -> None:
    queue = known()
    first, second = batch(queue, 0), batch(queue, 1)
    send(queue)
    send(queue)
    queue.answered(first)
    queue.skip(first)
    assert not queue.may_send(5)
    queue.answered(second)
    queue.again(second)
    again = send(queue, Identity(7, 1))
    assert (again.identity, again.sequence) == (Identity(7, 1), 0)


def test_a_new_epoch_of_another_partition_waits_for_repetitions_of_this_one() -> None:
    queue = known()
    first, _ = batch(queue, 0), batch(queue, 1)
    send(queue)
    queue.answered(first)
    queue.again(first)
    assert send(queue, Identity(7, 1)).identity == ME
    acknowledge(queue, first)
    assert send(queue, Identity(7, 1)).identity == Identity(7, 1)


def test_what_is_too_old_is_given_up_also_on_its_way() -> None:
    queue = known()
    first, second = batch(queue, 0), batch(queue, 1)
    second.created = 5.0
    send(queue)
    assert queue.expired(1.0) == [first]
    assert queue.needs_reset
    assert not queue.may_send(5)


def test_the_first_batch_of_a_partition_travels_alone() -> None:
    queue = PartitionQueue("t", 0)
    first, _ = batch(queue, 0), batch(queue, 1)
    send(queue)
    assert not queue.may_send(5)
    acknowledge(queue, first)
    batch(queue, 2)
    send(queue)
    assert queue.may_send(5)
