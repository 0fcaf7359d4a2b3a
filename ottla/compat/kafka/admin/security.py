"""ACLs and SCRAM credentials of KafkaAdminClient."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from ....client.admin.security import Acl
from ....client.errors import BrokerError, ClientError
from ...errors import BY_CODE, NoError, for_error


class ResourceType(IntEnum):
    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class ACLOperation(IntEnum):
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
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14


class ACLPermissionType(IntEnum):
    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


class ACLResourcePatternType(IntEnum):
    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class _Value:
    """Equal where all fields are."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.__dict__.items())})"


class ResourcePatternFilter(_Value):
    """What resources a rule concerns; a name of None is any."""

    def __init__(self, resource_type: Any, resource_name: str | None, pattern_type: Any) -> None:
        self.resource_type, self.resource_name = ResourceType(resource_type), resource_name
        self.pattern_type = ACLResourcePatternType(pattern_type)


class ResourcePattern(ResourcePatternFilter):
    """The resources of one rule."""

    def __init__(
        self, resource_type: Any, resource_name: str, pattern_type: Any = ACLResourcePatternType.LITERAL
    ) -> None:
        super().__init__(resource_type, resource_name, pattern_type)
        if self.resource_type is ResourceType.ANY or self.pattern_type in (1, 2):
            raise BY_CODE[42]("a rule is of one resource type, and literal or prefixed")


class ACLFilter(_Value):
    """What rules to find or delete; None is any."""

    def __init__(
        self, principal: str | None, host: str | None, operation: Any, permission_type: Any, resource_pattern: Any
    ) -> None:
        self.principal, self.host, self.operation = principal, host, ACLOperation(operation)
        self.permission_type, self.resource_pattern = ACLPermissionType(permission_type), resource_pattern

    @property
    def ours(self) -> Acl:
        """As our client takes it; "" is any."""
        where = self.resource_pattern
        return Acl(
            self.principal or "", self.operation.name.lower(), where.resource_type.name.lower(),
            where.resource_name or "", where.pattern_type.name.lower(), self.host or "",
            self.permission_type.name.lower(),
        )  # fmt: skip


class ACL(ACLFilter):
    """A rule: who may do what, from where, to which resource."""


def rule(found: Acl) -> ACL:
    """A rule of the cluster."""
    where = ResourcePattern(
        ResourceType[found.resource.upper()], found.name, _named(ACLResourcePatternType, found.pattern)
    )
    operation, permission = _named(ACLOperation, found.operation), _named(ACLPermissionType, found.permission)
    return ACL(found.principal, found.host, operation, permission, where)


def _named(kind: Any, word: str) -> Any:
    return kind.__members__.get(word.upper(), kind.UNKNOWN)


class ScramMechanism(IntEnum):
    UNKNOWN = 0
    SCRAM_SHA_256 = 1
    SCRAM_SHA_512 = 2


class UserScramCredentialDeletion:
    """A password to delete."""

    def __init__(self, user: str, mechanism: Any) -> None:
        self.user, self.mechanism = user, _mechanism(mechanism)


class UserScramCredentialUpsertion:
    """A password to set."""

    def __init__(
        self, user: str, mechanism: Any, password: str | bytes, iterations: int = 4096, salt: bytes | None = None
    ) -> None:
        self.user, self.mechanism, self.iterations, self.salt = user, _mechanism(mechanism), iterations, salt
        self.password = password if isinstance(password, str) else password.decode()


def _mechanism(given: Any) -> ScramMechanism:
    return ScramMechanism[given.upper().replace("-", "_")] if isinstance(given, str) else ScramMechanism(given)


class SecurityCalls:
    """The calls; `_admin` is our client."""

    _admin: Any
    _try: Any

    def create_acls(self, acls: list[ACL]) -> dict[str, Any]:
        """{"succeeded": rules, "failed": [(rule, error)]}"""
        told: dict[str, Any] = {"succeeded": [], "failed": []}
        for each in acls:
            try:
                self._admin.acls.create(each.ours)
            except (ClientError, ExceptionGroup) as problem:
                told["failed"].append((each, for_error(problem)))
            else:
                told["succeeded"].append(each)
        return told

    def describe_acls(self, acl_filter: ACLFilter) -> tuple[list[ACL], type[Exception]]:
        """The rules that match, and the class of the error (NoError)."""
        ours = acl_filter.ours
        try:
            found = self._admin.acls.list(
                principal=acl_filter.principal, resource=ours.resource, name=acl_filter.resource_pattern.resource_name,
                pattern=ours.pattern, host=acl_filter.host, operation=ours.operation, permission=ours.permission,
            )  # fmt: skip
        except BrokerError as problem:
            return [], BY_CODE[int(problem.code)]
        except ClientError as problem:
            raise for_error(problem) from problem
        return [rule(each) for each in found], NoError

    def delete_acls(self, acl_filters: list[ACLFilter]) -> list[tuple[ACLFilter, list[Any], type[Exception]]]:
        """(filter, [(rule that was there, its error)], error) each."""
        told: list[tuple[ACLFilter, list[Any], type[Exception]]] = []
        for each in acl_filters:
            try:
                gone = self._admin.acls.delete(each.ours)
            except BrokerError as problem:
                told.append((each, [], BY_CODE[int(problem.code)]))
            else:
                told.append((each, [(rule(acl), NoError) for acl in gone], NoError))
        return told

    def describe_user_scram_credentials(self, users: list[str] | None = None) -> dict[str, Any]:
        """user -> {"error": None, "credential_infos": [{"mechanism", "iterations"}]}"""
        return {
            user: {
                "error": None,
                "credential_infos": [{"mechanism": _mechanism(c.mechanism), "iterations": c.iterations} for c in found],
            }
            for user, found in self._try(lambda: self._admin.users.describe(users)).items()
        }

    def alter_user_scram_credentials(self, alterations: list[Any]) -> dict[str, str | None]:
        """user -> None, or the error's text."""
        told: dict[str, str | None] = {}
        for each in alterations:
            name = each.mechanism.name.replace("_", "-")
            try:
                if isinstance(each, UserScramCredentialUpsertion):
                    self._admin.users.set_password(
                        each.user, each.password, mechanism=name, iterations=each.iterations, salt=each.salt
                    )
                else:
                    self._admin.users.delete(each.user, mechanism=name)
            except (ClientError, ExceptionGroup) as problem:
                told[each.user] = str(for_error(problem))
            else:
                told.setdefault(each.user, None)
        return told
