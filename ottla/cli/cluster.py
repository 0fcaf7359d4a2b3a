"""`ottla cluster`: describe, features, quorum, disks, reassignments."""

from __future__ import annotations

import argparse
import time
from typing import Any

from ..client.admin.admin import Admin
from .asking import with_admin
from .output import say, show, table
from .values import bytes_text


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    actions = {
        "describe": _describe, "features": _features, "quorum": _quorum, "disks": _disks, "reassignments": _reassignments,
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
