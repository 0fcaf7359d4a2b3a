"""A registry that errs, drips, sends us elsewhere or floods us: an error with a cause, in time, within bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ottla.client import serde
from ottla.client.errors import ConfigError, SerializationError
from ottla.client.registry.blocking import Registry
from ottla.client.registry.caches import Cache
from ottla.client.registry.errors import RegistryError, RegistryUnreachableError
from ottla.client.registry.model import Schema
from tests.support.registry import SchemaRegistry


@pytest.fixture
def server() -> Iterator[SchemaRegistry]:
    with SchemaRegistry() as server:
        yield server


def client(url: str, **more: Any) -> Registry:
    return Registry(url, **{"max_retries": 0, "retries_wait_ms": 1, **more})


def give(status: int, data: bytes, **headers: str) -> Any:
    def answer(handler: Any) -> bool:
        handler.give(status, data, **headers)
        return True

    return answer


@pytest.mark.parametrize(
    ("status", "data", "why"),
    [
        (200, b"{", "no answer"),
        (200, b"[" * 100_000, "no answer"),
        (200, b"[]", "JSON object"),
        (200, b"{}", "schema"),
        (200, b'{"schema": 5}', "schema"),
        (200, b'{"schema": "x", "id": 2}', "asked for 1"),
        (200, b'{"schema": "x", "schemaType": 5}', "schemaType"),
        (200, b'{"schema": "x", "references": [{}]}', "name"),
        (200, b'{"schema": "x", "references": {"a": 1}}', "references"),
        (404, b"<html>", "no answer"),
        (500, b'{"error_code": 50001, "message": "store"}', "store"),
        (302, b"", "elsewhere"),
    ],
)
def test_answers_that_are_none(server: SchemaRegistry, status: int, data: bytes, why: str) -> None:
    server.answers.append(give(status, data, Location=server.url + "/subjects"))
    with client(server.url) as registry, pytest.raises(RegistryError, match=why):
        registry.get(1)
    assert len(server.requests) == 1


def test_an_answer_that_has_no_end_is_cut_off(server: SchemaRegistry) -> None:
    def flood(handler: Any) -> bool:
        handler.send_response(200)
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(b" " * 65536)
        except OSError:
            return True

    server.answers.append(flood)
    with (
        client(server.url, max_response_bytes=1 << 20) as registry,
        pytest.raises(RegistryError, match="1048576 bytes"),
    ):
        registry.get(1)


def test_an_answer_that_drips_has_one_deadline(server: SchemaRegistry) -> None:
    done = threading.Event()

    def drip(handler: Any) -> bool:
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not done.wait(0.05):
                handler.wfile.write(b"X: y\r\n")
        except OSError:
            handler.close_connection = True
        return True

    server.answers.append(drip)
    began = time.monotonic()
    with client(server.url, timeout=0.5) as registry, pytest.raises(RegistryUnreachableError):
        registry.get(1)
    done.set()
    assert time.monotonic() - began < 5


def test_what_may_pass_is_tried_again_and_elsewhere(server: SchemaRegistry) -> None:
    server.add("s", '"int"')
    with SchemaRegistry() as other:
        other.add("s", '"int"')
        server.answers += [give(503, b"{}"), give(503, b"{}")]
        other.answers += [give(429, b"{}")]
        with client(f"http://127.0.0.1:1,{server.url},{other.url}", max_retries=2) as registry:
            assert registry.get(1).text == '"int"'
        assert (len(server.requests), len(other.requests)) == (2, 2)
    with client(server.url, max_retries=2) as registry, pytest.raises(RegistryError):
        registry.get(99)
    assert len(server.requests) == 3, "what the registry decided is not asked again"


def test_a_kept_connection_that_is_gone_is_made_anew(server: SchemaRegistry) -> None:
    server.add("s", '"int"')
    server.add("s", '"long"')

    def hang_up(handler: Any) -> bool:
        handler.close_connection = True
        return True

    with client(server.url) as registry:
        registry.get(1)
        server.answers.append(hang_up)
        assert registry.get(2).text == '"long"'


def test_ids_that_do_not_exist_are_asked_about_once(server: SchemaRegistry) -> None:
    with client(server.url) as registry:
        reader: Any = serde.Avro(registry)
        for _ in range(3):
            with pytest.raises((RegistryError, SerializationError)):
                reader.deserialize(b"\0\0\0\0\x63\x02", "t")
    assert server.asked == ["GET /schemas/ids/99"]


def test_references_in_a_circle_and_without_end(server: SchemaRegistry) -> None:
    server.add(
        "a", '{"type":"record","name":"A","fields":[]}', references=[{"name": "B", "subject": "b", "version": 1}]
    )
    server.add(
        "b", '{"type":"record","name":"B","fields":[]}', references=[{"name": "A", "subject": "a", "version": 1}]
    )
    with client(server.url) as registry, pytest.raises(SerializationError, match="itself"):
        serde.Avro(registry).deserialize(b"\0\0\0\0\x01\x02", "t")


@pytest.mark.parametrize(
    "text", ['"' * 5, "[" * 100_000, '{"type":"array","items":' * 500 + '"int"' + "}" * 500, '"x"']
)
def test_schemas_that_are_none(server: SchemaRegistry, text: str) -> None:
    server.add("a", text)
    with client(server.url) as registry, pytest.raises(SerializationError, match="no Avro schema"):
        serde.Avro(registry).deserialize(b"\0\0\0\0\x01\x02", "t")


def test_credentials_and_where_they_go() -> None:
    with SchemaRegistry(user="alice:se:cret") as server:
        for settings in (
            {"basic.auth.user.info": "alice:se:cret"},
            {"url": server.url.replace("//", "//alice:se%3Acret@")},
        ):
            with Registry({"url": server.url} | settings) as registry:
                assert registry.register("s", Schema('"int"')).id == 1
                assert "cret" not in repr(registry.settings).replace("alice:se%3Acret@", "")
        with client(server.url) as registry, pytest.raises(RegistryError) as refused:
            registry.subjects()
        assert refused.value.http_status == 401
    with SchemaRegistry(token="t0") as server, Registry(server.url, bearer_auth_token=lambda: "t0") as registry:
        assert registry.subjects() == []


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"url": "ftp://x"}, {"url": "http://x", "urls": 1}, {"url": "http://x", "basic.auth.user.info": "nobody"},
        {"url": "http://far.example", "bearer.auth.token": "t"}, {"url": "http://x", "timeout": 0},
        {"url": "http://x", "ssl.key.location": "k.pem"}, {"url": "http://x:port"},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Registry(settings)


def test_two_threads_that_miss_the_same_ask_once(server: SchemaRegistry) -> None:
    server.add("s", '"int"')
    gate = threading.Event()
    server.answers.append(lambda handler: not gate.wait(20))
    with client(server.url) as registry:
        threads = [threading.Thread(target=registry.get, args=(1,)) for _ in range(4)]
        for each in threads:
            each.start()
        gate.set()
        for each in threads:
            each.join()
    assert len(server.requests) == 1


def test_a_cache_is_bounded_and_has_a_term() -> None:
    now = [0.0]
    cache: Cache[int] = Cache(2, 10, lambda: now[0])
    for number in range(3):
        cache.put(number, number)
    assert [cache.get(number) for number in range(3)] == [None, 1, 2]
    now[0] = 10
    assert (cache.get(2), len(cache)) == (None, 1)
