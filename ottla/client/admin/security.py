"""Who may do what, and who is who: ACLs, SCRAM users, delegation tokens, client quotas.

await admin.acls.create(Acl("User:alice", "READ", resource="topic", name="orders"))
await admin.users.set_password("alice", "secret")
await admin.quotas.set({"user": "alice"}, {"producer_byte_rate": 1 << 20})
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from ...protocol.apis.alter_client_quotas import AlterClientQuotasRequest, EntityData, EntryData, OpData
from ...protocol.apis.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ...protocol.apis.create_acls import AclCreation, CreateAclsRequest
from ...protocol.apis.create_delegation_token import CreatableRenewers, CreateDelegationTokenRequest
from ...protocol.apis.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from ...protocol.apis.describe_acls import DescribeAclsRequest
from ...protocol.apis.describe_client_quotas import ComponentData, DescribeClientQuotasRequest
from ...protocol.apis.describe_delegation_token import (
    DescribeDelegationTokenOwner,
    DescribeDelegationTokenRequest,
)
from ...protocol.apis.describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName
from ...protocol.apis.expire_delegation_token import ExpireDelegationTokenRequest
from ...protocol.apis.renew_delegation_token import RenewDelegationTokenRequest
from ...protocol.schema import Request
from ..cluster import ANY, CONTROLLER
from ..errors import ConfigError
from ..offsets import failures_as_one
from .base import Room, listed, outcome

RESOURCES = {"any": 1, "topic": 2, "group": 3, "cluster": 4, "transactional_id": 5, "delegation_token": 6, "user": 7}
PATTERNS = {"any": 1, "match": 2, "literal": 3, "prefixed": 4}
OPERATIONS = {
    "any": 1, "all": 2, "read": 3, "write": 4, "create": 5, "delete": 6, "alter": 7, "describe": 8, "cluster_action": 9,
    "describe_configs": 10, "alter_configs": 11, "idempotent_write": 12, "create_tokens": 13, "describe_tokens": 14,
    "two_phase_commit": 15,
}  # fmt: skip
PERMISSIONS = {"any": 1, "deny": 2, "allow": 3}
MECHANISMS = {"SCRAM-SHA-256": (1, "sha256"), "SCRAM-SHA-512": (2, "sha512")}
SALT_BYTES = 24


def _code(table: Mapping[str, int], word: str, what: str) -> int:
    code = table.get(word.lower())
    if code is None:
        raise ConfigError(f"{what} {word!r}: there are {', '.join(table)}")
    return code


def _word(table: Mapping[str, int], code: int) -> str:
    return next((word for word, each in table.items() if each == code), f"unknown ({code})")


@dataclass(frozen=True, slots=True)
class Acl:
    """A rule: who may (or may not: permission="deny") do what, from where, to which resource."""

    principal: str
    operation: str
    resource: str = "topic"
    name: str = "*"
    pattern: str = "literal"
    host: str = "*"
    permission: str = "allow"


class Acls(Room):
    """`admin.acls`"""

    async def list(
        self, *, principal: str | None = None, resource: str = "any", name: str | None = None, pattern: str = "any",
        host: str | None = None, operation: str = "any", permission: str = "any",
    ) -> Rules:  # fmt: skip
        """The rules that match; what is not named matches all. pattern="match": every rule that concerns `name`."""
        request = DescribeAclsRequest(
            resource_type_filter=_code(RESOURCES, resource, "resource"),
            resource_name_filter=name,
            pattern_type_filter=_code(PATTERNS, pattern, "pattern"),
            principal_filter=principal,
            host_filter=host,
            operation=_code(OPERATIONS, operation, "operation"),
            permission_type=_code(PERMISSIONS, permission, "permission"),
        )
        answer = await self._ask(request, ANY, low=1)
        return [
            Acl(
                acl.principal, _word(OPERATIONS, acl.operation), _word(RESOURCES, row.resource_type), row.resource_name,
                _word(PATTERNS, row.pattern_type), acl.host, _word(PERMISSIONS, acl.permission_type),
            )
            for row in answer.resources
            for acl in row.acls
        ]  # fmt: skip

    async def create(self, *acls: Acl) -> None:
        """Add rules; one that is there already stays."""
        creations = [
            AclCreation(
                resource_type=_code(RESOURCES, acl.resource, "resource"),
                resource_name=acl.name,
                resource_pattern_type=_code(PATTERNS, acl.pattern, "pattern"),
                principal=acl.principal,
                host=acl.host,
                operation=_code(OPERATIONS, acl.operation, "operation"),
                permission_type=_code(PERMISSIONS, acl.permission, "permission"),
            )
            for acl in acls
        ]
        answer = await self._ask(CreateAclsRequest(creations=creations), CONTROLLER, low=1)
        rows = [
            outcome(row.error_code, row.error_message, "CreateAcls", acl)
            for acl, row in zip(acls, answer.results, strict=True)
        ]
        failures_as_one("CreateAcls", [row for row in rows if row is not None])

    async def delete(self, *acls: Acl) -> Rules:
        """Take rules away; which were there. Fields may be "any", principal, name and host "" for any."""
        filters = [
            DeleteAclsFilter(
                resource_type_filter=_code(RESOURCES, acl.resource, "resource"),
                resource_name_filter=acl.name or None,
                pattern_type_filter=_code(PATTERNS, acl.pattern, "pattern"),
                principal_filter=acl.principal or None,
                host_filter=acl.host or None,
                operation=_code(OPERATIONS, acl.operation, "operation"),
                permission_type=_code(PERMISSIONS, acl.permission, "permission"),
            )
            for acl in acls
        ]
        answer = await self._ask(DeleteAclsRequest(filters=filters), CONTROLLER, low=1)
        failures, gone = [], []
        for acl, row in zip(acls, answer.filter_results, strict=True):
            if row.error_code:
                failures.append(outcome(row.error_code, row.error_message, "DeleteAcls", acl))
            gone += [
                Acl(
                    m.principal, _word(OPERATIONS, m.operation), _word(RESOURCES, m.resource_type), m.resource_name,
                    _word(PATTERNS, m.pattern_type), m.host, _word(PERMISSIONS, m.permission_type),
                )
                for m in row.matching_acls
            ]  # fmt: skip
        failures_as_one("DeleteAcls", failures)
        return gone


class ScramCredential(NamedTuple):
    """A password that a user has; only how it is kept can be asked."""

    mechanism: str
    iterations: int


class Users(Room):
    """`admin.users`: SCRAM credentials (KIP-554)."""

    async def describe(self, names: str | Iterable[str] | None = None) -> dict[str, list[ScramCredential]]:
        """User -> credentials; all users where none are named."""
        users = None if names is None else [UserName(name=name) for name in listed(names)]
        answer = await self._ask(DescribeUserScramCredentialsRequest(users=users), CONTROLLER)
        numbers = {number: name for name, (number, _) in MECHANISMS.items()}
        failures, found = [], {}
        for row in answer.results:
            if row.error_code:
                failures.append(outcome(row.error_code, row.error_message, "DescribeUserScramCredentials", row.user))
                continue
            found[row.user] = [
                ScramCredential(numbers.get(c.mechanism, f"unknown ({c.mechanism})"), c.iterations)
                for c in row.credential_infos
            ]
        failures_as_one("DescribeUserScramCredentials", failures)
        return found

    async def set_password(
        self, user: str, password: str, *, mechanism: str = "SCRAM-SHA-512", iterations: int = 8192,
        salt: bytes | None = None,
    ) -> None:  # fmt: skip
        """Give a user a password. The broker never sees it: it is salted and hashed here."""
        number, algorithm = _mechanism(mechanism)
        salt = salt or secrets.token_bytes(SALT_BYTES)
        salted = await asyncio.to_thread(hashlib.pbkdf2_hmac, algorithm, password.encode(), salt, iterations)
        row = ScramCredentialUpsertion(
            name=user, mechanism=number, iterations=iterations, salt=salt, salted_password=salted
        )
        await self._alter(AlterUserScramCredentialsRequest(upsertions=[row]))

    async def delete(self, user: str, *, mechanism: str | None = None) -> None:
        """Take away a user's password of a mechanism, or all."""
        names = [mechanism] if mechanism else [c.mechanism for c in (await self.describe(user)).get(user, [])]
        rows = [ScramCredentialDeletion(name=user, mechanism=_mechanism(name)[0]) for name in names]
        await self._alter(AlterUserScramCredentialsRequest(deletions=rows))

    async def _alter(self, request: Request) -> None:
        answer = await self._ask(request, CONTROLLER)
        rows = [outcome(r.error_code, r.error_message, "AlterUserScramCredentials", r.user) for r in answer.results]
        failures_as_one("AlterUserScramCredentials", [row for row in rows if row is not None])


