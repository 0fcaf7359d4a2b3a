"""Creating topics that were only asked for: on first use by a client, or by the broker for itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..controller.decision import Take, unlimited
from ..controller.topics import create_topics
from ..protocol.apis.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ..protocol.errors import ErrorCode
from .chance import RANDOM
from .topic_names import GROUP_METADATA, SHARE_GROUP_STATE, TRANSACTION_STATE

if TYPE_CHECKING:
    from .server import Broker

#: Internal topic -> (partitions, replication factor, segment bytes, least in-sync replicas if it has them) by their
#: broker configs, and its fixed configs.
_INTERNAL = {
    GROUP_METADATA: (
        ("offsets.topic.num.partitions", "offsets.topic.replication.factor", "offsets.topic.segment.bytes", None),
        {"cleanup.policy": "compact", "compression.type": "producer"},
    ),
    TRANSACTION_STATE: (
        (
            "transaction.state.log.num.partitions",
            "transaction.state.log.replication.factor",
            "transaction.state.log.segment.bytes",
            "transaction.state.log.min.isr",
        ),
        {"cleanup.policy": "compact", "compression.type": "uncompressed", "unclean.leader.election.enable": "false"},
    ),
    SHARE_GROUP_STATE: (
        (
            "share.coordinator.state.topic.num.partitions",
            "share.coordinator.state.topic.replication.factor",
            "share.coordinator.state.topic.segment.bytes",
            "share.coordinator.state.topic.min.isr",
        ),
        {"cleanup.policy": "delete", "compression.type": "producer", "retention.ms": "-1"},
    ),
}


async def auto_create(
    broker: Broker, names: list[str], taking: Callable[[], Take] = lambda: unlimited
) -> dict[str, ErrorCode]:
    """Create topics with the broker's defaults; returns the error of each that could not be created.

    `taking` counts the partitions against the quota of the client that used the topics first (`throttling`).
    """
    response = await create(broker, [_wanted(broker, name) for name in dict.fromkeys(names)], taking)
    return {
        topic.name: ErrorCode(topic.error_code)
        for topic in response.topics
        if topic.error_code not in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS)
    }


async def create(
    broker: Broker, topics: list[CreatableTopic], taking: Callable[[], Take] = lambda: unlimited
) -> CreateTopicsResponse:
    """Create topics on the broker's own behalf."""
    request = CreateTopicsRequest(topics=topics, timeout_ms=30_000)
    levels = broker.config.levels_in
    return await broker.controller.submit(
        lambda image: create_topics(image, request, levels=levels(image), random=RANDOM, take=taking())
    )


def _wanted(broker: Broker, name: str) -> CreatableTopic:
    if name not in _INTERNAL:
        return CreatableTopic(name=name, num_partitions=-1, replication_factor=-1, assignments=[], configs=[])
    (partitions, factor, segment_bytes, min_isr), fixed = _INTERNAL[name]
    integer = broker.config.levels_in(broker.image).integer
    # Fewer brokers than the default of 3 must not keep a cluster from working: what there is will do.
    replicas = min(integer(factor), len(broker.live_brokers))
    configs = {**fixed, "segment.bytes": str(integer(segment_bytes))}
    if min_isr is not None:
        configs["min.insync.replicas"] = str(min(integer(min_isr), replicas))
    return CreatableTopic(
        name=name,
        num_partitions=integer(partitions),
        replication_factor=replicas,
        assignments=[],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
    )
