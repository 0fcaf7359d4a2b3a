"""A schema that is not here yet: what a serializer raises on an event loop, where it may not wait for a registry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import SerializationError

if TYPE_CHECKING:
    from ..registry.blocking import Registry


class SchemaPendingError(SerializationError):
    """The registry has to be asked first: `await wait()`, then call again."""

    def __init__(self, registry: Registry, load: Callable[[], Any], what: str) -> None:
        super().__init__(f"{what} is not here yet", retriable=True, hint="await `prepare` of the serde before")
        self._registry = registry
        self._load = load

    async def wait(self) -> None:
        """Have it loaded, in a thread of the registry's."""
        await asyncio.wrap_future(self._registry.submit(self._load))

    def begin(self) -> None:
        """Have it loaded in the background."""
        self._registry.submit(self._load)
