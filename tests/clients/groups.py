"""Consumer groups of foreign clients: members as processes, what they said, and the two scenarios the matrix plays.

    alone   one member takes every partition, reads, commits, leaves; another library goes on where it ended, no record twice
    mixed   2 to 5 members of different libraries share the partitions, all records arrive; one leaves (or is killed), the rest
            take over, all records arrive; all leave; a further library resumes and gets only what is new

A member is a driver process in the `group` command; its stdout is a stream of events that a thread collects.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.clients.registry import Client, Command

WAIT_S = 40.0
PARTITIONS = 6
Record = tuple[int, int]


class Failed(Exception):
    """A scenario did not go as it must."""


def create_topic(bootstrap: str, topic: str, partitions: int) -> None:
    """By the reference client."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        future.result(30)


class Member:
    """One driver process in a group."""

    def __init__(self, client: Client, command: Command, bootstrap: str, topic: str, group: str, log: Path) -> None:
        self.client = client
        self.assigned: list[int] | None = None
        self.records: list[Record] = []
        self.closed = False
        self.log = log
        with log.open("wb") as sink:
            argv = [*command.argv, "group", bootstrap, topic, group]
            self.process = subprocess.Popen(
                argv, env=command.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink
            )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if "assigned" in event:
                self.assigned = sorted(event["assigned"])
            elif "record" in event:
                self.records.append((event["record"][0], event["record"][1]))
            elif "closed" in event:
                self.closed = True

    def alive(self) -> None:
        if self.process.poll() is not None and not self.closed:
            raise Failed(f"{self.client.name} ended with {self.process.returncode}: {self.said()}")

    def said(self) -> str:
        text = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(text[-3:])[-400:]

    def stop(self) -> None:
        """Asks it to commit and leave, and waits."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(b"\n")
            self.process.stdin.close()
            self.process.wait(WAIT_S)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.kill()
            raise Failed(f"{self.client.name} did not leave: {self.said()}") from None
        self._gather()
        if self.process.returncode or not self.closed:
            raise Failed(f"{self.client.name} ended with {self.process.returncode}: {self.said()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self._gather()

    def _gather(self) -> None:
        """Takes what it still said, and closes its pipes."""
        self.reader.join(WAIT_S)
        assert self.process.stdout is not None and self.process.stdin is not None
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):  # the newline that asked it to stop may still be in the buffer
            self.process.stdin.close()


def wait_for(what: Callable[[], str], members: Sequence[Member], condition: Callable[[], bool]) -> None:
    """Polls; says what is missing when time is up or a member has died."""
    end = time.monotonic() + WAIT_S
    while not condition():
        for member in members:
            member.alive()
        if time.monotonic() > end:
            raise Failed(what())
        time.sleep(0.05)


class Stage:
    """One topic and one group, and the members that are in it."""

    def __init__(self, bootstrap: str, name: str, partitions: int, folder: Path) -> None:
        self.bootstrap, self.topic, self.group, self.folder = bootstrap, f"{name}", f"group-{name}", folder
        self.partitions = partitions
        self.sent: list[Record] = []
        self.members: list[Member] = []
        self.count = 0
        create_topic(bootstrap, self.topic, partitions)

    def produce(self, count: int) -> set[Record]:
        """Spreads `count` records over the partitions."""
        sent: list[Record] = []
        producer = Producer({"bootstrap.servers": self.bootstrap, "linger.ms": 5})

        def delivered(error: Any, message: Any) -> None:
            if error is None:
                sent.append((message.partition(), message.offset()))

        for i in range(count):
            producer.produce(self.topic, b"%d" % i, partition=i % self.partitions, on_delivery=delivered)
        producer.flush(30)
        if len(sent) != count:
            raise Failed(f"only {len(sent)} of {count} records could be produced")
        self.sent += sent
        return set(sent)

    def start(self, client: Client, command: Command) -> Member:
        self.count += 1
        log = self.folder / f"{self.topic}-{self.count}-{client.name}.log"
        member = Member(client, command, self.bootstrap, self.topic, self.group, log)
        self.members.append(member)
        return member

    def leave(self, member: Member) -> None:
        self.members.remove(member)
        member.stop()

    def close(self) -> None:
        for member in self.members:
            member.kill()

    def wait_shared(self) -> None:
        """Every partition is owned by exactly one member."""

        def owned() -> list[int]:
            return sorted(p for m in self.members for p in m.assigned or [])

        def missing() -> str:
            return f"assignment does not settle: {[(m.client.name, m.assigned) for m in self.members]}"

        wait_for(missing, self.members, lambda: owned() == list(range(self.partitions)))

    def wait_records(self, wanted: set[Record], of: Sequence[Member]) -> None:
        def missing() -> str:
            lost = sorted(wanted - {r for m in of for r in m.records})
            return (
                f"{len(lost)} of {len(wanted)} records missing: {lost[:4]}; {[(m.client.name, m.assigned) for m in of]}"
            )

        wait_for(missing, self.members, lambda: wanted <= {r for m in of for r in list(m.records)})

    def check_committed(self) -> None:
        """The committed offsets are the ends of the partitions."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.group})
        try:
            asked = [TopicPartition(self.topic, p) for p in range(self.partitions)]
            committed = {p.partition: p.offset for p in consumer.committed(asked, timeout=15)}
        finally:
            consumer.close()
        ends = {p: 1 + max(offset for q, offset in self.sent if q == p) for p in range(self.partitions)}
        if committed != ends:
            raise Failed(f"committed {committed}, the ends are {ends}")


Prepared = tuple[Client, Command]


def _resume(stage: Stage, by: Prepared) -> None:
    """A fresh member must get what is new, and nothing else."""
    new = stage.produce(stage.partitions * 5)
    member = stage.start(*by)
    stage.wait_records(new, [member])
    stage.leave(member)
    again = [r for r in member.records if r not in new]
    if again or len(member.records) != len(new):
        raise Failed(
            f"{member.client.name} resumed and read {len(again)} old records again, {len(member.records)} in all"
        )
    stage.check_committed()


def alone(bootstrap: str, name: str, first: Prepared, second: Prepared, folder: Path) -> None:
    """One member takes all, commits, leaves; another library resumes."""
    stage = Stage(bootstrap, name, 4, folder)
    try:
        records = stage.produce(100)
        member = stage.start(*first)
        if first[0].tells_assignment:
            stage.wait_shared()
        stage.wait_records(records, [member])
        stage.leave(member)
        if len(member.records) != len(records):
            raise Failed(f"{first[0].name} got {len(member.records)} records, {len(records)} were sent")
        stage.check_committed()
        _resume(stage, second)
    finally:
        stage.close()


def mixed(
    bootstrap: str, name: str, members: Sequence[Prepared], resumer: Prepared, folder: Path, *, kill: bool
) -> None:
    """Several libraries share the partitions; one goes; the rest take over; another resumes."""
    stage = Stage(bootstrap, name, PARTITIONS, folder)
    try:
        for client, command in members:
            stage.start(client, command)
        stage.wait_shared()
        everyone = list(stage.members)
        stage.wait_records(stage.produce(120), everyone)
        leaver = stage.members[0]
        if kill:
            stage.members.remove(leaver)
            leaver.kill()
        else:
            stage.leave(leaver)
        if stage.members:
            stage.wait_shared()
            stage.wait_records(stage.produce(120), everyone)
        for member in list(stage.members):
            stage.leave(member)
        stage.check_committed()
        _resume(stage, resumer)
    finally:
        stage.close()
