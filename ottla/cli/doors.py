"""Two ways to the users and rules of a cluster, asked alike: over the network, or in a data folder.

    async with Network(config) as door        a broker answers; needs the right to (Alter on Cluster)
    async with Folder(config) as door         the metadata log itself; needs the right to write the folder
        answer = await door.ask(request)

`Folder` works while the broker runs (the log takes any number of writers, and the broker follows it) and before it was
ever started, which is how a cluster gets the first user who may log in.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

from ..broker.chance import RANDOM
from ..broker.config import BrokerConfig
from ..broker.handlers.describe_acls import read_filter
from ..broker.identity import new_cluster_id, stored_cluster_id
from ..broker.server import Broker
from ..broker.takeover import TakeoverError, find_kafka_metadata
from ..client.cluster import CONTROLLER, Cluster
from ..client.config import Config
from ..controller.acls import create_acls, delete_acls
from ..controller.decision import Decision
from ..controller.scram import alter_user_scram_credentials, describe_user_scram_credentials
from ..metadata.image import MetadataImage
from ..metadata.log import Conflict, catch_up, load_image
from ..protocol.apis.alter_user_scram_credentials import AlterUserScramCredentialsRequest
from ..protocol.apis.create_acls import CreateAclsRequest
from ..protocol.apis.delete_acls import DeleteAclsRequest
from ..protocol.apis.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
)
from ..protocol.schema import Request

#: In every version of the requests asked here, filters have patterns of names.
_FILTER_VERSION = 3
Decide = Callable[[MetadataImage], Decision[Any]]


class Door(Protocol):
    """Answers requests about users and rules."""

    async def ask(self, request: Request) -> Any: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Network:
    """A running cluster. Raises `ClientError`."""

    def __init__(self, config: Config) -> None:
        self._cluster = Cluster(config)

    async def __aenter__(self) -> Self:
        try:
            await self._cluster.start()
        except BaseException:
            await self._cluster.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cluster.close()

    async def ask(self, request: Request) -> Any:
        return await self._cluster.request(request, CONTROLLER)


class Folder:
    """The metadata log of a data folder. Raises `MetadataLogError` and what reading a Kafka's folder raises."""

    def __init__(self, config: BrokerConfig) -> None:
        self._broker = Broker(config)  # not started: it knows where its log is and how a new one begins

    async def __aenter__(self) -> Self:
        broker = self._broker
        cluster_id = stored_cluster_id(broker.logs.directories, broker.node_id) or new_cluster_id()
        try:
            self._image = await load_image(broker.metadata, await broker.metadata.open(cluster_id))
            if self._image.version == 0:
                if find_kafka_metadata(broker.config.log_dirs, broker.config.string("metadata.log.dir")) is not None:
                    raise TakeoverError("the folder is Apache Kafka's: start the broker once, so that it takes it over")
                self._image = await broker.begin_metadata(self._image)
        except BaseException:
            await broker.metadata.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._broker.metadata.close()

    async def ask(self, request: Request) -> Any:
        if isinstance(request, DescribeUserScramCredentialsRequest):
            results = describe_user_scram_credentials(self._image, request)
            return DescribeUserScramCredentialsResponse(results=results)
        decide = _decision(request)
        while True:
            decision = decide(self._image)
            if not decision.records:
                return decision.response
            try:
                version = await self._broker.metadata.append(decision.records, self._image.version)
            except Conflict:
                self._image = catch_up(self._image, await self._broker.metadata.read(self._image.version))
                continue
            self._image = self._image.apply(decision.records, version)
            return decision.response


def _decision(request: Request) -> Decide:
    """Find what the controller would decide."""
    if isinstance(request, AlterUserScramCredentialsRequest):
        return lambda image: alter_user_scram_credentials(image, request)
    if isinstance(request, CreateAclsRequest):
        return lambda image: create_acls(image, request, random=RANDOM)
    if isinstance(request, DeleteAclsRequest):
        filters = [read_filter(each, _FILTER_VERSION) for each in request.filters]
        return lambda image: delete_acls(image, filters)
    raise TypeError(f"{type(request).__name__} is not asked of a folder")
