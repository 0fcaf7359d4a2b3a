"""The table of metrics: name, kind, labels, explanation, and how it is read from the broker.

Names are those that Strimzi's JMX rules and kafka_exporter give Kafka's MBeans, because dashboards and alerts ask for them;
what only Ottla has begins with `ottla_`. A family is read when Prometheus asks; nothing is kept for it. To add one, add its line.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...protocol.apis import API_KEYS

if TYPE_CHECKING:
    from ...metadata.image import PartitionImage
    from ..partition import Partition
    from ..sasl_listener import AuthenticationCounts
    from ..server import Broker

Sample = tuple[tuple[str, ...], float]
GAUGE, COUNTER = "gauge", "counter"


class Family(NamedTuple):
    """One metric; a counter's samples are served as `name_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str
    read: Callable[[Broker], Iterable[Sample]]


def _one(read: Callable[[Broker], float]) -> Callable[[Broker], Iterable[Sample]]:
    return lambda broker: [((), read(broker))]


def _each(read: Callable[[Partition], float]) -> Callable[[Broker], Iterable[Sample]]:
    """A number of every partition this broker holds."""
    return lambda broker: [((p.topic, str(p.index)), read(p)) for p in broker.partitions]


def _per_topic(read: Callable[[Partition], float]) -> Callable[[Broker], Iterable[Sample]]:
    """The sum over a topic's partitions; the topic "" stands for all of them, as in Kafka."""

    def samples(broker: Broker) -> Iterator[Sample]:
        totals: Counter[str] = Counter()
        for partition in broker.partitions:
            totals[partition.topic] += read(partition)  # type: ignore[assignment]
        yield ("",), sum(totals.values())
        for topic, total in totals.items():
            yield (topic,), total

    return samples


def _in_cluster(read: Callable[[PartitionImage], float]) -> Callable[[Broker], Iterable[Sample]]:
    """A number of every partition of the cluster, from the metadata."""
    return lambda broker: [
        ((topic.name, str(index)), read(state))
        for topic in broker.image.topics
        for index, state in enumerate(topic.partitions)
    ]


def _count(broker: Broker, wanted: Callable[[Partition], bool]) -> int:
    return sum(1 for partition in broker.partitions if wanted(partition))


def _under_replicated(broker: Broker) -> int:
    return sum(
        1
        for topic in broker.image.topics
        for state in topic.partitions
        if state.leader == broker.node_id and len(state.isr) < len(state.replicas)
    )


def _without_leader(broker: Broker) -> int:
    return sum(1 for topic in broker.image.topics for state in topic.partitions if state.leader < 0)


def _connections(broker: Broker) -> Iterable[Sample]:
    return [((listener.name,), len(listener.connections)) for listener in broker.listeners]


def _logins(read: Callable[[AuthenticationCounts], float]) -> Callable[[Broker], Iterable[Sample]]:
    """A number of each listener's logins."""
    return lambda broker: [((listener.name,), read(listener.authentications)) for listener in broker.listeners]


def _requests(broker: Broker) -> Iterator[Sample]:
    for key, count in enumerate(broker.metrics.requests_by_key):
        if count:
            yield (API_KEYS[key].name,), count


def _disk(field: str) -> Callable[[Broker], Iterable[Sample]]:
    def read(_: Broker) -> Iterator[Sample]:
        try:
            with Path("/proc/self/io").open(encoding="ascii") as numbers:
                found = dict(line.split(": ") for line in numbers)
        except OSError:
            return  # no Linux, or not allowed: then there is no such sample
        yield (), float(found[field])

    return read


class _Idle:
    """The share of time since the last look in which the event loop had nothing to do."""

    def __init__(self) -> None:
        self._before = (time.monotonic(), time.process_time())
        self._share = 1.0

    def read(self, _: Broker) -> Iterable[Sample]:
        now = (time.monotonic(), time.process_time())
        elapsed = now[0] - self._before[0]
        if elapsed >= 1.0:
            self._share = max(0.0, 1.0 - (now[1] - self._before[1]) / elapsed)
            self._before = now
        return [((), self._share)]


