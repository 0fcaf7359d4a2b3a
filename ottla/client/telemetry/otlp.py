"""Metrics as OpenTelemetry encodes them (`MetricsData`, protobuf), written by hand: seven kinds of message with few fields.

    MetricsData.resource_metrics = 1
      ResourceMetrics.resource = 1, .scope_metrics = 2
        Resource.attributes = 1
        ScopeMetrics.metrics = 2
          Metric.name = 1, .gauge = 5, .sum = 7
            Gauge.data_points = 1;  Sum.data_points = 1, .aggregation_temporality = 2, .is_monotonic = 3
              NumberDataPoint.start_time_unix_nano = 2, .time_unix_nano = 3, .as_double = 4, .as_int = 6, .attributes = 7

The classes of `opentelemetry-proto` would cost each client five megabytes and 100 ms for this. Pure; the tests read what is written
here with those classes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

DELTA, CUMULATIVE = 1, 2
_DOUBLE = struct.Struct("<d")
_FIXED64 = struct.Struct("<Q")
_SFIXED64 = struct.Struct("<q")
#: Wire types: a varint, eight bytes, bytes behind their length.
_VARINT, _EIGHT, _BYTES = 0, 1, 2


class Number(NamedTuple):
    """One number of this client: a gauge, or a counter, which only rises."""

    name: str
    value: float
    counter: bool = False
    labels: tuple[tuple[str, str], ...] = ()


def encode(numbers: Iterable[Number], resource: Mapping[str, str], *, began_ms: int, now_ms: int, delta: bool) -> bytes:
    """One `MetricsData`. `began_ms`: since when counters count; numbers of one name become one metric."""
    by_name: dict[str, list[Number]] = {}
    for number in numbers:
        by_name.setdefault(number.name, []).append(number)
    metrics = b"".join(_field(2, _metric(name, points, began_ms, now_ms, delta)) for name, points in by_name.items())
    owner = b"".join(_field(1, _attribute(key, value)) for key, value in resource.items())
    return _field(1, _field(1, owner) + _field(2, metrics))


def _metric(name: str, points: list[Number], began_ms: int, now_ms: int, delta: bool) -> bytes:
    counter = points[0].counter
    rows = b"".join(_field(1, _point(point, began_ms if counter else 0, now_ms)) for point in points)
    if counter:
        rows += _tag(2, _VARINT) + _varint(DELTA if delta else CUMULATIVE) + _tag(3, _VARINT) + b"\1"
    return _field(1, name.encode()) + _field(7 if counter else 5, rows)


def _point(point: Number, began_ms: int, now_ms: int) -> bytes:
    start = _tag(2, _EIGHT) + _FIXED64.pack(began_ms * 1_000_000) if began_ms else b""
    when = _tag(3, _EIGHT) + _FIXED64.pack(now_ms * 1_000_000)
    if isinstance(point.value, int):
        value = _tag(6, _EIGHT) + _SFIXED64.pack(point.value)
    else:
        value = _tag(4, _EIGHT) + _DOUBLE.pack(point.value)
    return start + when + value + b"".join(_field(7, _attribute(*label)) for label in point.labels)


def _attribute(key: str, value: str) -> bytes:
    return _field(1, key.encode()) + _field(2, _field(1, value.encode()))


def _field(number: int, content: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(content)) + content


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
