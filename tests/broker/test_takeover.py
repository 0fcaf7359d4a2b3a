"""What Apache Kafka left in a data folder becomes ours: from folders made here, and from one that a real Kafka made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from ottla.broker.config import BrokerConfig
from ottla.broker.server import Broker
from ottla.broker.takeover import METADATA_VERSION_MAX, Takeover, TakeoverError, read_kafka_metadata, take_over
from ottla.metadata.image import MetadataImage, PartitionImage, ResourceType, TopicImage, partition_record
from ottla.protocol.schema import Data
from ottla.protocol.stored import metadata_frame
from ottla.protocol.stored.metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    NoOpRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UserScramCredentialRecord,
)
from ottla.records.batch import Record, build_batch
from ottla.security.mechanisms import ScramCredential, scram_keys
from tests.support.kafka_folder import consumed, made_by_kafka
from tests.support.requires import requires

NODE_ID = 1
A, B = b"a" * 16, b"b" * 16


def batch(base_offset: int, records: Sequence[Data], *, control: bool = False) -> bytes:
    values = [b"" if control else metadata_frame.write(record) for record in records]
    rows = [Record(base_offset + i, 1000, b"\0\0\0\2" if control else None, value) for i, value in enumerate(values)]
    return bytes(build_batch(rows, base_offset=base_offset, leader_epoch=1, control=control))


def topic(name: str, topic_id: bytes, *, node_id: int = NODE_ID) -> list[Data]:
    partition = PartitionImage(node_id, 0, 0, (node_id,), (node_id,))
    return [TopicRecord(name=name, topic_id=topic_id), partition_record(topic_id, 0, partition)]


def config(name: str, key: str, value: str | None) -> ConfigRecord:
    return ConfigRecord(resource_type=ResourceType.TOPIC, resource_name=name, name=key, value=value)


class Folder:
    """A metadata folder as Kafka writes it."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "__cluster_metadata-0"
        self.path.mkdir()
        (self.path / "00000000000000000000.timeindex").write_bytes(b"")
        (self.path / "quorum-state").write_text("{}")

    def log(self, base_offset: int, *batches: bytes) -> Folder:
        (self.path / f"{base_offset:020}.log").write_bytes(b"".join(batches))
        return self

    def checkpoint(self, end_offset: int, *batches: bytes, suffix: str = "") -> Folder:
        (self.path / f"{end_offset:020}-0000000001.checkpoint{suffix}").write_bytes(b"".join(batches))
        return self

    def read(self, node_id: int = NODE_ID) -> Takeover:
        return read_kafka_metadata(self.path, node_id)

    def image(self) -> MetadataImage:
        return MetadataImage.empty().apply(self.read().records)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_folder_without_kafka_is_left_alone(tmp_path: Path) -> None:
    assert take_over([str(tmp_path), str(tmp_path / "nothing")], NODE_ID) is None


def test_the_metadata_may_lie_in_a_folder_of_its_own(folder: Folder, tmp_path: Path) -> None:
    folder.log(0, batch(0, topic("a", A)))
    found = take_over(["/nowhere"], NODE_ID, str(tmp_path))
    assert found is not None
    assert (found.topics, found.partitions, found.end_offset) == (1, 1, 2)


def test_users_of_a_folder_that_kafka_storage_formatted_are_taken_over(tmp_path: Path) -> None:
    """tests/golden/bootstrap.checkpoint: kafka-storage format --add-scram SCRAM-SHA-256=[name=admin,password=admin-secret]"""
    golden = Path(__file__).parents[1] / "golden" / "bootstrap.checkpoint"
    (tmp_path / "bootstrap.checkpoint").write_bytes(golden.read_bytes())
    found = take_over([str(tmp_path)], 1)
    assert found is not None
    (record,) = [r for r in found.records if isinstance(r, UserScramCredentialRecord)]
    kept = ScramCredential(record.salt, record.stored_key, record.server_key, record.iterations)
    assert record.name == "admin"
    assert scram_keys.verifies("SCRAM-SHA-256", "admin-secret", kept)


def test_records_of_all_segments_are_replayed_and_brokers_left_out(folder: Folder) -> None:
    broker = RegisterBrokerRecord(broker_id=1, is_migrating_zk_broker=False, incarnation_id=bytes(16), broker_epoch=3, end_points=[],
                                  features=[], rack=None, fenced=False, in_controlled_shutdown=False)  # fmt: skip
    folder.log(0, batch(0, [NoOpRecord()], control=True), batch(1, [broker, *topic("a", A)]))
    folder.log(
        4,
        batch(4, topic("b", B)),
        batch(6, [config("a", "retention.ms", "5"), ProducerIdsRecord(broker_id=1, next_producer_id=2000)]),
    )
    image = folder.image()
    assert sorted(image.topics.names()) == ["a", "b"]
    assert (dict(image.configs.get(ResourceType.TOPIC, "a")), image.next_producer_id, dict(image.brokers)) == (
        {"retention.ms": "5"},
        2000,
        {},
    )


def test_a_checkpoint_stands_for_what_was_before_it(folder: Folder) -> None:
    folder.checkpoint(2, batch(0, [NoOpRecord()], control=True), batch(1, topic("old", B)))
    folder.checkpoint(10, batch(0, [NoOpRecord()], control=True), batch(1, topic("a", A)))
    folder.checkpoint(11, b"unfinished", suffix=".part").checkpoint(12, b"gone", suffix=".deleted")
    folder.log(
        0, batch(0, topic("before", B)), batch(8, [RemoveTopicRecord(topic_id=B), NoOpRecord(), config("a", "k", "v")])
    )
    image = folder.image()
    assert [t.name for t in image.topics] == ["a"]
    assert dict(image.configs.get(ResourceType.TOPIC, "a")) == {"k": "v"}


