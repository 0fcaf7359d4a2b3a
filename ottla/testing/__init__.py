"""A real broker for tests: pytest's `kafka` fixture, and the same from any program.

    def test_orders(kafka):
        kafka.topic("orders", partitions=3).put([("k", "v")])
        run_my_app(kafka.bootstrap)
        kafka.topic("out").expect(count=1, within="2s")

It is the production broker on a real TCP port with its files in memory, one per test, in a thread of its own. docs/testing.md
is the one page about it. `python -m ottla.testing` serves tests in other languages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..protocol.errors import ErrorCode as Error
    from .kafka import Kafka
    from .topics import Record

__all__ = ["Error", "Kafka", "Record"]

_HOMES = {
    "Error": ("..protocol.errors", "ErrorCode"),
    "Kafka": (".kafka", "Kafka"),
    "Record": (".topics", "Record"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is: every pytest run imports this package, few use it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(module, __name__), attribute)
