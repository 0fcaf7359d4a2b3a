"""`ottla acl`: list, create and delete rules, written as `ottla user create --acl` takes them: read,describe:topic:logs-*."""

from __future__ import annotations

import argparse

from ..client.admin.admin import Admin
from ..client.admin.security import OPERATIONS, RESOURCES, Acl
from .asking import with_admin
from .output import confirm, show
from .trouble import MISUSED, Trouble

Rules = list[Acl]


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    return with_admin(arguments, {"list": _list, "create": _create, "delete": _delete}[arguments.action])


def principal(text: str) -> str:
    """alice is User:alice."""
    return text if ":" in text else f"User:{text}"


def rules(text: str, who: str, host: str, permission: str) -> Rules:
    """The rules that one --allow or --deny stands for."""
    operations, _, rest = text.partition(":")
    kind, _, name = rest.partition(":")
    words = [word.strip().lower().replace("-", "_") for word in operations.split(",")]
    resource = kind.lower().replace("-", "_")
    if not name or resource not in RESOURCES or any(word not in OPERATIONS for word in words):
        raise Trouble(
            f"{text!r} is not OPERATION[,OPERATION]:TYPE:NAME",
            "as in read,describe:topic:orders; operations: "
            f"{', '.join(OPERATIONS).replace('_', '-')}; types: {', '.join(RESOURCES).replace('_', '-')}",
            MISUSED,
        )
    prefixed = name.endswith("*") and name != "*"
    return [
        Acl(
            who,
            word,
            resource,
            name[:-1] if prefixed else name,
            "prefixed" if prefixed else "literal",
            host,
            permission,
        )
        for word in words
    ]


def _asked(arguments: argparse.Namespace) -> Rules:
    who = principal(arguments.principal)
    return [
        each
        for permission, texts in (("allow", arguments.allow), ("deny", arguments.deny))
        for text in texts
        for each in rules(text, who, arguments.host, permission)
    ]


def _show(arguments: argparse.Namespace, found: Rules) -> None:
    data = [
        {"principal": a.principal, "permission": a.permission, "operation": a.operation, "type": a.resource, "name": a.name,
         "pattern": a.pattern, "host": a.host}
        for a in sorted(found, key=lambda a: (a.principal, a.resource, a.name, a.operation))
    ]  # fmt: skip
    columns = ("principal", "permission", "operation", "type", "name", "pattern", "host")
    show(arguments, data, columns, [tuple(row.values()) for row in data])


async def _list(admin: Admin, arguments: argparse.Namespace) -> int:
    found = await admin.acls.list(
        principal=principal(arguments.principal) if arguments.principal else None,
        resource=arguments.type.replace("-", "_"),
        name=arguments.name,
        pattern="match" if arguments.name else "any",
    )
    _show(arguments, found)
    return 0


async def _create(admin: Admin, arguments: argparse.Namespace) -> int:
    wanted = _asked(arguments)
    if not wanted:
        raise Trouble("no rule", "give --allow or --deny, such as --allow read:topic:orders", MISUSED)
    await admin.acls.create(*wanted)
    _show(arguments, wanted)
    return 0


async def _delete(admin: Admin, arguments: argparse.Namespace) -> int:
    wanted = _asked(arguments)
    if not wanted:
        confirm(arguments, f"Delete all rules of {principal(arguments.principal)}?")
        wanted = [Acl(principal(arguments.principal), "any", "any", "", "any", "", "any")]
    _show(arguments, await admin.acls.delete(*wanted))
    return 0
