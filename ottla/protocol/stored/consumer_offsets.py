"""Records of __consumer_offsets: the state of every group and the offsets it committed.

One partition of the topic belongs to one coordinator; a group lies wholly in the partition that its id hashes to. The
number after `api_key` is the record type that a key starts with (`coordinator_records`):

    0, 1    committed offsets                     (0 is written by no supported release)
    2       a classic group: generation, leader, members with what they subscribed and were assigned
    3-8, 16 consumer groups (KIP-848)             4 is replaced by the hash in 3 since Kafka 4.1
    10-15   share groups (KIP-932)
    17-23   streams groups (KIP-1071)

`GroupMetadataValue` v0 has no rebalance timeout, v2 adds the time of the last change, v3 static members, v4 is
flexible. `OffsetCommitValue` v1 has an expiry, v2 lost it, v3 adds the leader epoch, v4 is flexible and tags the topic id.
"""

from ..schema import Data, Struct, f, int8, int16, int32, int64, string, uint16, uuid
from .coordinator_records import RecordTable


class ConsumerGroupCurrentMemberAssignmentKey(Data, api_key=8, versions="0"):
    group_id: string
    member_id: string


class TopicPartitions(Struct):
    topic_id: uuid
    partitions: list[int32]


class ConsumerGroupCurrentMemberAssignmentValue(Data, api_key=8, versions="0", flexible="0+"):
    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    assigned_partitions: list[TopicPartitions]
    partitions_pending_revocation: list[TopicPartitions]


class ConsumerGroupMemberMetadataKey(Data, api_key=5, versions="0"):
    group_id: string
    member_id: string


class ClassicProtocol(Struct):
    name: string
    metadata: bytes


class ClassicMemberMetadata(Struct):
    session_timeout_ms: int32
    supported_protocols: list[ClassicProtocol]


class ConsumerGroupMemberMetadataValue(Data, api_key=5, versions="0", flexible="0+"):
    instance_id: string | None
    rack_id: string | None
    client_id: string
    client_host: string
    subscribed_topic_names: list[string]
    subscribed_topic_regex: string | None
    rebalance_timeout_ms: int32 = f(default=-1)
    server_assignor: string | None
    # Kafka's default is an empty struct (its schema's null is no null), so that null must be set, and is written.
    classic_member_metadata: ClassicMemberMetadata | None = f(tag=0)


class ConsumerGroupMetadataKey(Data, api_key=3, versions="0"):
    group_id: string


class ConsumerGroupMetadataValue(Data, api_key=3, versions="0", flexible="0+"):
    epoch: int32
    metadata_hash: int64 = f(tag=0)


class ConsumerGroupPartitionMetadataKey(Data, api_key=4, versions="0"):
    group_id: string


class PartitionMetadata(Struct):
    partition: int32
    racks: list[string]


class TopicMetadata(Struct):
    topic_id: uuid
    topic_name: string
    num_partitions: int32
    partition_metadata: list[PartitionMetadata]


class ConsumerGroupPartitionMetadataValue(Data, api_key=4, versions="0", flexible="0+"):
    topics: list[TopicMetadata]


class ConsumerGroupRegularExpressionKey(Data, api_key=16, versions="0"):
    group_id: string
    regular_expression: string


class ConsumerGroupRegularExpressionValue(Data, api_key=16, versions="0", flexible="0+"):
    topics: list[string]
    version: int64
    timestamp: int64


class ConsumerGroupTargetAssignmentMemberKey(Data, api_key=7, versions="0"):
    group_id: string
    member_id: string


class TopicPartition(Struct):
    topic_id: uuid
    partitions: list[int32]


class ConsumerGroupTargetAssignmentMemberValue(Data, api_key=7, versions="0", flexible="0+"):
    topic_partitions: list[TopicPartition]


class ConsumerGroupTargetAssignmentMetadataKey(Data, api_key=6, versions="0"):
    group_id: string


class ConsumerGroupTargetAssignmentMetadataValue(Data, api_key=6, versions="0", flexible="0+"):
    assignment_epoch: int32


class GroupMetadataKey(Data, api_key=2, versions="0"):
    group: string


class MemberMetadata(Struct):
    member_id: string
    group_instance_id: string | None = f("3+", default=None, ignorable=True)
    client_id: string
    client_host: string
    rebalance_timeout: int32 = f("1+", default=-1, ignorable=True)
    session_timeout: int32
    subscription: bytes
    assignment: bytes


class GroupMetadataValue(Data, api_key=2, versions="0-4", flexible="4+"):
    protocol_type: string
    generation: int32
    protocol: string | None
    leader: string | None
    current_state_timestamp: int64 = f("2+", default=-1, ignorable=True)
    members: list[MemberMetadata]


class LegacyOffsetCommitKey(Data, api_key=0, versions="0"):
    group: string
    topic: string
    partition: int32


class LegacyOffsetCommitValue(Data, api_key=0, versions="0"):
    offset: int64
    metadata: string
    commit_timestamp: int64


class OffsetCommitKey(Data, api_key=1, versions="0"):
    group: string
    topic: string
    partition: int32


class OffsetCommitValue(Data, api_key=1, versions="0-4", flexible="4+"):
    offset: int64
    leader_epoch: int32 = f("3+", default=-1, ignorable=True)
    metadata: string
    commit_timestamp: int64
    expire_timestamp: int64 = f("1", default=-1, ignorable=True)
    topic_id: uuid = f("4+", tag=0, ignorable=True)


class ShareGroupCurrentMemberAssignmentKey(Data, api_key=14, versions="0"):
    group_id: string
    member_id: string


