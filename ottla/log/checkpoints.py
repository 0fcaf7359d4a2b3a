"""The small text files of a data folder: checkpoints, partition.metadata, meta.properties, the clean-shutdown marker.

    checkpoint file         0                       version
                            2                       number of entries
                            orders 0 1042           one entry a line
                            orders 1 77

    partition.metadata      version: 0
                            topic_id: 5s4qe0bZTCq4RDKAgZ0nSQ        URL-safe base64 without padding

    meta.properties         cluster.id=…  node.id=1  directory.id=…  version=1

    .kafka_cleanshutdown    {"version":0,"brokerEpoch":-1}          there only between a clean stop and the next start

They are replaced as a whole (`Files.replace`), so they are never half written; one that does not parse all the same is
damage, raises CorruptSidecarError, and the logs do without it.
"""

from __future__ import annotations

import base64
import json

from ottla.log.errors import CorruptSidecarError

RECOVERY_POINT_CHECKPOINT = "recovery-point-offset-checkpoint"
LOG_START_OFFSET_CHECKPOINT = "log-start-offset-checkpoint"
HIGH_WATERMARK_CHECKPOINT = "replication-offset-checkpoint"
CLEANER_OFFSET_CHECKPOINT = "cleaner-offset-checkpoint"
CLEAN_SHUTDOWN_FILE = ".kafka_cleanshutdown"
META_PROPERTIES_FILE = "meta.properties"
PARTITION_METADATA_FILE = "partition.metadata"
LOCK_FILE = ".lock"
VERSION = "0"

Offsets = dict[tuple[str, int], int]


def format_lines(lines: list[str]) -> bytes:
    return "\n".join([VERSION, str(len(lines)), *lines, ""]).encode()


def parse_lines(data: bytes) -> list[list[str]]:
    """The entries of a checkpoint file, each split at blanks."""
    try:
        lines = data.decode("utf-8").splitlines()
        count = int(lines[1])
    except (UnicodeDecodeError, IndexError, ValueError):
        raise CorruptSidecarError("checkpoint without a version and a count") from None
    if lines[0] != VERSION or count != len(lines) - 2:
        raise CorruptSidecarError(f"checkpoint of version {lines[0]} says {count} entries and has {len(lines) - 2}")
    return [line.split() for line in lines[2:]]


def format_offsets(offsets: Offsets) -> bytes:
    return format_lines([f"{topic} {partition} {offset}" for (topic, partition), offset in offsets.items()])


def parse_offsets(data: bytes) -> Offsets:
    offsets: Offsets = {}
    for fields in parse_lines(data):
        try:
            topic, partition, offset = fields
            offsets[topic, int(partition)] = int(offset)
        except ValueError:
            raise CorruptSidecarError(f"checkpoint entry {fields}") from None
    return offsets


def format_uuid(uuid: bytes) -> str:
    return base64.urlsafe_b64encode(uuid).rstrip(b"=").decode()


def parse_uuid(text: str) -> bytes:
    try:
        uuid = base64.urlsafe_b64decode(text.strip() + "==")
    except ValueError:
        raise CorruptSidecarError(f"{text!r} is no topic id") from None
    if len(uuid) != 16:
        raise CorruptSidecarError(f"{text!r} is no topic id")
    return uuid


def format_partition_metadata(topic_id: bytes) -> bytes:
    return f"version: 0\ntopic_id: {format_uuid(topic_id)}".encode()


def parse_partition_metadata(data: bytes) -> bytes:
    """The topic id in a partition.metadata file."""
    fields = dict(line.partition(": ")[::2] for line in data.decode("utf-8", "replace").splitlines())
    if fields.get("version") != "0" or "topic_id" not in fields:
        raise CorruptSidecarError("partition.metadata without version 0 and a topic id")
    return parse_uuid(fields["topic_id"])


def format_properties(properties: dict[str, str]) -> bytes:
    return "".join(f"{key}={value}\n" for key, value in sorted(properties.items())).encode()


def parse_properties(data: bytes) -> dict[str, str]:
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    pairs = [line.partition("=") for line in lines if line and line[0] not in "#!"]
    return {key.strip(): value.strip() for key, _, value in pairs}


def format_clean_shutdown(broker_epoch: int) -> bytes:
    return json.dumps({"version": 0, "brokerEpoch": broker_epoch}, separators=(",", ":")).encode()


def parse_clean_shutdown(data: bytes) -> int:
    """The broker epoch of the last clean stop, or -1; older Kafkas leave the file empty."""
    try:
        return int(json.loads(data)["brokerEpoch"])
    except (ValueError, KeyError, TypeError):
        return -1
