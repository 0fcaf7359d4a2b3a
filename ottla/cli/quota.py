"""`ottla quota`: how fast users, client ids and addresses may go (KIP-13, KIP-546): list, set, unset.

Who is meant is said as kafka-configs does: --user, --client and --ip with a name, or --user-defaults, --client-defaults and --ip-defaults for
those who have no quota of their own; a user and a client id together are one.
"""

from __future__ import annotations

import argparse
from typing import Any

from ..client.admin.admin import Admin
from .asking import with_admin
from .output import say, show
from .trouble import MISUSED, Trouble
from .values import size

#: Quota -> what it counts.
KEYS = {
    "producer_byte_rate": "bytes a second that may be produced",
    "consumer_byte_rate": "bytes a second that may be fetched",
    "request_percentage": "share of the request threads' time, in percent of one",
    "controller_mutation_rate": "partitions a second that may be created or deleted",
    "connection_creation_rate": "connections a second, of an address",
}
_TYPES = {"user": "user", "client": "client-id", "ip": "ip"}


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    return with_admin(arguments, {"list": _list, "set": _set, "unset": _unset}[arguments.action])


def key(text: str) -> str:
    """A quota's name, with - or _."""
    name = text.strip().lower().replace("-", "_")
    if name not in KEYS:
        raise Trouble(f"there is no quota {text}", f"there are: {', '.join(KEYS)}", MISUSED)
    return name


def _entity(arguments: argparse.Namespace) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for word, kind in _TYPES.items():
        name, default = getattr(arguments, word), getattr(arguments, f"{word}_defaults")
        if name is not None and default:
            raise Trouble(f"--{word} and --{word}-defaults exclude each other", "give the one that you mean", MISUSED)
        if name is not None or default:
            found[kind] = name
    if "ip" in found and len(found) > 1:
        raise Trouble("an address has quotas of its own", "give --ip alone", MISUSED)
    return found


def _whom(arguments: argparse.Namespace) -> dict[str, str | None]:
    entity = _entity(arguments)
    if not entity:
        raise Trouble("whose quota?", "give --user, --client, --ip, or one of them with -defaults", MISUSED)
    return entity


def _number(name: str, text: str) -> float:
    try:
        return float(size(text)) if name.endswith("byte_rate") else float(text)
    except (ValueError, argparse.ArgumentTypeError):
        raise Trouble(f"{text!r} is no value of {name}", "a number; bytes also as 1MiB", MISUSED) from None


def _row(entity: dict[str, str | None], quotas: dict[str, float]) -> dict[str, Any]:
    names = {
        word: entity.get(kind) if kind not in entity or entity[kind] is not None else "(default)"
        for word, kind in _TYPES.items()
    }
    return {**names, "quotas": quotas}


async def _list(admin: Admin, arguments: argparse.Namespace) -> int:
    found = await admin.quotas.describe(_entity(arguments), strict=arguments.strict)
    rows = sorted((_row(entity, quotas) for entity, quotas in found if quotas), key=str)
    if arguments.json:
        data = [{"entity": entity, "quotas": quotas} for entity, quotas in sorted(found, key=str) if quotas]
        say(arguments, data)
        return 0
    lines = [(*(row[word] for word in _TYPES), name, f"{value:g}" if value % 1 else int(value))
             for row in rows for name, value in sorted(row["quotas"].items())]  # fmt: skip
    show(arguments, rows, (*_TYPES, "quota", "value"), lines)
    return 0


async def _set(admin: Admin, arguments: argparse.Namespace) -> int:
    entity = _whom(arguments)
    quotas = {key(name): _number(key(name), value) for name, value in arguments.pairs}
    await admin.quotas.set(entity, quotas, validate_only=arguments.dry_run)
    word = "could be set" if arguments.dry_run else "set"
    say(
        arguments,
        {"entity": entity, "set": quotas, "dry_run": arguments.dry_run},
        *(f"{word}: {name}={value:.15g}" for name, value in quotas.items()),
    )
    return 0


async def _unset(admin: Admin, arguments: argparse.Namespace) -> int:
    entity = _whom(arguments)
    names = [key(name) for name in arguments.keys]
    if not names:
        known = await admin.quotas.describe(entity, strict=True)
        names = sorted({name for found, quotas in known if found == entity for name in quotas})
    if names:
        await admin.quotas.set(entity, dict.fromkeys(names))
    say(
        arguments,
        {"entity": entity, "unset": names},
        *([f"{name} is not limited any more" for name in names] or ["there was no quota"]),
    )
    return 0
