"""The synchronous face of the client: the same verbs as `ottla.Producer`, `Consumer` and `Admin`, for threads.

    from ottla.sync import Producer

    with Producer("localhost:9092") as producer:
        producer.send("orders", b"one", key="k1")

Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client.admin.blocking import Admin
    from .client.consumer.blocking import Consumer, read
    from .client.producer.blocking import Producer
    from .client.registry.blocking import Registry

__all__ = ["Admin", "Consumer", "Producer", "Registry", "read"]

_HOMES = {
    "Admin": ".client.admin.blocking",
    "Consumer": ".client.consumer.blocking",
    "read": ".client.consumer.blocking",
    "Producer": ".client.producer.blocking",
    "Registry": ".client.registry.blocking",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name], __package__), name)