def _mechanism(name: str) -> tuple[int, str]:
    found = MECHANISMS.get(name.upper())
    if found is None:
        raise ConfigError(f"mechanism {name!r}: there are {', '.join(MECHANISMS)}")
    return found


@dataclass(frozen=True, slots=True)
class Token:
    """A delegation token (KIP-48). Times in ms since 1970; `hmac` is the secret."""

    id: str
    hmac: bytes
    owner: str
    issued_ms: int
    expires_ms: int
    max_ms: int
    renewers: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Token({self.id}, owner={self.owner}, expires_ms={self.expires_ms})"


class Tokens(Room):
    """`admin.tokens`"""

    async def create(
        self, *, renewers: Iterable[str] = (), max_lifetime: timedelta | None = None, owner: str | None = None
    ) -> Token:
        """A token for oneself, or with `owner` ("User:alice") for another."""
        names = list(renewers)
        rows = [CreatableRenewers(principal_type=kind, principal_name=name) for kind, name in map(_principal, names)]
        more: dict[str, Any] = {}
        if owner is not None:
            more["owner_principal_type"], more["owner_principal_name"] = _principal(owner)

        def request(version: int) -> Request:
            if version >= 3 and owner is None:
                more.update(owner_principal_type=None, owner_principal_name=None)
            return CreateDelegationTokenRequest(renewers=rows, max_lifetime_ms=_ms(max_lifetime), **more)

        low = 3 if owner is not None else 0
        answer = await self._ask(request, CONTROLLER, kind=CreateDelegationTokenRequest, low=low)
        return Token(
            answer.token_id, answer.hmac, f"{answer.principal_type}:{answer.principal_name}",
            answer.issue_timestamp_ms, answer.expiry_timestamp_ms, answer.max_timestamp_ms, tuple(names),
        )  # fmt: skip

    async def renew(self, hmac: bytes, *, period: timedelta | None = None) -> int:
        """Let it live longer; until when (ms)."""
        answer = await self._ask(RenewDelegationTokenRequest(hmac=hmac, renew_period_ms=_ms(period)), CONTROLLER)
        return int(answer.expiry_timestamp_ms)

    async def expire(self, hmac: bytes, *, after: timedelta | None = None) -> int:
        """End it, now or after so long; when (ms)."""
        answer = await self._ask(ExpireDelegationTokenRequest(hmac=hmac, expiry_time_period_ms=_ms(after)), CONTROLLER)
        return int(answer.expiry_timestamp_ms)

    async def describe(self, owners: Iterable[str] | None = None) -> Sequence_:
        """The tokens that one may see, of these owners."""
        rows = None
        if owners is not None:
            rows = [
                DescribeDelegationTokenOwner(principal_type=kind, principal_name=name)
                for kind, name in map(_principal, owners)
            ]
        answer = await self._ask(DescribeDelegationTokenRequest(owners=rows), ANY)
        return [
            Token(
                t.token_id, t.hmac, f"{t.principal_type}:{t.principal_name}", t.issue_timestamp, t.expiry_timestamp,
                t.max_timestamp, tuple(f"{r.principal_type}:{r.principal_name}" for r in t.renewers),
            )
            for t in answer.tokens
        ]  # fmt: skip


