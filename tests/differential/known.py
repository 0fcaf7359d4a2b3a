"""Where Ottla answers otherwise than Apache Kafka 4.2.1, on purpose, with the reason for each.

`row` and `path` are patterns as of file names ([ stands for itself inside [[]). The test fails for a difference that is
not here, and for an entry that no difference meets any more.
"""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """A difference that stays, and why."""

    row: str
    path: str
    why: str


_KAFKA_FAILS = (
    "Kafka fails with an exception of its own (UNKNOWN_SERVER_ERROR, or no answer at all); Ottla says what is wrong"
)
_TELLS = "Kafka leaves the text of a partition's error null; Ottla says what is wrong"

_TWICE = "Kafka drops all but the last batch and tells nobody; Ottla appends each"

_OPAQUE = "a classic member's id in a consumer group is a UUID made up by the broker, written in another way"

KNOWN: list[Known] = [
    Known(
        "share offsets: describe, *",
        "groups[[]share].topics[[]*].partitions[[]1].lag",
        "Kafka took the batch of `produce: batch and rubbish` into this partition, Ottla refused it",
    ),
    Known(
        "frame: ApiVersions of an unknown version",
        "outcome",
        "the header lacks its tags; Ottla needs only what it reads to refuse",
    ),
    Known(
        "frame: client id not UTF-8", "outcome", "Kafka puts in replacement characters; Ottla refuses what is no text"
    ),
    Known("frame: Metadata v1 with a topic that is not UTF-8", "outcome", "as above"),
    Known("frame: *", "api_keys[[]*].min_version", "versions that Kafka 4 dropped are served where that is cheap"),
    Known("partitions: too many", "*", _KAFKA_FAILS),
    Known("metadata: zero id and null name", "*", _KAFKA_FAILS),
    Known("describe: empty name", "*", _KAFKA_FAILS),
    Known("share fetch: * an unknown topic", "*", _KAFKA_FAILS),
    Known("alter: resource twice", "outcome", _KAFKA_FAILS),
    Known("incremental: unknown operation", "*", _KAFKA_FAILS),
    Known("incremental: negative operation", "*", _KAFKA_FAILS),
    Known("resources: *", "config_resources", "Kafka lists a group whose last config was removed until it restarts"),
    Known("produce: *", "*.error_message", _TELLS),
    Known("txn *", "*.error_message", _TELLS),
    Known("produce: null", "outcome", _KAFKA_FAILS),
    Known("produce: partition twice", "*", _TWICE),
    Known("produce: topic twice", "*", _TWICE),
    Known(
        "produce: LogAppendTime bit from a client",
        "*",
        "Kafka takes the greatest time of the batch for each of its records; Ottla refuses a time no client can know",
    ),
    Known("fetch: negative max bytes*", "*", _KAFKA_FAILS),
    Known("fetch: negative isolation level", "*", _KAFKA_FAILS),
    Known("offsets: negative isolation level", "*", _KAFKA_FAILS),
    Known("produce: codec 7", "*", _KAFKA_FAILS),
    Known("produce: rubbish records", "*", _KAFKA_FAILS),
    Known(
        "produce: offset deltas not in order", "*", "Kafka stores such a batch; consumers would skip or repeat records"
    ),
    Known("produce: length too small", "*", "both refuse it; Ottla sees the bytes behind the batch first"),
    Known("produce: batch and rubbish", "*", "Kafka overlooks bytes behind a batch that begin no whole second one"),
    Known("produce: *", "*.batch_index_error_message", "the sentence about a record is in our words"),
    Known("fetch: unknown isolation level", "*", _KAFKA_FAILS),
    Known("offsets: unknown isolation level", "*", _KAFKA_FAILS),
    Known("streams: missing sources and an endpoint", "*", _KAFKA_FAILS),
    Known(
        "configs: *group",
        "*.configs",
        "dead-letter queues (KIP-1191) are newer than 4.2; and a group shows what its broker sets for streams groups too",
    ),
    Known("quorum: metadata", "*.high_watermark", "how much each wrote to its metadata log"),
    Known("quorum: metadata", "*.log_end_offset", "as above"),
    Known("quorum: metadata", "*.leader_epoch", "how often each was started"),
    Known("quorum: metadata", "*.last_*_timestamp", "the time of the answer"),
    Known("quorum: metadata", "*.listeners*", "Ottla's metadata has no listener of its own; the broker's is told"),
    Known("voter: *another cluster", "error_message", "each names its own cluster id"),
    Known("join: classic, *", "member_id", _OPAQUE),
    Known("leave: classic", "members[[]*].member_id", _OPAQUE),
]
