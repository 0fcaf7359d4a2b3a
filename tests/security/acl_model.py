"""What Kafka's documentation says about ACLs, as one straight loop over all rules: the measure for the indexed authorizer."""

from __future__ import annotations

from collections.abc import Collection

from ottla.security import acl as a
from ottla.security.acl import Acl

IMPLIED = {
    (a.READ, a.DESCRIBE), (a.WRITE, a.DESCRIBE), (a.DELETE, a.DESCRIBE), (a.ALTER, a.DESCRIBE),
    (a.ALTER_CONFIGS, a.DESCRIBE_CONFIGS),
}  # fmt: skip


def names(rule: Acl, name: str) -> bool:
    if rule.pattern_type == a.PREFIXED:
        return name.startswith(rule.resource_name)
    return rule.resource_name in ("*", name)


def is_for(rule: Acl, principal: str, host: str) -> bool:
    return rule.principal in (principal, "User:*") and rule.host in (host, "*")


def may(
    acls: Collection[Acl], supers: Collection[str], open_if_none: bool,
    principal: str, host: str, operation: int, kind: int, name: str,
) -> bool:  # fmt: skip
    if principal in supers:
        return True
    about = [rule for rule in acls if rule.resource_type == kind and names(rule, name)]
    if not about:
        return open_if_none
    mine = [rule for rule in about if is_for(rule, principal, host)]
    for rule in mine:
        if rule.permission == a.DENY and rule.operation in (operation, a.ALL):
            return False
    return any(
        rule.permission == a.ALLOW and (rule.operation in (operation, a.ALL) or (rule.operation, operation) in IMPLIED)
        for rule in mine
    )


def may_somewhere(
    acls: Collection[Acl], supers: Collection[str], open_if_none: bool,
    principal: str, host: str, operation: int, kind: int,
) -> bool:  # fmt: skip
    if may(acls, supers, open_if_none, principal, host, operation, kind, "hardcode"):
        return True
    mine = [
        rule
        for rule in acls
        if rule.resource_type == kind and rule.operation in (operation, a.ALL) and is_for(rule, principal, host)
    ]
    denials = [rule for rule in mine if rule.permission == a.DENY]
    if any(rule.pattern_type == a.LITERAL and rule.resource_name == "*" for rule in denials):
        return False
    for rule in mine:
        wild = rule.pattern_type == a.LITERAL and rule.resource_name == "*"
        if rule.permission == a.ALLOW and (wild or not any(covers(denial, rule) for denial in denials)):
            return True
    return False


def covers(denial: Acl, rule: Acl) -> bool:
    """Whether a denial takes away all that a rule gives."""
    if denial.pattern_type == a.PREFIXED:
        return rule.resource_name.startswith(denial.resource_name)
    return rule.pattern_type == a.LITERAL and rule.resource_name == denial.resource_name
