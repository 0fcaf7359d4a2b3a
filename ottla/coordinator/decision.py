"""What a coordinator answers to an event: the contract between the pure machines and their shell.

A machine is asked something (a request, a timer, the news that an append succeeded) and returns a
`Decision`. It has then changed nothing that must survive a restart. The shell carries the decision out in
this order:

    decide ──> replies  sent at once (they promise nothing that is stored)
           ──> timers   started, moved or stopped
           ──> records  appended to the partition, and given to `replay`, which alone changes stored state
                  │
                  └── committed (or failed)
                         ──> response    leaves now
                         ──> completion  goes back into the machine as an event, which gives the next Decision

A request whose answer depends on others (JoinGroup waits for the rest of the group) carries a *ticket*: any
object, opaque to the machine, that comes back in a `Reply`. So the machines need no futures, and a test uses
plain strings. Time comes in as integers; timers are asked for as delays, so that a shell may count them on a
clock that never jumps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Completion", "Decision", "Reply", "RequestContext", "StoredRecord", "Ticket", "Timer", "TimerKey"]

#: Names who waits for an answer. Opaque to the machines.
Ticket = object
#: What a timer is for: ("heartbeat", group, member), ("join", group), ("sync", group).
TimerKey = tuple[str, ...]


class StoredRecord(NamedTuple):
    """A record of `__consumer_offsets`, as bytes; a value of None is a tombstone."""

    key: bytes
    value: bytes | None


class Reply(NamedTuple):
    """The answer to a request that had to wait."""

    ticket: Ticket
    response: Any


class Timer(NamedTuple):
    """Start or move the timer `key`, so that it fires `delay_ms` from now; None stops it.

    With `if_absent`, one that runs already is left alone.
    """

    key: TimerKey
    delay_ms: int | None
    if_absent: bool = False


class RequestContext(NamedTuple):
    """What a machine may know of where a request came from."""

    api_version: int
    client_id: str
    client_host: str


class Completion:
    """An event to be given back when the records of its decision are committed or have failed."""

    __slots__ = ()


@dataclass(slots=True)
class Decision:
    """What follows from one event; the fields are in the order of the drawing above."""

    #: Answers to earlier requests, or to this one where nothing stored hangs on it.
    replies: list[Reply] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    #: All of them are appended in one batch, or none.
    records: list[StoredRecord] = field(default_factory=list)
    #: The answer to the request that was asked, once the records are committed; None: it comes as a `Reply`.
    response: Any = None
    completion: Completion | None = None
    #: What else the shell is to do, at once; the topic's service knows what they mean (markers of transactions).
    effects: list[Any] = field(default_factory=list)
    #: Sentences for the log of the broker: who joined, why a rebalance began.
    notes: list[str] = field(default_factory=list)
