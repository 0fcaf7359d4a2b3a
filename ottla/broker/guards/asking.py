"""One request's questions: may this client do that? Each answer stands in the audit log, as Kafka writes it.

The audit log is the logger `kafka.authorizer.logger`: refusals at INFO, permissions at DEBUG. What only decides what is
left out of a list, or which operations a client is told that it may do, is at neither.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ...protocol.errors import ErrorCode
from ...security import acl
from ...security.authorizer import Access, Rule
from ..coordinators.service import mapped
from ..loggers import one_line

if TYPE_CHECKING:
    from ..dispatch import Context

audit = logging.getLogger("kafka.authorizer.logger")
#: Below DEBUG: what Kafka writes at TRACE.
TRACE = 5
#: Lines about one request. Kafka has no such bound: there 1 MB of names that do not exist is 40 MB of log, and here it would
#: also be seconds in which nobody else is served.
LINES_MAX = 1_000
#: As Kafka's audit log names them.
_TYPE_NAMES = {
    acl.TOPIC: "Topic", acl.GROUP: "Group", acl.CLUSTER: "Cluster", acl.TRANSACTIONAL_ID: "TransactionalId",
    acl.DELEGATION_TOKEN: "DelegationToken", acl.USER: "User",
}  # fmt: skip
#: What a refusal says where it says anything: Kafka's words, for tools show them.
TEXT = {
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: "Topic authorization failed.",
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "Group authorization failed.",
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "Cluster authorization failed.",
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "Transactional Id authorization failed.",
}
#: What there is to do with a resource: the operations of the bit sets that answers carry (KIP-430).
SUPPORTED = {
    acl.TOPIC: (
        acl.READ, acl.WRITE, acl.CREATE, acl.DELETE, acl.ALTER, acl.DESCRIBE, acl.DESCRIBE_CONFIGS, acl.ALTER_CONFIGS
    ),
    acl.GROUP: (acl.READ, acl.DELETE, acl.DESCRIBE, acl.DESCRIBE_CONFIGS, acl.ALTER_CONFIGS),
    acl.CLUSTER: (
        acl.CREATE, acl.ALTER, acl.DESCRIBE, acl.CLUSTER_ACTION, acl.DESCRIBE_CONFIGS, acl.ALTER_CONFIGS,
        acl.IDEMPOTENT_WRITE,
    ),
}  # fmt: skip


class Asking:
    """The questions of one request."""

    __slots__ = ("_access", "_api", "_context", "_lines")

    def __init__(self, context: Context, access: Access, api: str) -> None:
        self._context = context
        self._access = access
        self._api = api
        self._lines = 0

    def may(self, operation: int, kind: int, name: str, *, count: int = 1, tell_refusal: bool = True) -> bool:
        """Whether the client may do `operation` to the resource, which the request names `count` times."""
        rule = self._access.rule(operation, kind, name)
        if rule.allowed:
            if audit.isEnabledFor(logging.DEBUG):
                self._write(logging.DEBUG, rule, operation, kind, name, count)
        elif audit.isEnabledFor(logging.INFO if tell_refusal else TRACE):
            self._write(logging.INFO if tell_refusal else TRACE, rule, operation, kind, name, count)
        return rule.allowed

    def holds(self, later: Asking) -> bool:
        """Whether the answers hold as they did: no rule has changed before `later`, of the same client, was begun."""
        return later._access is self._access

    def may_on_cluster(self, operation: int, *, tell_refusal: bool = True) -> bool:
        """Whether the client may do `operation` to the cluster."""
        return self.may(operation, acl.CLUSTER, acl.CLUSTER_NAME, tell_refusal=tell_refusal)

    def which(self, operation: int, kind: int, names: Iterable[str], *, tell_refusal: bool = True) -> set[str]:
        """Return those of the resources to which the client may do `operation`."""
        return {
            name
            for name, count in Counter(names).items()
            if self.may(operation, kind, name, count=count, tell_refusal=tell_refusal)
        }

    def may_somewhere(self, operation: int, kind: int) -> bool:
        """Whether there is any resource of the type to which the client may do `operation`."""
        return self._access.may_somewhere(operation, kind)

    def operations(self, kind: int, name: str) -> int:
        """Return all that the client may do to a resource, as a bit set (KIP-430)."""
        access = self._access
        return sum(1 << operation for operation in SUPPORTED[kind] if access.rule(operation, kind, name).allowed)

    def _write(self, level: int, rule: Rule, operation: int, kind: int, name: str, count: int) -> None:
        self._lines += 1
        if self._lines > LINES_MAX:
            return
        if self._lines == LINES_MAX:
            audit.log(
                level, "Principal = %s from host = %s asks more in this request = %s than is written here",
                one_line(self._access.name), self._context.host, self._api,
            )  # fmt: skip
            return
        audit.log(
            level,
            "Principal = %s is %s operation = %s from host = %s on resource = %s:LITERAL:%s for request = %s "
            "with resourceRefCount = %d based on rule %s",
            one_line(self._access.name), "Allowed" if rule.allowed else "Denied", acl.OPERATIONS[operation],
            self._context.host, _TYPE_NAMES[kind], one_line(name), self._api, count, one_line(str(rule)),
        )  # fmt: skip


def asking_of(context: Context, api: str) -> Asking | None:
    """Begin the questions of a handler that asks by itself; None if there is no authorizer, and everybody may do all."""
    authorization = context.broker.authorization
    return None if authorization is None else authorization.asking(context, api)


def then(result: Any, transform: Callable[[Any], Any]) -> Any:
    """Change a handler's answer, when it comes; what stands for a failure, or for no answer, is handed on."""

    def change(answer: Any) -> Any:
        return answer if answer is None or isinstance(answer, BaseException) else transform(answer)

    if type(result) is CoroutineType:
        return _awaited(result, change)
    return mapped(result, change)


async def _awaited(result: Any, change: Callable[[Any], Any]) -> Any:
    return change(await result)
