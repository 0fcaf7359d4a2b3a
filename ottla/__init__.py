"""Ottla: an event-streaming broker that speaks Apache Kafka's protocol, in Python.

Importing the package does nothing and costs nothing, but that `_extensions.guard` sees to it that no compiled module
runs that is forbidden or older than its source; the rooms below it are described in docs/architecture.md.
"""

from . import _extensions

__version__ = "0.1.0"

_extensions.guard()
