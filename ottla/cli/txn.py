"""`ottla txn`: list, describe, producers, hanging, abort, fence.

A transaction hangs in a partition when its leader holds it open and no coordinator will ever end it (KIP-664): the
partition's readers at read_committed then wait for ever. `hanging` asks the leaders for open transactions that have been silent for
longer than any may last, and the coordinators whether they know them; `abort` writes the marker that is missing.
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from typing import Any

from ..client.admin.admin import Admin
from ..client.admin.transactions import ProducerState
from .asking import with_admin
from .output import confirm, progress, say, show
from .topic import partitions_of
from .trouble import FAILED, Trouble
from .values import when

#: Partitions that are asked about at once.
PARTITIONS_AT_ONCE = 500


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    actions = {
        "list": _list, "describe": _describe, "producers": _producers, "hanging": _hanging, "abort": _abort, "fence": _fence,
    }  # fmt: skip
    return with_admin(arguments, actions[arguments.action])


async def _list(admin: Admin, arguments: argparse.Namespace) -> int:
    longer = None if arguments.longer_than is None else timedelta(milliseconds=arguments.longer_than)
    found = await admin.transactions.list(states=arguments.states, longer_than=longer)
    data = [
        {"id": t.transactional_id, "producer_id": t.producer_id, "state": t.state, "coordinator": t.coordinator}
        for t in found
    ]
    show(arguments, data, ("id", "producer id", "state", "coordinator"), [tuple(row.values()) for row in data])
    return 0


async def _describe(admin: Admin, arguments: argparse.Namespace) -> int:
    found = await admin.transactions.describe(arguments.ids)
    data = [
        {"id": name, "state": t.state, "producer_id": t.producer_id, "epoch": t.producer_epoch, "timeout_ms": t.timeout_ms,
         "started_ms": t.start_ms, "coordinator": t.coordinator, "partitions": [f"{topic}-{n}" for topic, n in t.partitions]}
        for name, t in found.items()
    ]  # fmt: skip
    rows = [
        (row["id"], row["state"], row["producer_id"], row["epoch"], row["timeout_ms"], when(_or(row["started_ms"])),
         row["coordinator"], row["partitions"])
        for row in data
    ]  # fmt: skip
    show(
        arguments,
        data,
        ("id", "state", "producer id", "epoch", "timeout ms", "started", "coordinator", "partitions"),
        rows,
    )
    return 0


def _or(number: Any) -> int:
    return -1 if number is None else int(number)


def _row(topic: str, partition: int, state: ProducerState) -> dict[str, Any]:
    return {
        "topic": topic, "partition": partition, "producer_id": state.producer_id, "epoch": state.producer_epoch,
        "last_ms": state.last_timestamp_ms, "start_offset": state.transaction_start,
    }  # fmt: skip


def _show_producers(arguments: argparse.Namespace, data: list[dict[str, Any]]) -> None:
    rows = [
        (row["topic"], row["partition"], row["producer_id"], row["epoch"], when(row["last_ms"]), row["start_offset"])
        for row in data
    ]
    show(arguments, data, ("topic", "partition", "producer id", "epoch", "last write", "start offset"), rows)


async def _producers(admin: Admin, arguments: argparse.Namespace) -> int:
    keys = await partitions_of(admin, [arguments.topic], arguments.partitions)
    found = await admin.transactions.producers(keys)
    _show_producers(arguments, [_row(*key, state) for key in sorted(found) for state in found[key]])
    return 0


async def _hanging(admin: Admin, arguments: argparse.Namespace) -> int:
    keys = await partitions_of(admin, arguments.topics, None)
    silent_before_ms = time.time() * 1000 - arguments.older_than
    suspects = []
    with progress("asking leaders", len(keys), "partitions") as advance:
        for first in range(0, len(keys), PARTITIONS_AT_ONCE):
            some = keys[first : first + PARTITIONS_AT_ONCE]
            for key, states in (await admin.transactions.producers(some)).items():
                suspects += [
                    (key, state)
                    for state in states
                    if state.transaction_start is not None and state.last_timestamp_ms < silent_before_ms
                ]
            advance(len(some))
    known = await _open(admin, {state.producer_id for _, state in suspects})
    data = [_row(*key, state) for key, state in sorted(suspects) if (state.producer_id, key) not in known]
    _show_producers(arguments, data)
    return 0


async def _open(admin: Admin, producer_ids: set[int]) -> set[tuple[int, tuple[str, int]]]:
    """(producer id, partition) of the transactions that a coordinator has open or is about to end."""
    if not producer_ids:
        return set()
    names = [t.transactional_id for t in await admin.transactions.list(producer_ids=producer_ids)]
    found = await admin.transactions.describe(names) if names else {}
    return {(t.producer_id, key) for t in found.values() for key in t.partitions}


async def _abort(admin: Admin, arguments: argparse.Namespace) -> int:
    key = (arguments.topic, arguments.partition)
    await partitions_of(admin, [arguments.topic], [arguments.partition])
    states = (await admin.transactions.producers([key]))[key]
    found = [state for state in states if state.transaction_start == arguments.start_offset]
    if not found:
        raise Trouble(
            f"no open transaction begins at offset {arguments.start_offset} of {key[0]}-{key[1]}",
            f"ottla txn producers {arguments.topic} shows where they begin", FAILED,
        )  # fmt: skip
    if (found[0].producer_id, key) in await _open(admin, {found[0].producer_id}):
        raise Trouble(
            f"the transaction of producer {found[0].producer_id} does not hang: its coordinator knows it",
            "ottla txn list names its id; ottla txn fence ID ends it", FAILED,
        )  # fmt: skip
    confirm(arguments, f"Abort the transaction of producer {found[0].producer_id} in {key[0]}-{key[1]}?")
    await admin.transactions.abort(arguments.topic, arguments.partition, found[0])
    say(
        arguments,
        _row(*key, found[0]),
        f"aborted the transaction of producer {found[0].producer_id} in {key[0]}-{key[1]}",
    )
    return 0


async def _fence(admin: Admin, arguments: argparse.Namespace) -> int:
    confirm(arguments, f"Fence the producer of {arguments.id}?")
    producer_id, epoch = await admin.transactions.fence(arguments.id)
    say(arguments, {"id": arguments.id, "producer_id": producer_id, "epoch": epoch},
        f"fenced {arguments.id}: producer {producer_id} is at epoch {epoch}")  # fmt: skip
    return 0
