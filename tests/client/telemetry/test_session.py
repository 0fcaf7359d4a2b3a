"""What a client does next for KIP-714, answer by answer, with virtual time."""

from __future__ import annotations

import pytest

from ottla.client.telemetry.otlp import Number
from ottla.client.telemetry.session import FOREVER_MS, INTERVAL_DEFAULT_MS, Session
from ottla.protocol.apis.get_telemetry_subscriptions import GetTelemetrySubscriptionsResponse
from ottla.protocol.errors import ErrorCode

ID = b"\7" * 16


def told(**changes: object) -> GetTelemetrySubscriptionsResponse:
    answer = {
        "client_instance_id": ID, "subscription_id": 5, "accepted_compression_types": [4, 1], "push_interval_ms": 1000,
        "telemetry_max_bytes": 10_000, "delta_temporality": True, "requested_metrics": ["a."], **changes,
    }  # fmt: skip
    return GetTelemetrySubscriptionsResponse(**answer)  # type: ignore[arg-type]


def subscribed(chance: float = 0.0, **changes: object) -> Session:
    session = Session(0.0)
    assert (session.step, session.at_ms) == ("get", 0.0)
    session.subscribed(told(**changes), 100.0, chance)
    return session


def test_the_first_push_is_spread_over_an_interval() -> None:
    assert [subscribed(chance).at_ms for chance in (0.0, 0.5, 1.0)] == [600.0, 1100.0, 1600.0]
    session = subscribed()
    assert (session.step, session.codec, session.instance_id) == ("push", 4, ID)
    session.pushed(0, [], 600.0)
    assert (session.step, session.at_ms) == ("push", 1600.0)


def test_where_nothing_is_asked_for_it_asks_again_after_the_interval() -> None:
    session = subscribed(requested_metrics=[])
    assert (session.step, session.at_ms, session.is_wanted) == ("get", 1100.0, False)


@pytest.mark.parametrize(
    ("prefixes", "names"),
    [(["*"], ["a.x", "b"]), ([""], ["a.x", "b"]), (["a."], ["a.x"]), (["c"], []), (["b", "a"], ["a.x", "b"])],
)
def test_only_what_was_asked_for_is_sent(prefixes: list[str], names: list[str]) -> None:
    session = subscribed(requested_metrics=prefixes)
    assert [number.name for number in session.select([Number("a.x", 1.0), Number("b", 2)])] == names


def test_counters_are_what_came_since_the_last_accepted_push() -> None:
    session = subscribed()
    first = session.select([Number("a.c", 10, True), Number("a.g", 1.5)])
    session.pushed(ErrorCode.THROTTLING_QUOTA_EXCEEDED, first, 600.0)
    assert (session.step, session.at_ms) == ("get", 1600.0)
    session.subscribed(told(), 1600.0, 0.0)
    second = session.select([Number("a.c", 15, True)])
    assert second == [Number("a.c", 15, True)]
    session.pushed(0, second, 2100.0)
    assert session.select([Number("a.c", 18, True)]) == [Number("a.c", 3, True)]


def test_totals_where_the_cluster_wants_totals() -> None:
    session = subscribed(delta_temporality=False)
    session.pushed(0, session.select([Number("a.c", 10, True)]), 600.0)
    assert session.select([Number("a.c", 18, True)]) == [Number("a.c", 18, True)]


@pytest.mark.parametrize(
    ("code", "step", "at_ms"),
    [
        (ErrorCode.UNKNOWN_SUBSCRIPTION_ID, "get", 600.0),
        (ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, "get", 600.0),
        (ErrorCode.TELEMETRY_TOO_LARGE, "get", 1600.0),
        (ErrorCode.COORDINATOR_NOT_AVAILABLE, "get", 1600.0),
        (ErrorCode.INVALID_RECORD, "over", FOREVER_MS),
        (ErrorCode.INVALID_REQUEST, "over", FOREVER_MS),
    ],
)
def test_errors_mean_what_they_mean_to_java(code: ErrorCode, step: str, at_ms: float) -> None:
    session = subscribed()
    session.pushed(code, [], 600.0)
    assert (session.step, session.at_ms) == (step, at_ms)


def test_a_refused_codec_is_not_used_again() -> None:
    session = subscribed()
    session.pushed(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, [], 600.0)
    session.subscribed(told(), 600.0, 0.0)
    assert session.codec == 1
    session.pushed(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, [], 600.0)
    session.subscribed(told(), 600.0, 0.0)
    assert session.codec == 0


def test_no_answer_means_later() -> None:
    session = Session(0.0)
    session.unanswered(50.0)
    assert (session.step, session.at_ms) == ("get", 50.0 + INTERVAL_DEFAULT_MS)
