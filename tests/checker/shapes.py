"""The requests of a transaction as clients send them: versions, and which of them share a connection.

Recorded by `record`, which prints the same table from the running clients. A role is the lowest API key that goes over
the same connection: the Java client has one connection, librdkafka one more to the transaction coordinator, franz-go one
for Produce alone.
"""

from __future__ import annotations

from dataclasses import dataclass

PRODUCE, INIT, ADD_PARTITIONS, ADD_OFFSETS, END, COMMIT_OFFSETS = 0, 22, 24, 25, 26, 28
#: The first version of EndTxn that belongs to version 2 of transactions.
_END_OF_VERSION_2 = 5


@dataclass(frozen=True)
class Shape:
    """One client: API key -> (version, role)."""

    name: str
    sends: dict[int, tuple[int, int]]

    def version(self, key: int) -> int:
        return self.sends[key][0]

    def role(self, key: int) -> int:
        return self.sends[key][1]

    @property
    def is_new(self) -> bool:
        """Whether it speaks version 2 of transactions: an epoch per transaction."""
        return self.version(END) >= _END_OF_VERSION_2


SHAPES = (
    Shape("java-3.9", {0: (11, 0), 22: (5, 0), 24: (3, 0), 25: (4, 0), 26: (4, 0), 28: (4, 0)}),
    Shape("java-4.2", {0: (13, 0), 22: (5, 0), 26: (5, 0), 28: (5, 0)}),
    Shape("librdkafka", {0: (10, 0), 22: (4, 22), 24: (0, 22), 25: (0, 22), 26: (1, 22), 28: (3, 0)}),
    Shape("franz-go", {0: (13, 0), 22: (5, 22), 26: (5, 22), 28: (5, 22)}),
    Shape("franz-go-1.8", {0: (9, 0), 22: (4, 22), 24: (3, 22), 25: (3, 22), 26: (3, 22), 28: (3, 22)}),
)
