"""Which quota holds for a client: the table of quotas of one kind, looked up by user and client id.

The first that is set wins, and says between whom it is shared:

    1  user and client id         that client of that user
    2  user, any client id        each client of that user
    3  user                       all clients of that user together
    4  any user, client id        that client of each user
    5  any user, any client id    each client of each user
    6  any user                   all clients of each user together
    7  client id                  that client id, whoever uses it
    8  any client id              each client id

*Any* is Kafka's default entity (`--entity-default`): it stands in where nothing more exact is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

#: Kafka's entity types.
USER, CLIENT_ID, IP = "user", "client-id", "ip"

#: An entity as the metadata image keys it: (type, name) by type; None is the default entity.
Entity = tuple[tuple[str, str | None], ...]
#: Who shares one rate: user and client id, each "" where it does not matter.
Sharing = tuple[str, str]


class Limit(NamedTuple):
    """A quota that holds for a client, and who shares it."""

    bound: float
    sharing: Sharing


class QuotaTable:
    """The quotas of one kind."""

    __slots__ = ("_by_client", "_by_user", "_by_user_and_client")

    def __init__(self, key: str, quotas: Mapping[Entity, Mapping[str, float]]) -> None:
        self._by_user_and_client: dict[tuple[str | None, str | None], float] = {}
        self._by_user: dict[str | None, float] = {}
        self._by_client: dict[str | None, float] = {}
        for entity, values in quotas.items():
            bound = values.get(key)
            if bound is None:
                continue
            names = dict(entity)
            if USER in names and CLIENT_ID in names:
                self._by_user_and_client[names[USER], names[CLIENT_ID]] = bound
            elif USER in names:
                self._by_user[names[USER]] = bound
            elif CLIENT_ID in names:
                self._by_client[names[CLIENT_ID]] = bound

    def __bool__(self) -> bool:
        return bool(self._by_user_and_client or self._by_user or self._by_client)

    def find(self, user: str, client_id: str) -> Limit | None:
        """Return the quota of a client, or None if nothing limits it. Without a client id only those of users count."""
        both = self._by_user_and_client
        for name in (user, None):
            if client_id and both:
                bound = both.get((name, client_id))
                if bound is None:
                    bound = both.get((name, None))
                if bound is not None:
                    return Limit(bound, (user, client_id))
            if name in self._by_user:
                return Limit(self._by_user[name], (user, ""))
        if client_id:
            bound = self._by_client.get(client_id)
            if bound is None:
                bound = self._by_client.get(None)
            if bound is not None:
                return Limit(bound, ("", client_id))
        return None