def _principal(text: str) -> tuple[str, str]:
    kind, separator, name = text.partition(":")
    if not separator:
        raise ConfigError(f"principal {text!r}: expected a type and a name, as in User:alice")
    return kind, name


def _ms(span: timedelta | None) -> int:
    return -1 if span is None else round(span.total_seconds() * 1000)


#: user, client-id, ip -> name; None stands for the default.
Entity = Mapping[str, str | None]
Quotas_ = list[tuple[dict[str, "str | None"], dict[str, float]]]
Rules = list[Acl]
Sequence_ = list[Token]


class Quotas(Room):
    """`admin.quotas`: limits of users, client ids and addresses (KIP-546)."""

    async def describe(self, entity: Entity | None = None, *, strict: bool = False) -> Quotas_:
        """(entity, quotas) of what matches; "*" matches any name. `strict`: nothing that has other parts besides."""
        components = [
            ComponentData(entity_type=kind, match_type=2, match=None)
            if name == "*"
            else ComponentData(entity_type=kind, match_type=1 if name is None else 0, match=name)
            for kind, name in (entity or {}).items()
        ]
        answer = await self._ask(DescribeClientQuotasRequest(components=components, strict=strict), ANY)
        return [
            ({part.entity_type: part.entity_name for part in row.entity}, {v.key: v.value for v in row.values})
            for row in answer.entries or ()
        ]

    async def set(self, entity: Entity, quotas: Mapping[str, float | None], *, validate_only: bool = False) -> None:
        """Set quotas, None takes one away: producer_byte_rate, consumer_byte_rate, request_percentage, ..."""
        parts = [EntityData(entity_type=kind, entity_name=name) for kind, name in entity.items()]
        ops = [OpData(key=key, value=value or 0.0, remove=value is None) for key, value in quotas.items()]
        request = AlterClientQuotasRequest(entries=[EntryData(entity=parts, ops=ops)], validate_only=validate_only)

        async def ask(left: Iterable[str]) -> dict[str, Any]:
            answer = await self._ask(request, CONTROLLER)
            (row,) = answer.entries
            return {"it": outcome(row.error_code, row.error_message, "AlterClientQuotas", dict(entity))}

        await self._each(["it"], ask, "AlterClientQuotas")
