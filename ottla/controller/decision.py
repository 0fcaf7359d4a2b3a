"""What a decide function returns: records to append to the metadata log, and the answer once they are there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ..protocol.schema import Data

ResponseT_co = TypeVar("ResponseT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Decision(Generic[ResponseT_co]):
    """Nothing has happened yet: the shell appends `records` against the image's version and then sends `response`."""

    response: ResponseT_co
    records: list[Data] = field(default_factory=list)


class Randomness(Protocol):
    """Where decisions get chance from; `random.Random` fits. The shell gives one, a test gives a seeded one."""

    def randbytes(self, n: int, /) -> bytes: ...

    def randrange(self, stop: int, /) -> int: ...


#: Counts partitions that a request changes against the client's quota; raises when that is used up (KIP-599).
Take = Callable[[int], None]


def unlimited(partitions: int) -> None:
    """Count nothing: there is no quota."""
