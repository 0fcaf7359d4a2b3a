"""Every suite, in the order of the report card. A new one is a module with `SUITES` and its line here."""

from __future__ import annotations

from . import connect, kgo, librdkafka, readers, streams, system, watermill
from .suite import Suite

TABLE: tuple[Suite, ...] = (
    *kgo.SUITES,
    *librdkafka.SUITES,
    *streams.SUITES,
    *connect.SUITES,
    *readers.SUITES,
    *system.SUITES,
    *watermill.SUITES,
)
BY_NAME = {suite.name: suite for suite in TABLE}
