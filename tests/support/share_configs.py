"""Set configs of a running broker through its own API."""

from __future__ import annotations

from collections.abc import Mapping

from ottla.metadata.image import ResourceType
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)

from .in_process import RunningBroker


async def set_config(running: RunningBroker, kind: ResourceType, name: str, values: Mapping[str, str]) -> None:
    """Set configs of a resource."""
    configs = [AlterableConfig(name=key, config_operation=0, value=value) for key, value in values.items()]
    resource = AlterConfigsResource(resource_type=int(kind), resource_name=name, configs=configs)
    async with running.connect() as client:
        response = await client.call(IncrementalAlterConfigsRequest(resources=[resource], validate_only=False), 1)
    assert [answer.error_code for answer in response.responses] == [0], response


async def set_group_config(running: RunningBroker, group: str, values: Mapping[str, str]) -> None:
    """Set configs of a group."""
    await set_config(running, ResourceType.GROUP, group, values)
