"""Broker configs: listeners, connections and requests."""

from __future__ import annotations

from .definition import CLUSTER_WIDE, HIGH, LOW, MEDIUM, PER_BROKER, define
from .validators import at_least, list_of
from .values import INT, INT_MAX, LIST, LONG, STRING

_NO_QUORUM = "the metadata log is not Kafka's quorum"
_NO_POOLS = "one event loop does this work"
_UNUSED = "nothing here depends on it so far"

NETWORK = [
    define("num.io.threads", INT, 8, at_least(1), HIGH,
        "Threads that work on requests.", update=CLUSTER_WIDE, no_effect=_NO_POOLS),
    define("background.threads", INT, 10, at_least(1), HIGH,
        "Threads for work beside requests.", update=CLUSTER_WIDE, no_effect=_NO_POOLS),
    define("request.timeout.ms", INT, 30000, None, HIGH,
        "How long the broker waits for an answer to a request of its own.", no_effect=_UNUSED),
    define("socket.connection.setup.timeout.ms", LONG, 10000, None, MEDIUM,
        "How long a connection from this broker to another may take to be made, at first.", no_effect=_UNUSED),
    define("socket.connection.setup.timeout.max.ms", LONG, 30000, None, MEDIUM,
        "The longest time a connection to another broker may take after repeated failures.", no_effect=_UNUSED),
    define("early.start.listeners", LIST, None, list_of(null=True), HIGH,
        "Listeners that open before the broker has caught up with the metadata.", no_effect=_NO_QUORUM),
    define("max.incremental.fetch.session.cache.slots", INT, 1000, at_least(0), MEDIUM,
        "How many incremental fetch sessions the broker remembers."),
    define("fetch.max.bytes", INT, 57671680, at_least(1024), MEDIUM,
        "The most bytes of one fetch response, whatever the client asks for."),
    define("max.request.partition.size.limit", INT, 2000, at_least(1), MEDIUM,
        "The most partitions in one page of DescribeTopicPartitions."),
    define("listeners", LIST, ("PLAINTEXT://:9092",), list_of(empty=False), HIGH,
        "Where clients are received: NAME://host:port, several separated by commas; an empty host means all addresses.", update=PER_BROKER),
    define("advertised.listeners", LIST, None, list_of(empty=False, null=True), HIGH,
        "The addresses under which clients are told to reach the listeners, where they differ from listeners."),
    define("listener.security.protocol.map", STRING, "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT", None, LOW,
        "Which security protocol each listener name speaks.", update=PER_BROKER),
    define("socket.send.buffer.bytes", INT, 102400, None, HIGH,
        "The kernel's send buffer of a connection; -1 leaves it to the system.", no_effect=_UNUSED),
    define("socket.receive.buffer.bytes", INT, 102400, None, HIGH,
        "The kernel's receive buffer of a connection; -1 leaves it to the system.", no_effect=_UNUSED),
    define("socket.request.max.bytes", INT, 104857600, at_least(1), HIGH,
        "The largest request; a longer one closes the connection."),
    define("socket.listen.backlog.size", INT, 50, at_least(1), MEDIUM,
        "How many connections may wait to be accepted.", no_effect=_UNUSED),
    define("max.connections.per.ip", INT, INT_MAX, at_least(0), MEDIUM,
        "How many connections one address may hold.", update=CLUSTER_WIDE),
    define("max.connections.per.ip.overrides", STRING, "", None, MEDIUM,
        "Addresses with a limit of their own, as host:count pairs.", update=CLUSTER_WIDE),
    define("max.connections", INT, INT_MAX, at_least(0), MEDIUM,
        "How many connections the broker holds at once.", update=CLUSTER_WIDE),
    define("max.connection.creation.rate", INT, INT_MAX, at_least(0), MEDIUM,
        "How many connections per second the broker accepts.", update=CLUSTER_WIDE),
    define("connections.max.idle.ms", LONG, 600000, None, MEDIUM,
        "A connection without a request for this long is closed."),
    define("connection.failed.authentication.delay.ms", INT, 100, at_least(0), LOW,
        "How long the answer to a failed authentication is held back."),
    define("queued.max.requests", INT, 500, at_least(1), HIGH,
        "How many requests may wait for a thread before sockets are no longer read.", no_effect=_NO_POOLS),
    define("queued.max.request.bytes", LONG, -1, None, MEDIUM,
        "How many bytes of requests may wait before sockets are no longer read; -1 stands for Ottla's own bound of 256 MiB."),
    define("num.network.threads", INT, 3, at_least(1), HIGH,
        "Threads that read and write sockets.", update=CLUSTER_WIDE, no_effect=_NO_POOLS),
]  # fmt: skip
