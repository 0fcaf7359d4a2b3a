"""`Admin`: looks after a cluster; each kind of thing has a room of its own.

    async with Admin("localhost:9092") as admin:
        await admin.topics.create("orders", partitions=6, if_exists="ok")
        print(await admin.groups.lag("billing"))

    admin.topics  configs  groups  partitions  cluster  log_dirs  transactions  acls  users  tokens  quotas

Each call finds the right broker, takes the newest version both sides know, and tries again where that helps; a broker that
lacks an API is said so (`UnsupportedError`). What concerns several things returns what succeeded or raises: one failure as
it is, several as an ExceptionGroup.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ..cluster import Cluster
from ..config import Config, as_config
from .cluster import ClusterRoom, LogDirs, Partitions
from .configs import Configs
from .groups import Groups
from .security import Acls, Quotas, Tokens, Users
from .topics import Topics
from .transactions import Transactions


class Admin:
    """See the head of the module."""

    def __init__(self, config: Config | Mapping[str, Any] | str | None = None, **settings: Any) -> None:
        self.config = as_config(config, **settings)
        connections = Cluster(self.config)
        self._connections = connections
        self._started = False
        self.topics = Topics(connections)
        self.configs = Configs(connections)
        self.groups = Groups(connections)
        self.partitions = Partitions(connections)
        self.cluster = ClusterRoom(connections)
        self.log_dirs = LogDirs(connections)
        self.transactions = Transactions(connections)
        self.acls = Acls(connections)
        self.users = Users(connections)
        self.tokens = Tokens(connections)
        self.quotas = Quotas(connections)

    async def start(self) -> None:
        """Find the cluster; `NoBrokerError` tells why each address failed."""
        if not self._started:
            self._started = True
            try:
                await self._connections.start()
            except BaseException:
                await self._connections.close()
                raise

    async def close(self) -> None:
        """End the connections."""
        await self._connections.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


ROOMS = (
    "topics", "configs", "groups", "partitions", "cluster", "log_dirs", "transactions", "acls", "users", "tokens",
    "quotas",
)  # fmt: skip
