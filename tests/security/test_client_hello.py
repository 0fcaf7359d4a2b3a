"""The name in a ClientHello, whoever sent the bytes."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.security.client_hello import server_name


def hello(name: str | None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["kafka.example", "x", "a" * 60 + ".example"])
def test_the_name_is_found(name: str, version: ssl.TLSVersion) -> None:
    assert server_name(hello(name, version)) == name


def test_there_may_be_none() -> None:
    assert server_name(hello(None)) is None
    assert server_name(hello("127.0.0.1")) is None  # an address is no name


def test_a_name_that_is_not_ascii_is_shown_as_what_it_is() -> None:
    data = hello("kafka.example").replace(b"kafka.example", b"k\xffe\nk.example")
    assert server_name(data) == "k\\xffe\nk.example"  # the log escapes line ends itself


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: b"\x16\x03\x01\x00\xff\x01" + data))
def test_any_bytes_give_a_short_name_or_none(data: bytes) -> None:
    found = server_name(data)
    assert found is None or 0 < len(found) <= 4 * 255


@given(st.data())
def test_a_hello_that_was_cut_or_changed_does_no_harm(data: st.DataObject) -> None:
    whole = bytearray(hello("kafka.example"))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    found = server_name(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    assert found is None or len(found) <= 4 * 255
