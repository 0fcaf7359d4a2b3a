"""Metrics as OpenTelemetry encodes them, turned into plain points.

The protobuf classes are loaded with the first push: a broker nobody pushes to does without their five megabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...protocol.errors import ErrorCode, KafkaError

#: Text of one attribute that is kept; a label is no place for more.
TEXT_MAX = 256

Labels = tuple[tuple[str, str], ...]


class Point(NamedTuple):
    """One number a client measured."""

    name: str
    #: A counter only rises; `delta` says that the value is what came since the last push.
    counter: bool
    delta: bool
    labels: Labels
    value: float
    description: str = ""


def read_points(data: bytes | bytearray) -> Iterator[Point]:
    """Iterate over the points of an OTLP `MetricsData`; raises INVALID_RECORD if it is none.

    Gauges and sums become themselves. Histograms and summaries become their count and their sum.
    """
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData

    message = MetricsData()
    try:
        message.ParseFromString(bytes(data))
    except DecodeError as error:
        raise KafkaError(ErrorCode.INVALID_RECORD, f"The metrics are no OTLP: {error}") from error
    for resource in message.resource_metrics:
        shared = _labels(resource.resource.attributes)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield from _points(metric, shared)


#: Number of AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA.
_DELTA = 1


def _points(metric: Any, shared: Labels) -> Iterator[Point]:
    name, description = metric.name[:TEXT_MAX], metric.description[:TEXT_MAX]
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    data = getattr(metric, kind)
    delta = getattr(data, "aggregation_temporality", 0) == _DELTA
    for point in data.data_points:
        labels = shared + _labels(point.attributes)
        if kind in ("gauge", "sum"):
            value = point.as_int if point.WhichOneof("value") == "as_int" else point.as_double
            yield Point(name, kind == "sum" and data.is_monotonic, delta, labels, float(value), description)
        else:
            yield Point(f"{name}.count", True, delta, labels, float(point.count), description)
            yield Point(f"{name}.sum", True, delta, labels, float(point.sum), description)


def _labels(attributes: Any) -> Labels:
    found = []
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        if kind in ("string_value", "int_value", "bool_value", "double_value"):
            found.append((attribute.key[:TEXT_MAX], str(getattr(attribute.value, kind))[:TEXT_MAX]))
    return tuple(found)
