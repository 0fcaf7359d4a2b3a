"""`ottla group`: list, describe with lag, members, reset, delete, delete-offsets, remove-members.

`reset` shows what it would do and does it with `--execute` only, as Kafka's kafka-consumer-groups does: offsets that were
committed are gone once they are overwritten.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from ..client.admin.admin import Admin
from ..client.admin.groups import GroupDescription
from ..client.errors import BrokerError
from ..protocol.errors import ErrorCode
from .asking import with_admin
from .output import confirm, say, show, table
from .topic import partitions_of
from .trouble import MISUSED, Trouble

TopicAndPartition = tuple[str, int]


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    actions = {
        "list": _list, "describe": _describe, "members": _members, "reset": _reset, "delete": _delete,
        "delete-offsets": _delete_offsets, "remove-members": _remove_members,
    }  # fmt: skip
    return with_admin(arguments, actions[arguments.action])


async def _list(admin: Admin, arguments: argparse.Namespace) -> int:
    groups = await admin.groups.list(types=arguments.types, states=arguments.states)
    data = [{"group": g.id, "type": g.type or None, "state": g.state, "protocol": g.protocol_type} for g in groups]
    show(arguments, data, ("group", "type", "state", "protocol"), [tuple(row.values()) for row in data])
    return 0


async def _describe(admin: Admin, arguments: argparse.Namespace) -> int:
    groups = arguments.groups or [group.id for group in await admin.groups.list()]
    data = [await _described(admin, group) for group in groups]
    if arguments.json:
        say(arguments, data)
        return 0
    for each in data:
        title = f"{each['group']}  {each['type']}  {each['state']}  {each['members']} member(s)  lag {each['lag']}"
        rows = [tuple(row.values()) for row in each["partitions"]]
        table(("topic", "partition", "committed", "end", "lag", "member", "host"), rows, title)
    return 0


async def _described(admin: Admin, group: str) -> dict[str, Any]:
    try:
        about = await admin.groups.describe(group)
    except BrokerError as error:  # only offsets are left of it: a group that was read by `assign`
        if error.code != ErrorCode.GROUP_ID_NOT_FOUND or not await admin.groups.offsets(group):
            raise
        about = GroupDescription(group, "classic", "Empty", "", ())
    lags: dict[TopicAndPartition, tuple[int | None, int, int | None]]
    owners = {key: member for member in about.members for key in member.partitions}
    if about.type == "share":
        starts = await admin.groups.share_offsets(group)
        ends = await admin.topics.offsets(list(starts), "latest")
        lags = {
            key: (at, ends[key].offset, max(0, ends[key].offset - at) if at >= 0 else None)
            for key, at in starts.items()
        }
    else:
        lags = {key: (lag.committed, lag.end, lag.lag) for key, lag in (await admin.groups.lag(group)).items()}
    rows = []
    for key, (at, end, lag) in sorted(lags.items()):
        member = owners.get(key)
        rows.append({"topic": key[0], "partition": key[1], "committed": at, "end": end, "lag": lag,
                     "member": member.id if member else None, "host": member.host if member else None})  # fmt: skip
    return {
        "group": group, "type": about.type, "state": about.state, "assignor": about.assignor, "coordinator": about.coordinator,
        "members": len(about.members), "lag": sum(row["lag"] or 0 for row in rows), "partitions": rows,
    }  # fmt: skip


async def _members(admin: Admin, arguments: argparse.Namespace) -> int:
    about = await admin.groups.describe(arguments.group)
    data = [
        {"member": m.id, "instance": m.instance_id, "client": m.client_id, "host": m.host, "topics": list(m.topics),
         "partitions": [f"{topic}-{number}" for topic, number in m.partitions]}
        for m in about.members
    ]  # fmt: skip
    show(
        arguments,
        data,
        ("member", "instance", "client", "host", "topics", "partitions"),
        [tuple(row.values()) for row in data],
    )
    return 0


# -- offsets -------------------------------------------------------------------------------------------------------


async def _reset(admin: Admin, arguments: argparse.Namespace) -> int:
    is_share = await _is_share(admin, arguments.group)
    if is_share:
        committed = {key: at for key, at in (await admin.groups.share_offsets(arguments.group)).items() if at >= 0}
    else:
        committed = {key: each.offset for key, each in (await admin.groups.offsets(arguments.group)).items()}
    told = _file_offsets(arguments.from_file) if arguments.from_file else None
    keys = list(told) if told else await _asked(admin, arguments, list(committed))
    wanted = await _goals(admin, arguments, keys, committed, told)
    if arguments.execute and not arguments.dry_run:
        if is_share:
            await admin.groups.set_share_offsets(arguments.group, wanted)
        else:
            await admin.groups.set_offsets(arguments.group, wanted)
    if arguments.export and not arguments.json:
        print(*(f"{topic},{number},{wanted[topic, number]}" for topic, number in sorted(wanted)), sep="\n")
        return 0
    done = arguments.execute and not arguments.dry_run
    data = [
        {"topic": key[0], "partition": key[1], "committed": committed.get(key), "new": wanted[key]}
        for key in sorted(wanted)
    ]
    if arguments.json:
        say(arguments, {"group": arguments.group, "executed": done, "partitions": data})
        return 0
    table(("topic", "partition", "committed", "new"), [tuple(row.values()) for row in data])
    print("done" if done else "nothing was changed: --execute does it")
    return 0


async def _is_share(admin: Admin, group: str) -> bool:
    try:
        return (await admin.groups.describe(group)).type == "share"
    except BrokerError as error:  # a group that nobody has joined yet may be given offsets
        if error.code != ErrorCode.GROUP_ID_NOT_FOUND:
            raise
        return False


def _file_offsets(name: str) -> dict[TopicAndPartition, int]:
    """TOPIC,PARTITION,OFFSET in each line, as kafka-consumer-groups writes it for one group."""
    found: dict[TopicAndPartition, int] = {}
    for count, line in enumerate(Path(name).read_text(encoding="utf-8").splitlines(), 1):
        words = [word.strip().strip('"') for word in line.split(",")]
        if words == [""]:
            continue
        if len(words) != 3 or not words[1].isdecimal() or not words[2].isdecimal():
            raise Trouble(
                f"{name}, line {count}: {line!r} is not TOPIC,PARTITION,OFFSET", "--export prints such lines", MISUSED
            )
        found[words[0], int(words[1])] = int(words[2])
    if not found:
        raise Trouble(f"{name} has no line", "--export prints such lines", MISUSED)
    return found


async def _asked(
    admin: Admin, arguments: argparse.Namespace, committed: list[TopicAndPartition]
) -> list[TopicAndPartition]:
    if arguments.which:
        return [key for topic, numbers in arguments.which for key in await partitions_of(admin, [topic], numbers)]
    if not getattr(arguments, "all_topics", False):
        raise Trouble("of which topics?", "give --topic TOPIC, --topic TOPIC:0,1 or --all-topics", MISUSED)
    if not committed:
        raise Trouble(f"the group {arguments.group} has committed nothing", "name topics: --topic TOPIC", MISUSED)
    return committed


async def _goals(
    admin: Admin, arguments: argparse.Namespace, keys: list[TopicAndPartition], committed: dict[TopicAndPartition, int],
    told: dict[TopicAndPartition, int] | None,
) -> dict[TopicAndPartition, int]:  # fmt: skip
    """Where each partition shall go on, within what is there, as Kafka's tool does."""
    a = arguments
    ways = [a.to_earliest, a.to_latest, a.to_current, *(
        each is not None for each in (a.to_offset, a.to_datetime, a.by_duration, a.shift_by, told)
    )]  # fmt: skip
    if sum(ways) != 1:
        raise Trouble("where to?", "give one of --to-earliest, --to-latest, --to-offset, --to-datetime, --by-duration, "
                      "--shift-by, --to-current, --from-file", MISUSED)  # fmt: skip
    begins = {key: each.offset for key, each in (await admin.topics.offsets(keys, "earliest")).items()}
    ends = {key: each.offset for key, each in (await admin.topics.offsets(keys, "latest")).items()}
    if a.to_earliest:
        return begins
    if a.to_latest:
        return ends
    if told is not None:
        wanted = told
    elif a.to_offset is not None:
        wanted = dict.fromkeys(keys, a.to_offset)
    elif a.shift_by is not None:
        missing = [key for key in keys if key not in committed]
        if missing:
            raise Trouble(
                f"{missing[0][0]}-{missing[0][1]} has no committed offset to shift", "choose another way", MISUSED
            )
        wanted = {key: committed[key] + a.shift_by for key in keys}
    elif a.to_current:
        wanted = {key: committed.get(key, ends[key]) for key in keys}
    else:
        moment = a.to_datetime if a.to_datetime is not None else round(time.time() * 1000) - a.by_duration
        found = await admin.topics.offsets(keys, moment)
        wanted = {key: found[key].offset if found[key].offset >= 0 else ends[key] for key in keys}
    return {key: min(max(at, begins[key]), ends[key]) for key, at in wanted.items()}


