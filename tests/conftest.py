"""What holds for every test: markers that need components check for them before any fixture runs."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.support.requires import requires

# One machine is not as fast as another: a property test fails for what it finds, never for how long it took.
settings.register_profile("ottla", deadline=None, print_blob=True)
settings.load_profile("ottla")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("java") is not None:
        requires("java", "mvn")
