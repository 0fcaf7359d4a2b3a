"""`ottla cluster`: describe, features, set-feature, api-versions, quorum, disks, move, reassignments, unregister."""

from __future__ import annotations

import argparse
import time
from typing import Any

from ..client.admin.admin import Admin
from .asking import with_admin
from .output import confirm, say, show, table
from .topic import partitions_of
from .trouble import MISUSED, Trouble
from .values import bytes_text


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    actions = {
        "describe": _describe, "features": _features, "quorum": _quorum, "disks": _disks, "reassignments": _reassignments,
        "set-feature": _set_feature, "api-versions": _api_versions, "move": _move, "unregister": _unregister,
    }  # fmt: skip
    return with_admin(arguments, actions[arguments.action])


async def _describe(admin: Admin, arguments: argparse.Namespace) -> int:
    about = await admin.cluster.describe()
    brokers = [{"id": b.id, "host": b.host, "port": b.port, "rack": b.rack} for b in sorted(about.brokers)]
    if arguments.json:
        say(arguments, {"id": about.id, "controller": about.controller_id, "brokers": brokers})
    else:
        rows = [(*row.values(), row["id"] == about.controller_id) for row in brokers]
        table(("broker", "host", "port", "rack", "controller"), rows, f"cluster {about.id}")
    return 0


async def _features(admin: Admin, arguments: argparse.Namespace) -> int:
    found = sorted((await admin.cluster.features()).items())
    data = [{"feature": name, "level": f.level, "lowest": f.low, "highest": f.high} for name, f in found]
    show(arguments, data, ("feature", "level", "lowest", "highest"), [tuple(row.values()) for row in data])
    return 0


async def _quorum(admin: Admin, arguments: argparse.Namespace) -> int:
    quorum = await admin.cluster.quorum()
    now_ms = time.time() * 1000
    rows = [
        {"node": r.id, "role": "leader" if r.id == quorum.leader_id else role, "end": r.log_end_offset,
         "behind": quorum_lag(r.log_end_offset, quorum.voters),
         "caught_up_ms_ago": round(now_ms - r.last_caught_up_ms) if r.last_caught_up_ms > 0 else None}
        for role, replicas in (("voter", quorum.voters), ("observer", quorum.observers)) for r in replicas
    ]  # fmt: skip
    if arguments.json:
        say(
            arguments,
            {
                "leader": quorum.leader_id,
                "epoch": quorum.leader_epoch,
                "high_watermark": quorum.high_watermark,
                "replicas": rows,
            },
        )
    else:
        title = f"leader {quorum.leader_id}  epoch {quorum.leader_epoch}  high watermark {quorum.high_watermark}"
        table(("node", "role", "end", "behind", "caught up (ms ago)"), [tuple(row.values()) for row in rows], title)
    return 0


def quorum_lag(end: int, voters: tuple[object, ...]) -> int:
    """How many records a replica lacks."""
    return max((getattr(each, "log_end_offset", end) for each in voters), default=end) - end


async def _disks(admin: Admin, arguments: argparse.Namespace) -> int:
    if arguments.topics or arguments.all:
        return await _replicas(admin, arguments)
    dirs = await admin.log_dirs.describe(arguments.brokers)
    data: list[dict[str, Any]] = [
        {"broker": broker, "path": each.path, "partitions": len(each.replicas), "bytes": sum(r.bytes for r in each.replicas.values()),
         "free_bytes": each.usable_bytes if each.usable_bytes >= 0 else None,
         "total_bytes": each.total_bytes if each.total_bytes >= 0 else None}
        for broker, found in sorted(dirs.items()) for each in found
    ]  # fmt: skip
    rows = [
        (row["broker"], row["path"], row["partitions"],
         *("-" if row[name] is None else bytes_text(row[name]) for name in ("bytes", "free_bytes", "total_bytes")))
        for row in data
    ]  # fmt: skip
    show(arguments, data, ("broker", "path", "partitions", "used", "free", "total"), rows)
    return 0


async def _replicas(admin: Admin, arguments: argparse.Namespace) -> int:
    keys = None if arguments.all else await partitions_of(admin, arguments.topics, None)
    dirs = await admin.log_dirs.describe(arguments.brokers, keys)
    data = [
        {"broker": broker, "path": each.path, "topic": topic, "partition": number, "bytes": r.bytes, "offset_lag": r.offset_lag,
         "is_future": r.is_future}
        for broker, found in sorted(dirs.items()) for each in found for (topic, number), r in sorted(each.replicas.items())
    ]  # fmt: skip
    columns = ("broker", "path", "topic", "partition", "bytes", "lag", "moving in")
    show(arguments, data, columns, [tuple(row.values()) for row in data])
    return 0


async def _move(admin: Admin, arguments: argparse.Namespace) -> int:
    keys = await partitions_of(admin, [arguments.topic], arguments.partitions)
    await admin.log_dirs.move(arguments.node, dict.fromkeys(keys, arguments.path))
    say(arguments, {"broker": arguments.node, "path": arguments.path, "partitions": [f"{topic}-{number}" for topic, number in keys]},
        f"{len(keys)} partition(s) on their way: ottla cluster disks --topic {arguments.topic} shows them")  # fmt: skip
    return 0


async def _set_feature(admin: Admin, arguments: argparse.Namespace) -> int:
    levels = {}
    for name, level in arguments.pairs:
        if not level.isdecimal():
            raise Trouble(f"{level!r} is no level", f"a number: ottla cluster features shows which {name} has", MISUSED)
        levels[name] = int(level)
    await admin.cluster.update_features(levels, downgrade=arguments.downgrade, validate_only=arguments.dry_run)
    word = "could be" if arguments.dry_run else "is"
    say(
        arguments,
        {"set": levels, "dry_run": arguments.dry_run},
        *(f"{name} {word} {level}" for name, level in levels.items()),
    )
    return 0


async def _api_versions(admin: Admin, arguments: argparse.Namespace) -> int:
    found = await admin.cluster.api_versions(arguments.node)
    data = [
        {"key": key, "api": name, "lowest": low, "highest": high} for key, (name, low, high) in sorted(found.items())
    ]
    show(arguments, data, ("key", "api", "lowest", "highest"), [tuple(row.values()) for row in data])
    return 0


async def _unregister(admin: Admin, arguments: argparse.Namespace) -> int:
    confirm(arguments, f"Forget broker {arguments.node}?")
    await admin.cluster.unregister_broker(arguments.node)
    say(arguments, {"unregistered": arguments.node}, f"broker {arguments.node} is forgotten")
    return 0


async def _reassignments(admin: Admin, arguments: argparse.Namespace) -> int:
    found = sorted((await admin.partitions.reassignments()).items())
    data = [
        {
            "topic": key[0],
            "partition": key[1],
            "replicas": list(r.replicas),
            "adding": list(r.adding),
            "removing": list(r.removing),
        }
        for key, r in found
    ]
    show(
        arguments, data, ("topic", "partition", "replicas", "adding", "removing"), [tuple(row.values()) for row in data]
    )
    return 0
