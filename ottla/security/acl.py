"""Access control entries: one rule each, and the filters that find them (Kafka's AclBinding and AclBindingFilter).

    User:alice   from 10.0.0.7 or *   is ALLOWed or DENYed   READ   on   TOPIC   PREFIXED or LITERAL   "orders-"

Numbers are Kafka's codes, as they go over the wire and into the metadata log. Names are as Kafka prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

UNKNOWN, ANY = 0, 1

TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID, DELEGATION_TOKEN, USER = 2, 3, 4, 5, 6, 7
RESOURCE_TYPES: Final[Mapping[int, str]] = {
    UNKNOWN: "UNKNOWN", ANY: "ANY", TOPIC: "TOPIC", GROUP: "GROUP", CLUSTER: "CLUSTER",
    TRANSACTIONAL_ID: "TRANSACTIONAL_ID", DELEGATION_TOKEN: "DELEGATION_TOKEN", USER: "USER",
}  # fmt: skip

#: MATCH stands in filters only: what would be applied to a resource of that name.
MATCH, LITERAL, PREFIXED = 2, 3, 4
PATTERN_TYPES: Final[Mapping[int, str]] = {
    UNKNOWN: "UNKNOWN", ANY: "ANY", MATCH: "MATCH", LITERAL: "LITERAL", PREFIXED: "PREFIXED",
}  # fmt: skip

ALL, READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, CLUSTER_ACTION = 2, 3, 4, 5, 6, 7, 8, 9
DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE, CREATE_TOKENS, DESCRIBE_TOKENS, TWO_PHASE_COMMIT = range(10, 16)
OPERATIONS: Final[Mapping[int, str]] = {
    UNKNOWN: "UNKNOWN", ANY: "ANY", ALL: "ALL", READ: "READ", WRITE: "WRITE", CREATE: "CREATE", DELETE: "DELETE",
    ALTER: "ALTER", DESCRIBE: "DESCRIBE", CLUSTER_ACTION: "CLUSTER_ACTION", DESCRIBE_CONFIGS: "DESCRIBE_CONFIGS",
    ALTER_CONFIGS: "ALTER_CONFIGS", IDEMPOTENT_WRITE: "IDEMPOTENT_WRITE", CREATE_TOKENS: "CREATE_TOKENS",
    DESCRIBE_TOKENS: "DESCRIBE_TOKENS", TWO_PHASE_COMMIT: "TWO_PHASE_COMMIT",
}  # fmt: skip

DENY, ALLOW = 2, 3
PERMISSIONS: Final[Mapping[int, str]] = {UNKNOWN: "UNKNOWN", ANY: "ANY", DENY: "DENY", ALLOW: "ALLOW"}

#: A literal resource name, a host, and the name of a user that stand for all of them.
WILDCARD = "*"
EVERYBODY = "User:*"
#: The only name of the resource CLUSTER.
CLUSTER_NAME = "kafka-cluster"


class Acl(NamedTuple):
    """One rule. Two that are equal are the same rule."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    host: str
    operation: int
    permission: int

    def __str__(self) -> str:
        return (
            f"StandardAcl(resourceType={RESOURCE_TYPES[self.resource_type]}, resourceName={self.resource_name}, "
            f"patternType={PATTERN_TYPES[self.pattern_type]}, principal={self.principal}, host={self.host}, "
            f"operation={OPERATIONS[self.operation]}, permissionType={PERMISSIONS[self.permission]})"
        )


class AclFilter(NamedTuple):
    """Which rules are meant. None and ANY stand for every value."""

    resource_type: int = ANY
    resource_name: str | None = None
    pattern_type: int = ANY
    principal: str | None = None
    host: str | None = None
    operation: int = ANY
    permission: int = ANY

    @property
    def has_unknown_pattern(self) -> bool:
        """Whether its resource or pattern is of a type that this version does not know."""
        return self.resource_type == UNKNOWN or self.pattern_type == UNKNOWN

    @property
    def has_unknown_entry(self) -> bool:
        """Whether its operation or permission is one that this version does not know."""
        return self.operation == UNKNOWN or self.permission == UNKNOWN

    def matches(self, acl: Acl) -> bool:
        """Whether `acl` is one of those that are meant."""
        return (
            self.resource_type in (ANY, acl.resource_type)
            and (self.pattern_type in (ANY, acl.pattern_type) or self.pattern_type == MATCH)
            and (self.resource_name is None or self._matches_name(acl, self.resource_name))
            and self.principal in (None, acl.principal)
            and self.host in (None, acl.host)
            and self.operation in (ANY, acl.operation)
            and self.permission in (ANY, acl.permission)
        )

    def _matches_name(self, acl: Acl, name: str) -> bool:
        if self.pattern_type in (ANY, acl.pattern_type):
            return name == acl.resource_name
        if acl.pattern_type == LITERAL:
            return acl.resource_name in (name, WILDCARD)
        return acl.pattern_type == PREFIXED and name.startswith(acl.resource_name)


def acl_of_record(record: Any) -> Acl:
    """Read an AccessControlEntryRecord of the metadata log."""
    return Acl(
        record.resource_type, record.resource_name, record.pattern_type, record.principal, record.host,
        record.operation, record.permission_type,
    )  # fmt: skip


def canonical_host(host: str) -> str:
    """Write an address in one way, so that `::1`, `0:0:0:0:0:0:0:1` and an IPv4 client of an IPv6 socket are found."""
    if ":" not in host:
        return host
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
