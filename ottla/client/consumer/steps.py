"""What a group member wants done next: the words between the pure state machines and the shell that acts. Pure.

    machine.next(now_ms) ──► Ask       send this to the coordinator, hand the answer to machine.answered (or .failed)
                             Sleep     nothing before that time, unless something happens (an event, a change)
                             Revoke    stop reading these in good order, commit, then machine.revoked; called once
                             Lost      these are another member's already: fence them, commit nothing
                             Assign    read these; they are new
                             Distribute  we lead: find the partition counts of these topics, machine.distributed
                             Fail      the member cannot go on

Heartbeats go on while a Revoke is worked on: `next` is asked again at once.
"""

from __future__ import annotations

from typing import NamedTuple

from ...protocol.schema import Request
from ..errors import ClientError
from .assignors.types import TopicAndPartition


class Ask(NamedTuple):
    """Send the request; `long`: the answer may take as long as a rebalance does."""

    request: Request
    long: bool = False
    #: The lowest version that can say it.
    low: int = 0


class Sleep(NamedTuple):
    """Until this time (ms of the machine's clock), or until something happens."""

    until_ms: float


class Revoke(NamedTuple):
    """Give these up: finish what is in hand, commit, then `machine.revoked(now_ms)`."""

    partitions: list[TopicAndPartition]


class Lost(NamedTuple):
    """These were taken from us."""

    partitions: list[TopicAndPartition]


class Assign(NamedTuple):
    """Begin to read these."""

    partitions: list[TopicAndPartition]


class Distribute(NamedTuple):
    """This member leads: the partition counts of these topics are needed."""

    topics: frozenset[str]


class Fail(NamedTuple):
    """The end: what the consumer's user is told."""

    error: ClientError


Step = Ask | Sleep | Revoke | Lost | Assign | Distribute | Fail
FOREVER_MS = float("inf")
