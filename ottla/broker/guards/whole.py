"""Requests that are allowed or refused as a whole: the cluster's, and those of one group."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...protocol.apis import API_KEYS, create_acls, delete_acls, elect_leaders, response_class
from ...protocol.apis import alter_client_quotas as alter_quotas
from ...protocol.apis import alter_partition_reassignments as reassign
from ...protocol.apis import alter_replica_log_dirs as log_dirs
from ...protocol.apis import alter_user_scram_credentials as alter_scram
from ...protocol.apis import describe_user_scram_credentials as describe_scram
from ...protocol.apis import list_partition_reassignments as reassigned
from ...protocol.apis import write_txn_markers as markers
from ...protocol.errors import ErrorCode
from ...security import acl
from .asking import TEXT

if TYPE_CHECKING:
    from ..dispatch import Context, Handler
    from .asking import Asking

#: Request, code, version, and why in Kafka's words.
Refuse = Callable[[Any, ErrorCode, int, str], Any]
CLUSTER_FAILED = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
GROUP_FAILED = ErrorCode.GROUP_AUTHORIZATION_FAILED
_DISTINCT_PROTOCOL_SINCE = 7
_MANDATORY_PROTOCOL_SINCE = 5
_ELECTION_ERROR_SINCE = 1
_QUORUM_TEXT_SINCE = 2


def on_cluster(*operations: int, refuse: Refuse | None = None) -> Any:
    """Demand one of `operations` on the cluster."""

    def guard(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
        *first, last = operations
        if any(asking.may_on_cluster(each, tell_refusal=False) for each in first) or asking.may_on_cluster(last):
            return function(context, request)
        text = f"Request {API_KEYS[request.API_KEY].name} needs {acl.OPERATIONS[last]} permission."
        return (refuse or refused)(request, CLUSTER_FAILED, context.version, text)

    return guard


def on_group(operation: int, refuse: Refuse | None = None) -> Any:
    """Demand `operation` on the group that the request names."""

    def guard(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
        if asking.may(operation, acl.GROUP, request.group_id or ""):
            return function(context, request)
        return (refuse or refused)(request, GROUP_FAILED, context.version, TEXT[GROUP_FAILED])

    return guard


def sync_group(asking: Asking, context: Context, request: Any, function: Handler) -> Any:
    """READ on the group; whether the protocol is named comes first, as in Kafka."""
    unnamed = request.protocol_type is None or request.protocol_name is None
    if context.version >= _MANDATORY_PROTOCOL_SINCE and unnamed:
        return function(context, request)
    return on_group(acl.READ)(asking, context, request, function)


# ── how refusals look ───────────────────────────────────────────────────────────────────────────────────────────


def refused(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer with the code at the top."""
    response: Any = response_class(request.API_KEY)()
    response.error_code = code
    return response


