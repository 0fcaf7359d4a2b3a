"""The image is immutable, follows records, and turns back into records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.metadata.framing import decode_records, encode_records
from ottla.metadata.image import (
    NO_LEADER,
    MetadataImage,
    PartitionImage,
    ReplayError,
    ResourceType,
    TopicImage,
    partition_record,
)
from ottla.protocol.errors import RemoteProtocolError
from ottla.protocol.schema import Data
from ottla.protocol.stored.metadata import (
    AccessControlEntryRecord,
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ClientQuotaRecord,
    ConfigRecord,
    EntityData,
    FeatureLevelRecord,
    FenceBrokerRecord,
    NoOpRecord,
    PartitionChangeRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveAccessControlEntryRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
    UserScramCredentialRecord,
)

EMPTY = MetadataImage.empty("cluster")


def topic_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def topic(name: str, number: int, *partitions: PartitionImage) -> list[Data]:
    records: list[Data] = [TopicRecord(name=name, topic_id=topic_id(number))]
    return records + [partition_record(topic_id(number), i, p) for i, p in enumerate(partitions)]


def broker(number: int, epoch: int = 1, **more: bool) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=number, is_migrating_zk_broker=False, incarnation_id=bytes(16), broker_epoch=epoch, end_points=[],
        features=[], rack="r1", fenced=more.get("fenced", False), in_controlled_shutdown=False,
    )  # fmt: skip


def config(kind: int, resource: str, name: str, value: str | None) -> ConfigRecord:
    return ConfigRecord(resource_type=kind, resource_name=resource, name=name, value=value)


P0 = PartitionImage(1, 0, 0, (1, 2), (1, 2))
P1 = PartitionImage(2, 3, 4, (2, 1), (2,), (1,), (), (), (), (bytes(16), bytes(16)))


def test_a_topic_is_found_by_name_and_by_id() -> None:
    image = EMPTY.apply(topic("a", 101, P0, P1))
    assert image.topics.get("a") == image.topics.by_id(topic_id(101)) == TopicImage("a", topic_id(101), (P0, P1))


def test_the_image_before_stays_as_it_was() -> None:
    before = EMPTY.apply(topic("a", 101, P0))
    after = before.apply([*topic("b", 102, P0), config(ResourceType.TOPIC, "a", "retention.ms", "1")])
    assert [sorted(before.topics.names()), len(before.configs)] == [["a"], 0]
    assert [sorted(after.topics.names()), len(after.configs)] == [["a", "b"], 1]


def test_maps_that_no_record_touches_are_shared() -> None:
    before = EMPTY.apply(topic("a", 101, P0))
    after = before.apply([config(ResourceType.TOPIC, "a", "retention.ms", "1")])
    assert after.topics is before.topics


def test_the_version_counts_up_or_is_given() -> None:
    assert [EMPTY.apply([NoOpRecord()]).version, EMPTY.apply([], 7).version] == [1, 7]


def test_a_removed_topic_takes_its_configs_with_it() -> None:
    image = EMPTY.apply([*topic("a", 101, P0), config(ResourceType.TOPIC, "a", "retention.ms", "1")])
    image = image.apply([RemoveTopicRecord(topic_id=topic_id(101))])
    assert (len(image.topics), image.topics.by_id(topic_id(101)), len(image.configs)) == (0, None, 0)


def test_a_topic_may_come_again_in_the_same_batch_under_another_id() -> None:
    image = EMPTY.apply(topic("a", 101, P0)).apply([RemoveTopicRecord(topic_id=topic_id(101)), *topic("a", 102, P1)])
    assert [(t.name, t.id) for t in image.topics] == [("a", topic_id(102))]


@pytest.mark.parametrize(("first", "second"), [("a.b", "a_b"), ("a_b", "a.b"), ("x.y_z", "x_y.z")])
def test_names_that_share_a_metric_name_collide(first: str, second: str) -> None:
    image = EMPTY.apply(topic(first, 101, P0))
    assert [image.topics.colliding(second), image.topics.colliding("other_name")] == [first, None]
    assert image.apply([RemoveTopicRecord(topic_id=topic_id(101))]).topics.colliding(second) is None


def test_partitions_may_come_in_any_order_but_all_must_come() -> None:
    head, *partitions = topic("a", 101, P0, P1)
    assert EMPTY.apply([head, *reversed(partitions)]) == EMPTY.apply([head, *partitions])
    with pytest.raises(ReplayError, match="topic a lacks partition 0"):
        EMPTY.apply([head, partitions[1]])


def test_a_new_leader_raises_both_epochs_and_a_new_isr_one() -> None:
    image = EMPTY.apply(topic("a", 101, P0))
    change = PartitionChangeRecord(partition_id=0, topic_id=topic_id(101), isr=[1])
    found = image.apply([change]).topics.get("a")
    assert found is not None
    assert found.partitions[0] == P0._replace(isr=(1,), partition_epoch=1)
    change.leader = NO_LEADER
    found = image.apply([change]).topics.get("a")
    assert found is not None
    assert found.partitions[0] == P0._replace(isr=(1,), leader=NO_LEADER, leader_epoch=1, partition_epoch=1)


def test_eligible_leaders_are_cleared_for_one_topic_or_all() -> None:
    image = EMPTY.apply([*topic("a", 101, P1), *topic("b", 102, P1)])

    def eligible(changed: MetadataImage) -> dict[str, tuple[int, ...]]:
        return {t.name: t.partitions[0].elr for t in changed.topics}

    assert eligible(image.apply([ClearElrRecord(topic_name="a")])) == {"a": (), "b": (1,)}
    assert eligible(image.apply([ClearElrRecord(topic_name="")])) == {"a": (), "b": ()}


def test_configs_are_set_and_removed_one_by_one() -> None:
    image = EMPTY.apply([config(4, "", "a", "1"), config(4, "", "b", "2")])
    assert image.configs.get(4, "") == {"a": "1", "b": "2"}
    image = image.apply([config(4, "", "a", None)])
    assert image.configs.get(4, "") == {"b": "2"}
    assert list(image.apply([config(4, "", "b", None)]).configs) == []


def test_brokers_register_fence_and_go() -> None:
    image = EMPTY.apply([broker(1, fenced=True), broker(2)])
    assert [b.active for b in image.brokers.values()] == [False, True]
    assert image.apply([UnfenceBrokerRecord(id=1, epoch=1)]).brokers[1].active
    assert not image.apply([FenceBrokerRecord(id=2, epoch=1)]).brokers[2].active
    change = BrokerRegistrationChangeRecord(broker_id=2, broker_epoch=1, in_controlled_shutdown=1)
    assert image.apply([change]).brokers[2].in_controlled_shutdown
    assert list(image.apply([UnregisterBrokerRecord(broker_id=1, broker_epoch=1)]).brokers) == [2]


@pytest.mark.parametrize("record", [
    PartitionChangeRecord(partition_id=0, topic_id=topic_id(1)), RemoveTopicRecord(topic_id=topic_id(1)),
    partition_record(topic_id(1), 0, P0), PartitionChangeRecord(partition_id=1, topic_id=topic_id(101)),
    FenceBrokerRecord(id=9, epoch=1), FenceBrokerRecord(id=1, epoch=2), UnregisterBrokerRecord(broker_id=1, broker_epoch=5),
])  # fmt: skip
def test_a_record_about_nothing_is_an_error_and_never_skipped(record: Data) -> None:
    image = EMPTY.apply([*topic("a", 101, P0), broker(1)])
    with pytest.raises(ReplayError):
        image.apply([record])


def test_acls_credentials_and_quotas_are_kept_and_removed() -> None:
    acl = AccessControlEntryRecord(id=topic_id(5), resource_type=2, resource_name="a", pattern_type=3, principal="User:x",
                                   host="*", operation=3, permission_type=3)  # fmt: skip
    scram = UserScramCredentialRecord(
        name="x", mechanism=1, salt=b"s", stored_key=b"k", server_key=b"v", iterations=4096
    )
    quota = ClientQuotaRecord(
        entity=[EntityData(entity_type="user", entity_name=None)], key="producer_byte_rate", value=5.0, remove=False
    )
    image = EMPTY.apply([acl, scram, quota])
    assert image.client_quotas == {(("user", None),): {"producer_byte_rate": 5.0}}
    quota.remove = True
    gone = image.apply([RemoveAccessControlEntryRecord(id=topic_id(5)), quota])
    assert (dict(gone.acls), dict(gone.client_quotas), len(gone.scram_credentials)) == ({}, {}, 1)


def full_image() -> MetadataImage:
    return EMPTY.apply([
        FeatureLevelRecord(name="metadata.version", feature_level=29), broker(1), broker(2, fenced=True),
        *topic("a.b", 101, P0, P1), *topic("c", 102, P0), config(ResourceType.TOPIC, "c", "retention.ms", "1"),
        config(ResourceType.GROUP, "g", "consumer.session.timeout.ms", "50000"),
        ProducerIdsRecord(broker_id=1, broker_epoch=1, next_producer_id=3000),
        UserScramCredentialRecord(name="x", mechanism=1, salt=b"s", stored_key=b"k", server_key=b"v", iterations=4096),
        ClientQuotaRecord(entity=[EntityData(entity_type="user", entity_name="u")], key="k", value=1.5, remove=False),
    ])  # fmt: skip


def test_the_records_of_an_image_make_the_same_image() -> None:
    image = full_image()
    assert EMPTY.apply(image.records(), image.version) == image


def test_records_survive_the_frame() -> None:
    records = full_image().records()
    assert decode_records(encode_records(records)) == records


@given(st.data())
def test_damaged_frames_give_records_or_a_protocol_error(data: st.DataObject) -> None:
    stored = bytearray(encode_records(full_image().records()))
    for _ in range(data.draw(st.integers(1, 4))):
        stored[data.draw(st.integers(0, len(stored) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(stored)))
    try:
        decode_records(bytes(stored[:cut]))
    except RemoteProtocolError:
        return
