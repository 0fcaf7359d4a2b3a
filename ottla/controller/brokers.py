"""Decisions about brokers: register, fence, unregister, and who leads what after that.

A broker that registers gets its epoch from the metadata log's session; an earlier life of the same id is replaced.
Fencing takes a broker out of every ISR it is not the last member of, and elects other leaders; unfencing lets it lead
again what nobody leads. The last member of an ISR stays in it: what it holds is what was committed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..metadata.image import NO_LEADER, BrokerImage, EndpointImage, MetadataImage, PartitionImage
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import Data
from ..protocol.stored.metadata import (
    BrokerEndpoint,
    BrokerRegistrationChangeRecord,
    PartitionChangeRecord,
    RegisterBrokerRecord,
    UnregisterBrokerRecord,
)
from .decision import Decision

#: BrokerRegistrationChangeRecord.fenced
FENCE, UNFENCE = 1, -1


def register_broker(
    image: MetadataImage,
    *,
    broker_id: int,
    epoch: int,
    incarnation_id: bytes,
    endpoints: Sequence[EndpointImage],
    rack: str | None,
    log_dirs: Sequence[bytes] = (),
    after_crash: bool = False,
) -> Decision[int]:
    """Decide that a broker lives: unfenced at once, because its session proves it. Returns its epoch.

    `after_crash` says that its logs were not closed cleanly the last time.
    """
    known = image.brokers.get(broker_id)
    if known is not None and known.epoch > epoch:
        why = f"broker {broker_id} is registered with epoch {known.epoch}, which is later than {epoch}"
        raise KafkaError(ErrorCode.STALE_BROKER_EPOCH, why)
    record = RegisterBrokerRecord(
        broker_id=broker_id,
        is_migrating_zk_broker=False,
        incarnation_id=incarnation_id,
        broker_epoch=epoch,
        end_points=[
            BrokerEndpoint(name=e.name, host=e.host, port=e.port, security_protocol=e.security_protocol)
            for e in endpoints
        ],
        features=[],
        rack=rack,
        fenced=False,
        in_controlled_shutdown=False,
        log_dirs=list(log_dirs),
    )
    records: list[Data] = [record]
    records += _elect(image, _active_ids(image) | {broker_id}, crashed=broker_id if after_crash else -1)
    return Decision(epoch, records)


def fence_broker(image: MetadataImage, broker_id: int) -> Decision[None]:
    """Decide that a broker no longer answers."""
    broker = _known(image, broker_id)
    if broker.fenced:
        return Decision(None)
    change = BrokerRegistrationChangeRecord(broker_id=broker_id, broker_epoch=broker.epoch, fenced=FENCE)
    return Decision(None, [change, *_elect(image, _active_ids(image) - {broker_id}, gone=broker_id)])


def unregister_broker(image: MetadataImage, broker_id: int) -> Decision[None]:
    """Decide that a broker is no longer part of the cluster."""
    broker = _known(image, broker_id)
    remove = UnregisterBrokerRecord(broker_id=broker_id, broker_epoch=broker.epoch)
    return Decision(None, [*_elect(image, _active_ids(image) - {broker_id}, gone=broker_id), remove])


def _known(image: MetadataImage, broker_id: int) -> BrokerImage:
    broker = image.brokers.get(broker_id)
    if broker is None:
        raise KafkaError(ErrorCode.BROKER_ID_NOT_REGISTERED, f"Broker ID {broker_id} is not currently registered")
    return broker


def _active_ids(image: MetadataImage) -> set[int]:
    return {broker.id for broker in image.brokers.values() if broker.active}


def _elect(image: MetadataImage, active: set[int], *, gone: int = -1, crashed: int = -1) -> list[Data]:
    """Make the partition changes that follow from `active` being the brokers that may lead.

    `gone` leaves the ISRs. `crashed` is back with logs that may have lost their ends: what it leads begins a new leader
    epoch, so that offsets written again are not taken for those that were there before.
    """
    records: list[Data] = []
    for topic in image.topics:
        for index, partition in enumerate(topic.partitions):
            changed = _elected(partition, active, gone)
            if changed != partition or changed.leader == crashed != NO_LEADER:
                records.append(_change(topic.id, index, partition, changed, new_epoch=changed.leader == crashed))
    return records


def _elected(partition: PartitionImage, active: set[int], gone: int) -> PartitionImage:
    """Choose leader and ISR: from the ISR, else from the eligible leaders, else the one that led last (KIP-966)."""
    isr = tuple(b for b in partition.isr if b != gone) or partition.isr
    if partition.leader in active and partition.leader in isr:
        return partition._replace(isr=isr)
    leader = next((b for b in partition.replicas if b in isr and b in active), NO_LEADER)
    if leader != NO_LEADER:
        return partition._replace(leader=leader, isr=isr)
    eligible = [b for b in partition.replicas if b in partition.elr]
    if not partition.isr and not eligible and len(partition.last_known_elr) == 1:
        eligible = list(partition.last_known_elr)
    leader = next((b for b in eligible if b in active), NO_LEADER)
    if leader == NO_LEADER:
        return partition._replace(leader=NO_LEADER, isr=isr)
    elr = tuple(b for b in partition.elr if b != leader)
    return partition._replace(leader=leader, isr=(leader,), elr=elr, last_known_elr=())


def _change(
    topic_id: bytes, index: int, old: PartitionImage, new: PartitionImage, *, new_epoch: bool
) -> PartitionChangeRecord:
    record = PartitionChangeRecord(partition_id=index, topic_id=topic_id)
    if new.leader != old.leader or new_epoch:
        record.leader = new.leader
    if new.isr != old.isr:
        record.isr = list(new.isr)
    if new.elr != old.elr:
        record.eligible_leader_replicas = list(new.elr)
    if new.last_known_elr != old.last_known_elr:
        record.last_known_elr = list(new.last_known_elr)
    return record
