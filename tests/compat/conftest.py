"""Programs of these libraries seldom close what they make: it goes with its last reference, here before the next test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_lives_on() -> Iterator[None]:
    yield
    gc.collect()