def refused_with_text(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer with the code at the top, and what it means."""
    response = refused(request, code, version, text)
    response.error_message = text
    return response


def refused_quorum(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer DescribeQuorum, which has a place for the text since v2."""
    response = refused(request, code, version, text)
    if version >= _QUORUM_TEXT_SINCE:
        response.error_message = TEXT[code]
    return response


def refused_with_general_text(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer with the code at the top, and what it always means."""
    return refused_with_text(request, code, version, TEXT[code])


def refused_join(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer JoinGroup: no protocol is null, and was the empty string."""
    response = refused(request, code, version, text)
    response.protocol_name = None if version >= _DISTINCT_PROTOCOL_SINCE else ""
    return response


def refused_init_producer_id(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer InitProducerId: without an id."""
    response = refused(request, code, version, text)
    response.producer_id = response.producer_epoch = -1
    return response


def refused_quotas(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer DescribeClientQuotas: no list of entries, rather than an empty one."""
    response = refused(request, code, version, text)
    response.entries = response.error_message = None
    return response


def refused_alter_quotas(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer AlterClientQuotas: at each entity."""
    rows = [
        alter_quotas.ResponseEntryData(
            error_code=code,
            error_message=TEXT[code],
            entity=[
                alter_quotas.EntityData(entity_type=each.entity_type, entity_name=each.entity_name)
                for each in entry.entity
            ],
        )
        for entry in request.entries
    ]
    return alter_quotas.AlterClientQuotasResponse(entries=rows)


def refused_elections(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer ElectLeaders: at the top and at each partition."""
    rows = [
        elect_leaders.ReplicaElectionResult(
            topic=topic.topic,
            partition_result=[
                elect_leaders.PartitionResult(partition_id=index, error_code=code, error_message=text)
                for index in topic.partitions
            ],
        )
        for topic in request.topic_partitions or ()
    ]
    answer = elect_leaders.ElectLeadersResponse(replica_election_results=rows)
    if version >= _ELECTION_ERROR_SINCE:
        answer.error_code = code
    return answer


def refused_reassignments(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer AlterPartitionReassignments: at the top and at each partition."""
    rows = [
        reassign.ReassignableTopicResponse(
            name=topic.name,
            partitions=[
                reassign.ReassignablePartitionResponse(
                    partition_index=each.partition_index, error_code=code, error_message=text
                )
                for each in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return reassign.AlterPartitionReassignmentsResponse(error_code=code, error_message=text, responses=rows)


def refused_list_of_reassignments(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer ListPartitionReassignments: at the top, and the partitions again without their replicas."""
    rows = [
        reassigned.OngoingTopicReassignment(
            name=topic.name,
            partitions=[
                reassigned.OngoingPartitionReassignment(partition_index=index) for index in topic.partition_indexes
            ],
        )
        for topic in request.topics or ()
    ]
    return reassigned.ListPartitionReassignmentsResponse(error_code=code, error_message=text, topics=rows)


def refused_log_dirs(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer AlterReplicaLogDirs: at each partition."""
    rows = [
        log_dirs.AlterReplicaLogDirTopicResult(
            topic_name=topic.name,
            partitions=[
                log_dirs.AlterReplicaLogDirPartitionResult(partition_index=index, error_code=code)
                for index in topic.partitions
            ],
        )
        for directory in request.dirs
        for topic in directory.topics
    ]
    return log_dirs.AlterReplicaLogDirsResponse(results=rows)


def refused_markers(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer WriteTxnMarkers: at each partition."""
    rows = [
        markers.WritableTxnMarkerResult(
            producer_id=marker.producer_id,
            topics=[
                markers.WritableTxnMarkerTopicResult(
                    name=topic.name,
                    partitions=[
                        markers.WritableTxnMarkerPartitionResult(partition_index=index, error_code=code)
                        for index in topic.partition_indexes
                    ],
                )
                for topic in marker.topics
            ],
        )
        for marker in request.markers
    ]
    return markers.WriteTxnMarkersResponse(markers=rows)


def refused_create_acls(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer CreateAcls: at each rule."""
    return create_acls.CreateAclsResponse(
        results=[create_acls.AclCreationResult(error_code=code, error_message=text) for _ in request.creations]
    )


def refused_delete_acls(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer DeleteAcls: at each filter."""
    return delete_acls.DeleteAclsResponse(
        filter_results=[
            delete_acls.DeleteAclsFilterResult(error_code=code, error_message=text) for _ in request.filters
        ]
    )


def refused_share_state(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer what a share group's coordinator asks about its state: at each partition."""
    response: Any = response_class(request.API_KEY)()
    kinds = {field.name: field.type for field in response.FIELDS}
    result = kinds["results"]
    parts = {field.name: field.type for field in result.FIELDS}["partitions"]
    response.results = [
        result(
            topic_id=topic.topic_id,
            partitions=[
                parts(partition=each.partition, error_code=code, error_message=TEXT[code]) for each in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return response


def refused_describe_scram(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer DescribeUserScramCredentials: at the top and once for each user, whose name is not repeated."""
    rows = [
        describe_scram.DescribeUserScramCredentialsResult(error_code=code, error_message=None)
        for _ in request.users or ()
    ]
    return describe_scram.DescribeUserScramCredentialsResponse(error_code=code, error_message=None, results=rows)


def refused_alter_scram(request: Any, code: ErrorCode, version: int, text: str) -> Any:
    """Answer AlterUserScramCredentials: at each user."""
    users = {each.name for each in (*request.deletions, *request.upsertions)}
    rows = [
        alter_scram.AlterUserScramCredentialsResult(user=user, error_code=code, error_message=text)
        for user in sorted(users)
    ]
    return alter_scram.AlterUserScramCredentialsResponse(results=rows)
