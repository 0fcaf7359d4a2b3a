"""kafka.admin."""

from ..structs import OffsetSpec
from .client import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from .offsets import MemberToRemove, OffsetTimestamp
from .security import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

__all__ = [
    "ACL", "ACLFilter", "ACLOperation", "ACLPermissionType", "ACLResourcePatternType", "ConfigResource",
    "ConfigResourceType", "KafkaAdminClient", "MemberToRemove", "NewPartitions", "NewTopic", "OffsetSpec",
    "OffsetTimestamp", "ResourcePattern", "ResourcePatternFilter", "ResourceType", "ScramMechanism",
    "UserScramCredentialDeletion", "UserScramCredentialUpsertion",
]  # fmt: skip
