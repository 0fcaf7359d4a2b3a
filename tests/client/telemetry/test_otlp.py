"""What the client's own encoder writes is what OpenTelemetry's classes and Ottla's receiver read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

from ottla.broker.telemetry.otlp import read_points
from ottla.client.telemetry.otlp import Number, encode

TEXT = st.text(max_size=20)
LABELS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
VALUES = st.integers(0, 1 << 62) | st.floats(allow_nan=False)
NUMBERS = st.lists(st.builds(Number, TEXT, VALUES, st.booleans(), LABELS), max_size=8, unique_by=lambda each: each.name)


@given(NUMBERS, st.booleans())
def test_the_receiver_reads_what_was_written(numbers: list[Number], delta: bool) -> None:
    data = encode(numbers, {"group_id": "g"}, began_ms=1_000, now_ms=2_000, delta=delta)
    found = [(p.name, p.counter, p.delta, p.labels[1:], p.value) for p in read_points(data)]
    assert found == [(n.name, n.counter, n.counter and delta, n.labels, float(n.value)) for n in numbers]


def test_a_counter_says_since_when_it_counts() -> None:
    numbers = [Number("a", 3, True), Number("g", 0.5), Number("g", 1.5, labels=(("node_id", "1"),))]
    data = MetricsData.FromString(encode(numbers, {}, began_ms=1_000, now_ms=2_000, delta=True))
    counter, gauge = data.resource_metrics[0].scope_metrics[0].metrics
    point = counter.sum.data_points[0]
    assert (point.start_time_unix_nano, point.time_unix_nano, point.as_int) == (10**9, 2 * 10**9, 3)
    assert (counter.sum.is_monotonic, counter.sum.aggregation_temporality) == (True, 1)
    assert [each.as_double for each in gauge.gauge.data_points] == [0.5, 1.5]
