"""CreateTopics (key 19): create topics, or only check whether they could be created.

Answered by the controller; every topic stands or falls alone.
v1 adds validate_only and messages of errors. From v4 partitions and replication factor may be -1, the broker's
default (KIP-464). v5 is flexible and answers with the topic's configuration (KIP-525). v6 may be refused for quota
with THROTTLING_QUOTA_EXCEEDED (KIP-599). v7 answers with the topic id (KIP-516).
"""

from ..schema import Request, Response, Struct, f, int8, int16, int32, string, uuid


class CreatableReplicaAssignment(Struct):
    partition_index: int32
    broker_ids: list[int32]


class CreatableTopicConfig(Struct):
    name: string
    value: string | None


class CreatableTopic(Struct):
    name: string
    num_partitions: int32
    replication_factor: int16
    assignments: list[CreatableReplicaAssignment]
    configs: list[CreatableTopicConfig]


class CreateTopicsRequest(Request, api_key=19, versions="0-7", flexible="5+"):
    topics: list[CreatableTopic]
    timeout_ms: int32 = f(default=60000)
    validate_only: bool = f("1+")


class CreatableTopicConfigs(Struct):
    name: string = f("5+")
    value: string | None = f("5+")
    read_only: bool = f("5+")
    config_source: int8 = f("5+", default=-1, ignorable=True)
    is_sensitive: bool = f("5+")


class CreatableTopicResult(Struct):
    name: string
    topic_id: uuid = f("7+", ignorable=True)
    error_code: int16
    error_message: string | None = f("1+", ignorable=True)
    topic_config_error_code: int16 = f("5+", tag=0, ignorable=True)
    num_partitions: int32 = f("5+", default=-1, ignorable=True)
    replication_factor: int16 = f("5+", default=-1, ignorable=True)
    configs: list[CreatableTopicConfigs] | None = f("5+", ignorable=True)


class CreateTopicsResponse(Response, api_key=19, versions="0-7", flexible="5+"):
    throttle_time_ms: int32 = f("2+", ignorable=True)
    topics: list[CreatableTopicResult]
