"""Takes over the data folder of an Apache Kafka 4 broker: its topics, ids, configs, credentials and producer ids.

Called once, by a broker whose own metadata log is still empty. Partitions need nothing: their files are Kafka's and stay
where they are; committed offsets lie in __consumer_offsets, which is a partition like any other. What is missing is what
Kafka's controller knew, and that lies in the folder `__cluster_metadata-0` beside the partitions:

    00000000000000004711-0000000003.checkpoint    everything before offset 4711, as records
    00000000000000000000.log …                    batches of records; those below 4711 are in the checkpoint already
                                                  control batches (leader changes, voters) are the quorum's own business

Before Kafka's first start there is only `bootstrap.checkpoint` in the log dir, by `kafka-storage format`; its users
(`--add-scram`) are taken too, so that a listener with SASL has somebody who may log in.

The records are those of our own metadata log, so they are replayed into an image, and the image's records become the
first batch of ours. Brokers are left out: this one registers itself. A transaction of metadata (Begin … End) that was
not ended did not happen.

Kafka's files are only read. What cannot be taken over is refused before anything is changed, with the reason: a newer
metadata version, a cluster of several brokers (the replicas of this folder may not be the newest), tiered topics.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ..metadata.image import MetadataImage, ReplayError, ResourceType
from ..protocol.errors import KafkaError, RemoteProtocolError
from ..protocol.schema import Data
from ..protocol.stored import metadata_frame
from ..protocol.stored.metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    EndTransactionRecord,
    RegisterBrokerRecord,
)
from ..records.batch import HEADER_SIZE, check_batch, read_header, read_records

METADATA_FOLDER = "__cluster_metadata-0"
#: What `kafka-storage format` leaves for the first start: feature levels, and the users of `--add-scram`.
BOOTSTRAP = "bootstrap.checkpoint"
#: `metadata.version` of Apache Kafka 4.2 (4.2-IV1), the newest whose records this release knows.
METADATA_VERSION_MAX = 29
_CHECKPOINT = re.compile(r"(\d{20})-(\d{10})\.checkpoint\Z")


class TakeoverError(Exception):
    """The folder cannot be taken over; the text says why and what would do."""


class Takeover(NamedTuple):
    """What Kafka left: the first batch of our metadata log, and what a person wants to read about it."""

    records: list[Data]
    topics: int
    partitions: int
    #: The offset behind the last record of Kafka's metadata log that was read.
    end_offset: int


def take_over(directories: Iterable[str], node_id: int, metadata_log_dir: str | None = None) -> Takeover | None:
    """Read what an Apache Kafka left in the log dirs; None if none ran there. Raises `TakeoverError`."""
    directories = list(directories)
    folder = find_kafka_metadata(directories, metadata_log_dir)
    if folder is not None:
        return read_kafka_metadata(folder, node_id)
    formatted = next((p for p in _places(BOOTSTRAP, directories, metadata_log_dir) if p.is_file()), None)
    return None if formatted is None else read_kafka_metadata(formatted, node_id)


def find_kafka_metadata(directories: Iterable[str], metadata_log_dir: str | None = None) -> Path | None:
    """Return the folder of Kafka's metadata log, if one of the log dirs has it."""
    return next((p for p in _places(METADATA_FOLDER, directories, metadata_log_dir) if p.is_dir()), None)


def _places(name: str, directories: Iterable[str], metadata_log_dir: str | None) -> list[Path]:
    return [Path(place) / name for place in (*([metadata_log_dir] if metadata_log_dir else []), *directories)]


def read_kafka_metadata(folder: Path, node_id: int) -> Takeover:
    """Read all of Kafka's metadata and turn it into ours. Raises `TakeoverError`."""
    try:
        image, end_offset = _read_image(folder)
    except (KafkaError, RemoteProtocolError, ReplayError) as error:
        raise TakeoverError(
            f"{folder} cannot be read: {error}. If it was written by a Kafka newer than 4.2, this release of Ottla cannot "
            "take it over; if it is damaged, let Kafka itself start on it first"
        ) from error
    except OSError as error:
        raise TakeoverError(f"{folder} cannot be read: {error.strerror} ({error.filename})") from error
    _check(image, node_id)
    records = [record for record in image.records() if not isinstance(record, RegisterBrokerRecord)]
    return Takeover(records, len(image.topics), sum(len(t.partitions) for t in image.topics), end_offset)


