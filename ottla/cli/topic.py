"""`ottla topic`: list, describe, create, alter, delete, offsets, delete-records, reassign, elect."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable
from typing import Any

from ..client.admin.admin import Admin
from ..client.admin.configs import ConfigEntry, ConfigResource
from ..client.admin.topics import Partition, Topic
from .asking import with_admin
from .output import confirm, progress, say, show, table
from .trouble import MISUSED, Trouble

TopicAndPartition = tuple[str, int]
#: How often a reassignment is looked at.
LOOK_S = 0.5


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    actions = {
        "list": _list, "describe": _describe, "create": _create, "alter": _alter, "delete": _delete, "offsets": _offsets,
        "delete-records": _delete_records, "reassign": _reassign, "elect": _elect,
    }  # fmt: skip
    return with_admin(arguments, actions[arguments.action])


async def partitions_of(admin: Admin, topics: Iterable[str], only: list[int] | None) -> list[TopicAndPartition]:
    """The partitions of some topics, or those that are asked for."""
    names = list(topics)
    known = await admin.topics.describe(names or None)
    found = []
    for name, topic in sorted(known.items()):
        ids = [part.id for part in topic.partitions]
        missing = [number for number in only or () if number not in ids]
        if missing and names:
            raise Trouble(
                f"{name} has no partition {missing[0]}",
                f"its partitions are 0 to {len(ids) - 1}: ottla topic describe {name}",
                MISUSED,
            )
        found += [(name, number) for number in ids if only is None or number in only]
    return found


async def _list(admin: Admin, arguments: argparse.Namespace) -> int:
    topics = await admin.topics.describe()
    rows = [
        (name, len(topic.partitions), max((len(part.replicas) for part in topic.partitions), default=0))
        for name, topic in sorted(topics.items())
        if arguments.internal or not topic.is_internal
    ]
    data = [{"topic": name, "partitions": count, "replication_factor": factor} for name, count, factor in rows]
    show(arguments, data, ("topic", "partitions", "replicas"), rows)
    return 0


async def _describe(admin: Admin, arguments: argparse.Namespace) -> int:
    topics = await admin.topics.describe(arguments.topics or None)
    if not arguments.topics:
        topics = {name: topic for name, topic in topics.items() if not topic.is_internal}
    resources = [ConfigResource.topic(name) for name in topics]
    configs = await admin.configs.describe(resources) if resources else {}
    data: list[dict[str, Any]] = []
    only = [
        name for name in ("under_replicated", "under_min_isr", "at_min_isr", "unavailable") if getattr(arguments, name)
    ]
    for name, topic in sorted(topics.items()):
        least = int((configs[ConfigResource.topic(name)].get("min.insync.replicas") or _ONE).value or 1)
        parts = [
            _part(part) for part in topic.partitions if not only or any(_lacks(part, each, least) for each in only)
        ]
        if only and not parts:
            continue
        changed = {
            entry.name: entry.value for entry in configs[ConfigResource.topic(name)].values() if entry.source == "topic"
        }
        data.append({"topic": name, "id": _id(topic), "internal": topic.is_internal, "configs": changed,
                     "partitions": parts})  # fmt: skip
    if arguments.json:
        say(arguments, data)
        return 0
    for each in data:
        title = f"{each['topic']}  id {each['id']}  {_pairs(each['configs'])}".rstrip()
        rows = [(p["partition"], p["leader"], p["replicas"], p["in_sync"], p["offline"]) for p in each["partitions"]]
        table(("partition", "leader", "replicas", "in sync", "offline"), rows, title)
    return 0


#: A broker that does not tell of the config.
_ONE = ConfigEntry("min.insync.replicas", "1", "default", False, False)


def _lacks(part: Partition, what: str, least: int) -> bool:
    """Whether a partition has this trouble."""
    in_sync = len(part.isr)
    return {
        "under_replicated": in_sync < len(part.replicas), "under_min_isr": in_sync < least,
        "at_min_isr": in_sync == least, "unavailable": part.leader < 0,
    }[what]  # fmt: skip


def _id(topic: Topic) -> str:
    """A topic's id as Kafka's tools print it."""
    import base64

    return base64.urlsafe_b64encode(topic.id).decode().rstrip("=")


def _part(part: Any) -> dict[str, Any]:
    return {
        "partition": part.id, "leader": part.leader if part.leader >= 0 else None, "leader_epoch": part.leader_epoch,
        "replicas": list(part.replicas), "in_sync": list(part.isr), "offline": list(part.offline),
    }  # fmt: skip


def _pairs(configs: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in sorted(configs.items()))


async def _create(admin: Admin, arguments: argparse.Namespace) -> int:
    await admin.topics.create(
        arguments.names,
        partitions=arguments.partitions,
        replication_factor=arguments.replication_factor,
        assignments=arguments.assign,
        config=dict(arguments.configs),
        if_exists="ok" if arguments.if_not_exists else "error",
        validate_only=arguments.dry_run,
    )
    what = "could be created" if arguments.dry_run else "created"
    say(
        arguments,
        {"created": arguments.names, "dry_run": arguments.dry_run},
        *(f"{what} {name}" for name in arguments.names),
    )
    return 0


async def _alter(admin: Admin, arguments: argparse.Namespace) -> int:
    await admin.topics.set_partitions(arguments.topic, arguments.partitions)
    say(arguments, {"topic": arguments.topic, "partitions": arguments.partitions},
        f"{arguments.topic} has {arguments.partitions} partitions")  # fmt: skip
    return 0


async def _delete(admin: Admin, arguments: argparse.Namespace) -> int:
    confirm(arguments, f"Delete {', '.join(arguments.topics)} with all records?")
    await admin.topics.delete(arguments.topics, if_missing="ok" if arguments.if_exists else "error")
    say(arguments, {"deleted": arguments.topics}, *(f"deleted {name}" for name in arguments.topics))
    return 0


async def _offsets(admin: Admin, arguments: argparse.Namespace) -> int:
    keys = await partitions_of(admin, arguments.topics, arguments.partitions)
    begins, ends = await asyncio.gather(admin.topics.offsets(keys, "earliest"), admin.topics.offsets(keys, "latest"))
    at = await admin.topics.offsets(keys, arguments.time) if arguments.time is not None else {}
    data = [
        {"topic": key[0], "partition": key[1], "begin": begins[key].offset, "end": ends[key].offset,
         "records": ends[key].offset - begins[key].offset,
         **({"at": at[key].offset if at[key].offset >= 0 else None} if at else {})}
        for key in keys
    ]  # fmt: skip
    columns = ["topic", "partition", "begin", "end", "records", *(["at"] if at else [])]
    show(arguments, data, columns, [tuple(row.values()) for row in data])
    return 0


async def _delete_records(admin: Admin, arguments: argparse.Namespace) -> int:
    if (arguments.before is None) == (arguments.older_than is None):
        raise Trouble("which records?", "give --before OFFSET or --older-than TIME; --before -1 is all", MISUSED)
    keys = await partitions_of(admin, [arguments.topic], arguments.partitions)
    begins, ends = await asyncio.gather(admin.topics.offsets(keys, "earliest"), admin.topics.offsets(keys, "latest"))
    if arguments.before is not None:
        wanted = {key: ends[key].offset if arguments.before < 0 else arguments.before for key in keys}
    else:
        found = await admin.topics.offsets(keys, arguments.older_than)
        wanted = {key: found[key].offset if found[key].offset >= 0 else ends[key].offset for key in keys}
    wanted = {key: before for key, before in wanted.items() if before > begins[key].offset}
    count = sum(before - begins[key].offset for key, before in wanted.items())
    confirm(arguments, f"Delete {count} records of {arguments.topic}?")
    lows: dict[TopicAndPartition, int] = {}
    with progress("deleting records", len(wanted), "partitions") as advance:
        for key, before in wanted.items():
            lows.update(await admin.topics.delete_records({key: before}))
            advance(1)
    data = [{"topic": topic, "partition": number, "begin": low} for (topic, number), low in sorted(lows.items())]
    show(arguments, data, ("topic", "partition", "begins at"), [tuple(row.values()) for row in data])
    return 0


async def _reassign(admin: Admin, arguments: argparse.Namespace) -> int:
    keys = await partitions_of(admin, [arguments.topic], arguments.partitions)
    wanted: dict[TopicAndPartition, list[int] | None]
    if arguments.cancel:
        moving = await admin.partitions.reassignments(keys)
        wanted = dict.fromkeys(moving)
    elif arguments.brokers:
        wanted = await _spread(admin, keys, arguments.brokers)
        if not arguments.execute:
            return _shown_plan(arguments, wanted)
    elif arguments.replicas is None:
        raise Trouble("which replicas?", "give --replicas 1:2,2:3, --brokers 1,2,3 or --cancel", MISUSED)
    else:
        lists = arguments.replicas * len(keys) if len(arguments.replicas) == 1 else arguments.replicas
        if len(lists) != len(keys):
            raise Trouble(
                f"{len(lists)} lists of replicas for {len(keys)} partitions", "give one, or one for each", MISUSED
            )
        wanted = dict(zip(keys, lists, strict=True))
    if wanted:
        await admin.partitions.reassign(wanted)
    left = await admin.partitions.reassignments(keys)
    if arguments.wait and left:
        with progress("moving replicas", len(left), "partitions") as advance:
            while left:
                await asyncio.sleep(LOOK_S)
                now = await admin.partitions.reassignments(keys)
                advance(len(left) - len(now))
                left = now
    told = "cancelled" if arguments.cancel else "on the move" if left else "done"
    say(
        arguments,
        {"topic": arguments.topic, "partitions": len(wanted), "moving": len(left)},
        f"{len(wanted)} partitions: {told}",
    )
    return 0


async def _spread(
    admin: Admin, keys: list[TopicAndPartition], brokers: list[int]
) -> dict[TopicAndPartition, list[int] | None]:
    """As many replicas as before, on these brokers in turn; the followers of one leader shift from round to round."""
    known = await admin.topics.describe({topic for topic, _ in keys})
    found: dict[TopicAndPartition, list[int] | None] = {}
    for index, (topic, number) in enumerate(keys):
        (part,) = (each for each in known[topic].partitions if each.id == number)
        count = len(part.replicas)
        if count > len(brokers):
            raise Trouble(f"{topic}-{number} has {count} replicas", f"name at least {count} brokers", MISUSED)
        first, shift = index % len(brokers), index // len(brokers)
        others = [brokers[(first + 1 + (shift + n) % (len(brokers) - 1)) % len(brokers)] for n in range(count - 1)]
        found[topic, number] = [brokers[first], *others]
    return found


def _shown_plan(arguments: argparse.Namespace, wanted: dict[TopicAndPartition, list[int] | None]) -> int:
    data = [{"topic": topic, "partition": number, "replicas": replicas} for (topic, number), replicas in wanted.items()]
    show(arguments, data, ("topic", "partition", "replicas"), [tuple(row.values()) for row in data])
    if not arguments.json:
        print("nothing was changed: --execute does it")
    return 0


async def _elect(admin: Admin, arguments: argparse.Namespace) -> int:
    keys = await partitions_of(admin, arguments.topics, arguments.partitions) if arguments.topics else None
    elected = sorted(await admin.partitions.elect_leaders(keys, unclean=arguments.unclean))
    data = [{"topic": topic, "partition": number} for topic, number in elected]
    say(
        arguments,
        data,
        *([f"{topic}-{number} has a new leader" for topic, number in elected] or ["every leader is the preferred one"]),
    )
    return 0
