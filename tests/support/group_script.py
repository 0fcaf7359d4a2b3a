"""Reads and runs the conversations of `tests/scripts/group_*.txt`.

    # what the conversation is about
    join A protocols=range,sticky
    ----
    A: join MEMBER_ID_REQUIRED id=A-1

A paragraph is one command, `----`, and what is expected to happen: answers, records stored, notes for the log.
`REWRITE_SCRIPTS=1 pytest tests/coordinator/test_scripts.py` writes down what happens now; read the diff, and commit
only what you understand and want.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ottla.coordinator import GroupCoordinatorConfig, StoredRecord
from ottla.coordinator.groups.records import GroupKey, OffsetKey, parse_group_metadata, parse_key, parse_offset_commit
from ottla.protocol.apis.heartbeat import HeartbeatResponse
from ottla.protocol.apis.join_group import JoinGroupResponse
from ottla.protocol.apis.leave_group import LeaveGroupResponse
from ottla.protocol.apis.offset_commit import OffsetCommitResponse
from ottla.protocol.apis.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from ottla.protocol.apis.sync_group import SyncGroupResponse
from ottla.protocol.errors import ErrorCode, KafkaError

from .group_driver import GroupDriver, subscription


class Step:
    """A command with the comment above it and the printout below."""

    def __init__(self, comment: list[str], command: str, expected: list[str]) -> None:
        self.comment, self.command, self.expected = comment, command, expected


def parse_script(text: str) -> list[Step]:
    """Split a script into steps; comments stay with the step they precede."""
    steps = []
    for paragraph in text.strip().split("\n\n"):
        lines = paragraph.splitlines()
        comment = [line for line in lines if line.startswith("#")]
        rest = [line for line in lines if not line.startswith("#")]
        command, expected = (rest[0], rest[2:]) if rest else ("", [])
        steps.append(Step(comment, command, expected))
    return steps


def render(steps: list[Step]) -> str:
    """Write steps back as text."""
    paragraphs = []
    for step in steps:
        lines = [*step.comment, *([step.command, "----", *step.expected] if step.command else [])]
        paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs) + "\n"


class Script:
    """Runs commands against a `GroupDriver` and prints what happened."""

    def __init__(self) -> None:
        self.driver = GroupDriver()
        self._printed_records = 0

    def run(self, command: str) -> list[str]:
        """Carry out one command; returns its printout."""
        words = command.split()
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        names = [word for word in words[1:] if "=" not in word]
        lines: list[str] = getattr(self, "do_" + words[0].replace("-", "_"))(names, options) or []
        for note in self.driver.notes:
            lines.append(f"note: {note}")
        self.driver.notes.clear()
        for record in self.driver.log[self._printed_records :]:
            lines.append("stored: " + self.show_record(record))
        self._printed_records = len(self.driver.log)
        lines += [f"{answer.who}: {self.show_response(answer.response)}" for answer in self.driver.take_answers()]
        return lines

    def show_record(self, record: StoredRecord) -> str:
        """Print a record on one line."""
        return show_record(record)

    def show_response(self, response: Any) -> str:
        """Print a response on one line."""
        return show_response(response)

    def do_config(self, names: list[str], options: dict[str, str]) -> None:
        changes: dict[str, Any] = {name.replace("-", "_"): int(value) for name, value in options.items()}
        self.driver = GroupDriver(dataclasses.replace(GroupCoordinatorConfig(), **changes))

    def do_join(self, names: list[str], options: dict[str, str]) -> None:
        topics = options.get("topics", "t").split("+")
        protocols = {name: subscription(topics) for name in options.get("protocols", "range").split(",") if name}
        for who in names:
            self.driver.join(
                who, version=int(options.get("version", 9)), member_id=options.get("id"),
                instance=options.get("instance"), protocols=protocols, protocol_type=options.get("type", "consumer"),
                session_ms=int(options.get("session", 10_000)), rebalance_ms=int(options.get("rebalance", 60_000)),
                reason=options.get("reason"),
            )  # fmt: skip

    def do_sync(self, names: list[str], options: dict[str, str]) -> None:
        pairs = [pair.split(":") for pair in options.get("assign", "").split(",") if pair]
        generation = int(options["generation"]) if "generation" in options else None
        self.driver.sync(
            names[0], {who: data.encode() for who, data in pairs}, generation=generation, member_id=options.get("id"),
            instance=options.get("instance"), protocol_type=options.get("type"), protocol_name=options.get("protocol"),
        )  # fmt: skip

    def do_heartbeat(self, names: list[str], options: dict[str, str]) -> None:
        generation = int(options["generation"]) if "generation" in options else None
        for who in names:
            self.driver.heartbeat(who, generation=generation, instance=options.get("instance"))

    def do_leave(self, names: list[str], options: dict[str, str]) -> None:
        instances = options.get("instances", "").split(",") if options.get("instances") else []
        self.driver.leave(*names, instances=instances, version=int(options.get("version", 5)))

    def do_commit(self, names: list[str], options: dict[str, str]) -> None:
        offsets = {}
        for word in names[1:]:
            place, offset = word.split("@")
            topic, _, partition = place.rpartition("-")
            offsets[topic, int(partition)] = int(offset)
        self.driver.commit(
            names[0], offsets, metadata="x" * int(options.get("metadata", 0)),
            generation=int(options["generation"]) if "generation" in options else None, member_id=options.get("id"),
            version=int(options.get("version", 9)), retention_ms=int(options.get("retention", -1)),
        )  # fmt: skip

    def do_offsets(self, names: list[str], options: dict[str, str]) -> list[str]:
        return [f"{topic}-{partition}@{offset}" for (topic, partition), offset in self.driver.offsets().items()]

    def do_delete_offsets(self, names: list[str], options: dict[str, str]) -> list[str]:
        topics = []
        for place in names:
            topic, _, partition = place.rpartition("-")
            partitions = [OffsetDeleteRequestPartition(partition_index=int(partition))]
            topics.append(OffsetDeleteRequestTopic(name=topic, partitions=partitions))
        try:
            decision = self.driver.shard.delete_offsets(OffsetDeleteRequest(group_id="g", topics=topics))
        except KafkaError as error:
            return [error.code.name]
        self.driver.carry_out("admin", decision)
        return []

    def do_delete_group(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.carry_out("admin", self.driver.shard.delete_group("g"))

    def do_delete_topic(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.carry_out("", self.driver.shard.topics_deleted([(names[0], bytes(16))]))

    def do_clean_up(self, names: list[str], options: dict[str, str]) -> None:
        for decision in self.driver.shard.clean_up(self.driver.now_ms):
            self.driver.carry_out("", decision)

    def do_tick(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.tick(int(names[0]))

    def do_hold_appends(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.holding = True

    def do_release_appends(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.release()

    def do_fail_appends(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.release(ErrorCode[names[0]])

    def do_restart(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.restart()

    def do_describe(self, names: list[str], options: dict[str, str]) -> list[str]:
        group = self.driver.shard.describe("g", 6)
        lines = [f"{group.group_state} type={group.protocol_type!r} protocol={group.protocol_data!r}"]
        if group.error_code:
            lines.append(f"{ErrorCode(group.error_code).name}: {group.error_message}")
        for member in group.members:
            instance = f" instance={member.group_instance_id}" if member.group_instance_id else ""
            lines.append(f"  {member.member_id}{instance} assignment={member.member_assignment.decode()!r}")
        return lines


def show_record(record: StoredRecord) -> str:
    """Print a record of `__consumer_offsets` on one line."""
    key = parse_key(record.key)
    if isinstance(key, GroupKey):
        if record.value is None:
            return f"group {key.group_id} deleted"
        group = parse_group_metadata(record.key, record.value)
        members = " ".join(f"{member.member_id}:{member.assignment.decode()}" for member in group.members)
        return (
            f"group {key.group_id} generation={group.generation} type={group.protocol_type!r} "
            f"protocol={group.protocol} leader={group.leader} members=[{members}]"
        )
    assert isinstance(key, OffsetKey)
    place = f"offset {key.group_id} {key.topic}-{key.partition}"
    if record.value is None:
        return f"{place} deleted"
    return f"{place}@{parse_offset_commit(record.key, record.value).committed_offset}"


def show_response(response: Any) -> str:
    """Print a response on one line."""
    if isinstance(response, ErrorCode):
        return response.name
    if isinstance(response, JoinGroupResponse):
        error = ErrorCode(response.error_code)
        if error:
            return f"join {error.name}" + (f" id={response.member_id}" if response.member_id else "")
        members = f" members=[{' '.join(member.member_id for member in response.members)}]" if response.members else ""
        skip = " skip_assignment" if response.skip_assignment else ""
        return (
            f"join NONE id={response.member_id} generation={response.generation_id} "
            f"protocol={response.protocol_name} leader={response.leader}{members}{skip}"
        )
    if isinstance(response, SyncGroupResponse):
        error = ErrorCode(response.error_code)
        return f"sync {error.name}" if error else f"sync NONE {response.assignment.decode()!r}"
    if isinstance(response, HeartbeatResponse):
        return f"heartbeat {ErrorCode(response.error_code).name}"
    if isinstance(response, LeaveGroupResponse):
        each = [
            f"{member.member_id or member.group_instance_id}:{ErrorCode(member.error_code).name}"
            for member in response.members
        ]
        return f"leave {ErrorCode(response.error_code).name} {' '.join(each)}".rstrip()
    if isinstance(response, OffsetCommitResponse | OffsetDeleteResponse):
        kind = "commit" if isinstance(response, OffsetCommitResponse) else "delete"
        each = [
            f"{topic.name}-{partition.partition_index}:{ErrorCode(partition.error_code).name}"
            for topic in response.topics
            for partition in topic.partitions
        ]
        return f"{kind} {' '.join(each)}"
    raise AssertionError(response)


def run_script(path: Path) -> tuple[str, str]:
    """Run a script file; returns its text as it is and as it should be."""
    text = path.read_text()
    steps = parse_script(text)
    script = Script()
    for step in steps:
        if step.command:
            step.expected = script.run(step.command)
    return text, render(steps)
