"""`ottla start` turns the garbage collector off while it starts; whoever runs it in-process gets it back."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ottla.cli import start
from ottla.cli.main import main


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
    gc.enable()


def test_a_broker_that_has_started_collects_garbage() -> None:
    gc.disable()
    start._spare_the_collector()
    assert gc.isenabled()


def test_a_start_that_fails_leaves_the_collector_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["start", "--set", "listeners=nonsense"]) != 0
    assert capsys.readouterr().err
    assert gc.isenabled()
