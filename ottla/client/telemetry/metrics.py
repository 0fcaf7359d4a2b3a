"""What a producer or a consumer can tell of itself, by the names of KIP-714 and of Java's own metrics.

    org.apache.kafka.<producer|consumer>.<group of metrics>.<metric>

The KIP's required metrics are all here, and the counters that people watch. Averages and maxima are of the time since the last push.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .otlp import Number
from .windows import Window

if TYPE_CHECKING:
    from ..cluster import Cluster
    from ..consumer.consumer import Consumer
    from ..producer.producer import Producer

PRODUCER, CONSUMER = "org.apache.kafka.producer.", "org.apache.kafka.consumer."
#: Partitions whose lag is told: a push has a largest size.
PARTITIONS_MAX = 1000


class Source(NamedTuple):
    """A client, for a reporter."""

    numbers: Callable[[], Iterator[Number]]
    #: What tells this client from others of its kind, beyond what the connection says.
    resource: Callable[[], Mapping[str, str | None]]


def producer_source(producer: Producer[Any, Any]) -> Source:
    """A producer's."""
    config = producer.config

    def numbers() -> Iterator[Number]:
        metrics = producer.metrics
        yield from _common(PRODUCER, producer._cluster)
        yield from _times(PRODUCER + "produce.throttle.time", metrics.throttle_ms)
        yield from _times(PRODUCER + "record.queue.time", metrics.queue_ms)
        for name, value in (
            ("record.send", metrics.records_delivered), ("record.error", metrics.records_failed), ("record.retry", metrics.retries),
            ("batch.split", metrics.splits), ("request", metrics.requests), ("response", metrics.responses),
            ("outgoing.byte", metrics.bytes_sent),
        ):  # fmt: skip
            yield Number(f"{PRODUCER}{name}.total", value, counter=True)

    return Source(numbers, lambda: {"transactional_id": config.transactional_id})


def consumer_source(consumer: Consumer[Any, Any]) -> Source:
    """A consumer's."""
    config = consumer.config
    since = [consumer._fetcher.now_ms(), 0.0]

    def idle() -> Number:
        now_ms, idle_s = consumer._fetcher.now_ms(), consumer._fetcher.idle_s
        passed_s = (now_ms - since[0]) / 1000
        ratio = min(1.0, (idle_s - since[1]) / passed_s) if passed_s > 0 else 0.0
        since[:] = now_ms, idle_s
        return Number(CONSUMER + "poll.idle.ratio.avg", float(ratio))

    def numbers() -> Iterator[Number]:
        metrics = consumer.metrics
        yield from _common(CONSUMER, consumer.cluster)
        yield idle()
        fetch = CONSUMER + "fetch.manager."
        yield from _times(fetch + "fetch.latency", consumer._fetcher.latency_ms)
        yield Number(fetch + "fetch.total", metrics["fetches"], counter=True)
        yield Number(fetch + "bytes.consumed.total", metrics["fetched_bytes"], counter=True)
        for (topic, partition), lag in list(consumer.lag().items())[:PARTITIONS_MAX]:
            if lag is not None:
                labels = (("topic", topic), ("partition", str(partition)))
                yield Number(fetch + "records.lag", float(lag), labels=labels)
        coordinator = CONSUMER + "coordinator."
        yield Number(coordinator + "assigned.partitions", float(len(consumer.positions.by_key)))
        if consumer._committer is not None:
            yield from _times(coordinator + "commit.latency", consumer._committer.latency_ms)
            yield Number(coordinator + "commit.total", metrics["commits"], counter=True)
        if consumer._membership is not None:
            window = consumer._membership.rebalance_ms
            yield Number(coordinator + "rebalance.latency.total", float(window.everything), counter=True)
            yield from _times(coordinator + "rebalance.latency", window)
            yield Number(coordinator + "rebalance.total", metrics["rebalances"], counter=True)

    def resource() -> Mapping[str, str | None]:
        return {
            "client_rack": config.client_rack, "group_id": config.group_id,
            "group_instance_id": config.group_instance_id, "group_member_id": consumer.member_id or None,
        }  # fmt: skip

    return Source(numbers, resource)


def _common(prefix: str, cluster: Cluster) -> Iterator[Number]:
    statistics = cluster.connector.statistics
    yield Number(prefix + "connection.creation.total", statistics.created, counter=True)
    yield Number(prefix + "connection.creation.rate", statistics.rate())
    for node, window in statistics.latency.items():
        if node >= 0:
            yield from _times(prefix + "node.request.latency", window, (("node_id", str(node)),))


def _times(name: str, window: Window, labels: tuple[tuple[str, str], ...] = ()) -> Iterator[Number]:
    found = window.take()
    if found is not None:
        yield Number(name + ".avg", float(found[0]), labels=labels)
        yield Number(name + ".max", float(found[1]), labels=labels)
