"""StreamsGroupHeartbeat (key 88): join, stay in, change and leave a group of Kafka Streams (KIP-1071).

Answered by the group's coordinator, which holds the topology, creates what internal topics are missing through the
controller, and hands out active, standby and warm-up tasks. Epoch 0 joins, -1 leaves, -2 leaves but keeps the place
of a static member; fields that did not change are null.
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, int64, string, uint16


class KeyValue(Struct):
    key: string
    value: string


class TopicInfo(Struct):
    name: string
    partitions: int32
    replication_factor: int16
    topic_configs: list[KeyValue]


class Endpoint(Struct):
    host: string
    port: uint16


class TaskOffset(Struct):
    subtopology_id: string
    partition: int32
    offset: int64


class TaskIds(Struct):
    subtopology_id: string
    partitions: list[int32]


class CopartitionGroup(Struct):
    source_topics: list[int16]
    source_topic_regex: list[int16]
    repartition_source_topics: list[int16]


class Subtopology(Struct):
    subtopology_id: string
    source_topics: list[string]
    source_topic_regex: list[string]
    state_changelog_topics: list[TopicInfo]
    repartition_sink_topics: list[string]
    repartition_source_topics: list[TopicInfo]
    copartition_groups: list[CopartitionGroup]


class Topology(Struct):
    epoch: int32
    subtopologies: list[Subtopology]


class StreamsGroupHeartbeatRequest(Request, api_key=88, versions="0", flexible="0+"):
    group_id: string
    member_id: string
    member_epoch: int32
    endpoint_information_epoch: int32
    instance_id: string | None = f(default=None)
    rack_id: string | None = f(default=None)
    rebalance_timeout_ms: int32 = f(default=-1)
    topology: Topology | None = f(default=None)
    active_tasks: list[TaskIds] | None = f(default=None)
    standby_tasks: list[TaskIds] | None = f(default=None)
    warmup_tasks: list[TaskIds] | None = f(default=None)
    process_id: string | None = f(default=None)
    user_endpoint: Endpoint | None = f(default=None)
    client_tags: list[KeyValue] | None = f(default=None)
    task_offsets: list[TaskOffset] | None = f(default=None)
    task_end_offsets: list[TaskOffset] | None = f(default=None)
    shutdown_application: bool


class Status(Struct):
    status_code: int8
    status_detail: string


class TopicPartition(Struct):
    topic: string
    partitions: list[int32]


class EndpointToPartitions(Struct):
    user_endpoint: Endpoint
    active_partitions: list[TopicPartition]
    standby_partitions: list[TopicPartition]


class StreamsGroupHeartbeatResponse(Response, api_key=88, versions="0", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None = f(default=None)
    member_id: string
    member_epoch: int32
    heartbeat_interval_ms: int32
    acceptable_recovery_lag: int32
    task_offset_interval_ms: int32
    status: list[Status] | None
    active_tasks: list[TaskIds] | None = f(default=None)
    standby_tasks: list[TaskIds] | None = f(default=None)
    warmup_tasks: list[TaskIds] | None = f(default=None)
    endpoint_information_epoch: int32
    partitions_by_user_endpoint: list[EndpointToPartitions] | None = f(default=None)
