"""The page about hostile input says what the tests try."""

from __future__ import annotations

from importlib import import_module

from .table import PAGE, PRESSURES, text


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == text(), "run `python -m tests.hostile.table`"


def test_every_row_names_a_test_that_exists() -> None:
    for _, _, name in PRESSURES:
        module, _, function = name.partition(".")
        assert callable(getattr(import_module(f"tests.hostile.{module}"), function, None)), name
