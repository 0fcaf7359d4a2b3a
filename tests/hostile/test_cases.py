"""Each hostile input is refused by Kafka's own error or by the end of the connection, and costs the broker nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .broker import MIB, Victim
from .cases import CASES, Case, prepare

#: What a single case may leave behind or need meanwhile, beyond a frame of the largest allowed size.
CASE_GROWTH_MAX = 64 * MIB
FRAME_MAX = 100 * MIB


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with Victim(tmp_path_factory.mktemp("hostile")) as broker:
        prepare(broker)
        yield broker


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_refused_and_costs_nothing(case: Case, victim: Victim) -> None:
    victim.forget_peak()
    before = victim.memory()
    assert case.run(victim) == case.ottla
    assert victim.peak_memory() - before < CASE_GROWTH_MAX + (FRAME_MAX if "million" in case.name else 0)
    assert victim.alive()
    assert victim.trouble() == []
