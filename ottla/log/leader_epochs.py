"""Which leader wrote which offsets of a partition: the leader epoch cache and its file.

    leader-epoch-checkpoint        0            version
                                   2            entries
                                   3 0          epoch 3 begins at offset 0
                                   5 1042       epoch 5 begins at offset 1042

A follower or a consumer that knows "my last batch is of epoch e" asks for the end of e: the first offset of the next
greater epoch, or the log end for the current one. Where logs diverged, that answer tells where to cut (KIP-101, KIP-279).
Epochs and offsets both only grow; a new epoch at or below known start offsets removes those entries, because they
described offsets that were cut away.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ottla.log.checkpoints import format_lines, parse_lines
from ottla.log.errors import CorruptSidecarError

FILE_NAME = "leader-epoch-checkpoint"
UNDEFINED_EPOCH = -1
UNDEFINED_OFFSET = -1


class LeaderEpochs:
    """Epochs with their start offsets, ascending in both."""

    __slots__ = ("changed", "epochs", "in_file", "start_offsets")

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.start_offsets: list[int] = []
        self.changed = False  # differs from the file
        self.in_file = False  # there is a file

    @classmethod
    def from_bytes(cls, data: bytes) -> LeaderEpochs:
        cache = cls()
        cache.in_file = True
        for fields in parse_lines(data):
            try:
                epoch, offset = map(int, fields)
            except ValueError:
                raise CorruptSidecarError(f"leader epoch entry {fields}") from None
            if (
                epoch < 0
                or offset < 0
                or (cache.epochs and (epoch <= cache.epochs[-1] or offset < cache.start_offsets[-1]))
            ):
                raise CorruptSidecarError("leader epochs are not ascending")
            cache.epochs.append(epoch)
            cache.start_offsets.append(offset)
        return cache

    def to_bytes(self) -> bytes:
        return format_lines(
            [f"{epoch} {offset}" for epoch, offset in zip(self.epochs, self.start_offsets, strict=True)]
        )

    @property
    def latest(self) -> int:
        return self.epochs[-1] if self.epochs else UNDEFINED_EPOCH

    def entries(self) -> list[tuple[int, int]]:
        return list(zip(self.epochs, self.start_offsets, strict=True))

    def assign(self, epoch: int, start_offset: int) -> None:
        """The batches from `start_offset` on were written in `epoch`."""
        if epoch < 0 or (self.epochs and epoch <= self.epochs[-1] and start_offset >= self.start_offsets[-1]):
            return
        keep = min(bisect_left(self.epochs, epoch), bisect_left(self.start_offsets, start_offset))
        del self.epochs[keep:]
        del self.start_offsets[keep:]
        self.epochs.append(epoch)
        self.start_offsets.append(start_offset)
        self.changed = True

    def epoch_of(self, offset: int) -> int:
        slot = bisect_right(self.start_offsets, offset) - 1
        return self.epochs[slot] if slot >= 0 else UNDEFINED_EPOCH

    def end_offset_for(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(the greatest known epoch not above the asked one, its end offset), or (-1, -1)."""
        epochs = self.epochs
        if epoch == UNDEFINED_EPOCH or not epochs or epoch > epochs[-1]:
            return UNDEFINED_EPOCH, UNDEFINED_OFFSET
        if epoch == epochs[-1]:
            return epoch, log_end_offset
        slot = bisect_right(epochs, epoch)
        if slot == 0:  # older than anything kept: it ended where our first epoch begins
            return epoch, self.start_offsets[0]
        return epochs[slot - 1], self.start_offsets[slot]

    def truncate_from_end(self, end_offset: int) -> None:
        """The log now ends at `end_offset`."""
        keep = bisect_left(self.start_offsets, end_offset)
        if keep < len(self.epochs):
            del self.epochs[keep:]
            del self.start_offsets[keep:]
            self.changed = True

    def truncate_from_start(self, start_offset: int) -> None:
        """The log now begins at `start_offset`: the epoch it lies in begins there too."""
        slot = bisect_right(self.start_offsets, start_offset) - 1
        if slot > 0 or (slot == 0 and self.start_offsets[0] < start_offset):
            del self.epochs[:slot]
            del self.start_offsets[:slot]
            self.start_offsets[0] = start_offset
            self.changed = True

    def clear(self) -> None:
        self.changed = self.changed or bool(self.epochs)
        self.epochs.clear()
        self.start_offsets.clear()
