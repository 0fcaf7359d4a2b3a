"""The metadata log's interface: what the broker and the controller may ask of it, whatever engine holds it.

An ordered sequence of batches of records; version `n` is the state after the `n`-th batch. Everything about the
cluster that must survive goes through `append`, and `append` is a compare-and-set: it says which version it was decided
against, and `Conflict` means somebody was faster: catch up, decide again. That alone keeps the log consistent with any
number of writers; a `Leadership` adds that a deposed controller cannot write at all.

    broker ── register ──► Session (epoch)         lives as long as the process; `alive()` tells the others
           ── campaign ──► Leadership (epoch)      one at a time; appends of an older epoch raise Fenced
           ── read(v), wait(v)                     tail the log
           ── write_snapshot(image)                old batches may go; `read` of an old version gives the snapshot

Implementations: `SqliteMetadataLog` (one machine, any number of processes). One test-suite holds for all of them
(`tests/metadata/test_metadata_log.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..protocol.schema import Data
from .image import MetadataImage


class MetadataLogError(Exception):
    """The log cannot be used; the text names the cause and the next step for a person."""


class Conflict(MetadataLogError):  # noqa: N818 - the interface's word, and no fault
    """The log has moved on since the version the append was decided against."""


class Fenced(Conflict):
    """Another process leads now."""


class BrokerIdInUse(MetadataLogError):  # noqa: N818 - says it all
    """A living process has registered this broker id."""


class Batch(NamedTuple):
    """What one append added; `version` is that of the log after it."""

    version: int
    records: list[Data]


class Update(NamedTuple):
    """What lies behind a version: batches, or a snapshot that replaces everything before and batches after it."""

    snapshot: Batch | None
    batches: list[Batch]


class Session(Protocol):
    """A broker's registration. It ends by `close` or with the process, and cannot come back."""

    broker_id: int
    #: Rises with every registration in the cluster, so that late words of an earlier life are recognised.
    epoch: int

    async def close(self) -> None: ...


class Leadership(Protocol):
    """The right to decide for the cluster, until `close` or the end of the process."""

    epoch: int

    async def close(self) -> None: ...


class MetadataLog(Protocol):
    """See the module."""

    async def open(self, cluster_id: str) -> str:
        """Open or create the log and return the cluster's id: the stored one, or `cluster_id` if the log is new."""
        ...

    async def append(self, records: Sequence[Data], expected_version: int, leadership: Leadership | None = None) -> int:
        """Append one batch durably and return its version. Raises `Conflict` or `Fenced`, and then wrote nothing."""
        ...

    async def read(self, from_version: int) -> Update:
        """Read what came after `from_version`."""
        ...

    async def wait(self, version: int) -> int:
        """Wait until the log is beyond `version`, and return where it is. To be cancelled by who gets tired."""
        ...

    async def register(self, broker_id: int) -> Session:
        """Begin the life of a broker. Raises `BrokerIdInUse`."""
        ...

    async def alive(self) -> frozenset[int]:
        """Tell which brokers have a session."""
        ...

    async def campaign(self) -> Leadership:
        """Wait until nobody leads, and lead."""
        ...

    async def write_snapshot(self, image: MetadataImage) -> None:
        """Store `image` in place of the batches up to its version."""
        ...

    @property
    def snapshot_due(self) -> bool:
        """Whether replaying the log has become dearer than reading a new snapshot would be."""
        ...

    async def close(self) -> None: ...


def catch_up(image: MetadataImage, update: Update) -> MetadataImage:
    """Apply an update to an image of the version it was read from."""
    if update.snapshot is not None:
        image = MetadataImage.empty(image.cluster_id).apply(update.snapshot.records, update.snapshot.version)
    if update.batches:
        records = (record for batch in update.batches for record in batch.records)
        image = image.apply(records, update.batches[-1].version)
    return image


async def load_image(log: MetadataLog, cluster_id: str) -> MetadataImage:
    """Make the image of all that an open log holds."""
    return catch_up(MetadataImage.empty(cluster_id), await log.read(-1))
