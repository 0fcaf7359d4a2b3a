"""The cluster itself: brokers, quorum, features, log dirs, reassignments, elections.

await admin.cluster.describe()
await admin.partitions.reassign({("orders", 0): [1, 2]})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...protocol.apis import API_KEYS
from ...protocol.apis.add_raft_voter import AddRaftVoterRequest, Listener
from ...protocol.apis.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from ...protocol.apis.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from ...protocol.apis.api_versions import ApiVersionsRequest
from ...protocol.apis.describe_cluster import DescribeClusterRequest
from ...protocol.apis.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from ...protocol.apis.describe_quorum import DescribeQuorumRequest, PartitionData, TopicData
from ...protocol.apis.elect_leaders import ElectLeadersRequest, TopicPartitions
from ...protocol.apis.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from ...protocol.apis.remove_raft_voter import RemoveRaftVoterRequest
from ...protocol.apis.unregister_broker import UnregisterBrokerRequest
from ...protocol.apis.update_features import FeatureUpdateKey, UpdateFeaturesRequest
from ...protocol.errors import ErrorCode
from ..cluster import ANY, CONTROLLER, Node
from ..offsets import by_topic, failures_as_one
from .base import Room, outcome

TopicAndPartition = tuple[str, int]


class Broker(NamedTuple):
    """A broker of the cluster."""

    id: int
    host: str
    port: int
    rack: str | None
    is_fenced: bool = False


@dataclass(frozen=True, slots=True)
class ClusterDescription:
    """The cluster as a broker sees it."""

    id: str
    controller_id: int
    brokers: tuple[Broker, ...]


class Replica(NamedTuple):
    """A voter or observer of the quorum."""

    id: int
    log_end_offset: int
    last_fetch_ms: int
    last_caught_up_ms: int
    directory_id: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class Quorum:
    """The metadata quorum."""

    leader_id: int
    leader_epoch: int
    high_watermark: int
    voters: tuple[Replica, ...]
    observers: tuple[Replica, ...]


class Feature(NamedTuple):
    """A feature: its finalized level (0: none), and the levels that the asked broker supports."""

    level: int
    low: int
    high: int


class ReplicaSize(NamedTuple):
    """A replica in a log dir."""

    bytes: int
    offset_lag: int
    is_future: bool


@dataclass(frozen=True, slots=True)
class LogDir:
    """A log dir of a broker; -1 where the broker does not tell the size of the volume."""

    path: str
    replicas: dict[TopicAndPartition, ReplicaSize]
    total_bytes: int = -1
    usable_bytes: int = -1


class Reassignment(NamedTuple):
    """A reassignment under way."""

    replicas: tuple[int, ...]
    adding: tuple[int, ...]
    removing: tuple[int, ...]


class ClusterRoom(Room):
    """`admin.cluster`"""

    async def describe(self) -> ClusterDescription:
        """Id, controller and brokers."""
        answer = await self._ask(DescribeClusterRequest(), ANY)
        brokers = tuple(Broker(b.broker_id, b.host, b.port, b.rack, b.is_fenced) for b in answer.brokers)
        return ClusterDescription(answer.cluster_id, answer.controller_id, brokers)

    async def quorum(self) -> Quorum:
        """The quorum of the metadata log."""
        topic = TopicData(topic_name="__cluster_metadata", partitions=[PartitionData(partition_index=0)])
        answer = await self._ask(DescribeQuorumRequest(topics=[topic]), ANY)
        part = answer.topics[0].partitions[0]
        if part.error_code:
            raise outcome(part.error_code, part.error_message, "DescribeQuorum", "__cluster_metadata")
        voters, observers = (tuple(_replica(r) for r in rows) for rows in (part.current_voters, part.observers))
        return Quorum(part.leader_id, part.leader_epoch, part.high_watermark, voters, observers)

    async def features(self) -> dict[str, Feature]:
        """Name -> levels."""
        request = ApiVersionsRequest(client_software_name="ottla", client_software_version="admin")
        answer = await self._ask(request, ANY, low=3)
        levels = {row.name: row.max_version_level for row in answer.finalized_features}
        found = {
            f.name: Feature(levels.pop(f.name, 0), f.min_version, f.max_version) for f in answer.supported_features
        }
        return {**found, **{name: Feature(level, level, level) for name, level in levels.items()}}

    async def api_versions(self, broker: int | None = None) -> dict[int, tuple[str, int, int]]:
        """API key -> (name, lowest version, highest version) of a broker, or of any."""
        request = ApiVersionsRequest(client_software_name="ottla", client_software_version="admin")
        answer = await self._ask(request, ANY if broker is None else Node(broker))
        names = {key: kind.name for key, kind in API_KEYS.items()}
        return {row.api_key: (names.get(row.api_key, "?"), row.min_version, row.max_version) for row in answer.api_keys}

    async def update_features(
        self, levels: Mapping[str, int], *, downgrade: str = "no", validate_only: bool = False
    ) -> None:
        """Set finalized levels; 0 deletes. `downgrade`: no, safe, unsafe."""
        kind = {"no": 1, "safe": 2, "unsafe": 3}[downgrade]
        updates = [FeatureUpdateKey(feature=n, max_version_level=v, upgrade_type=kind) for n, v in levels.items()]
        more = {"validate_only": True} if validate_only else {}
        request = UpdateFeaturesRequest(feature_updates=updates, timeout_ms=self._timeout_ms, **more)
        answer = await self._ask(request, CONTROLLER, low=1)
        rows = [outcome(r.error_code, r.error_message, "UpdateFeatures", r.feature) for r in answer.results]
        failures_as_one("UpdateFeatures", [row for row in rows if row is not None])

    async def unregister_broker(self, broker_id: int) -> None:
        """Forget a broker that will not come back."""
        await self._ask(UnregisterBrokerRequest(broker_id=broker_id), CONTROLLER)

    async def add_voter(
        self,
        voter_id: int,
        directory_id: bytes,
        listeners: Mapping[str, tuple[str, int]],
        cluster_id: str | None = None,
    ) -> None:
        """Let a controller vote in the quorum (KIP-853)."""
        rows = [Listener(name=name, host=host, port=port) for name, (host, port) in listeners.items()]
        request = AddRaftVoterRequest(
            cluster_id=cluster_id, timeout_ms=self._timeout_ms, voter_id=voter_id, voter_directory_id=directory_id,
            listeners=rows,
        )  # fmt: skip
        await self._ask(request, CONTROLLER)

    async def remove_voter(self, voter_id: int, directory_id: bytes, cluster_id: str | None = None) -> None:
        """Let a controller vote no more."""
        request = RemoveRaftVoterRequest(cluster_id=cluster_id, voter_id=voter_id, voter_directory_id=directory_id)
        await self._ask(request, CONTROLLER)


class LogDirs(Room):
    """`admin.log_dirs`"""

    async def describe(
        self, brokers: Iterable[int] | None = None, partitions: Iterable[TopicAndPartition] | None = None
    ) -> dict[int, list[LogDir]]:
        """Broker -> its log dirs, with the replicas in them."""
        topics = None
        if partitions is not None:
            topics = [DescribableLogDirTopic(topic=t, partitions=p) for t, p in by_topic(partitions).items()]
        answers = await self._all_nodes(DescribeLogDirsRequest(topics=topics), brokers)
        found: dict[int, list[LogDir]] = {}
        failures = []
        for broker, answer in answers.items():
            for row in answer.results:
                if row.error_code:
                    failures.append(outcome(row.error_code, None, "DescribeLogDirs", f"{broker}:{row.log_dir}"))
                    continue
                replicas = {
                    (t.name, p.partition_index): ReplicaSize(p.partition_size, p.offset_lag, p.is_future_key)
                    for t in row.topics
                    for p in t.partitions
                }
                found.setdefault(broker, []).append(LogDir(row.log_dir, replicas, row.total_bytes, row.usable_bytes))
        failures_as_one("DescribeLogDirs", failures)
        return found

    async def move(self, broker: int, to: Mapping[TopicAndPartition, str]) -> None:
        """Move replicas of a broker into other log dirs of it."""
        by_dir: dict[str, list[TopicAndPartition]] = {}
        for key, path in to.items():
            by_dir.setdefault(path, []).append(key)
        dirs = [
            AlterReplicaLogDir(
                path=path,
                topics=[AlterReplicaLogDirTopic(name=t, partitions=p) for t, p in by_topic(keys).items()],
            )
            for path, keys in by_dir.items()
        ]
        answer = await self._ask(AlterReplicaLogDirsRequest(dirs=dirs), Node(broker))
        rows = [
            outcome(p.error_code, None, "AlterReplicaLogDirs", f"{t.topic_name}-{p.partition_index}")
            for t in answer.results
            for p in t.partitions
        ]
        failures_as_one("AlterReplicaLogDirs", [row for row in rows if row is not None])


class Partitions(Room):
    """`admin.partitions`: where replicas are, and who leads."""

    async def reassign(self, replicas: Mapping[TopicAndPartition, Iterable[int] | None]) -> None:
        """Give partitions these replicas, the first one preferred; None cancels what is under way."""
        wanted = {key: None if ids is None else list(ids) for key, ids in replicas.items()}
        topics = [
            ReassignableTopic(
                name=t, partitions=[ReassignablePartition(partition_index=n, replicas=wanted[t, n]) for n in numbers]
            )
            for t, numbers in by_topic(wanted).items()
        ]
        request = AlterPartitionReassignmentsRequest(topics=topics, timeout_ms=self._timeout_ms)
        answer = await self._ask(request, CONTROLLER)
        rows = [
            outcome(p.error_code, p.error_message, "AlterPartitionReassignments", f"{t.name}-{p.partition_index}")
            for t in answer.responses
            for p in t.partitions
        ]
        failures_as_one("AlterPartitionReassignments", [row for row in rows if row is not None])

    async def reassignments(
        self, partitions: Iterable[TopicAndPartition] | None = None
    ) -> dict[TopicAndPartition, Reassignment]:
        """What is under way."""
        topics = None
        if partitions is not None:
            topics = [
                ListPartitionReassignmentsTopics(name=t, partition_indexes=p) for t, p in by_topic(partitions).items()
            ]
        request = ListPartitionReassignmentsRequest(topics=topics, timeout_ms=self._timeout_ms)
        answer = await self._ask(request, CONTROLLER)
        return {
            (t.name, p.partition_index): Reassignment(
                tuple(p.replicas), tuple(p.adding_replicas), tuple(p.removing_replicas)
            )
            for t in answer.topics
            for p in t.partitions
        }

    async def elect_leaders(
        self, partitions: Iterable[TopicAndPartition] | None = None, *, unclean: bool = False
    ) -> set[TopicAndPartition]:
        """Let the preferred replicas lead, or with `unclean` one that is not in sync; which partitions were changed."""
        rows = None
        if partitions is not None:
            rows = [TopicPartitions(topic=t, partitions=p) for t, p in by_topic(partitions).items()]
        more: dict[str, Any] = {"election_type": 1} if unclean else {}
        request = ElectLeadersRequest(topic_partitions=rows, timeout_ms=self._timeout_ms, **more)
        answer = await self._ask(request, CONTROLLER, low=1)
        failures, elected = [], set()
        for topic in answer.replica_election_results:
            for part in topic.partition_result:
                key = (topic.topic, part.partition_id)
                if not part.error_code:
                    elected.add(key)
                elif part.error_code != ErrorCode.ELECTION_NOT_NEEDED:
                    failures.append(outcome(part.error_code, part.error_message, "ElectLeaders", f"{key[0]}-{key[1]}"))
        failures_as_one("ElectLeaders", failures)
        return elected


def _replica(row: Any) -> Replica:
    return Replica(
        row.replica_id, row.log_end_offset, row.last_fetch_timestamp, row.last_caught_up_timestamp,
        row.replica_directory_id,
    )  # fmt: skip