async def _delete_offsets(admin: Admin, arguments: argparse.Namespace) -> int:
    keys = await _asked(admin, arguments, [])
    if await _is_share(admin, arguments.group):
        await admin.groups.delete_share_offsets(arguments.group, {topic for topic, _ in keys})
    else:
        await admin.groups.delete_offsets(arguments.group, keys)
    say(arguments, {"group": arguments.group, "partitions": [f"{topic}-{number}" for topic, number in keys]},
        f"{arguments.group} has no committed offset of {len(keys)} partition(s) any more")  # fmt: skip
    return 0


async def _delete(admin: Admin, arguments: argparse.Namespace) -> int:
    confirm(arguments, f"Delete {', '.join(arguments.groups)} with committed offsets?")
    await admin.groups.delete(arguments.groups)
    say(arguments, {"deleted": arguments.groups}, *(f"deleted {group}" for group in arguments.groups))
    return 0


async def _remove_members(admin: Admin, arguments: argparse.Namespace) -> int:
    if not arguments.instances and not arguments.members and not arguments.all:
        raise Trouble("which members?", "give --instance ID, --member ID or --all", MISUSED)
    await admin.groups.remove_members(arguments.group, arguments.instances, arguments.members)
    say(arguments, {"group": arguments.group}, "removed")
    return 0
