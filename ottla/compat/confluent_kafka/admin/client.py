"""AdminClient of confluent_kafka: most calls give a dict of futures, one for each thing asked about."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from ....client.admin.admin import Admin as AsyncAdmin
from ....client.blocking import IoThread
from ....client.cluster import ANY, GROUP, Coordinator
from ....client.errors import BrokerError, ClientError
from ....protocol.apis.describe_cluster import DescribeClusterRequest
from ....protocol.apis.describe_groups import DescribeGroupsRequest
from ....protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ....protocol.errors import ErrorCode
from ..config import merged, translate
from ..enums import ConsumerGroupState, ConsumerGroupType, ElectionType, IsolationLevel
from ..errors import KafkaError, as_exception, as_kafka_error
from ..hooks import Hooks
from ..types import ConsumerGroupTopicPartitions, Node, TopicCollection, TopicPartition
from .model import (
    NOT_ASKED,
    SOURCES,
    BrokerMetadata,
    ClusterMetadata,
    ConfigEntry,
    ConfigResource,
    ConsumerGroupDescription,
    ConsumerGroupListing,
    DeletedRecords,
    DescribeClusterResult,
    GroupMember,
    GroupMetadata,
    ListConsumerGroupsResult,
    ListOffsetsResultInfo,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    TopicMetadata,
    group_state,
    group_type,
    member,
    nodes,
    operations,
    topic_description,
    topic_metadata,
)
from .security import (
    AclBinding,
    AclBindingFilter,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
    binding,
    credentials,
    mechanism_name,
)


class AdminClient:
    """See the head of the module."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        settings = {k: v for k, v in merged(*arguments, **more).items() if not k.startswith("partition.assignment")}
        self._config = translate(settings)
        self._hooks = Hooks(self, settings, lambda: {"type": "admin"})
        self._io = IoThread("ottla-confluent-admin")
        self._admin: AsyncAdmin | None = None

    def poll(self, timeout: float = -1) -> int:
        """Serve `stats_cb`; futures are done without it."""
        self._hooks.serve()
        return 0

    def set_sasl_credentials(self, username: str, password: str) -> None:
        """For connections that are made from now on."""
        self._config = self._config.replace(sasl_username=username, sasl_password=password)
        if self._admin is not None:
            self._admin._connections.connector.config = self._config

    def __enter__(self) -> AdminClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    async def _room(self) -> AsyncAdmin:
        if self._admin is None:
            admin = AsyncAdmin(self._config)
            await admin.start()
            self._admin = admin
        return self._admin

    def _close(self) -> None:
        async def end() -> None:
            if self._admin is not None:
                await self._admin.close()

        if not self._io.loop.is_closed():
            self._io.run(end())
            self._io.stop()

    def __del__(self) -> None:
        """There is no close in the library: dropping the client does it."""
        if hasattr(self, "_io") and not sys.is_finalizing():
            self._close()

    def _future(self, work: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()

        async def run() -> None:
            try:
                result = await work(await self._room())
            except (ClientError, ExceptionGroup) as problem:
                error = as_exception(problem)
                self._hooks.failed(error.args[0])
                future.set_exception(error)
            except BaseException as problem:
                future.set_exception(problem)
                raise
            else:
                future.set_result(result)

        asyncio.run_coroutine_threadsafe(run(), self._io.loop)
        return future

    def _now(self, work: Any) -> Any:
        return self._future(work).result()

    # ── topics ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def create_topics(
        self, new_topics: list[NewTopic], validate_only: bool = False, **_: Any
    ) -> dict[str, Future[Any]]:
        """Topic -> future."""
        _check(new_topics, NewTopic, lambda topic: topic.topic)

        def creation(topic: NewTopic) -> Any:
            return lambda admin: admin.topics.create(
                topic.topic, partitions=topic.num_partitions, replication_factor=topic.replication_factor,
                assignments=topic.replica_assignment, config={k: str(v) for k, v in topic.config.items()},
                validate_only=validate_only,
            )  # fmt: skip

        return {topic.topic: self._future(creation(topic)) for topic in new_topics}

    def delete_topics(self, topics: list[str], **_: Any) -> dict[str, Future[Any]]:
        _check(topics, str, lambda topic: topic)
        return {topic: self._future(lambda a, t=topic: a.topics.delete(t)) for topic in topics}

    def create_partitions(
        self, new_partitions: list[NewPartitions], validate_only: bool = False, **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        _check(new_partitions, NewPartitions, lambda each: each.topic)

        def growth(each: NewPartitions) -> Any:
            return lambda admin: admin.topics.set_partitions(
                each.topic, each.new_total_count, assignments=each.replica_assignment, validate_only=validate_only
            )

        return {each.topic: self._future(growth(each)) for each in new_partitions}

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> ClusterMetadata:
        """The cluster's brokers and topics."""

        async def ask(admin: AsyncAdmin) -> ClusterMetadata:
            cluster = await admin.cluster.describe()
            try:
                topics = await admin.topics.describe(None if topic is None else topic)
                missing = None
            except ClientError as problem:
                topics, missing = {}, as_kafka_error(problem)
            found = {name: topic_metadata(each) for name, each in topics.items()}
            if topic is not None and missing is not None:
                found[topic] = TopicMetadata(topic=topic, partitions={}, error=missing)
            brokers = {b.id: BrokerMetadata(id=b.id, host=b.host, port=b.port) for b in cluster.brokers}
            return ClusterMetadata(
                cluster_id=cluster.id, controller_id=cluster.controller_id, brokers=brokers, topics=found,
                orig_broker_id=-1, orig_broker_name=None,
            )  # fmt: skip

        found: ClusterMetadata = self._now(ask)
        return found

    def describe_topics(
        self, topics: TopicCollection, include_authorized_operations: bool = False, **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, name: str) -> Any:
            topic = (await admin.topics.describe(name))[name]
            allowed = NOT_ASKED
            if include_authorized_operations:
                request = MetadataRequest(
                    topics=[MetadataRequestTopic(name=name)], allow_auto_topic_creation=False,
                    include_topic_authorized_operations=True,
                )  # fmt: skip
                answer = await admin.topics._ask(request, ANY, low=8)
                allowed = answer.topics[0].topic_authorized_operations
            return topic_description(topic, nodes((await admin.cluster.describe()).brokers), allowed)

        return {name: self._future(lambda a, n=name: ask(a, n)) for name in topics.topic_names}

    def describe_cluster(self, include_authorized_operations: bool = False, **_: Any) -> Future[Any]:
        async def ask(admin: AsyncAdmin) -> Any:
            told = await admin.cluster.describe()
            allowed = NOT_ASKED
            if include_authorized_operations:
                request = DescribeClusterRequest(include_cluster_authorized_operations=True)
                allowed = (await admin.cluster._ask(request, ANY)).cluster_authorized_operations
            brokers = nodes(told.brokers)
            return DescribeClusterResult(
                cluster_id=told.id, controller=brokers.get(told.controller_id), nodes=list(brokers.values()),
                authorized_operations=operations(allowed),
            )  # fmt: skip

        return self._future(ask)

    def delete_records(self, partitions: list[TopicPartition], **_: Any) -> dict[TopicPartition, Future[Any]]:
        async def ask(admin: AsyncAdmin, p: TopicPartition) -> Any:
            found = await admin.topics.delete_records({p._key: p.offset})
            return DeletedRecords(low_watermark=found[p._key])

        return {p: self._future(lambda a, p=p: ask(a, p)) for p in partitions}

    def list_offsets(
        self, topic_partition_offsets: dict[TopicPartition, OffsetSpec],
        isolation_level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED, **_: Any,
    ) -> dict[TopicPartition, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, p: TopicPartition, spec: OffsetSpec) -> Any:
            committed = isolation_level is IsolationLevel.READ_COMMITTED
            found = (await admin.topics.offsets([p._key], spec._value, committed=committed))[p._key]
            return ListOffsetsResultInfo(
                offset=found.offset, timestamp=found.timestamp, leader_epoch=found.leader_epoch
            )

        asked = topic_partition_offsets.items()
        return {p: self._future(lambda a, p=p, spec=spec: ask(a, p, spec)) for p, spec in asked}

    # ── configs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def describe_configs(self, resources: list[ConfigResource], **_: Any) -> dict[ConfigResource, Future[Any]]:
        async def ask(admin: AsyncAdmin, resource: ConfigResource) -> Any:
            entries = await admin.configs.get(resource.ours)
            return {
                name: ConfigEntry(
                    name, e.value, source=SOURCES.get(e.source, 0), is_read_only=e.read_only,
                    is_default=e.source == "default", is_sensitive=e.sensitive, is_synonym=False, synonyms={},
                )
                for name, e in entries.items()
            }  # fmt: skip

        return {each: self._future(lambda a, r=each: ask(a, r)) for each in resources}

    def incremental_alter_configs(
        self, resources: list[ConfigResource], validate_only: bool = False, **_: Any
    ) -> dict[ConfigResource, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, resource: ConfigResource) -> None:
            fields = [vars(entry) for entry in resource.incremental_configs]
            ops = [(f["name"], f["incremental_operation"].value, f["value"]) for f in fields]
            await admin.configs._alter(resource.ours, ops, validate_only)

        return {each: self._future(lambda a, r=each: ask(a, r)) for each in resources}

    def alter_configs(
        self, resources: list[ConfigResource], validate_only: bool = False, **_: Any
    ) -> dict[ConfigResource, Future[Any]]:  # fmt: skip
        """Set all configs of a resource: those that are not named go back to their defaults."""

        async def ask(admin: AsyncAdmin, resource: ConfigResource) -> None:
            now = await admin.configs.get(resource.ours)
            dynamic = [n for n, e in now.items() if e.source in ("topic", "broker", "group")]
            ops: list[tuple[str, int, Any]] = [
                (name, 1, None) for name in dynamic if name not in resource.set_config_dict
            ]
            ops += [(name, 0, str(value)) for name, value in resource.set_config_dict.items()]
            await admin.configs._alter(resource.ours, ops, validate_only)

        return {each: self._future(lambda a, r=each: ask(a, r)) for each in resources}

    # ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def list_groups(self, group: str | None = None, timeout: float = -1) -> list[GroupMetadata]:
        """The classic way to list: all groups with their members, or one."""

        async def ask(admin: AsyncAdmin) -> list[GroupMetadata]:
            brokers = nodes((await admin.cluster.describe()).brokers)
            found = []
            for listed in await admin.groups.list():
                if group not in (None, listed.id):
                    continue
                told = await admin.groups.describe(listed.id)
                members = [
                    GroupMember(id=m.id, client_id=m.client_id, client_host=m.host, metadata=b"", assignment=b"")
                    for m in told.members
                ]
                found.append(
                    GroupMetadata(
                        id=listed.id, broker=brokers.get(told.coordinator), state=told.state, members=members,
                        protocol_type=listed.protocol_type, protocol=told.assignor, error=None,
                    )
                )  # fmt: skip
            return found

        found: list[GroupMetadata] = self._now(ask)
        return found

    def list_consumer_groups(self, states: Any = (), types: Any = (), **_: Any) -> Future[Any]:
        for each in states or ():
            if not isinstance(each, ConsumerGroupState):
                raise TypeError("All elements of states must be of type ConsumerGroupState")
        for each in types or ():
            if not isinstance(each, ConsumerGroupType):
                raise TypeError("All elements of types must be of type ConsumerGroupType")

        async def ask(admin: AsyncAdmin) -> Any:
            listings = [
                ConsumerGroupListing(
                    group_id=g.id, is_simple_consumer_group=not g.protocol_type, state=group_state(g.state),
                    type=group_type(g.type),
                )
                for g in await admin.groups.list()
                if g.type in ("classic", "consumer", "")
            ]  # fmt: skip
            fields = [(each, vars(each)) for each in listings]
            valid = [
                each
                for each, told in fields
                if (not states or told["state"] in states) and (not types or told["type"] in types)
            ]
            return ListConsumerGroupsResult(valid=valid, errors=[])

        return self._future(ask)

    def describe_consumer_groups(
        self, group_ids: list[str], include_authorized_operations: bool = False, **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        _check(group_ids, str, lambda group: group)

        async def ask(admin: AsyncAdmin, group: str) -> Any:
            try:
                told = await admin.groups.describe(group)
            except BrokerError as problem:
                if problem.code is not ErrorCode.GROUP_ID_NOT_FOUND:
                    raise
                return _dead(group)  # librdkafka's word for a group that is not there
            allowed = NOT_ASKED
            if include_authorized_operations:
                request = DescribeGroupsRequest(groups=[group], include_authorized_operations=True)
                answer = await admin.groups._ask(request, Coordinator(GROUP, group), low=3)
                allowed = answer.groups[0].authorized_operations
            brokers = nodes((await admin.cluster.describe()).brokers)
            return ConsumerGroupDescription(
                group_id=group, is_simple_consumer_group=False, members=[member(m) for m in told.members],
                partition_assignor=told.assignor, state=group_state(told.state), type=group_type(told.type),
                coordinator=brokers.get(told.coordinator), authorized_operations=operations(allowed),
            )  # fmt: skip

        return {group: self._future(lambda a, g=group: ask(a, g)) for group in group_ids}

    def delete_consumer_groups(self, group_ids: list[str], **_: Any) -> dict[str, Future[Any]]:
        return {group: self._future(lambda a, g=group: a.groups.delete(g)) for group in group_ids}

    def list_consumer_group_offsets(
        self, requests: list[ConsumerGroupTopicPartitions], **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, group: str, partitions: Any) -> Any:
            keys = None if partitions is None else [p._key for p in partitions]
            found = await admin.groups.offsets(group, keys)
            rows = [TopicPartition(*key, c.offset, c.metadata or None) for key, c in sorted(found.items())]
            return ConsumerGroupTopicPartitions(group, rows)

        asked = [(each.group_id, each.topic_partitions) for each in requests]
        return {group: self._future(lambda a, g=group, p=p: ask(a, g, p)) for group, p in asked}

    def alter_consumer_group_offsets(
        self, requests: list[ConsumerGroupTopicPartitions], **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        async def ask(admin: AsyncAdmin, group: str, partitions: Any) -> Any:
            await admin.groups.set_offsets(group, {p._key: p.offset for p in partitions})
            return ConsumerGroupTopicPartitions(group, partitions)

        asked = [(each.group_id, each.topic_partitions) for each in requests]
        return {group: self._future(lambda a, g=group, p=p: ask(a, g, p)) for group, p in asked}

    # ── rules and users ─────────────────────────────────────────────────────────────────────────────────────────────────

    def create_acls(self, acls: list[AclBinding], **_: Any) -> dict[AclBinding, Future[Any]]:
        """Rule -> future of None."""
        _check(acls, AclBinding, lambda acl: acl)
        return {acl: self._future(lambda a, rule=acl: a.acls.create(rule.ours)) for acl in acls}

    def describe_acls(self, acl_binding_filter: AclBindingFilter, **_: Any) -> Future[Any]:
        """A future of the rules that match."""
        if not isinstance(acl_binding_filter, AclBindingFilter):
            raise TypeError("expected an AclBindingFilter")
        wanted = acl_binding_filter

        async def ask(admin: AsyncAdmin) -> list[AclBinding]:
            ours = wanted.ours
            found = await admin.acls.list(
                principal=wanted.principal, resource=ours.resource, name=wanted.name, pattern=ours.pattern,
                host=wanted.host, operation=ours.operation, permission=ours.permission,
            )  # fmt: skip
            return [binding(acl) for acl in found]

        return self._future(ask)

    def delete_acls(
        self, acl_binding_filters: list[AclBindingFilter], **_: Any
    ) -> dict[AclBindingFilter, Future[Any]]:  # fmt: skip
        """Filter -> future of the rules that were there."""
        _check(acl_binding_filters, AclBindingFilter, lambda each: each)

        async def ask(admin: AsyncAdmin, wanted: AclBindingFilter) -> list[AclBinding]:
            return [binding(acl) for acl in await admin.acls.delete(wanted.ours)]

        return {each: self._future(lambda a, w=each: ask(a, w)) for each in acl_binding_filters}

    def describe_user_scram_credentials(self, users: list[str] | None = None, **_: Any) -> Any:
        """User -> future; a future of all users' descriptions where none are named."""
        if users is None:

            async def every(admin: AsyncAdmin) -> dict[str, Any]:
                return {user: credentials(user, found) for user, found in (await admin.users.describe()).items()}

            return self._future(every)
        _check(users, str, lambda user: user)

        async def ask(admin: AsyncAdmin, user: str) -> Any:
            return credentials(user, (await admin.users.describe(user))[user])

        return {user: self._future(lambda a, u=user: ask(a, u)) for user in users}

    def alter_user_scram_credentials(
        self, alterations: list[UserScramCredentialAlteration], **_: Any
    ) -> dict[str, Future[Any]]:  # fmt: skip
        """User -> future of None."""
        if not alterations:
            raise ValueError("Expected at least one alteration")

        async def alter(admin: AsyncAdmin, changes: list[Any]) -> None:
            for each in changes:
                if isinstance(each, UserScramCredentialUpsertion):
                    how = each.scram_credential_info
                    password = each.password if isinstance(each.password, str) else each.password.decode()
                    await admin.users.set_password(
                        each.user, password, mechanism=mechanism_name(how.mechanism), iterations=how.iterations,
                        salt=each.salt,
                    )  # fmt: skip
                else:
                    await admin.users.delete(each.user, mechanism=mechanism_name(each.mechanism))

        by_user: dict[str, list[Any]] = {}
        for each in alterations:
            by_user.setdefault(each.user, []).append(each)
        return {user: self._future(lambda a, c=changes: alter(a, c)) for user, changes in by_user.items()}

    def elect_leaders(
        self, election_type: ElectionType, partitions: list[TopicPartition] | None = None, **_: Any
    ) -> Future[Any]:  # fmt: skip
        """A future of {partition: None or its KafkaException}."""
        if not isinstance(election_type, ElectionType):
            raise TypeError("Expected 'election_type' to be of type 'ElectionType'")

        async def ask(admin: AsyncAdmin) -> dict[TopicPartition, Any]:
            unclean = election_type is ElectionType.UNCLEAN
            if partitions is None:
                return {TopicPartition(*key): None for key in await admin.partitions.elect_leaders(unclean=unclean)}
            found: dict[TopicPartition, Any] = {}
            for each in partitions:
                found[each] = None
                try:
                    if not await admin.partitions.elect_leaders([each._key], unclean=unclean):
                        found[each] = KafkaError(int(ErrorCode.ELECTION_NOT_NEEDED))
                except (ClientError, ExceptionGroup) as problem:
                    found[each] = as_kafka_error(problem)
            return found

        return self._future(ask)


def _check(items: Any, kind: type, name: Any) -> None:
    """Refuse what is no list, holds something else, or something twice."""
    if not isinstance(items, list):
        raise TypeError(f"expected list of {kind.__name__} objects")
    for each in items:
        if not isinstance(each, kind):
            raise TypeError(f"expected list of {kind.__name__} objects, not {type(each).__name__}")
    names: Iterable[Any] = [name(each) for each in items]
    if len(set(names)) < len(items):
        raise ValueError(f"{kind.__name__} must not be named twice")


def _dead(group: str) -> ConsumerGroupDescription:
    return ConsumerGroupDescription(
        group_id=group, is_simple_consumer_group=False, members=[], partition_assignor="",
        state=ConsumerGroupState.DEAD, type=ConsumerGroupType.UNKNOWN, coordinator=Node(-1, "", -1),
        authorized_operations=[],
    )  # fmt: skip
