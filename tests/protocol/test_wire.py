"""Varints and the tag section."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.protocol.errors import LocalProtocolError, RemoteProtocolError
from ottla.protocol.wire import SHORT_UVARINTS, join_tags, read_uvarint, write_uvarint


@given(st.integers(0, 2**32 - 1), st.binary(max_size=3))
def test_varints_come_back(value: int, behind: bytes) -> None:
    data = write_uvarint(value)
    assert read_uvarint(data + behind, 0) == (value, len(data))
    assert len(data) == max(1, -(-value.bit_length() // 7))


def test_table_of_short_varints() -> None:
    assert [write_uvarint(value) for value in range(128)] == list(SHORT_UVARINTS)


@pytest.mark.parametrize("data", [b"\xff" * 5, b"\x80" * 5, b"\xff\xff\xff\xff\x10"])
def test_varints_beyond_32_bits_are_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="too long"):
        read_uvarint(data, 0)


def test_tags_are_written_in_ascending_order() -> None:
    assert join_tags([(3, b"c"), (5, b"")], {4: b"dd"}) == b"\x03" + b"\x03\x01c" + b"\x04\x02dd" + b"\x05\x00"
    with pytest.raises(LocalProtocolError):
        join_tags([(3, b"c")], {3: b""})
