"""The synchronous admin client: the same rooms and verbs, for threads.

    with Admin("localhost:9092") as admin:
        admin.topics.create("orders", partitions=6)

Each verb of each room is the asynchronous one, run on the I/O thread (`client.blocking`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..blocking import BlockingClient
from .admin import ROOMS
from .admin import Admin as AsyncAdmin


class Admin(BlockingClient):
    """`ottla.Admin` describes arguments, rooms and verbs."""

    topics: Any
    configs: Any
    groups: Any
    partitions: Any
    cluster: Any
    log_dirs: Any
    transactions: Any
    acls: Any
    users: Any
    tokens: Any
    quotas: Any

    def __init__(self, config: Any = None, **settings: Any) -> None:
        self._arguments = (config, settings)
        self._admin: AsyncAdmin
        super().__init__()

    async def _start(self) -> None:
        config, settings = self._arguments
        self._admin = AsyncAdmin(config, **settings)
        await self._admin.start()
        for name in ROOMS:
            setattr(self, name, _BlockingRoom(getattr(self._admin, name), self._run))

    async def _stop(self, timeout_ms: int | None) -> None:
        await self._admin.close()


class _BlockingRoom:
    """A room whose verbs block."""

    def __init__(self, room: Any, run: Callable[[Any], Any]) -> None:
        self._room, self._run = room, run

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._room, name)

        @functools.wraps(verb)
        def call(*arguments: Any, **options: Any) -> Any:
            return self._run(verb(*arguments, **options))

        return call
