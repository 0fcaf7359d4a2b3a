"""Every suite, in the order of the report card. A new one is a module with `SUITES` and its line here."""

from __future__ import annotations

from . import connect, kafka_python, kgo, librdkafka, readers, streams, streams_integration, system, watermill
from .suite import Suite

TABLE: tuple[Suite, ...] = (
    *kgo.SUITES,
    *librdkafka.SUITES,
    *streams.SUITES,
    *connect.SUITES,
    *readers.SUITES,
    *system.SUITES,
    *streams_integration.SUITES,
    *watermill.SUITES,
    *kafka_python.SUITES,
)
BY_NAME = {suite.name: suite for suite in TABLE}
