"""`ottla version`."""

from __future__ import annotations

import argparse

from .. import __version__


def run(arguments: argparse.Namespace) -> int:
    """Print the version, as `ottla --version` does."""
    print(f"ottla {__version__}")
    return 0
