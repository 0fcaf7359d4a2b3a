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
    from .client.config import Config
    from .client.producer.producer import Producer

__version__ = "0.1.0"
__all__ = ["Config", "Producer", "__version__", "serde"]

_extensions.guard()

#: Name -> module, and what it is called there.
_HOMES = {
    "Config": (".client.config", "Config"),
    "Producer": (".client.producer.producer", "Producer"),
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
