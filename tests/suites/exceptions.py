"""What a suite is known to fail, on which broker, and why. Anything that fails and does not stand here is a finding.

A reason says what in the suite or the machine makes it so, and how one can see that; "flaky" is no reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """One test that may fail."""

    why: str
    brokers: tuple[str, ...] = ("ottla", "kafka")


EXCEPTIONS: Mapping[str, Mapping[str, Known]] = {
    "kafka-python": {
        "admin: test_create_partitions": Known(
            "it places partitions on a broker with id 0; the brokers here have id 1"
        ),
    },
}
