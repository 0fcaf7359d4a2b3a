"""The table of APIs: what is served, in which versions, and how an error is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ottla.broker import dispatch
from ottla.broker.dispatch import Context, Dispatcher, Entry, answer, error_response, handler, load_handlers
from ottla.broker.purgatory import Deferred
from ottla.protocol.apis import API_KEYS, request_class, response_class
from ottla.protocol.apis.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.protocol.errors import ErrorCode, KafkaError
from ottla.protocol.schema import Versions

PRODUCE, FETCH, METADATA, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, API_VERSIONS = 0, 1, 3, 10, 11, 12, 18
#: The APIs that README and docs/apis.md promise.
SERVED = set(API_KEYS)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> dict[int, Entry]:
    """An empty table."""
    table: dict[int, Entry] = {}
    monkeypatch.setattr(dispatch, "_ENTRIES", table)
    return table


def route(key: int, version: int) -> Any:
    return Dispatcher().route(key, version)


def test_every_module_of_handlers_serves_one_api_named_as_the_module() -> None:
    entries = load_handlers()
    assert set(entries) == SERVED
    assert {entry.function.__module__.rpartition(".")[2] for entry in entries.values()} == {
        API_KEYS[key].module.rpartition(".")[2] for key in SERVED
    }


@pytest.mark.slow
def test_every_served_version_has_a_route_and_no_other_has() -> None:
    dispatcher = Dispatcher()
    for key, entry in dispatcher.entries.items():
        served = [version for version in range(-1, 40) if dispatcher.route(key, version) is not None]
        assert served == list(range(entry.versions.low, entry.versions.high + 1)), entry.name
    assert dispatcher.route(9999, 0) is None


def test_only_produce_is_pipelined() -> None:
    """Its appends are ordered when they start; whatever else changes state by and by keeps Kafka's rule."""
    assert [key for key, entry in load_handlers().items() if entry.pipelined] == [PRODUCE]


@pytest.mark.parametrize(
    ("key", "version", "request_flexible", "response_flexible"),
    [
        (PRODUCE, 8, False, False),
        (PRODUCE, 9, True, True),
        (API_VERSIONS, 2, False, False),
        (API_VERSIONS, 3, True, False),
    ],
)
def test_a_route_knows_the_forms_of_its_headers(
    key: int, version: int, request_flexible: bool, response_flexible: bool
) -> None:
    found = route(key, version)
    assert (found.request_flexible, found.response_flexible) == (request_flexible, response_flexible)


def test_a_route_is_made_once() -> None:
    dispatcher = Dispatcher()
    assert dispatcher.route(FETCH, 12) is dispatcher.route(FETCH, 12)


def test_a_handler_may_serve_fewer_versions(alone: dict[int, Entry]) -> None:
    @handler(HeartbeatRequest, versions="1-3", pipelined=True)
    def heartbeat(context: Context, request: HeartbeatRequest) -> HeartbeatResponse:
        return HeartbeatResponse()

    entry = alone[HEARTBEAT]
    assert (entry.versions, entry.pipelined, entry.response) == (Versions(1, 3), True, HeartbeatResponse)


def test_an_unstable_last_version_is_not_served(alone: dict[int, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HeartbeatRequest, "LATEST_VERSION_UNSTABLE", True)
    handler(HeartbeatRequest)(lambda context, request: None)
    assert alone[HEARTBEAT].versions == Versions(0, 3)


@pytest.mark.parametrize("form", ["at once", "deferred", "coroutine"])
async def test_a_handler_may_answer_in_three_ways(form: str) -> None:
    response = HeartbeatResponse()
    later = Deferred()
    later.resolve(response)

    async def coroutine() -> HeartbeatResponse:
        return response

    results: dict[str, Any] = {"at once": response, "deferred": later, "coroutine": coroutine()}
    result = results.pop(form)
    for unused in results.values():
        getattr(unused, "close", lambda: None)()
    found: Any = SimpleNamespace(function=lambda context, request: result)
    assert await answer(found, None, None) is response  # type: ignore[arg-type]


async def test_an_error_that_comes_later_is_raised() -> None:
    later = Deferred()
    later.resolve(KafkaError(ErrorCode.NOT_COORDINATOR))
    found: Any = SimpleNamespace(function=lambda context, request: later)
    with pytest.raises(KafkaError):
        await answer(found, None, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "version", "has_place"),
    [
        (HEARTBEAT, 4, True), (JOIN_GROUP, 0, True), (FETCH, 6, False), (FETCH, 7, True), (METADATA, 12, False),
        (METADATA, 13, True), (FIND_COORDINATOR, 3, True), (FIND_COORDINATOR, 4, False), (PRODUCE, 9, False),
    ],
)  # fmt: skip
def test_the_error_of_a_whole_request_stands_where_the_version_has_a_place(
    key: int, version: int, has_place: bool
) -> None:
    response: Any = error_response(route(key, version), ErrorCode.KAFKA_STORAGE_ERROR, "why")
    assert (response is not None) == has_place
    if has_place:
        assert response.error_code == ErrorCode.KAFKA_STORAGE_ERROR
        found = route(key, version)
        decoded = found.decode and b"".join(map(bytes, found.encode(response)))
        assert decoded


def test_every_served_api_has_both_messages() -> None:
    for key in SERVED:
        assert request_class(key).API_KEY == response_class(key).API_KEY == key
