"""The share coordinator of this broker: state of share partitions, in `__share_group_state`.

It serves the leaders of partitions and the group coordinator, on this broker (`broker/share/persister`) or another one
(requests 83 to 87). Methods return a result, or a `Deferred` that resolves to it or to a `KafkaError`; they raise
`KafkaError` where the answer is no.

The topic is not compacted: its partitions lose their beginning as soon as snapshots make it superfluous (`_prune`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...coordinator.decision import Decision
from ...coordinator.share_state.batches import StateBatch
from ...coordinator.share_state.config import ShareCoordinatorConfig
from ...coordinator.share_state.records import SharePartitionKey
from ...coordinator.share_state.shard import ShareStateShard
from ...records.compression import Compression
from ..topic_names import SHARE_GROUP_STATE
from .service import CoordinatorService
from .shard_host import HostConfig, ShardHost

if TYPE_CHECKING:
    from ...metadata.image import MetadataImage
    from ..config import BrokerConfig
    from ..partition import Partition
    from ..server import Broker

#: group : topic id (22 characters of base64) : partition. A group id may hold colons itself.
_KEY = re.compile(r"(.*\S.*):([A-Za-z0-9_-]{22}):([-+]?[0-9]{1,10})\Z", re.DOTALL)


def coordinator_key(key: SharePartitionKey) -> str:
    """Write a share partition as FindCoordinator names it; its hash finds the partition of the topic."""
    topic_id = base64.urlsafe_b64encode(key.topic_id).decode().rstrip("=")
    return f"{key.group_id}:{topic_id}:{key.partition}"


def parse_coordinator_key(text: str) -> SharePartitionKey | None:
    """Read what `coordinator_key` wrote; None if it is something else."""
    match = _KEY.match(text)
    if match is None:
        return None
    return SharePartitionKey(match[1], base64.urlsafe_b64decode(match[2] + "=="), int(match[3]))


def host_config(config: BrokerConfig) -> HostConfig:
    """How `__share_group_state` is written and read."""
    return HostConfig(
        compression=Compression(config.integer("share.coordinator.state.topic.compression.codec")),
        linger_s=max(config.integer("share.coordinator.append.linger.ms"), 0) / 1000,
        timeout_s=config.integer("share.coordinator.write.timeout.ms") / 1000,
        load_piece_bytes=config.integer("share.coordinator.load.buffer.size"),
        compacted=False,
    )


class ShareStateService(CoordinatorService[ShareStateShard]):
    """The share partitions whose state lies in partitions that this broker leads."""

    TOPIC = SHARE_GROUP_STATE
    PARTITIONS_KEY = "share.coordinator.state.topic.num.partitions"
    CLEAN_UP_KEY = "share.coordinator.state.topic.prune.interval.ms"

    def __init__(self, broker: Broker) -> None:
        config = broker.config
        super().__init__(broker, host_config(config))
        self._config = ShareCoordinatorConfig(
            snapshot_update_records_per_snapshot=config.integer(
                "share.coordinator.snapshot.update.records.per.snapshot"
            ),
            cold_partition_snapshot_interval_ms=config.integer("share.coordinator.cold.partition.snapshot.interval.ms"),
        )

    def make_shard(self, partition: Partition) -> ShareStateShard:
        """Make an empty shard."""
        return ShareStateShard(self._config)

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────

    def apply(self, old: MetadataImage, image: MetadataImage) -> None:
        """Follow the metadata: leadership of our topic, and topics that are gone with their share partitions."""
        super().apply(old, image)
        if self._stopped or old.topics is image.topics:
            return
        deleted = {topic.id for topic in old.topics if image.topics.by_id(topic.id) is None}
        if deleted:
            for host in self.loaded():
                for decision in host.shard.topics_deleted(deleted):
                    host.carry_out(decision)

    def _clean_up(self) -> None:
        super()._clean_up()
        for host in self.loaded():
            self._prune(host)

    def _prune(self, host: ShardHost[ShareStateShard]) -> None:
        """Delete what nobody needs, once the snapshots that replace it are committed.

        The next checkpoint tells of it: a crash before that brings back what loads to the same state.
        """
        needed_from = host.shard.needed_from()

        def delete() -> None:
            if host.partition.is_leader and needed_from > host.partition.log.log_start_offset:
                host.partition.delete_records_before(needed_from)

        host.when_settled(delete)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────

    def initialize(self, key: SharePartitionKey, state_epoch: int, start_offset: int) -> Any:
        """Begin anew."""
        host, known, now_ms = self._at(key)
        return host.carry_out(host.shard.initialize(key, state_epoch, start_offset, topic_known=known, now_ms=now_ms))

    def read(self, key: SharePartitionKey, leader_epoch: int) -> Any:
        """Return the `ShareState`."""
        host, known, now_ms = self._at(key)
        decision = host.shard.read(key, leader_epoch, topic_known=known, now_ms=now_ms)
        return self._settled_answer(host, decision)

    def write(
        self, key: SharePartitionKey, *, state_epoch: int, leader_epoch: int, start_offset: int,
        delivery_complete_count: int, batches: Sequence[StateBatch],
    ) -> Any:  # fmt: skip
        """Lay batches over the stored ones, move the start offset."""
        host, known, now_ms = self._at(key)
        return host.carry_out(
            host.shard.write(
                key, state_epoch=state_epoch, leader_epoch=leader_epoch, start_offset=start_offset,
                delivery_complete_count=delivery_complete_count, batches=batches, topic_known=known, now_ms=now_ms,
            )
        )  # fmt: skip

    def delete(self, key: SharePartitionKey) -> Any:
        """Forget the state."""
        host, known, _ = self._at(key)
        return self._settled_answer(host, host.shard.delete(key, topic_known=known))

    def summary(self, key: SharePartitionKey) -> Any:
        """Return the `ShareStateSummary`."""
        host, known, _ = self._at(key)
        found = host.shard.summary(key, topic_known=known)
        return host.when_settled(lambda: found)

    def _at(self, key: SharePartitionKey) -> tuple[ShardHost[ShareStateShard], bool, int]:
        """Return the host of a share partition, whether the metadata has the partition, and the time."""
        host = self.host(coordinator_key(key))
        topic = self._broker.image.topics.by_id(key.topic_id)
        return host, topic is not None and key.partition < len(topic.partitions), self._broker.clock.now_ms()

    @staticmethod
    def _settled_answer(host: ShardHost[ShareStateShard], decision: Decision) -> Any:
        """Carry out; what was only read is told when all that was written before it is committed."""
        if decision.records:
            return host.carry_out(decision)
        return host.when_settled(lambda: decision.response)
