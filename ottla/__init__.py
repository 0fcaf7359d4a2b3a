"""Ottla: an event-streaming platform that speaks Apache Kafka's protocol, in Python.

Importing the package costs next to nothing: it sees to it that no compiled module runs that is forbidden or older than its
source (`_extensions.guard`), and imports the names below when they are first used (PEP 562). The rooms below it are described in
docs/architecture.md, the client in docs/client.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _extensions

if TYPE_CHECKING:
    from .client import serde
    from .client.admin.admin import Admin
    from .client.config import Config
    from .client.consumer.committing import Commit
    from .client.consumer.consumer import Consumer
    from .client.consumer.exactly_once import exactly_once
    from .client.consumer.reading import read
    from .client.consumer.share import ShareConsumer
    from .client.consumer.working import By, Retry
    from .client.producer.producer import Producer
    from .client.registry.client import Registry

__version__ = "0.1.0"
__all__ = [
    "Admin", "By", "Commit", "Config", "Consumer", "Producer", "Registry", "Retry", "ShareConsumer", "__version__", "exactly_once", "read", "serde",
]  # fmt: skip

_extensions.guard()

#: Name -> module, and what it is called there.
_HOMES = {
    "Admin": (".client.admin.admin", "Admin"),
    "By": (".client.consumer.working", "By"),
    "Commit": (".client.consumer.committing", "Commit"),
    "Consumer": (".client.consumer.consumer", "Consumer"),
    "ShareConsumer": (".client.consumer.share", "ShareConsumer"),
    "exactly_once": (".client.consumer.exactly_once", "exactly_once"),
    "read": (".client.consumer.reading", "read"),
    "Config": (".client.config", "Config"),
    "Retry": (".client.consumer.working", "Retry"),
    "Producer": (".client.producer.producer", "Producer"),
    "Registry": (".client.registry.client", "Registry"),
    "serde": (".client.serde", ""),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    found = import_module(module, __name__)
    return getattr(found, attribute) if attribute else found
