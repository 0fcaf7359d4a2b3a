"""ACLs and SCRAM credentials, as AdminClient takes and gives them."""

from __future__ import annotations

from typing import Any, ClassVar

from ....client.admin.security import MECHANISMS, Acl
from ..enums import AclOperation, AclPermissionType, Ordered, ResourcePatternType, ResourceType, ScramMechanism


class AclBinding:
    """A rule: who may do what, from where, to which resource."""

    _enums: ClassVar[dict[str, type[Ordered]]] = {
        "restype": ResourceType, "resource_pattern_type": ResourcePatternType, "operation": AclOperation,
        "permission_type": AclPermissionType,
    }  # fmt: skip
    #: What a rule must not be, and a filter may.
    _forbidden: ClassVar[dict[str, tuple[str, ...]]] = {
        "restype": ("ANY", "UNKNOWN"), "resource_pattern_type": ("ANY", "MATCH", "UNKNOWN"),
        "operation": ("ANY", "UNKNOWN"), "permission_type": ("ANY", "UNKNOWN"),
    }  # fmt: skip
    _texts_needed = True

    def __init__(
        self, restype: Any, name: str | None, resource_pattern_type: Any, principal: str | None, host: str | None,
        operation: Any, permission_type: Any,
    ) -> None:  # fmt: skip
        given = {
            "restype": restype, "name": name, "resource_pattern_type": resource_pattern_type, "principal": principal,
            "host": host, "operation": operation, "permission_type": permission_type,
        }  # fmt: skip
        for field, value in given.items():
            if value is None and (self._texts_needed or field in self._enums):
                raise ValueError(f"{field} cannot be None")
            if field not in self._enums and value is not None and not isinstance(value, str):
                raise TypeError(f"{field} must be a string")
        self.restype = ResourceType.of(restype)
        self.resource_pattern_type = ResourcePatternType.of(resource_pattern_type)
        self.operation, self.permission_type = AclOperation.of(operation), AclPermissionType.of(permission_type)
        self.name, self.principal, self.host = name, principal, host
        for field, names in self._forbidden.items():
            if getattr(self, field).name in names:
                raise ValueError(f"{field} {getattr(self, field).name} is not allowed")

    def _tuple(self) -> tuple[Any, ...]:
        return (
            self.restype, self.name, self.resource_pattern_type, self.principal, self.host, self.operation,
            self.permission_type,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"{type(self).__name__}({','.join(map(str, self._tuple()))})"

    def __hash__(self) -> int:
        return hash(self._tuple())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AclBinding) and type(self) is type(other) and self._tuple() == other._tuple()

    def __lt__(self, other: Any) -> Any:
        return self._tuple() < other._tuple() if isinstance(other, AclBinding) else NotImplemented

    @property
    def ours(self) -> Acl:
        """As our client takes it; a text that is not given is "", which a filter takes as any."""
        return Acl(
            self.principal or "", self.operation.name.lower(), _RESOURCES[self.restype], self.name or "",
            self.resource_pattern_type.name.lower(), self.host or "", self.permission_type.name.lower(),
        )  # fmt: skip


class AclBindingFilter(AclBinding):
    """What rules to find or delete: None and ANY match all."""

    _forbidden: ClassVar[dict[str, tuple[str, ...]]] = {
        "restype": ("UNKNOWN",), "resource_pattern_type": ("UNKNOWN",), "operation": ("UNKNOWN",),
        "permission_type": ("UNKNOWN",),
    }  # fmt: skip
    _texts_needed = False


#: The broker as a resource of a rule is the cluster, in librdkafka's way.
_RESOURCES = {
    ResourceType.ANY: "any", ResourceType.TOPIC: "topic", ResourceType.GROUP: "group", ResourceType.BROKER: "cluster",
    ResourceType.TRANSACTIONAL_ID: "transactional_id",
}  # fmt: skip


def binding(acl: Acl) -> AclBinding:
    """A rule of the cluster; what the library has no word for becomes UNKNOWN there, here it cannot be made."""
    kinds = {word: kind for kind, word in _RESOURCES.items()}
    found = AclBinding.__new__(AclBinding)
    found.restype = kinds.get(acl.resource, ResourceType.UNKNOWN)
    found.name, found.principal, found.host = acl.name, acl.principal, acl.host
    found.resource_pattern_type = _named(ResourcePatternType, acl.pattern)
    found.operation = _named(AclOperation, acl.operation)
    found.permission_type = _named(AclPermissionType, acl.permission)
    return found


def _named(kind: Any, word: str) -> Any:
    return kind.__members__.get(word.upper(), kind.UNKNOWN)


class ScramCredentialInfo:
    """How a password is kept."""

    def __init__(self, mechanism: ScramMechanism, iterations: int) -> None:
        self.mechanism, self.iterations = mechanism, iterations


class UserScramCredentialsDescription:
    """A user's passwords."""

    def __init__(self, user: str, scram_credential_infos: list[ScramCredentialInfo]) -> None:
        self.user, self.scram_credential_infos = user, scram_credential_infos


class UserScramCredentialAlteration:
    """A password to set or to delete."""

    def __init__(self, user: str) -> None:
        self.user = user


class UserScramCredentialUpsertion(UserScramCredentialAlteration):
    """A password to set."""

    def __init__(
        self, user: str, scram_credential_info: ScramCredentialInfo, password: bytes | str, salt: bytes | None = None
    ) -> None:
        super().__init__(user)
        self.scram_credential_info, self.password, self.salt = scram_credential_info, password, salt


class UserScramCredentialDeletion(UserScramCredentialAlteration):
    """A password to delete."""

    def __init__(self, user: str, mechanism: ScramMechanism) -> None:
        super().__init__(user)
        self.mechanism = mechanism


def mechanism_name(mechanism: ScramMechanism) -> str:
    return mechanism.name.replace("_", "-")


def credentials(user: str, found: list[Any]) -> UserScramCredentialsDescription:
    """Our description of a user as theirs."""
    rows = [
        ScramCredentialInfo(
            ScramMechanism(MECHANISMS[c.mechanism][0] if c.mechanism in MECHANISMS else 0), c.iterations
        )
        for c in found
    ]
    return UserScramCredentialsDescription(user, rows)
