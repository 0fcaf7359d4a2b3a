"""`ottla config`: get, set, unset and list configs of topics, brokers, groups and client metrics subscriptions."""

from __future__ import annotations

import argparse

from ..client.admin.admin import Admin
from ..client.admin.configs import ConfigResource, Kind
from .asking import with_admin
from .output import say, show
from .trouble import MISUSED, Trouble


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    actions = {"get": _get, "set": _set, "unset": _unset, "list": _list}
    return with_admin(arguments, actions[arguments.action])


def _resource(arguments: argparse.Namespace) -> ConfigResource:
    kind = Kind[arguments.kind.upper().replace("-", "_")]
    name = arguments.name
    if kind is Kind.BROKER:
        name = "" if name == "default" else name
        if name and not name.isdecimal():
            raise Trouble(f"{name!r} is no broker", "give its id, or 'default' for all brokers", MISUSED)
    return ConfigResource(kind, name)


async def _get(admin: Admin, arguments: argparse.Namespace) -> int:
    resource = _resource(arguments)
    if resource.kind is Kind.TOPIC:
        await admin.topics.describe(resource.name)  # Kafka's answer for a topic that is not there names none
    entries = await admin.configs.get(resource, arguments.keys or None, documentation=arguments.docs)
    unknown = [key for key in arguments.keys if key not in entries]
    if unknown:
        raise Trouble(
            f"there is no config {unknown[0]}", f"ottla config get {arguments.kind} {arguments.name} --all", MISUSED
        )
    shown = [
        entry for _, entry in sorted(entries.items())
        if arguments.keys or arguments.all or entry.source not in ("default", "static", "broker", "default broker")
        or (resource.kind is Kind.BROKER and entry.source not in ("default",))
    ]  # fmt: skip
    data = [
        {"name": each.name, "value": each.value, "source": each.source, "read_only": each.read_only, "sensitive": each.sensitive,
         **({"documentation": each.documentation} if arguments.docs else {})}
        for each in shown
    ]  # fmt: skip
    columns = ["name", "value", "source", *(["meaning"] if arguments.docs else [])]
    rows = [
        (
            each.name,
            "(hidden)" if each.sensitive else each.value,
            each.source,
            *([each.documentation] if arguments.docs else []),
        )
        for each in shown
    ]
    show(arguments, data, columns, rows)
    return 0


async def _set(admin: Admin, arguments: argparse.Namespace) -> int:
    await admin.configs.set(_resource(arguments), dict(arguments.pairs))
    say(arguments, {"set": dict(arguments.pairs)}, *(f"{name}={value}" for name, value in arguments.pairs))
    return 0


async def _unset(admin: Admin, arguments: argparse.Namespace) -> int:
    await admin.configs.delete(_resource(arguments), arguments.keys)
    say(arguments, {"unset": arguments.keys}, *(f"{name} is the default again" for name in arguments.keys))
    return 0


async def _list(admin: Admin, arguments: argparse.Namespace) -> int:
    found = sorted(await admin.configs.resources())
    data = [{"type": each.kind.name.lower().replace("_", "-"), "name": each.name} for each in found]
    show(arguments, data, ("type", "name"), [tuple(row.values()) for row in data])
    return 0
