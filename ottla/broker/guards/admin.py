"""Creating, deleting and widening topics, and configs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ...metadata.image import ResourceType
from ...protocol.apis import alter_configs, create_partitions, create_topics, delete_topics, describe_configs
from ...protocol.apis import incremental_alter_configs as incremental
from ...protocol.errors import ErrorCode
from ...protocol.schema import ZERO_UUID
from ...security import acl
from ..operations import NOT_ASKED
from .asking import TEXT, then
from .topics import REFUSED
from .whole import CLUSTER_FAILED, GROUP_FAILED

if TYPE_CHECKING:
    from ..dispatch import Context, Handler
    from .asking import Asking

#: The one topic that nobody may create; saying so is the handler's affair.
_CLUSTER_METADATA = "__cluster_metadata"
_IDS_SINCE = 6


def creation(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """CREATE on the cluster or on each topic; configs are told to who has DESCRIBE_CONFIGS."""
    counts = Counter(topic.name for topic in request.topics)
    names = [name for name, count in counts.items() if count == 1 and name != _CLUSTER_METADATA]
    allowed = set(names)
    if not asking.may_on_cluster(acl.CREATE, tell_refusal=False):
        allowed = asking.which(acl.CREATE, acl.TOPIC, names)
    out = [name for name in names if name not in allowed]
    configs = asking.which(acl.DESCRIBE_CONFIGS, acl.TOPIC, names, tell_refusal=False)
    request.topics = [topic for topic in request.topics if topic.name not in set(out)]

    def finish(answer: Any) -> Any:
        for topic in answer.topics:
            if topic.name not in configs and not topic.error_code:
                topic.topic_config_error_code = REFUSED
                topic.num_partitions = topic.replication_factor = -1
                topic.configs = []
        answer.topics += [
            create_topics.CreatableTopicResult(name=name, error_code=REFUSED, error_message="Authorization failed.")
            for name in out
        ]
        return answer

    return then(function(context, request), finish)


def deletion(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DELETE on the cluster or on each topic; without DESCRIBE not even whether it exists is told."""
    if not context.broker.config.boolean("delete.topic.enable"):
        return function(context, request)
    if asking.may_on_cluster(acl.DELETE, tell_refusal=False):
        return function(context, request)
    by_id = context.version >= _IDS_SINCE
    images = context.broker.image.topics
    states = request.topics if by_id else [delete_topics.DeleteTopicState(name=name) for name in request.topic_names]
    keys = [(state.name, state.topic_id) for state in states]
    twice = {key for key, count in Counter(keys).items() if count > 1}
    #: Of those that are named rightly and once: the name by which each is judged.
    names: dict[Any, str] = {}
    for name, topic_id in keys:
        if (name, topic_id) in twice or (name is None) == (topic_id == ZERO_UUID):
            continue
        if name is not None:
            names[name, topic_id] = name
        elif (image := images.by_id(topic_id)) is not None:
            names[name, topic_id] = image.name
    seen = asking.which(acl.DESCRIBE, acl.TOPIC, names.values())
    allowed = asking.which(acl.DELETE, acl.TOPIC, names.values())
    rows = []
    out = set()
    for (name, topic_id), real in names.items():
        if real in allowed and real in seen:
            continue
        if real in seen and real not in images:
            continue  # it does not exist, and who may describe it may know that
        if topic_id != ZERO_UUID and real in allowed:
            continue
        out.add((name, topic_id))
        shown = name if topic_id == ZERO_UUID or real not in seen else real
        rows.append(
            delete_topics.DeletableTopicResult(
                name=shown, topic_id=topic_id, error_code=REFUSED, error_message=TEXT[REFUSED]
            )
        )
    if not rows:
        return function(context, request)
    if by_id:
        request.topics = [state for state, key in zip(states, keys, strict=True) if key not in out]
    else:
        request.topic_names = [key[0] for key in keys if key not in out]

    def add(answer: Any) -> Any:
        answer.responses += rows
        return answer

    return then(function(context, request), add)


