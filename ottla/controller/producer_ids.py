"""Blocks of producer ids: a broker takes a thousand at a time, so that an id is never given out twice, restarts included."""

from __future__ import annotations

from typing import NamedTuple

from ..metadata.image import MetadataImage
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.stored.metadata import ProducerIdsRecord
from .decision import Decision

#: Kafka's block size (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
BLOCK_SIZE = 1000
LAST_PRODUCER_ID = 2**63 - 1


class ProducerIdBlock(NamedTuple):
    """The ids from `first` up to and without `end`."""

    first: int
    end: int


def allocate_producer_ids(image: MetadataImage, broker_id: int, broker_epoch: int) -> Decision[ProducerIdBlock]:
    """Decide AllocateProducerIds: give the next block to a broker."""
    first = image.next_producer_id
    if first > LAST_PRODUCER_ID - BLOCK_SIZE:
        why = "Exhausted all producerIds as the next block's end producerId has exceeded the int64 type limit"
        raise KafkaError(ErrorCode.UNKNOWN_SERVER_ERROR, why)
    end = first + BLOCK_SIZE
    record = ProducerIdsRecord(broker_id=broker_id, broker_epoch=broker_epoch, next_producer_id=end)
    return Decision(ProducerIdBlock(first, end), [record])