class ShareGroupCurrentMemberAssignmentValue(Data, api_key=14, versions="0", flexible="0+"):
    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    assigned_partitions: list[TopicPartitions]


class ShareGroupMemberMetadataKey(Data, api_key=10, versions="0"):
    group_id: string
    member_id: string


class ShareGroupMemberMetadataValue(Data, api_key=10, versions="0", flexible="0+"):
    rack_id: string | None
    client_id: string
    client_host: string
    subscribed_topic_names: list[string]


class ShareGroupMetadataKey(Data, api_key=11, versions="0"):
    group_id: string


class ShareGroupMetadataValue(Data, api_key=11, versions="0", flexible="0+"):
    epoch: int32
    metadata_hash: int64


class ShareGroupStatePartitionMetadataKey(Data, api_key=15, versions="0"):
    group_id: string


class TopicPartitionsInfo(Struct):
    topic_id: uuid
    topic_name: string
    partitions: list[int32]


class TopicInfo(Struct):
    topic_id: uuid
    topic_name: string


class ShareGroupStatePartitionMetadataValue(Data, api_key=15, versions="0", flexible="0+"):
    initializing_topics: list[TopicPartitionsInfo]
    initialized_topics: list[TopicPartitionsInfo]
    deleting_topics: list[TopicInfo]


class ShareGroupTargetAssignmentMemberKey(Data, api_key=13, versions="0"):
    group_id: string
    member_id: string


class ShareGroupTargetAssignmentMemberValue(Data, api_key=13, versions="0", flexible="0+"):
    topic_partitions: list[TopicPartition]


class ShareGroupTargetAssignmentMetadataKey(Data, api_key=12, versions="0"):
    group_id: string


class ShareGroupTargetAssignmentMetadataValue(Data, api_key=12, versions="0", flexible="0+"):
    assignment_epoch: int32


class StreamsGroupCurrentMemberAssignmentKey(Data, api_key=22, versions="0"):
    group_id: string
    member_id: string


class TaskIds(Struct):
    subtopology_id: string
    partitions: list[int32]
    assignment_epochs: list[int32] | None = f(tag=0)  # empty by default, as above


class StreamsGroupCurrentMemberAssignmentValue(Data, api_key=22, versions="0", flexible="0+"):
    member_epoch: int32
    previous_member_epoch: int32
    state: int8
    active_tasks: list[TaskIds]
    standby_tasks: list[TaskIds]
    warmup_tasks: list[TaskIds]
    active_tasks_pending_revocation: list[TaskIds]
    standby_tasks_pending_revocation: list[TaskIds]
    warmup_tasks_pending_revocation: list[TaskIds]


class StreamsGroupMemberMetadataKey(Data, api_key=19, versions="0"):
    group_id: string
    member_id: string


class Endpoint(Struct):
    host: string
    port: uint16


class KeyValue(Struct):
    key: string
    value: string


class StreamsGroupMemberMetadataValue(Data, api_key=19, versions="0", flexible="0+"):
    instance_id: string | None
    rack_id: string | None
    client_id: string
    client_host: string
    rebalance_timeout_ms: int32 = f(default=-1)
    topology_epoch: int32
    process_id: string
    user_endpoint: Endpoint | None = f(default=None)
    client_tags: list[KeyValue]


class StreamsGroupMetadataKey(Data, api_key=17, versions="0"):
    group_id: string


class LastAssignmentConfig(Struct):
    key: string
    value: string


class StreamsGroupMetadataValue(Data, api_key=17, versions="0", flexible="0+"):
    epoch: int32
    metadata_hash: int64
    validated_topology_epoch: int32 = f(default=-1, tag=0)
    last_assignment_configs: list[LastAssignmentConfig] | None = f(tag=1)  # empty by default, as above


class StreamsGroupTargetAssignmentMemberKey(Data, api_key=21, versions="0"):
    group_id: string
    member_id: string


class StreamsGroupTargetAssignmentMemberValueTaskIds(Struct):
    subtopology_id: string
    partitions: list[int32]


class StreamsGroupTargetAssignmentMemberValue(Data, api_key=21, versions="0", flexible="0+"):
    active_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds]
    standby_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds]
    warmup_tasks: list[StreamsGroupTargetAssignmentMemberValueTaskIds]


class StreamsGroupTargetAssignmentMetadataKey(Data, api_key=20, versions="0"):
    group_id: string


class StreamsGroupTargetAssignmentMetadataValue(Data, api_key=20, versions="0", flexible="0+"):
    assignment_epoch: int32


class StreamsGroupTopologyKey(Data, api_key=23, versions="0"):
    group_id: string


class TopicConfig(Struct):
    key: string
    value: string


class StreamsGroupTopologyValueTopicInfo(Struct):
    name: string
    partitions: int32
    replication_factor: int16
    topic_configs: list[TopicConfig]


class CopartitionGroup(Struct):
    source_topics: list[int16]
    source_topic_regex: list[int16]
    repartition_source_topics: list[int16]


class Subtopology(Struct):
    subtopology_id: string
    source_topics: list[string]
    source_topic_regex: list[string]
    state_changelog_topics: list[StreamsGroupTopologyValueTopicInfo]
    repartition_sink_topics: list[string]
    repartition_source_topics: list[StreamsGroupTopologyValueTopicInfo]
    copartition_groups: list[CopartitionGroup]


class StreamsGroupTopologyValue(Data, api_key=23, versions="0", flexible="0+"):
    epoch: int32
    subtopologies: list[Subtopology]


RECORDS = RecordTable(list(vars().values()))
