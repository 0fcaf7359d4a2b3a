"""What clients pushed, as numbers to show."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.broker.telemetry import collected as module
from ottla.broker.telemetry.collected import CollectedMetrics
from ottla.broker.telemetry.otlp import Point, read_points
from ottla.protocol.errors import ErrorCode, KafkaError

pb: Any = pytest.importorskip("opentelemetry.proto.metrics.v1.metrics_pb2")


def message() -> bytes:
    """One metric of each kind."""
    data = pb.MetricsData()
    resource = data.resource_metrics.add()
    attribute = resource.resource.attributes.add()
    attribute.key, attribute.value.string_value = "transactional_id", "tx"
    metrics = resource.scope_metrics.add().metrics
    gauge = metrics.add(name="a.gauge", description="how much")
    gauge.gauge.data_points.add(as_double=1.5)
    total = metrics.add(name="a.total")
    total.sum.is_monotonic, total.sum.aggregation_temporality = True, 1
    point = total.sum.data_points.add(as_int=7)
    label = point.attributes.add()
    label.key, label.value.int_value = "node.id", 3
    histogram = metrics.add(name="a.time")
    histogram.histogram.aggregation_temporality = 2
    histogram.histogram.data_points.add(count=4, sum=9.0)
    metrics.add(name="a.nothing")
    encoded: bytes = data.SerializeToString()
    return encoded


def test_points_of_every_kind_are_read() -> None:
    shared = (("transactional_id", "tx"),)
    assert list(read_points(message())) == [
        Point("a.gauge", False, False, shared, 1.5, "how much"),
        Point("a.total", True, True, (*shared, ("node.id", "3")), 7.0),
        Point("a.time.count", True, False, shared, 4.0),
        Point("a.time.sum", True, False, shared, 9.0),
    ]


def test_rubbish_is_no_metrics() -> None:
    with pytest.raises(KafkaError) as refused:
        list(read_points(b"\xff" * 20))
    assert refused.value.code == ErrorCode.INVALID_RECORD


def shown(collected: CollectedMetrics, now_ms: float = 0) -> dict[str, float]:
    return {sample.name: sample.value for sample in collected.samples(now_ms)}


def test_deltas_are_added_up_and_gauges_replaced() -> None:
    collected = CollectedMetrics()
    for _ in range(3):
        collected.add(b"a", {"client_id": "c"}, read_points(message()), deadline_ms=100, now_ms=0)
    assert shown(collected) == {"a.gauge": 1.5, "a.total": 21.0, "a.time.count": 4.0, "a.time.sum": 9.0}
    labels = {dict(sample.labels)["client_id"] for sample in collected.samples(0)}
    assert labels == {"c"}


def test_a_silent_client_is_forgotten() -> None:
    collected = CollectedMetrics()
    collected.add(b"a", {}, [Point("x", False, False, (), 1.0)], deadline_ms=100, now_ms=0)
    assert shown(collected, 100) == {"x": 1.0}
    assert shown(collected, 101) == {}
    assert len(collected) == 0


def test_there_is_a_limit_to_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLIENTS_MAX", 3)
    monkeypatch.setattr(module, "SERIES_PER_CLIENT_MAX", 4)
    monkeypatch.setattr(module, "SERIES_MAX", 10)
    collected = CollectedMetrics()
    for client in range(9):
        points = [Point(f"m{number}", False, False, (), 1.0) for number in range(6)]
        collected.add(bytes([client]), {}, points, deadline_ms=100, now_ms=0)
    assert len(collected) == 3
    assert len(list(collected.samples(0))) <= 10
    assert collected.dropped >= 18
