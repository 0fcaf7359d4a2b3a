"""Damaged frames give a message or a refusal, never anything else."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.fuzz.frames import MUTATIONS, campaign, judge, mutated_frames

CI_FRAMES = 200_000


def test_same_seed_gives_same_frames() -> None:
    assert list(mutated_frames(3, 50)) == list(mutated_frames(3, 50))


@pytest.mark.slow
def test_mutated_frames_are_read_or_refused() -> None:
    """200,000 damaged requests of all APIs and versions: no exception but RemoteProtocolError, and no growth."""
    campaign(0, 1000)  # compiles nearly every decoder
    tracemalloc.start()
    try:
        verdicts = campaign(20_261_121, 1000)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        verdicts += campaign(20_261_122, 1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    verdicts += campaign(1, CI_FRAMES - verdicts.total())
    assert verdicts.total() == CI_FRAMES
    assert peak - before < 64 << 20
    for verdict in ("message", "refused", "unsupported", "size"):
        assert verdicts[verdict] > CI_FRAMES // 100, f"the mutations hardly ever lead to {verdict!r}: {verdicts}"


def test_every_mutation_says_what_it_does() -> None:
    assert [mutation.__name__ for mutation in MUTATIONS if not mutation.__doc__] == []


def test_other_protocols_are_refused_by_their_size() -> None:
    """What TLS and HTTP begin with is, read as a size, beyond any limit."""
    for hello in (b"\x16\x03\x01\x00\xa5", b"GET / HTTP/1.1\r\n"):
        assert judge(hello) == "size"