def test_only_transactions_that_ended_happened(folder: Folder) -> None:
    folder.log(
        0,
        batch(0, [BeginTransactionRecord(), *topic("a", A), EndTransactionRecord()]),
        batch(4, [BeginTransactionRecord(), *topic("aborted", B), AbortTransactionRecord()]),
        batch(8, [BeginTransactionRecord(), *topic("pending", B)]),
    )
    assert [t.name for t in folder.image().topics] == ["a"]


@pytest.mark.parametrize("cut", [1, 30, 60, 70])
def test_a_torn_end_of_the_last_segment_is_its_end(folder: Folder, cut: int) -> None:
    torn = batch(2, [config("a", "k", "v")])[:-cut]
    folder.log(0, batch(0, topic("a", A)), torn)
    assert folder.read().end_offset == 2


def test_zeros_behind_the_end_are_a_preallocated_file(folder: Folder) -> None:
    folder.log(0, batch(0, topic("a", A)), bytes(4096))
    assert folder.read().end_offset == 2


def test_damage_in_the_middle_is_refused(folder: Folder) -> None:
    bad = bytearray(batch(0, topic("a", A)))
    bad[-1] ^= 1
    folder.log(0, bytes(bad), batch(2, [NoOpRecord()]))
    with pytest.raises(TakeoverError, match="damaged at byte 0"):
        folder.read()


def test_a_missing_beginning_is_refused(folder: Folder) -> None:
    folder.log(5, batch(5, topic("a", A)))
    with pytest.raises(TakeoverError, match="from offset 5 on, and no checkpoint"):
        folder.read()


def test_a_record_of_a_newer_kafka_is_refused(folder: Folder) -> None:
    value = metadata_frame.write(NoOpRecord()).replace(b"\x14", b"\x7a")
    folder.log(0, bytes(build_batch([Record(0, 1000, None, value)])))
    with pytest.raises(TakeoverError, match=r"metadata record type 122.*newer than 4.2"):
        folder.read()


def test_records_that_do_not_fit_are_refused(folder: Folder) -> None:
    folder.log(0, batch(0, [RemoveTopicRecord(topic_id=A)]))
    with pytest.raises(TakeoverError, match="no topic with id"):
        folder.read()


def test_a_newer_metadata_version_is_refused(folder: Folder) -> None:
    folder.log(0, batch(0, [FeatureLevelRecord(name="metadata.version", feature_level=METADATA_VERSION_MAX + 1)]))
    with pytest.raises(TakeoverError, match=r"metadata.version 30, and this release knows versions up to 29"):
        folder.read()


def test_another_nodes_folder_is_refused_with_its_number(folder: Folder) -> None:
    folder.log(0, batch(0, topic("a", A, node_id=7)))
    with pytest.raises(TakeoverError, match=r"start with node.id=7"):
        folder.read()


def test_a_cluster_of_several_brokers_is_refused(folder: Folder) -> None:
    folder.log(0, batch(0, [*topic("a", A), *topic("b", B, node_id=2)]))
    with pytest.raises(TakeoverError, match="cluster of several brokers cannot be taken over alone"):
        folder.read()


def test_tiered_topics_are_refused(folder: Folder) -> None:
    folder.log(0, batch(0, [*topic("a", A), config("a", "remote.storage.enable", "true")]))
    with pytest.raises(TakeoverError, match="topic a has segments in tiered storage"):
        folder.read()


# -- a real one ----------------------------------------------------------------------------------------------------


@pytest.mark.java
@pytest.mark.slow
async def test_a_folder_of_a_real_kafka_is_served(tmp_path: Path) -> None:
    """Topics, ids, configs, records and committed offsets are those of Apache Kafka 4.2; so they are after a restart."""
    requires("java", "mvn", "confluent_kafka")
    ids = await asyncio.to_thread(made_by_kafka, tmp_path)
    for _ in range(2):
        own = {
            "listeners": "PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0",
            "advertised.listeners": "PLAINTEXT://127.0.0.1:0",
        }
        broker = Broker(BrokerConfig.load(tmp_path / "server.properties", None, own))
        await broker.start()
        try:
            topics: dict[str, TopicImage] = {topic.name: topic for topic in broker.image.topics}
            assert {name: topics[name].id for name in ("orders", "compact.ed")} == {
                n: i for n, i in ids.items() if n != "gone"
            }
            assert sorted(topics) == ["__consumer_offsets", "compact.ed", "orders"]
            assert dict(broker.image.configs.get(ResourceType.TOPIC, "compact.ed")) == {
                "cleanup.policy": "compact",
                "segment.ms": "1059",
            }
            assert broker.image.configs.get(ResourceType.BROKER, "")["log.retention.ms"] == "99999999"
            assert broker.image.next_producer_id >= 1000
            values, committed = await asyncio.to_thread(consumed, f"127.0.0.1:{broker.listeners[0].port}")
            assert values == sorted(f"value {number}" for number in range(300))
            assert committed == [7, 8, 9]
        finally:
            await broker.stop()
    assert (tmp_path / "data" / "__cluster_metadata-0").is_dir()
