"""Who may do what: Kafka's StandardAuthorizer, as a function from rules and a request to yes or no.

    super user ─► yes       a DENY that applies ─► no       an ALLOW that applies ─► yes       otherwise ─► no,
                                                                    or yes if the resource has no rule at all and
                                                                    allow.everyone.if.no.acl.found is true

A rule applies to a resource if it names it (LITERAL), names its beginning (PREFIXED) or is for all (LITERAL `*`), and if it
is for the principal or for `User:*`, for its address or for `*`, and for the operation or for ALL. Some operations
imply another where they are allowed, not where they are denied.

How it is found
---------------
    index[type, pattern][name] ─► rules          name: the resource's, "*", and each length of prefix that occurs
    Access of (principal, host) ─► {(operation, type, name): Rule}     what was found, until rules change

Rules change rarely and requests come all the time, so what was found once is kept: a request of a known principal about
a known topic is one look into a dictionary. Everything kept is dropped when rules change, and when there is too much.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ..protocol.schema import Data
from .acl import (
    ALL,
    ALLOW,
    ALTER,
    ALTER_CONFIGS,
    DELETE,
    DENY,
    DESCRIBE,
    DESCRIBE_CONFIGS,
    EVERYBODY,
    LITERAL,
    PREFIXED,
    READ,
    WILDCARD,
    WRITE,
    Acl,
    acl_of_record,
    canonical_host,
)
from .principal import Principal

#: An allowed operation -> those that are allowed with it.
_IMPLIED_BY: Mapping[int, frozenset[int]] = {
    DESCRIBE: frozenset({DESCRIBE, READ, WRITE, DELETE, ALTER}),
    DESCRIBE_CONFIGS: frozenset({DESCRIBE_CONFIGS, ALTER_CONFIGS}),
}
#: Answers that are kept, over all principals, and the longest name for which one is: some 20 MB at most.
ANSWERS_MAX = 50_000
NAME_MAX = 255
#: The resource whose name nobody uses: who may do it there may do it anywhere (authorizeByResourceType).
_ANY_NAME = "hardcode"


class Rule(NamedTuple):
    """The answer, and what decided it, for the audit log."""

    allowed: bool
    acl: Acl | None = None
    name: str = ""

    def __str__(self) -> str:
        return f"MatchingAcl(acl={self.acl})" if self.acl is not None else self.name


SUPER_USER = Rule(True, None, "SuperUser")
DEFAULT_ALLOW = Rule(True, None, "DefaultAllow")
DEFAULT_DENY = Rule(False, None, "DefaultDeny")


class _Index:
    """Rules by what they name."""

    __slots__ = ("_by_name", "_lengths")

    def __init__(self) -> None:
        self._by_name: dict[tuple[int, int, str], list[Acl]] = {}
        #: Resource type -> length of a prefix -> how many different prefixes have it.
        self._lengths: dict[int, dict[int, int]] = {}

    def add(self, acl: Acl) -> None:
        key = acl.resource_type, acl.pattern_type, acl.resource_name
        rules = self._by_name.get(key)
        if rules is None:
            self._by_name[key] = [acl]
            self._count(acl, 1)
        else:
            insort(rules, acl, key=_order)

    def remove(self, acl: Acl) -> None:
        key = acl.resource_type, acl.pattern_type, acl.resource_name
        rules = self._by_name[key]
        rules.remove(acl)
        if not rules:
            del self._by_name[key]
            self._count(acl, -1)

    def _count(self, acl: Acl, change: int) -> None:
        if acl.pattern_type == PREFIXED:
            lengths = self._lengths.setdefault(acl.resource_type, {})
            size = len(acl.resource_name)
            lengths[size] = lengths.get(size, 0) + change
            if not lengths[size]:
                del lengths[size]

    def about(self, resource_type: int, name: str) -> Iterator[Acl]:
        """Iterate over the rules for a resource, the closest name first."""
        by_name = self._by_name
        yield from by_name.get((resource_type, LITERAL, name), ())
        lengths = self._lengths.get(resource_type)
        if lengths:
            for size in sorted(lengths, reverse=True):
                if size <= len(name):
                    yield from by_name.get((resource_type, PREFIXED, name[:size]), ())
        if name != WILDCARD:
            yield from by_name.get((resource_type, LITERAL, WILDCARD), ())

    def of_type(self, resource_type: int) -> Iterator[Acl]:
        """Iterate over all rules for one type of resource."""
        for (kind, _, _), rules in self._by_name.items():
            if kind == resource_type:
                yield from rules


def _order(acl: Acl) -> tuple[int, str, str, int]:
    return acl.operation, acl.principal, acl.host, acl.permission


class Access:
    """What one principal may do from one address."""

    __slots__ = ("_answers", "_authorizer", "host", "is_super", "name")

    def __init__(self, authorizer: Authorizer, name: str, host: str) -> None:
        self._authorizer = authorizer
        self.name, self.host = name, canonical_host(host)
        self.is_super = name in authorizer.super_users
        self._answers: dict[tuple[int, int, str], Rule] = {}

    def rule(self, operation: int, resource_type: int, name: str) -> Rule:
        """Decide, and say why."""
        answer = self._answers.get((operation, resource_type, name))
        if answer is None:
            answer = self._decide(operation, resource_type, name)
            if len(name) <= NAME_MAX and self._authorizer.may_keep():
                self._answers[operation, resource_type, name] = answer
        return answer

    def may(self, operation: int, resource_type: int, name: str) -> bool:
        """Whether the principal may do this to that resource."""
        return self.rule(operation, resource_type, name).allowed

    def _decide(self, operation: int, resource_type: int, name: str) -> Rule:
        if self.is_super:
            return SUPER_USER
        allowing: Acl | None = None
        found = False
        for acl in self._authorizer.index.about(resource_type, name):
            found = True
            if self._is_for_me(acl) and _covers(acl, operation):
                if acl.permission == DENY:
                    return Rule(False, acl)
                allowing = acl
        if allowing is not None:
            return Rule(True, allowing)
        return DEFAULT_ALLOW if not found and self._authorizer.allow_if_no_acl else DEFAULT_DENY

    def _is_for_me(self, acl: Acl) -> bool:
        return acl.principal in (self.name, EVERYBODY) and (
            acl.host == WILDCARD or self.host == canonical_host(acl.host)
        )

    def may_somewhere(self, operation: int, resource_type: int) -> bool:
        """Whether there is a resource of the type to which the principal may do this (KIP-679).

        An ALLOW counts unless a DENY covers all of it. Implied operations do not count, as in Kafka.
        """
        key = (operation, resource_type, "")  # no resource has an empty name
        answer = self._answers.get(key)
        if answer is None:
            allowed = self.may(operation, resource_type, _ANY_NAME) or self._finds_some(operation, resource_type)
            answer = DEFAULT_ALLOW if allowed else DEFAULT_DENY
            if self._authorizer.may_keep():
                self._answers[key] = answer
        return answer.allowed

    def _finds_some(self, operation: int, resource_type: int) -> bool:
        mine = [
            acl
            for acl in self._authorizer.index.of_type(resource_type)
            if acl.operation in (operation, ALL) and self._is_for_me(acl)
        ]
        denied = {(acl.pattern_type, acl.resource_name) for acl in mine if acl.permission == DENY}
        if (LITERAL, WILDCARD) in denied:
            return False
        lengths = {len(name) for kind, name in denied if kind == PREFIXED}
        for acl in mine:
            if acl.permission != ALLOW:
                continue
            name = acl.resource_name
            if acl.pattern_type == LITERAL:
                if name == WILDCARD:
                    return True
                if (LITERAL, name) in denied:
                    continue
            if not any((PREFIXED, name[:size]) in denied for size in lengths if size <= len(name)):
                return True
        return False


def _covers(acl: Acl, operation: int) -> bool:
    if acl.operation in (operation, ALL):
        return True
    return acl.permission == ALLOW and acl.operation in _IMPLIED_BY.get(operation, ())


class Authorizer:
    """All rules, and what was found by them."""

    __slots__ = ("_accesses", "_acls", "_kept", "allow_if_no_acl", "index", "super_users")

    def __init__(self, super_users: Iterable[str] = (), *, allow_if_no_acl: bool = False) -> None:
        self.super_users = frozenset(super_users)
        self.allow_if_no_acl = allow_if_no_acl
        self.index = _Index()
        self._acls: dict[bytes, tuple[Data, Acl]] = {}
        self._accesses: dict[tuple[Principal, str], Access] = {}
        self._kept = 0

    def __len__(self) -> int:
        return len(self._acls)

    def update(self, records: Mapping[bytes, Data]) -> None:
        """Let these rules, by their ids, be all there are. Only those that are new or gone cost more than a look."""
        old = self._acls
        for identity in [each for each, (record, _) in old.items() if records.get(each) is not record]:
            self.index.remove(old.pop(identity)[1])
        for identity, record in records.items():
            if identity not in old:
                acl = acl_of_record(record)
                old[identity] = record, acl
                self.index.add(acl)
        self.forget()

    def access(self, principal: Principal, host: str) -> Access:
        """Return what `principal` may do from `host`."""
        access = self._accesses.get((principal, host))
        if access is None:
            access = Access(self, str(principal), host)
            if self.may_keep():
                self._accesses[principal, host] = access
        return access

    def may_keep(self) -> bool:
        """Count one more thing that is kept; when there is too much, nothing is."""
        self._kept += 1
        if self._kept > ANSWERS_MAX:
            self.forget()
            return False
        return True

    def forget(self) -> None:
        """Drop everything that was found."""
        self._accesses = {}
        self._kept = 0
