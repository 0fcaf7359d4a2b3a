"""Topic configs: what a topic may set for itself, and which broker configs stand in when it does not."""

from __future__ import annotations

from .dead_letters import TOPIC_DEAD_LETTERS
from .definition import MEDIUM, define, table
from .validators import RangeOr, ThrottledReplicas, at_least, between, list_of, one_of
from .values import BOOLEAN, DOUBLE, INT, LIST, LONG, LONG_MAX, STRING

_NO_TIERS = "there is no tiered storage"
_NO_REPLICATION = "brokers do not replicate so far"

#: The names and levels of codecs stand here once for the topic and the broker config.
COMPRESSION_TYPES = ("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer")

TOPIC = table([
    define("segment.bytes", INT, 1073741824, at_least(1048576), MEDIUM,
        "A segment file is closed and a new one begun when it would grow beyond this size.", synonyms=("log.segment.bytes",)),
    define("segment.ms", LONG, 604800000, at_least(1), MEDIUM,
        "A segment is closed at this age even if it is small, so that retention and compaction can work on it.", synonyms=("log.roll.ms", "log.roll.hours")),
    define("segment.jitter.ms", LONG, 0, at_least(0), MEDIUM,
        "Up to this much is taken off segment.ms at random, so that segments are not all closed at once.", synonyms=("log.roll.jitter.ms", "log.roll.jitter.hours")),
    define("segment.index.bytes", INT, 10485760, at_least(4), MEDIUM,
        "An index file that would grow beyond this size closes its segment.", synonyms=("log.index.size.max.bytes",)),
    define("flush.messages", LONG, LONG_MAX, at_least(1), MEDIUM,
        "After this many records the log is forced to disk; the append that makes them so many is answered after that.", synonyms=("log.flush.interval.messages",)),
    define("flush.ms", LONG, LONG_MAX, at_least(0), MEDIUM,
        "A record lies at most this long in the page cache before the log is forced to disk; looked at each log.flush.scheduler.interval.ms.", synonyms=("log.flush.interval.ms", "log.flush.scheduler.interval.ms")),
    define("retention.bytes", LONG, -1, None, MEDIUM,
        "Old segments are deleted while a partition is larger than this; -1 sets no limit.", synonyms=("log.retention.bytes",)),
    define("retention.ms", LONG, 604800000, at_least(-1), MEDIUM,
        "Segments whose newest record is older than this are deleted; -1 keeps them for ever.", synonyms=("log.retention.ms", "log.retention.minutes", "log.retention.hours")),
    define("max.message.bytes", INT, 1048588, at_least(0), MEDIUM,
        "The largest record batch, after compression, that a producer may send.", synonyms=("message.max.bytes",)),
    define("index.interval.bytes", INT, 4096, at_least(0), MEDIUM,
        "An entry is added to the offset index after about this many bytes of records.", synonyms=("log.index.interval.bytes",)),
    define("delete.retention.ms", LONG, 86400000, at_least(0), MEDIUM,
        "How long compaction keeps the tombstone of a deleted key, so that readers get to see it.", synonyms=("log.cleaner.delete.retention.ms",)),
    define("min.compaction.lag.ms", LONG, 0, at_least(0), MEDIUM,
        "Records younger than this are not compacted.", synonyms=("log.cleaner.min.compaction.lag.ms",)),
    define("max.compaction.lag.ms", LONG, LONG_MAX, at_least(1), MEDIUM,
        "Records older than this become due for compaction whatever the dirty ratio is.", synonyms=("log.cleaner.max.compaction.lag.ms",)),
    define("file.delete.delay.ms", LONG, 60000, at_least(0), MEDIUM,
        "A deleted segment's files stay on disk this long for readers that still use them.", synonyms=("log.segment.delete.delay.ms",)),
    define("min.cleanable.dirty.ratio", DOUBLE, 0.5, between(0, 1), MEDIUM,
        "A log is compacted when at least this share of it was written since the last time.", synonyms=("log.cleaner.min.cleanable.ratio",)),
    define("cleanup.policy", LIST, ("delete",), list_of("compact", "delete"), MEDIUM,
        "With delete old segments go, with compact the last record of each key stays; both may be given, or none.", synonyms=("log.cleanup.policy",)),
    define("unclean.leader.election.enable", BOOLEAN, False, None, MEDIUM,
        "Whether a replica that is not in sync may lead when no other is left, at the price of lost records.", synonyms=("unclean.leader.election.enable",), no_effect=_NO_REPLICATION),
    define("min.insync.replicas", INT, 1, at_least(1), MEDIUM,
        "With acks=all a write is refused while fewer replicas than this are in sync.", synonyms=("min.insync.replicas",)),
    define("compression.type", STRING, "producer", one_of(*COMPRESSION_TYPES), MEDIUM,
        "The codec in which batches are stored; producer keeps what the producer chose.", synonyms=("compression.type",)),
    define("compression.gzip.level", INT, -1, RangeOr(1, 9, -1), MEDIUM,
        "The gzip level where the broker compresses itself; -1 is gzip's own default.", synonyms=("compression.gzip.level",)),
    define("compression.lz4.level", INT, 9, between(1, 17), MEDIUM,
        "The lz4 level where the broker compresses itself.", synonyms=("compression.lz4.level",)),
    define("compression.zstd.level", INT, 3, between(-131072, 22), MEDIUM,
        "The zstd level where the broker compresses itself.", synonyms=("compression.zstd.level",)),
    define("preallocate", BOOLEAN, False, None, MEDIUM,
        "Whether the file system keeps room for a whole segment.bytes when a new segment file is made (Linux).", synonyms=("log.preallocate",)),
    define("message.timestamp.type", STRING, "CreateTime", one_of("CreateTime", "LogAppendTime"), MEDIUM,
        "Whether records keep the producer's timestamp or get the time of their append.", synonyms=("log.message.timestamp.type",)),
    define("message.timestamp.before.max.ms", LONG, LONG_MAX, at_least(0), MEDIUM,
        "A record whose timestamp lies further than this in the past is refused.", synonyms=("log.message.timestamp.before.max.ms",)),
    define("message.timestamp.after.max.ms", LONG, 3600000, at_least(0), MEDIUM,
        "A record whose timestamp lies further than this in the future is refused.", synonyms=("log.message.timestamp.after.max.ms",)),
    define("leader.replication.throttled.replicas", LIST, (), ThrottledReplicas(), MEDIUM,
        "The replicas (partition:broker, or *) whose replication is throttled on the leader's side.", no_effect=_NO_REPLICATION),
    define("follower.replication.throttled.replicas", LIST, (), ThrottledReplicas(), MEDIUM,
        "The replicas (partition:broker, or *) whose replication is throttled on the follower's side.", no_effect=_NO_REPLICATION),
    define("remote.storage.enable", BOOLEAN, False, None, MEDIUM,
        "Whether the topic's closed segments are copied to remote storage.", no_effect=_NO_TIERS),
    define("local.retention.ms", LONG, -2, at_least(-2), MEDIUM,
        "How long copied segments stay on local disk; -2 means retention.ms.", synonyms=("log.local.retention.ms",), no_effect=_NO_TIERS),
    define("local.retention.bytes", LONG, -2, at_least(-2), MEDIUM,
        "How many bytes of copied segments stay on local disk; -2 means retention.bytes.", synonyms=("log.local.retention.bytes",), no_effect=_NO_TIERS),
    define("remote.log.copy.disable", BOOLEAN, False, None, MEDIUM,
        "Whether copying to remote storage stops, so that what lies there is only read.", no_effect=_NO_TIERS),
    define("remote.log.delete.on.disable", BOOLEAN, False, None, MEDIUM,
        "Whether remote data is deleted when remote storage is turned off.", no_effect=_NO_TIERS),
    define("internal.segment.bytes", INT, None, None, MEDIUM,
        "A segment size without a lower bound, for tests.", internal=True),
], TOPIC_DEAD_LETTERS.values())  # fmt: skip

#: What turns a broker config's value into the topic config's unit (milliseconds), for those that differ.
SYNONYM_FACTORS = {
    "log.roll.hours": 3600000,
    "log.roll.jitter.hours": 3600000,
    "log.retention.minutes": 60000,
    "log.retention.hours": 3600000,
}
