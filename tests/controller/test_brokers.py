"""Who leads what when brokers come and go."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.controller.brokers import fence_broker, register_broker, unregister_broker
from ottla.controller.decision import Decision
from ottla.controller.producer_ids import LAST_PRODUCER_ID, allocate_producer_ids
from ottla.metadata.image import NO_LEADER, EndpointImage, MetadataImage, PartitionImage, partition_record
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.schema import Data
from ottla.protocol.stored.metadata import ProducerIdsRecord, TopicRecord

TOPIC_ID = b"t" * 16


def registered(image: MetadataImage, broker_id: int, epoch: int = 1) -> MetadataImage:
    endpoint = EndpointImage("PLAINTEXT", "h", 9092, 0)
    decision = register_broker(
        image, broker_id=broker_id, epoch=epoch, incarnation_id=bytes(16), endpoints=[endpoint], rack="r"
    )
    assert decision.response == epoch
    return image.apply(decision.records)


def cluster(*partitions: PartitionImage, brokers: tuple[int, ...] = (1, 2)) -> MetadataImage:
    records: list[Data] = [TopicRecord(name="t", topic_id=TOPIC_ID)]
    image = MetadataImage.empty().apply(records + [partition_record(TOPIC_ID, i, p) for i, p in enumerate(partitions)])
    for broker_id in brokers:
        image = registered(image, broker_id)
    return image


def after(image: MetadataImage, decision: Decision[Any]) -> PartitionImage:
    topic = image.apply(decision.records).topics.get("t")
    assert topic is not None
    return topic.partitions[0]


def first(image: MetadataImage) -> PartitionImage:
    return after(image, Decision(None))


def test_a_registered_broker_is_active_and_reachable() -> None:
    broker = registered(MetadataImage.empty(), 1).brokers[1]
    assert (broker.active, broker.epoch, broker.rack, broker.endpoint("PLAINTEXT")) == (
        True,
        1,
        "r",
        EndpointImage("PLAINTEXT", "h", 9092, 0),
    )
    assert broker.endpoint("OTHER") is None


def test_a_broker_that_crashed_leads_in_a_new_epoch() -> None:
    """Otherwise offsets that it lost and gave out again would look like the ones before."""
    image = cluster(PartitionImage(1, 4, 0, (1, 2), (1, 2)))

    def again(after_crash: bool) -> PartitionImage:
        return after(
            image,
            register_broker(
                image, broker_id=1, epoch=9, incarnation_id=bytes(16), endpoints=[], rack=None, after_crash=after_crash
            ),
        )

    assert [again(True).leader_epoch, again(False).leader_epoch] == [5, 4]


def test_an_earlier_life_of_a_broker_cannot_come_back() -> None:
    image = registered(MetadataImage.empty(), 1, epoch=5)
    with pytest.raises(KafkaError) as caught:
        registered(image, 1, epoch=4)
    assert caught.value.code is ErrorCode.STALE_BROKER_EPOCH
    assert registered(image, 1, epoch=6).brokers[1].epoch == 6


def test_fencing_hands_leadership_to_the_isr() -> None:
    image = cluster(PartitionImage(1, 0, 0, (1, 2), (1, 2)))
    fenced = after(image, fence_broker(image, 1))
    assert (fenced.leader, fenced.leader_epoch, fenced.isr) == (2, 1, (2,))


def test_the_last_of_the_isr_stays_in_it_and_leads_again_when_it_is_back() -> None:
    image = cluster(PartitionImage(1, 0, 0, (1, 2), (1,)))
    decision = fence_broker(image, 1)
    gone = after(image, decision)
    assert (gone.leader, gone.isr) == (NO_LEADER, (1,))
    back = first(registered(image.apply(decision.records), 1, epoch=2))
    assert (back.leader, back.isr, back.leader_epoch) == (1, (1,), 2)


def test_with_an_empty_isr_an_eligible_leader_is_taken() -> None:
    """A Kafka that was stopped cleanly leaves partitions so (KIP-966)."""
    led = first(cluster(PartitionImage(NO_LEADER, 3, 4, (1,), (), elr=(1,)), brokers=(1,)))
    assert (led.leader, led.isr, led.elr, led.leader_epoch) == (1, (1,), (), 4)


def test_with_nobody_eligible_the_one_that_led_last_is_taken() -> None:
    led = first(cluster(PartitionImage(NO_LEADER, 3, 4, (1, 2), (), last_known_elr=(2,))))
    assert (led.leader, led.isr, led.last_known_elr) == (2, (2,), ())


def test_nobody_leads_what_nobody_has() -> None:
    led = first(cluster(PartitionImage(NO_LEADER, 3, 4, (7,), (), elr=(7,))))
    assert (led.leader, led.elr, led.leader_epoch) == (NO_LEADER, (7,), 3)


def test_a_broker_that_nothing_lies_on_changes_no_partition() -> None:
    image = cluster(PartitionImage(1, 0, 0, (1,), (1,)))
    assert [type(r).__name__ for r in fence_broker(image, 2).records] == ["BrokerRegistrationChangeRecord"]
    assert fence_broker(image.apply(fence_broker(image, 2).records), 2).records == []


def test_unregistering_takes_a_broker_out() -> None:
    image = cluster(PartitionImage(1, 0, 0, (1, 2), (1, 2)))
    decision = unregister_broker(image, 1)
    assert list(image.apply(decision.records).brokers) == [2]
    assert after(image, decision).leader == 2
    with pytest.raises(KafkaError, match="Broker ID 9 is not currently registered"):
        unregister_broker(image, 9)


def test_producer_ids_are_given_out_by_the_thousand_and_never_twice() -> None:
    image = MetadataImage.empty()
    blocks = []
    for _ in range(3):
        decision = allocate_producer_ids(image, 1, 1)
        blocks.append(decision.response)
        image = image.apply(decision.records)
    assert blocks == [(0, 1000), (1000, 2000), (2000, 3000)]


def test_producer_ids_can_run_out() -> None:
    image = MetadataImage.empty().apply([ProducerIdsRecord(broker_id=1, next_producer_id=LAST_PRODUCER_ID - 5)])
    with pytest.raises(KafkaError, match="Exhausted all producerIds"):
        allocate_producer_ids(image, 1, 1)
