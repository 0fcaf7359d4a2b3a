"""Metadata (key 3): brokers of the cluster, and partitions of topics with their leaders.

Answered by any broker from what it knows; may create topics that are missing.
In v0 no topics mean all, from v1 null means all and none means none; v1 adds controller and racks. v4 can forbid
creation (KIP-204), v5 lists offline replicas (KIP-112), v7 adds leader epochs (KIP-320), v8 authorized operations
(KIP-430), v9 is flexible. v10 has topic ids in its answer, v12 in the question too (KIP-516). v11 leaves the
cluster's authorized operations to DescribeCluster (KIP-700). v13 has a top-level error, for REBOOTSTRAP_REQUIRED
(KIP-1102).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string, uuid


class MetadataRequestTopic(Struct):
    topic_id: uuid = f("10+", ignorable=True)
    name: string | None = f(nullable="10+")


class MetadataRequest(Request, api_key=3, versions="0-13", flexible="9+"):
    topics: list[MetadataRequestTopic] | None = f(nullable="1+")
    allow_auto_topic_creation: bool = f("4+", default=True)
    include_cluster_authorized_operations: bool = f("8-10")
    include_topic_authorized_operations: bool = f("8+")


class MetadataResponseBroker(Struct):
    node_id: int32
    host: string
    port: int32
    rack: string | None = f("1+", default=None, ignorable=True)


class MetadataResponsePartition(Struct):
    error_code: int16
    partition_index: int32
    leader_id: int32
    leader_epoch: int32 = f("7+", default=-1, ignorable=True)
    replica_nodes: list[int32]
    isr_nodes: list[int32]
    offline_replicas: list[int32] = f("5+", ignorable=True)


class MetadataResponseTopic(Struct):
    error_code: int16
    name: string | None = f(nullable="12+")
    topic_id: uuid = f("10+", ignorable=True)
    is_internal: bool = f("1+", ignorable=True)
    partitions: list[MetadataResponsePartition]
    topic_authorized_operations: int32 = f("8+", default=-2147483648)


class MetadataResponse(Response, api_key=3, versions="0-13", flexible="9+"):
    throttle_time_ms: int32 = f("3+", ignorable=True)
    brokers: list[MetadataResponseBroker]
    cluster_id: string | None = f("2+", default=None, ignorable=True)
    controller_id: int32 = f("1+", default=-1, ignorable=True)
    topics: list[MetadataResponseTopic]
    cluster_authorized_operations: int32 = f("8-10", default=-2147483648)
    error_code: int16 = f("13+", ignorable=True)