def widening(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """ALTER on each topic."""
    counts = Counter(topic.name for topic in request.topics)
    names = [name for name, count in counts.items() if count == 1]
    out = set(names) - asking.which(acl.ALTER, acl.TOPIC, names)
    if not out:
        return function(context, request)
    request.topics = [topic for topic in request.topics if topic.name not in out]
    rows = [create_partitions.CreatePartitionsTopicResult(name=name, error_code=REFUSED) for name in out]
    for row in rows:
        row.error_message = None

    def add(answer: Any) -> Any:
        answer.results += rows
        return answer

    return then(function(context, request), add)


# ── configs ─────────────────────────────────────────────────────────────────────────────────────────────────────

_OWNED = {ResourceType.TOPIC: (acl.TOPIC, REFUSED), ResourceType.GROUP: (acl.GROUP, GROUP_FAILED)}
_CLUSTERS = frozenset({ResourceType.BROKER, ResourceType.BROKER_LOGGER, ResourceType.CLIENT_METRICS})


def _judge(asking: Asking, operation: int, resource: Any) -> ErrorCode | None:
    """Return why the client may not do `operation` to the configs of a resource; None if it may."""
    if resource.resource_type in _CLUSTERS:
        return None if asking.may_on_cluster(operation) else CLUSTER_FAILED
    kind, code = _OWNED[resource.resource_type]
    return None if asking.may(operation, kind, resource.resource_name) else code


def description_of_configs(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """DESCRIBE_CONFIGS on the topic or group, on the cluster for everything else."""
    if any(each.resource_type not in _CLUSTERS and each.resource_type not in _OWNED for each in request.resources):
        return function(context, request)  # fails as a whole
    judged = [(each, _judge(asking, acl.DESCRIBE_CONFIGS, each)) for each in request.resources]
    rows = [
        describe_configs.DescribeConfigsResult(
            error_code=code,
            error_message=TEXT[code],
            resource_type=each.resource_type,
            resource_name=each.resource_name,
        )
        for each, code in judged
        if code is not None
    ]
    if not rows:
        return function(context, request)
    request.resources = [each for each, code in judged if code is None]

    def add(answer: Any) -> Any:
        answer.results += rows
        return answer

    return then(function(context, request), add)


def _altering(row: Any) -> Any:
    """ALTER_CONFIGS on the topic or group, on the cluster for everything else."""

    def guard(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
        counts = Counter((each.resource_type, each.resource_name) for each in request.resources)
        passed, rows = [], []
        for each in request.resources:
            known = each.resource_type in _CLUSTERS or each.resource_type in _OWNED
            code = None
            if known and counts[each.resource_type, each.resource_name] == 1:
                code = _judge(asking, acl.ALTER_CONFIGS, each)
            if code is None:
                passed.append(each)
            else:
                rows.append(
                    row(
                        error_code=code,
                        error_message=None if each.resource_type == ResourceType.BROKER_LOGGER else TEXT[code],
                        resource_type=each.resource_type,
                        resource_name=each.resource_name,
                    )
                )
        if not rows:
            return function(context, request)
        request.resources = passed

        def add(answer: Any) -> Any:
            answer.responses += rows
            return answer

        return then(function(context, request), add)

    return guard


alteration_of_configs = _altering(alter_configs.AlterConfigsResourceResponse)
change_of_configs = _altering(incremental.AlterConfigsResourceResponse)


def description_of_cluster(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """What the client may do to the cluster is told to who has DESCRIBE on it."""

    def tell(answer: Any) -> Any:
        if answer.cluster_authorized_operations != NOT_ASKED:
            may = asking.may_on_cluster(acl.DESCRIBE)
            operations = asking.operations(acl.CLUSTER, acl.CLUSTER_NAME) if may else 0
            answer.cluster_authorized_operations = operations
        return answer

    return then(function(context, request), tell)
