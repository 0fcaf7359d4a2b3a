"""Broker configs: leaders, followers and what brokers say to each other."""

from __future__ import annotations

from .definition import CLUSTER_WIDE, HIGH, MEDIUM, define
from .validators import at_least, one_of
from .values import BOOLEAN, INT, LONG, STRING

_NO_POOLS = "one event loop does this work"
_NO_JVM = "Java classes cannot be loaded"
_NO_REPL = "brokers do not replicate so far"
_UNUSED = "nothing here depends on it so far"

REPLICATION = [
    define("num.replica.alter.log.dirs.threads", INT, None, None, HIGH,
        "Threads that move replicas between log directories.", no_effect=_NO_POOLS),
    define("controlled.shutdown.enable", BOOLEAN, True, None, MEDIUM,
        "Whether a broker that stops hands its leaderships over first.", no_effect=_UNUSED),
    define("default.replication.factor", INT, 1, None, MEDIUM,
        "How many replicas a topic gets that is created without saying how many."),
    define("replica.lag.time.max.ms", LONG, 30000, None, HIGH,
        "A follower that has not caught up for this long leaves the in-sync replicas.", no_effect=_NO_REPL),
    define("replica.socket.timeout.ms", INT, 30000, None, HIGH,
        "Socket timeout of replication fetches.", no_effect=_NO_REPL),
    define("replica.socket.receive.buffer.bytes", INT, 65536, None, HIGH,
        "The kernel's receive buffer of replication connections.", no_effect=_NO_REPL),
    define("replica.fetch.max.bytes", INT, 1048576, at_least(0), MEDIUM,
        "How many bytes a follower asks for per partition.", no_effect=_NO_REPL),
    define("replica.fetch.wait.max.ms", INT, 500, None, HIGH,
        "How long a follower's fetch may wait at the leader for data.", no_effect=_NO_REPL),
    define("replica.fetch.backoff.ms", INT, 1000, at_least(0), MEDIUM,
        "How long a follower pauses after a failed fetch.", no_effect=_NO_REPL),
    define("replica.fetch.min.bytes", INT, 1, None, HIGH,
        "How many bytes a follower's fetch waits for.", no_effect=_NO_REPL),
    define("replica.fetch.response.max.bytes", INT, 10485760, at_least(0), MEDIUM,
        "How many bytes a follower asks for in one fetch.", no_effect=_NO_REPL),
    define("num.replica.fetchers", INT, 1, at_least(1), HIGH,
        "How many connections fetch from each leader.", update=CLUSTER_WIDE, no_effect=_NO_REPL),
    define("replica.high.watermark.checkpoint.interval.ms", LONG, 5000, None, HIGH,
        "How often high watermarks are written to disk.", no_effect=_UNUSED),
    define("fetch.purgatory.purge.interval.requests", INT, 1000, None, MEDIUM,
        "How many answered fetches wait in the purgatory before it is swept.", no_effect=_NO_POOLS),
    define("producer.purgatory.purge.interval.requests", INT, 1000, None, MEDIUM,
        "How many answered produce requests wait in the purgatory before it is swept.", no_effect=_NO_POOLS),
    define("delete.records.purgatory.purge.interval.requests", INT, 1, None, MEDIUM,
        "How many answered DeleteRecords wait in the purgatory before it is swept.", no_effect=_NO_POOLS),
    define("auto.leader.rebalance.enable", BOOLEAN, True, None, HIGH,
        "Whether leadership goes back to preferred replicas by itself.", no_effect=_NO_REPL),
    define("leader.imbalance.check.interval.seconds", LONG, 300, at_least(1), HIGH,
        "How often the controller looks for partitions not led by their preferred replica.", no_effect=_NO_REPL),
    define("security.inter.broker.protocol", STRING, "PLAINTEXT", one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), MEDIUM,
        "The security protocol between brokers, where inter.broker.listener.name is not set.", no_effect=_NO_REPL),
    define("inter.broker.listener.name", STRING, None, None, MEDIUM,
        "The listener over which brokers talk to each other.", no_effect=_NO_REPL),
    define("replica.selector.class", STRING, None, None, MEDIUM,
        "The plug-in that chooses from which replica a consumer reads.", no_effect=_NO_JVM),
]  # fmt: skip
