"""The package itself."""

from __future__ import annotations

import ottla


def test_version_is_the_one_installed() -> None:
    major, minor, patch = ottla.__version__.split(".")
    assert all(part.isdigit() for part in (major, minor, patch))