def _read_image(folder: Path) -> tuple[MetadataImage, int]:
    image, offset = MetadataImage.empty(), 0
    if folder.name == BOOTSTRAP:
        return image.apply(record for _, record in _read_batches(folder, last=False)), 0
    checkpoints = sorted((int(m[1]), path) for path in folder.iterdir() if (m := _CHECKPOINT.match(path.name)))
    if checkpoints:
        offset, path = checkpoints[-1]
        image = image.apply(record for _, record in _read_batches(path, last=False))
    segments = sorted(folder.glob("*.log"))
    start = int(segments[0].stem) if segments else offset
    if start > offset:
        raise TakeoverError(f"{folder} has records from offset {start} on, and no checkpoint of what was before")
    end_offset = offset
    records = []
    for segment in segments:
        for at, record in _read_batches(segment, last=segment == segments[-1]):
            if at >= offset:
                records.append(record)
                end_offset = at + 1
    return image.apply(_committed(records)), end_offset


def _read_batches(path: Path, *, last: bool) -> Iterator[tuple[int, Data]]:
    """Read (offset, record) out of a segment or checkpoint; a torn end is the end only in the last segment."""
    data = path.read_bytes()
    pos = 0
    while len(data) - pos >= HEADER_SIZE and any(data[pos : pos + HEADER_SIZE]):  # zeros: preallocated, not yet used
        header = read_header(data, pos)
        end = pos + header.size
        if end > len(data) and last:
            break
        try:
            check_batch(data, pos, header, produced=False)
        except KafkaError as error:
            if last and end == len(data):
                break
            raise TakeoverError(f"{path} is damaged at byte {pos}: {error.message}") from error
        if not header.is_control:
            for record in read_records(data, pos):
                yield record.offset, metadata_frame.read(record.value or b"")[0]
        pos = end
    if not last and any(data[pos:]):
        raise TakeoverError(f"{path} is damaged: the {len(data) - pos} bytes at its end are no batch")


def _committed(records: Iterable[Data]) -> Iterator[Data]:
    """Leave out what transactions did that were aborted or never ended."""
    pending: list[Data] | None = None
    for record in records:
        if isinstance(record, BeginTransactionRecord):
            pending = []
        elif isinstance(record, EndTransactionRecord):
            yield from pending or ()
            pending = None
        elif isinstance(record, AbortTransactionRecord):
            pending = None
        elif pending is not None:
            pending.append(record)
        else:
            yield record


def _check(image: MetadataImage, node_id: int) -> None:
    version = image.features.get("metadata.version", 0)
    if version > METADATA_VERSION_MAX:
        raise TakeoverError(
            f"the folder has metadata.version {version}, and this release knows versions up to {METADATA_VERSION_MAX} "
            "(Kafka 4.2): take it over with a newer Ottla, or lower it with kafka-features first"
        )
    holders = {replica for topic in image.topics for partition in topic.partitions for replica in partition.replicas}
    if holders - {node_id}:
        others = ", ".join(map(str, sorted(holders - {node_id})))
        owner = f"node.id={holders.pop()}" if len(holders) == 1 else ""
        raise TakeoverError(
            f"the folder's topics lie on broker {others}, and this broker is {node_id}: start with {owner}"
            if owner
            else f"the folder is one of a cluster whose topics also lie on broker {others}: a folder of a cluster of several "
            "brokers cannot be taken over alone; move all replicas to one broker first, or mirror the topics"
        )
    tiered = [
        t.name for t in image.topics
        if image.configs.get(ResourceType.TOPIC, t.name).get("remote.storage.enable", "").strip().lower() == "true"
    ]  # fmt: skip
    if tiered:
        raise TakeoverError(
            f"topic {', '.join(sorted(tiered)[:5])} has segments in tiered storage, which cannot be read here: bring them back "
            "with remote.storage.enable=false in Kafka first, or delete the topic"
        )