def _state(broker: Broker) -> Iterable[Sample]:
    return [((("leader" if broker.controller_id == broker.node_id else "follower"),), 1)]


def _about(broker: Broker) -> Iterable[Sample]:
    from ... import __version__

    return [((__version__, str(broker.node_id), broker.cluster_id), 1)]


def _brokers(broker: Broker) -> Iterable[Sample]:
    listener = broker.listeners[0].name
    return [((str(node_id), f"{endpoint.host}:{endpoint.port}"), 1) for node_id, endpoint in broker.endpoints(listener)]


TOPIC = ("topic",)
PARTITION = ("topic", "partition")
_idle = _Idle()

FAMILIES: tuple[Family, ...] = (
    # ── traffic ──
    Family("kafka_server_brokertopicmetrics_messagesin", COUNTER, TOPIC, "Records appended since start.",
           _per_topic(lambda p: p.log.log_end_offset - p.opened_at)),
    Family("kafka_server_brokertopicmetrics_bytesin", COUNTER, TOPIC, "Bytes of record batches appended since start.",
           _per_topic(lambda p: p.appended_bytes)),
    Family("kafka_server_brokertopicmetrics_bytesout", COUNTER, TOPIC, "Bytes of record batches read by consumers.",
           _per_topic(lambda p: p.fetched_bytes)),
    Family("kafka_server_brokertopicmetrics_totalproducerequests", COUNTER, TOPIC, "Batches that producers sent.",
           _per_topic(lambda p: p.appends + p.failed_appends)),
    Family("kafka_server_brokertopicmetrics_failedproducerequests", COUNTER, TOPIC, "Batches of producers that were refused.",
           _per_topic(lambda p: p.failed_appends)),
    Family("kafka_server_brokertopicmetrics_totalfetchrequests", COUNTER, TOPIC, "Reads of partitions by consumers.",
           _per_topic(lambda p: p.fetches + p.failed_fetches)),
    Family("kafka_server_brokertopicmetrics_failedfetchrequests", COUNTER, TOPIC, "Reads of partitions that were refused.",
           _per_topic(lambda p: p.failed_fetches)),
    Family("kafka_network_requestmetrics_requests", COUNTER, ("request",), "Requests by API.", _requests),
    Family("kafka_server_socket_server_metrics_connection_count", GAUGE, ("listener",), "Open connections.", _connections),
    Family("kafka_server_socket_server_metrics_connection_creation", COUNTER, (), "Connections accepted since start.",
           _one(lambda b: b.metrics.connections_accepted)),
    Family("kafka_server_socket_server_metrics_successful_authentication", COUNTER, ("listener",), "Logins that succeeded.",
           _logins(lambda counts: counts.successes)),
    Family("kafka_server_socket_server_metrics_failed_authentication", COUNTER, ("listener",), "Logins that failed.",
           _logins(lambda counts: counts.failures)),
    Family("kafka_server_socket_server_metrics_successful_authentication_no_reauth", COUNTER, ("listener",),
           "Logins of clients that cannot log in again on one connection.", _logins(lambda c: c.without_reauthentication)),
    Family("kafka_server_socket_server_metrics_successful_reauthentication", COUNTER, ("listener",),
           "Logins again on one connection that succeeded.", _logins(lambda counts: counts.reauthentications)),
    Family("kafka_server_socket_server_metrics_failed_reauthentication", COUNTER, ("listener",),
           "Logins again on one connection that failed.", _logins(lambda counts: counts.failed_reauthentications)),
    Family("kafka_server_socket_server_metrics_reauthentication_latency_avg", GAUGE, ("listener",),
           "Milliseconds that a login again took on average.",
           _logins(lambda c: 1000 * c.reauthentication_seconds / max(c.reauthentications, 1))),
    Family("kafka_server_socket_server_metrics_reauthentication_latency_max", GAUGE, ("listener",),
           "Milliseconds that the longest took.", _logins(lambda counts: 1000 * counts.reauthentication_seconds_max)),
    Family("kafka_server_socket_server_metrics_expired_connections_killed_count", COUNTER, ("listener",),
           "Connections closed because their session had ended.", _logins(lambda counts: counts.expired)),
    Family("ottla_connections_refused", COUNTER, (), "Connections that the broker closed: too many, too slow, idle, not Kafka.",
           _one(lambda b: b.metrics.connections_refused)),
    Family("ottla_network_bytes_in", COUNTER, (), "Bytes received from clients.", _one(lambda b: b.metrics.bytes_in)),
    Family("ottla_network_bytes_out", COUNTER, (), "Bytes sent to clients.", _one(lambda b: b.metrics.bytes_out)),
    Family("ottla_invalid_requests", COUNTER, (), "Frames that were no request.", _one(lambda b: b.metrics.invalid_requests)),
    Family("ottla_uncaught_exceptions", COUNTER, (), "Bugs met: exceptions that no code foresaw. Report them.",
           _one(lambda b: b.metrics.uncaught_exceptions)),
    # ── load ──
    Family("kafka_network_socketserver_networkprocessoravgidle_percent", GAUGE, (),
           "Share of time the process had nothing to do since the last look, 0 to 1.", _idle.read),
    Family("kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent", GAUGE, (),
           "The same: one loop does both.", _idle.read),
    Family("kafka_server_kafkaserver_linux_disk_read_bytes", GAUGE, (), "Bytes read from disk.", _disk("read_bytes")),
    Family("kafka_server_kafkaserver_linux_disk_write_bytes", GAUGE, (), "Bytes written to disk.", _disk("write_bytes")),
    # ── replicas ──
    Family("kafka_server_replicamanager_leadercount", GAUGE, (), "Partitions this broker leads.",
           _one(lambda b: _count(b, lambda p: p.is_leader))),
    Family("kafka_server_replicamanager_partitioncount", GAUGE, (), "Replicas this broker holds.",
           _one(lambda b: len(b.partitions))),
    Family("kafka_server_replicamanager_offlinereplicacount", GAUGE, (), "Replicas out of service: their disk failed.",
           _one(lambda b: len(b.partitions.failed))),
    Family("kafka_server_replicamanager_underreplicatedpartitions", GAUGE, (),
           "Partitions led here that not all replicas have caught up with.", _one(_under_replicated)),
    Family("kafka_server_replicamanager_underminisrpartitioncount", GAUGE, (),
           "Partitions led here with fewer replicas in sync than min.insync.replicas.",
           _one(lambda b: _count(b, lambda p: p.is_leader and len(p.isr) < p.min_isr))),
    Family("kafka_cluster_partition_replicascount", GAUGE, PARTITION, "Replicas.", _in_cluster(lambda s: len(s.replicas))),
    Family("kafka_cluster_partition_atminisr", GAUGE, PARTITION, "1 if just min.insync.replicas are in sync.",
           _each(lambda p: p.is_leader and len(p.isr) == p.min_isr)),
    Family("kafka_cluster_partition_underminisr", GAUGE, PARTITION, "1 if fewer are in sync.",
           _each(lambda p: p.is_leader and len(p.isr) < p.min_isr)),
    # ── logs ──
    Family("kafka_log_log_size", GAUGE, PARTITION, "Bytes on disk.", _each(lambda p: p.log.size)),
    Family("kafka_log_log_numlogsegments", GAUGE, PARTITION, "Segments.", _each(lambda p: len(p.log.segments))),
    Family("kafka_log_log_logstartoffset", GAUGE, PARTITION, "First offset.", _each(lambda p: p.log.log_start_offset)),
    Family("kafka_log_log_logendoffset", GAUGE, PARTITION, "Offset of the next record.", _each(lambda p: p.log.log_end_offset)),
    Family("kafka_log_logmanager_offlinelogdirectorycount", GAUGE, (), "Log directories whose disk failed.",
           _one(lambda b: sum(1 for d in b.logs.directories if d.health.failure is not None))),
    # ── controller ──
    Family("kafka_controller_kafkacontroller_activecontrollercount", GAUGE, (), "1 on the broker that is the controller.",
           _one(lambda b: b.controller_id == b.node_id)),
    Family("kafka_controller_kafkacontroller_offlinepartitionscount", GAUGE, (), "Partitions without a leader.",
           _one(_without_leader)),
    Family("kafka_controller_kafkacontroller_globalpartitioncount", GAUGE, (), "Partitions of the cluster.",
           _one(lambda b: sum(len(topic.partitions) for topic in b.image.topics))),
    Family("kafka_controller_kafkacontroller_globaltopiccount", GAUGE, (), "Topics of the cluster.",
           _one(lambda b: len(list(b.image.topics)))),
    Family("kafka_controller_controllerstats_uncleanleaderelections", COUNTER, (),
           "Leaders elected from outside the replicas in sync: none here, ever.", _one(lambda _: 0)),
    Family("kafka_server_raftmetrics_current_leader", GAUGE, (), "The broker that writes the metadata log.",
           _one(lambda b: b.controller_id)),
    Family("kafka_server_raftmetrics_current_vote", GAUGE, (), "The same: there is no vote.", _one(lambda b: b.controller_id)),
    Family("kafka_server_raftmetrics_current_state", GAUGE, ("state",), "What this broker is to the metadata log.", _state),
    Family("kafka_server_raftmetrics_current_epoch", GAUGE, (), "This broker's epoch.", _one(lambda b: b.epoch)),
    Family("kafka_server_raftmetrics_high_watermark", GAUGE, (), "Version of the metadata that is in effect.",
           _one(lambda b: b.image.version)),
    Family("kafka_server_raftmetrics_log_end_offset", GAUGE, (), "The same: nothing is written and not in effect.",
           _one(lambda b: b.image.version)),
    # ── topics, as kafka_exporter tells them ──
    Family("kafka_brokers", GAUGE, (), "Live brokers.", _one(lambda b: len(b.live_brokers))),
    Family("kafka_broker_info", GAUGE, ("id", "address"), "1 for each live broker.", _brokers),
    Family("kafka_topic_partitions", GAUGE, TOPIC, "Partitions of a topic.",
           lambda b: [((topic.name,), len(topic.partitions)) for topic in b.image.topics]),
    Family("kafka_topic_partition_current_offset", GAUGE, PARTITION, "High watermark.", _each(lambda p: p.high_watermark)),
    Family("kafka_topic_partition_oldest_offset", GAUGE, PARTITION, "First offset.", _each(lambda p: p.log.log_start_offset)),
    Family("kafka_topic_partition_leader", GAUGE, PARTITION, "The broker that leads.", _in_cluster(lambda s: s.leader)),
    Family("kafka_topic_partition_leader_is_preferred", GAUGE, PARTITION, "1 if the first replica leads.",
           _in_cluster(lambda s: s.leader == s.replicas[0])),
    Family("kafka_topic_partition_replicas", GAUGE, PARTITION, "Replicas.", _in_cluster(lambda s: len(s.replicas))),
    Family("kafka_topic_partition_in_sync_replica", GAUGE, PARTITION, "Replicas in sync.", _in_cluster(lambda s: len(s.isr))),
    Family("kafka_topic_partition_under_replicated_partition", GAUGE, PARTITION, "1 if not all replicas are in sync.",
           _in_cluster(lambda s: len(s.isr) < len(s.replicas))),
    Family("ottla_build_info", GAUGE, ("version", "node_id", "cluster_id"), "Which broker this is.", _about),
    Family("ottla_process_cpus", GAUGE, (), "Processors the broker may use.", _one(lambda _: os.cpu_count() or 1)),
)  # fmt: skip
