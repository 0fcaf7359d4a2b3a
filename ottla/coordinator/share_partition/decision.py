"""What a share partition answers to an event, and the plain data it is asked with.

An `Outcome` has the same idea as `coordinator.decision.Decision`. Its `write` goes to the persister; when that has
answered, the machine is told (`SharePartition.on_written`), which gives the next outcome:

    acknowledge, release, time ──► Outcome ──► wake          who waits for records may find some now
                                           ──► dead_letters  to be produced; then `on_dead_lettered`
                                           ──► write ──► persister ──► `on_written` ──► Outcome
    SharePartition.next_deadline_ms()      ──► when `on_timer` wants to be called
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...protocol.errors import ErrorCode
from ..share_state.batches import StateBatch

__all__ = ["Acknowledgement", "Acquired", "DeadLetter", "Outcome", "StateWrite"]


class Acknowledgement(NamedTuple):
    """What a consumer says of the offsets from `first_offset` to `last_offset`: one type for all, or one for each."""

    first_offset: int
    last_offset: int
    types: Sequence[int]


class Acquired(NamedTuple):
    """Offsets that a consumer was handed, and for the how manieth time."""

    first_offset: int
    last_offset: int
    delivery_count: int


class DeadLetter(NamedTuple):
    """Records that were given up, on their way to the dead-letter topic."""

    first_offset: int
    last_offset: int
    delivery_count: int
    rejected: bool


@dataclass(slots=True)
class StateWrite:
    """What the persister is to keep. `id` names the write when its result comes back."""

    id: int
    start_offset: int
    delivery_complete_count: int
    batches: list[StateBatch]
    #: The state has changed already and is not taken back when the write fails (a lock that timed out is gone).
    firm: bool = False
    #: Given to the shell when the write is done.
    dead_letters: list[DeadLetter] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What follows from one event."""

    #: Why the whole request was refused; then nothing else follows.
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None
    write: StateWrite | None = None
    #: Records became available, or there is room for more in flight.
    wake: bool = False
    dead_letters: list[DeadLetter] = field(default_factory=list)
