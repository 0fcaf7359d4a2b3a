"""Frames and headers, the other end of the wire held by the header classes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.protocol import codec
from ottla.protocol.apis import API_KEYS, request_class, response_class
from ottla.protocol.errors import RemoteProtocolError
from ottla.protocol.framing import (
    frame_request,
    frame_response,
    read_request_header,
    request_header_version,
    response_header_version,
)
from ottla.protocol.headers import RequestHeader, ResponseHeader
from tests.protocol.messages import versions_of


@given(
    st.integers(-32768, 32767),
    st.integers(-32768, 32767),
    st.integers(-(2**31), 2**31 - 1),
    st.none() | st.text(max_size=50),
)
def test_header_is_read_as_the_codec_writes_it(
    key: int, version: int, correlation_id: int, client_id: str | None
) -> None:
    header = RequestHeader(
        request_api_key=key, request_api_version=version, correlation_id=correlation_id, client_id=client_id
    )
    data = codec.encode(header, request_header_version(key, version))
    assert read_request_header(data + b"body") == (key, version, correlation_id, client_id, len(data))
    assert read_request_header(memoryview(bytearray(data)))[4] == len(data)


@pytest.mark.parametrize("length", range(11))
def test_header_cut_short_is_refused(length: int) -> None:
    whole = codec.encode(RequestHeader(request_api_key=3, request_api_version=12, client_id="a"), 2)
    with pytest.raises(RemoteProtocolError):
        read_request_header(whole[:length])


def test_tags_of_a_header_are_skipped() -> None:
    header = RequestHeader(request_api_key=3, request_api_version=12, client_id="a")
    header.unknown_tags = {0: b"xyz", 400: b""}
    data = codec.encode(header, 2)
    assert read_request_header(data + b"body")[4] == len(data)


def test_tag_of_a_header_beyond_the_frame_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="beyond the frame"):
        read_request_header(struct.pack(">hhih", 3, 12, 1, -1) + b"\x01\x00\x7f")


def test_client_id_is_utf_8_within_the_frame() -> None:
    for client_id in (b"\x00\x02\xff\xff", b"\x7f\xffabc"):
        with pytest.raises(RemoteProtocolError):
            read_request_header(struct.pack(">hhi", 18, 0, 1) + client_id)


def test_header_versions_follow_flexibility_but_for_api_versions() -> None:
    for key in API_KEYS:
        for version in versions_of(request_class(key)):
            assert request_header_version(key, version) == 1 + (version in request_class(key).FLEXIBLE)
            flexible = version in response_class(key).FLEXIBLE and key != 18
            assert response_header_version(key, version) == int(flexible)


def test_header_of_an_unknown_api_is_readable() -> None:
    assert read_request_header(struct.pack(">hhih", 999, 3, 7, -1)) == (999, 3, 7, None, 10)


@pytest.mark.parametrize("header_version", [0, 1])
def test_response_is_framed_with_its_size(header_version: int) -> None:
    records = memoryview(b"records")
    parts = frame_response(77, header_version, [b"head", records, b"tail"])
    assert len(parts) == 3
    assert parts[1] is records
    size, *_ = struct.unpack_from(">i", parts[0])
    data = b"".join(parts)
    assert size == len(data) - 4
    header, pos = codec.decoder(ResponseHeader, header_version)(data, 4)
    assert (header.correlation_id, data[pos:]) == (77, b"headrecordstail")


def test_request_is_framed_as_it_is_read() -> None:
    data = b"".join(frame_request(3, 12, 5, "me", [b"body"]))
    assert struct.unpack_from(">i", data) == (len(data) - 4,)
    assert read_request_header(data[4:]) == (3, 12, 5, "me", len(data) - 8)
