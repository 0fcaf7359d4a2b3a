"""The short way through the codec and the generated functions: the same bytes, the same messages, in both forms."""

from __future__ import annotations

from random import Random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla import _extensions
from ottla.protocol import _codec_cy, codec
from ottla.protocol.errors import LocalProtocolError, RemoteProtocolError
from ottla.protocol.schema import Data
from tests.protocol.messages import all_versions, random_message

ALL = list(all_versions())
SOURCE = _extensions.load_source("ottla.protocol._codec_cy")
FORMS = [SOURCE, *([_codec_cy] if _codec_cy.is_compiled() else [])]
forms = st.sampled_from(FORMS)
messages = st.sampled_from(ALL)
seeds = st.integers(0, 2**32)


class WentTheOtherWay(Exception):
    """The short way gave up."""


def other_way(*_: Any) -> Any:
    raise WentTheOtherWay


def outcome(function: Any, *arguments: Any) -> Any:
    """Return what a function returns, or the kind of error it raises."""
    try:
        return function(*arguments)
    except (LocalProtocolError, RemoteProtocolError, WentTheOtherWay) as error:
        return type(error)


@pytest.mark.parametrize("form", FORMS)
def test_the_short_way_knows_nearly_all_messages(form: ModuleType) -> None:
    """Where it knows none it is no shortcut; what it does not know are a few stored records and nullable structs."""
    known = [form.program(cls, version) is not None for cls, version in ALL]
    assert sum(known) > 0.85 * len(known)


@given(forms, messages, seeds)
def test_it_reads_what_the_generated_function_reads_or_gives_up(
    form: ModuleType, which: tuple[type[Data], int], seed: int
) -> None:
    table = form.program(*which)
    if table is None:
        return
    random = Random(seed)
    data = bytearray(b"".join(generated_encoder(*which)(random_message(random, *which, unknown=random.random() < 0.2))))
    for _ in range(random.choice((0, 0, 1, 3))):
        if data:
            data[random.randrange(len(data))] = random.randrange(256)
    short = outcome(form.Decoder(table, other_way), data, 0)
    if short is not WentTheOtherWay:
        assert short == outcome(generated_decoder(*which), data, 0)


@given(forms, messages, seeds)
def test_it_writes_what_the_generated_function_writes_or_gives_up(
    form: ModuleType, which: tuple[type[Data], int], seed: int
) -> None:
    table = form.program(*which)
    if table is None:
        return
    message = random_message(Random(seed), *which)
    short = outcome(form.Encoder(table, other_way), message)
    if short is not WentTheOtherWay:
        assert b"".join(short) == b"".join(generated_encoder(*which)(message))


@pytest.mark.parametrize("form", FORMS)
def test_ordinary_messages_take_the_short_way(form: ModuleType) -> None:
    """A default message of nearly every version is both read and written without the generated function."""
    short = total = 0
    for cls, version in ALL:
        table = form.program(cls, version)
        if table is None:
            continue
        total += 1
        written = outcome(form.Encoder(table, other_way), cls())
        if written is not WentTheOtherWay:
            read = outcome(form.Decoder(table, other_way), b"".join(written), 0)
            short += read is not WentTheOtherWay
    assert short > 0.9 * total


def generated_decoder(cls: type[Data], version: int) -> Any:
    found = codec.decoder(cls, version)
    return getattr(found, "generated", found)


def generated_encoder(cls: type[Data], version: int) -> Any:
    found = codec.encoder(cls, version)
    return getattr(found, "generated", found)
