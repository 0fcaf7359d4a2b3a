"""The readers of numbers that several hot modules have, each its own (docs/decisions/0003): none may read another way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla import _extensions

MODULES = [
    "ottla.records._batch_cy",
    "ottla.client.consumer._columns_cy",
    "ottla.client.consumer._runs_cy",
    "ottla.log.cleaner._keys_cy",
    "ottla.log.cleaner._rewrite_cy",
]
FORMS = {name: _extensions.load_source(name) for name in MODULES}
#: A varint of up to eleven bytes, or anything.
BYTES = st.binary(min_size=12, max_size=16) | st.tuples(
    st.lists(st.integers(0x80, 0xFF), max_size=11), st.integers(0, 0x7F)
).map(lambda parts: bytes([*parts[0], parts[1]]) + bytes(12))


def twins(name: str) -> dict[str, Any]:
    return {module: getattr(form, name) for module, form in FORMS.items() if hasattr(form, name)}


def answers(name: str, *arguments: Any) -> set[Any]:
    return {twin(*arguments) for twin in twins(name).values()}


@pytest.mark.parametrize(("name", "count"), [("_int32", 4), ("_int64", 4), ("_varlong_size", 5), ("_varint", 5)])
def test_there_are_as_many_as_are_compared(name: str, count: int) -> None:
    assert len(twins(name)) == count


@given(BYTES)
def test_numbers_of_fixed_size(data: bytes) -> None:
    view = memoryview(data)
    assert answers("_int32", view, 0) == {int.from_bytes(data[:4], "big", signed=True)}
    assert answers("_int64", view, 0) == {int.from_bytes(data[:8], "big", signed=True)}


@given(BYTES, st.integers(0, 12))
def test_sizes_of_varlongs(data: bytes, end: int) -> None:
    assert len(answers("_varlong_size", memoryview(data), 0, end)) == 1


@given(BYTES, st.integers(0, 12))
def test_varints(data: bytes, end: int) -> None:
    assert len(answers("_varint", memoryview(data), 0, end)) == 1
