"""Finds the offset at which each partition is read first, or again: committed, by policy, by time; and looks for truncation.

`start=` says where a group begins that has committed nothing (Kafka: auto.offset.reset):

    "earliest" | "latest" | datetime | timedelta (so long ago) | "none": an error | int: this offset

It has no default: `latest`, Kafka's, silently passes over what was written before the group existed, and `earliest` may
read years. An offset that is out of range (retention took it, or the log was truncated) follows the same policy; without
one it is an error that names the offset and what there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ...protocol.errors import ErrorCode
from ..cluster import Cluster
from ..errors import BrokerError, ConfigError
from ..offsets import EARLIEST, LATEST, READ_COMMITTED, READ_UNCOMMITTED, epoch_ends, list_offsets
from .assignors.types import TopicAndPartition
from .positions import Position, Stage

_ISO_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
Start = str | int | datetime | timedelta | None


def timestamp_of(moment: datetime) -> int:
    """Milliseconds since 1970; a naive datetime is local time, as everywhere in Python."""
    return round(moment.timestamp() * 1000)


def parse_start(start: Start) -> Start:
    """Read `start=` and auto.offset.reset; `ConfigError` for what is neither."""
    if start is None or isinstance(start, int | datetime | timedelta):
        return start
    word = start.strip()
    if word.lower() in ("earliest", "smallest", "beginning"):
        return "earliest"
    if word.lower() in ("latest", "largest", "end"):
        return "latest"
    if word.lower() in ("none", "error"):
        return "none"
    if word.lower().startswith("by_duration:"):
        found = _ISO_DURATION.fullmatch(word[12:])
        if found and any(found.groups()):
            days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    raise ConfigError(
        f"start={start!r}: expected earliest, latest, none, by_duration:P1DT2H, a datetime or a timedelta"
    )


def reset_timestamp(start: Start) -> int | None:
    """The ListOffsets timestamp that a policy stands for; None where there is none."""
    if start == "earliest":
        return EARLIEST
    if start == "latest":
        return LATEST
    if isinstance(start, datetime):
        return timestamp_of(start)
    if isinstance(start, timedelta):
        return timestamp_of(datetime.now(UTC) - start)
    return None


def no_start(key: TopicAndPartition, group: str | None) -> BrokerError:
    """What somebody is told who did not say where to begin."""
    who = f"group {group!r} has committed no offset for" if group else "no offset was given for"
    return BrokerError(
        ErrorCode.OFFSET_OUT_OF_RANGE,
        f"{who} {key[0]}-{key[1]}, and `start` does not say where to begin",
        topic_partition=key,
        retriable=False,
        hint='Consumer(…, start="earliest") reads what is there, start="latest" only what is new, '
        "start=timedelta(hours=1) from an hour ago",
    )


class Starter:
    """Resolves positions for one consumer."""

    def __init__(self, cluster: Cluster, start: Start, group: str | None) -> None:
        self.cluster = cluster
        self.start = parse_start(start)
        self.group = group
        committed_only = cluster.config.isolation_level == "read_committed"
        self.isolation = READ_COMMITTED if committed_only else READ_UNCOMMITTED
        self.truncations: list[tuple[TopicAndPartition, int, int]] = []

    async def resolve(self, positions: list[Position], offsets: Mapping[TopicAndPartition, Any]) -> None:
        """Give every position an offset: the committed one, else what was asked, else the policy's."""
        asked: dict[TopicAndPartition, int] = {}
        turns = {position.key: position.turn for position in positions}
        waiting = {position.key: position for position in positions}
        for position in positions:
            committed = offsets.get(position.key)
            if position.seek_to is not None:
                asked[position.key] = position.seek_to
            elif committed is not None and position.delivered < 0:
                position.start_at(committed.offset, committed.leader_epoch)
                position.committed = committed.offset
            elif isinstance(self.start, int):
                position.start_at(self.start)
            else:
                timestamp = reset_timestamp(self.start)
                if timestamp is None:
                    raise self._nowhere(position)
                asked[position.key] = timestamp
        if not asked:
            return
        found = await list_offsets(self.cluster, asked, isolation=self.isolation)
        behind = {key: LATEST for key, each in found.items() if each.offset < 0}  # no record is that young
        if behind:
            found.update(await list_offsets(self.cluster, behind, isolation=self.isolation))
        for key, each in found.items():
            if waiting[key].turn == turns[key]:
                waiting[key].start_at(each.offset, each.leader_epoch)

    def _nowhere(self, position: Position) -> BrokerError:
        if position.delivered < 0 and position.fetch_offset < 0:
            return no_start(position.key, self.group)
        return BrokerError(
            ErrorCode.OFFSET_OUT_OF_RANGE,
            f"offset {position.fetch_offset} is not there any more (the log begins at {position.log_start_offset}, "
            f"ends at {position.high_watermark})",
            topic_partition=position.key,
            retriable=False,
            hint="`start` would say where to go on; consumer.seek goes anywhere",
        )

    async def check(self, positions: list[Position]) -> None:
        """After a change of leader: was what we read taken away again (KIP-320)?"""
        asked = {position.key: position.fetch_epoch for position in positions if position.fetch_epoch >= 0}
        ends = await epoch_ends(self.cluster, asked) if asked else {}
        for position in positions:
            if position.stage is not Stage.CHECK:
                continue
            epoch, end = ends.get(position.key, (-1, -1))
            position.stage = Stage.FETCH
            if epoch < 0 or end < 0:
                continue  # the broker does not know that epoch any more: nothing can be told
            if end < position.fetch_offset:
                self._truncated(position, epoch, end)

    def _truncated(self, position: Position, epoch: int, end: int) -> None:
        self.truncations.append((position.key, position.fetch_offset, end))
        if position.delivered <= end:  # what is gone was not given to anybody yet
            processed, processed_epoch = position.processed, position.processed_epoch
            position.start_at(position.delivered, position.delivered_epoch)
            position.processed, position.processed_epoch = processed, processed_epoch
            return
        if self.start is None or self.start == "none":
            raise BrokerError(
                ErrorCode.OFFSET_OUT_OF_RANGE,
                f"the log was truncated to offset {end} (epoch {epoch}); {position.delivered} was read already",
                topic_partition=position.key,
                retriable=False,
                hint="records that were read are lost in the log; seek to where you want to go on",
            )
        position.start_at(end, epoch)
