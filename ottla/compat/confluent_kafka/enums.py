"""The enumerations of confluent_kafka and confluent_kafka.admin; their numbers are the protocol's."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Any


class Ordered(Enum):
    """An enumeration whose members have the order of their numbers."""

    def __lt__(self, other: object) -> Any:
        return self.value < other.value if isinstance(other, type(self)) else NotImplemented

    @classmethod
    def of(cls, given: Any) -> Any:
        """A member for itself, its name (in any case of letters) or its number; raises TypeError or ValueError."""
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            found = next((each for each in cls if each.name.lower() == given.lower()), None)
            if found is None:
                raise ValueError(f"Unknown value {given!r} for {cls.__name__}")
            return found
        if isinstance(given, int):
            return cls(given)
        raise TypeError(f"expected {cls.__name__}, a name or a number, not {type(given).__name__}")


class ConsumerGroupState(Ordered):
    UNKNOWN = 0
    UNKOWN = UNKNOWN  # their old mistake, kept by them
    PREPARING_REBALANCING = 1
    COMPLETING_REBALANCING = 2
    STABLE = 3
    DEAD = 4
    EMPTY = 5


class ConsumerGroupType(Ordered):
    UNKNOWN = 0
    CONSUMER = 1
    CLASSIC = 2


class IsolationLevel(Ordered):
    READ_UNCOMMITTED = 0
    READ_COMMITTED = 1


class ElectionType(Ordered):
    PREFERRED = 0
    UNCLEAN = 1


class AcknowledgeType(IntEnum):
    """What becomes of a record of a share group."""

    ACCEPT = 1
    RELEASE = 2
    REJECT = 3


class ResourceType(Ordered):
    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    BROKER = 4
    TRANSACTIONAL_ID = 5


class ResourcePatternType(Ordered):
    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class AclOperation(Ordered):
    UNKNOWN = 0
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12


class AclPermissionType(Ordered):
    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


class ConfigSource(Enum):
    UNKNOWN_CONFIG = 0
    DYNAMIC_TOPIC_CONFIG = 1
    DYNAMIC_BROKER_CONFIG = 2
    DYNAMIC_DEFAULT_BROKER_CONFIG = 3
    STATIC_BROKER_CONFIG = 4
    DEFAULT_CONFIG = 5
    GROUP_CONFIG = 8


class AlterConfigOpType(Enum):
    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class ScramMechanism(Ordered):
    UNKNOWN = 0
    SCRAM_SHA_256 = 1
    SCRAM_SHA_512 = 2
