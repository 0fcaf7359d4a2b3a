"""Runs the conversations of `tests/scripts/consumer_*.txt`: as `group_script`, for consumer groups.

join A topics=t          a member joins; `regex=`, `instance=`, `assignor=`, `rack=`, `id=` where they matter
beat A                   the heartbeat A would send now; `epoch=`, `full=1`, `topics=`, `owns=t:0,1;u:2`
settle A                 A gives back what it must and takes what it may
leave A                  `epoch=-2` for a while
classic-join A topics=t  a member of the classic protocol; `classic-sync A`, `classic-beat A`, `classic-leave A`
topics t=4 u=0           topics come to be, grow, go
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ottla.coordinator import GroupCoordinatorConfig, StoredRecord
from ottla.coordinator.groups.consumer.classic_side import read_assignment
from ottla.coordinator.groups.records import OffsetKey, parse, parse_key
from ottla.protocol.apis.consumer_group_heartbeat import ConsumerGroupHeartbeatResponse
from ottla.protocol.apis.sync_group import SyncGroupResponse
from ottla.protocol.errors import KafkaError
from ottla.protocol.stored import consumer_offsets as stored

from .consumer_driver import ConsumerDriver
from .group_script import Script, parse_script, render, show_record, show_response

Options = dict[str, str]


class ConsumerScript(Script):
    """Runs commands against a `ConsumerDriver` and prints what happened."""

    driver: ConsumerDriver

    def __init__(self) -> None:
        super().__init__()
        self.driver = ConsumerDriver()

    def do_config(self, names: list[str], options: Options) -> None:
        config = GroupCoordinatorConfig()
        fields = {field.name for field in dataclasses.fields(config.consumer)}
        changes: dict[str, Any] = {
            name: int(value) if value.isdigit() else value for name, value in options.items() if name in fields
        }
        self.driver = ConsumerDriver(
            dataclasses.replace(config, consumer=dataclasses.replace(config.consumer, **changes))
        )

    def do_topics(self, names: list[str], options: Options) -> None:
        self.driver.topics(**{name: int(count) for name, count in options.items()})

    def _fields(self, options: Options) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if "topics" in options:
            fields["subscribed_topic_names"] = [name for name in options["topics"].split("+") if name]
        named = {"regex": "subscribed_topic_regex", "instance": "instance_id", "assignor": "server_assignor"}
        fields |= {named[name]: value for name, value in options.items() if name in named}
        fields |= {"rack_id": options["rack"]} if "rack" in options else {}
        fields |= {"member_epoch": int(options["epoch"])} if "epoch" in options else {}
        if "owns" in options:
            parts = [part.split(":") for part in options["owns"].split(";") if part]
            owned = [(name, int(index)) for name, some in parts for index in some.split(",")]
            fields["topic_partitions"] = self.driver.as_structs(owned)
        return fields

    def do_join(self, names: list[str], options: Options) -> None:
        fields = self._fields(options)
        topics = fields.pop("subscribed_topic_names", None if "regex" in options else ["t"])
        for who in names:
            self.driver.join_group(who, topics=topics, **fields)

    def do_beat(self, names: list[str], options: Options) -> None:
        for who in names:
            self.driver.beat(who, full="full" in options, **self._fields(options))

    def do_settle(self, names: list[str], options: Options) -> None:
        for who in names:
            self.driver.settle(who)

    def do_leave(self, names: list[str], options: Options) -> None:
        fields = self._fields(options)
        for who in names:
            self.driver.leave_group(who, epoch=fields.pop("member_epoch", -1), **fields)

    def do_classic_join(self, names: list[str], options: Options) -> None:
        for who in names:
            owned = self.driver.client(who).owned
            self.driver.classic_join(who, options.get("topics", "t").split("+"), owned=owned)

    def do_classic_sync(self, names: list[str], options: Options) -> None:
        for who in names:
            self.driver.sync(who)

    def do_classic_beat(self, names: list[str], options: Options) -> None:
        for who in names:
            self.driver.heartbeat(who)

    def do_classic_leave(self, names: list[str], options: Options) -> None:
        super().do_leave(names, options)

    def do_hold_patterns(self, names: list[str], options: Options) -> None:
        self.driver.hold_patterns = True

    def do_match_patterns(self, names: list[str], options: Options) -> None:
        self.driver.hold_patterns = False
        self.driver.match_patterns()

    def do_describe(self, names: list[str], options: Options) -> list[str]:
        try:
            group = self.driver.shard.consumer.describe("g")
        except KafkaError as error:
            return [f"{error.code.name}: {error.message}"]
        lines = [
            f"{group.group_state} epoch={group.group_epoch} target={group.assignment_epoch} by {group.assignor_name}"
        ]
        for member in group.members:
            has = self.driver.show({part.topic_id: part.partitions for part in member.assignment.topic_partitions})
            shall = self.driver.show(
                {part.topic_id: part.partitions for part in member.target_assignment.topic_partitions}
            )
            kind = "classic " if member.member_type == 0 else ""
            lines.append(f"  {kind}{member.member_id} epoch={member.member_epoch} has {has}, shall have {shall}")
        return lines

    def show_record(self, record: StoredRecord) -> str:
        """Print a record of a consumer group; others as ever."""
        key = parse_key(record.key)
        if isinstance(key, OffsetKey) or key is None or key.record_type == stored.GroupMetadataKey.API_KEY:
            return show_record(record) if record.value is None or isinstance(key, OffsetKey) else self._classic(record)
        parsed, value = parse(record)
        what = type(parsed).__name__.removeprefix("ConsumerGroup").removesuffix("Key")
        whom = getattr(parsed, "member_id", getattr(parsed, "regular_expression", ""))
        return " ".join(word for word in (what, whom, "deleted" if value is None else self._value(value)) if word)

    def _classic(self, record: StoredRecord) -> str:
        value: Any = parse(record)[1]
        each = [f"{m.member_id}:{show_assignment(bytes(m.assignment))}" for m in value.members]
        return f"classic group generation={value.generation} protocol={value.protocol} {' '.join(each)}".rstrip()

    def _value(self, value: Any) -> str:
        if isinstance(value, stored.ConsumerGroupMetadataValue):
            return f"epoch={value.epoch}"
        if isinstance(value, stored.ConsumerGroupMemberMetadataValue):
            classic = " classic" if value.classic_member_metadata is not None else ""
            pattern = f" regex={value.subscribed_topic_regex}" if value.subscribed_topic_regex else ""
            instance = f" instance={value.instance_id}" if value.instance_id else ""
            return f"topics={'+'.join(value.subscribed_topic_names)}{pattern}{instance}{classic}"
        if isinstance(value, stored.ConsumerGroupTargetAssignmentMetadataValue):
            return f"epoch={value.assignment_epoch}"
        if isinstance(value, stored.ConsumerGroupTargetAssignmentMemberValue):
            return self.driver.show({part.topic_id: part.partitions for part in value.topic_partitions})
        if isinstance(value, stored.ConsumerGroupRegularExpressionValue):
            return f"matches {'+'.join(value.topics)}"
        has = self.driver.show({part.topic_id: part.partitions for part in value.assigned_partitions})
        back = {part.topic_id: part.partitions for part in value.partitions_pending_revocation}
        gives = f", gives back {self.driver.show(back)}" if back else ""
        return f"epoch={value.member_epoch} before={value.previous_member_epoch} state={value.state} has {has}{gives}"

    def show_response(self, response: Any) -> str:
        """Print a response of a consumer group; others as ever."""
        if isinstance(response, KafkaError):
            return f"{response.code.name}: {response.message}"
        if isinstance(response, ConsumerGroupHeartbeatResponse):
            told = f"epoch={response.member_epoch}"
            if response.assignment is None:
                return told
            parts = {part.topic_id: part.partitions for part in response.assignment.topic_partitions}
            return f"{told} assigned {self.driver.show(parts)}"
        if isinstance(response, SyncGroupResponse) and not response.error_code:
            return f"sync NONE {show_assignment(response.assignment)}"
        return show_response(response)


def show_assignment(data: bytes) -> str:
    """Print what a classic member is given."""
    if not data:
        return "nothing"
    found = read_assignment(data).assigned_partitions
    return " ".join(f"{topic.topic}:{','.join(map(str, topic.partitions))}" for topic in found) or "nothing"


def run_consumer_script(path: Path) -> tuple[str, str]:
    """Run a script file; returns its text as it is and as it should be."""
    text = path.read_text()
    steps = parse_script(text)
    script = ConsumerScript()
    for step in steps:
        if step.command:
            step.expected = script.run(step.command)
    return text, render(steps)
