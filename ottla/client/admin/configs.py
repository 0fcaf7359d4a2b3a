"""Configs of topics, brokers, groups and client metrics subscriptions (KIP-714): read, change, list.

await admin.configs.set(ConfigResource.topic("orders"), {"retention.ms": "7d"})
(await admin.configs.get(ConfigResource.topic("orders")))["retention.ms"].value
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from ...protocol.apis.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ...protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ...protocol.apis.list_config_resources import ListConfigResourcesRequest
from ..cluster import ANY, Node, Target
from .base import Room, outcome
from .topics import config_text


class Kind(IntEnum):
    """What a config belongs to."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class ConfigResource(NamedTuple):
    """One thing that has configs; a broker's name is its id, "" stands for all brokers."""

    kind: Kind
    name: str

    @classmethod
    def topic(cls, name: str) -> ConfigResource:
        return cls(Kind.TOPIC, name)

    @classmethod
    def broker(cls, broker_id: int | str = "") -> ConfigResource:
        return cls(Kind.BROKER, str(broker_id))

    @classmethod
    def group(cls, name: str) -> ConfigResource:
        return cls(Kind.GROUP, name)

    @classmethod
    def client_metrics(cls, name: str) -> ConfigResource:
        return cls(Kind.CLIENT_METRICS, name)


SOURCES = {
    0: "unknown", 1: "topic", 2: "broker", 3: "default broker", 4: "static", 5: "default", 6: "logger",
    7: "client metrics", 8: "group",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """One config. `value` is None where it is sensitive."""

    name: str
    value: str | None
    source: str
    read_only: bool
    sensitive: bool
    documentation: str | None = None

    @property
    def is_default(self) -> bool:
        return self.source in ("default", "static", "broker", "default broker")


SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3


class Configs(Room):
    """`admin.configs`"""

    async def get(
        self, resource: ConfigResource, names: Iterable[str] | None = None, *, documentation: bool = False
    ) -> dict[str, ConfigEntry]:
        """Name -> entry of one resource."""
        return (await self.describe([resource], names, documentation=documentation))[resource]

    async def describe(
        self,
        resources: Iterable[ConfigResource],
        names: Iterable[str] | None = None,
        *,
        documentation: bool = False,
    ) -> dict[ConfigResource, dict[str, ConfigEntry]]:
        """The configs of several resources; those of a broker are asked of that broker."""
        wanted = None if names is None else list(names)
        found: dict[ConfigResource, dict[str, ConfigEntry]] = {}
        for target, some in _by_target(resources).items():

            async def ask(left: list[ConfigResource], target: Target = target) -> dict[ConfigResource, Any]:
                rows = [
                    DescribeConfigsResource(resource_type=r.kind, resource_name=r.name, configuration_keys=wanted)
                    for r in left
                ]
                more = {"include_documentation": True} if documentation else {}
                request = DescribeConfigsRequest(resources=rows, include_synonyms=False, **more)
                answer = await self._ask(request, target, low=3 if documentation else 1)
                return {
                    (key := ConfigResource(Kind(row.resource_type), row.resource_name)): outcome(
                        row.error_code, row.error_message, "DescribeConfigs", key, _entries(row)
                    )
                    for row in answer.results
                }

            found.update(await self._each(some, ask, "DescribeConfigs"))
        return found

    async def set(self, resource: ConfigResource, values: Mapping[str, Any], *, validate_only: bool = False) -> None:
        """Set these and leave the others alone (KIP-339); a value None goes back to the default."""
        ops = [(name, DELETE if value is None else SET, value) for name, value in values.items()]
        await self._alter(resource, ops, validate_only)

    async def delete(self, resource: ConfigResource, names: Iterable[str], *, validate_only: bool = False) -> None:
        """Go back to the defaults."""
        await self._alter(resource, [(name, DELETE, None) for name in names], validate_only)

    async def append(self, resource: ConfigResource, name: str, value: str) -> None:
        """Add to a config that is a list."""
        await self._alter(resource, [(name, APPEND, value)], False)

    async def subtract(self, resource: ConfigResource, name: str, value: str) -> None:
        """Take from a config that is a list."""
        await self._alter(resource, [(name, SUBTRACT, value)], False)

    async def _alter(self, resource: ConfigResource, ops: list[tuple[str, int, Any]], validate_only: bool) -> None:
        (target,) = _by_target([resource])

        async def ask(left: list[ConfigResource]) -> dict[ConfigResource, Any]:
            configs = [AlterableConfig(name=n, config_operation=op, value=config_text(n, v)) for n, op, v in ops]
            row = AlterConfigsResource(resource_type=resource.kind, resource_name=resource.name, configs=configs)
            answer = await self._ask(
                IncrementalAlterConfigsRequest(resources=[row], validate_only=validate_only), target
            )
            (result,) = answer.responses
            return {resource: outcome(result.error_code, result.error_message, "IncrementalAlterConfigs", resource)}

        await self._each([resource], ask, "IncrementalAlterConfigs")

    async def resources(self, *kinds: Kind) -> list[ConfigResource]:
        """What has configs of its own (Kafka 4.1; before that, client metrics subscriptions only)."""
        request = ListConfigResourcesRequest(resource_types=[int(kind) for kind in kinds])
        answer = await self._ask(request, ANY, low=1 if kinds else 0)
        return [ConfigResource(Kind(row.resource_type), row.resource_name) for row in answer.config_resources]


def _by_target(resources: Iterable[ConfigResource]) -> dict[Target, list[ConfigResource]]:
    found: dict[Target, list[ConfigResource]] = {}
    for resource in resources:
        own = resource.kind in (Kind.BROKER, Kind.BROKER_LOGGER) and resource.name
        found.setdefault(Node(int(resource.name)) if own else ANY, []).append(resource)
    return found


def _entries(row: Any) -> dict[str, ConfigEntry]:
    return {
        c.name: ConfigEntry(
            c.name, c.value, SOURCES.get(c.config_source, "unknown"), c.read_only, c.is_sensitive, c.documentation
        )
        for c in row.configs
    }
