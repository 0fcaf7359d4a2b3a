"""confluent_kafka.admin."""

from ..enums import (
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigSource,
    ConsumerGroupState,
    ConsumerGroupType,
    ElectionType,
    IsolationLevel,
    ResourcePatternType,
    ResourceType,
    ScramMechanism,
)
from ..errors import KafkaError, KafkaException
from ..types import ConsumerGroupTopicPartitions
from .client import AdminClient
from .model import (
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
    MemberAssignment,
    MemberDescription,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    PartitionMetadata,
    TopicDescription,
    TopicMetadata,
)
from .security import (
    AclBinding,
    AclBindingFilter,
    ScramCredentialInfo,
    UserScramCredentialAlteration,
    UserScramCredentialDeletion,
    UserScramCredentialsDescription,
    UserScramCredentialUpsertion,
)

CONFIG_SOURCE_UNKNOWN_CONFIG, CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG, CONFIG_SOURCE_DYNAMIC_BROKER_CONFIG = 0, 1, 2
CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER_CONFIG, CONFIG_SOURCE_STATIC_BROKER_CONFIG = 3, 4
CONFIG_SOURCE_DEFAULT_CONFIG, CONFIG_SOURCE_GROUP_CONFIG = 5, 8
RESOURCE_UNKNOWN, RESOURCE_ANY, RESOURCE_TOPIC, RESOURCE_GROUP, RESOURCE_BROKER, RESOURCE_TRANSACTIONAL_ID = range(6)

__all__ = [
    "CONFIG_SOURCE_DEFAULT_CONFIG", "CONFIG_SOURCE_DYNAMIC_BROKER_CONFIG", "CONFIG_SOURCE_DYNAMIC_DEFAULT_BROKER_CONFIG",
    "CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG", "CONFIG_SOURCE_GROUP_CONFIG", "CONFIG_SOURCE_STATIC_BROKER_CONFIG",
    "CONFIG_SOURCE_UNKNOWN_CONFIG", "RESOURCE_ANY", "RESOURCE_BROKER", "RESOURCE_GROUP", "RESOURCE_TOPIC",
    "RESOURCE_TRANSACTIONAL_ID", "RESOURCE_UNKNOWN", "AclBinding", "AclBindingFilter", "AclOperation",
    "AclPermissionType", "AdminClient", "AlterConfigOpType", "BrokerMetadata", "ClusterMetadata", "ConfigEntry",
    "ConfigResource", "ConfigSource", "ConsumerGroupDescription", "ConsumerGroupListing", "ConsumerGroupState",
    "ConsumerGroupTopicPartitions", "ConsumerGroupType", "DeletedRecords", "DescribeClusterResult", "ElectionType",
    "GroupMember", "GroupMetadata", "IsolationLevel", "KafkaError", "KafkaException", "ListConsumerGroupsResult",
    "ListOffsetsResultInfo", "MemberAssignment", "MemberDescription", "NewPartitions", "NewTopic", "OffsetSpec",
    "PartitionMetadata", "ResourcePatternType", "ResourceType", "ScramCredentialInfo", "ScramMechanism",
    "TopicDescription", "TopicMetadata", "UserScramCredentialAlteration", "UserScramCredentialDeletion",
    "UserScramCredentialUpsertion", "UserScramCredentialsDescription",
]  # fmt: skip
