"""Broker configs: Kafka 4.2.1's table, the quotas that exist only as dynamic configs, and Ottla's own keys.

The rows stand in `broker_*`, one file per subject. A Kafka `server.properties` must start Ottla: every key of Kafka is
known and checked; one that cannot have an effect here says why in `no_effect` and is otherwise like any other.
"""

from __future__ import annotations

from . import (
    broker_groups,
    broker_log,
    broker_metrics,
    broker_network,
    broker_replication,
    broker_security,
    broker_server,
    broker_tiered,
    broker_transactions,
)
from .dead_letters import BROKER_DEAD_LETTERS
from .definition import LOW, MEDIUM, PER_BROKER, define, table
from .validators import HttpAddress, at_least, list_of, one_of
from .values import BOOLEAN, LIST, LONG, LONG_MAX, STRING

#: Kafka's own, in its order of subjects.
KAFKA = table(
    broker_server.SERVER,
    broker_network.NETWORK,
    broker_log.LOG,
    broker_replication.REPLICATION,
    broker_groups.GROUPS,
    broker_transactions.TRANSACTIONS,
    broker_metrics.METRICS,
    broker_security.SECURITY,
    broker_tiered.TIERED,
)

#: Settable through the Admin API only, never in a file (Kafka's `QuotaConfig.brokerQuotaConfigs`).
DYNAMIC_ONLY = table([
    define("leader.replication.throttled.rate", LONG, LONG_MAX, at_least(0), MEDIUM,
        "Bytes per second that throttled replicas may read from the leaders on this broker.", update=PER_BROKER, internal=True),
    define("follower.replication.throttled.rate", LONG, LONG_MAX, at_least(0), MEDIUM,
        "Bytes per second that throttled replicas on this broker may fetch.", update=PER_BROKER, internal=True),
    define("replica.alter.log.dirs.io.max.bytes.per.second", LONG, LONG_MAX, at_least(0), MEDIUM,
        "Bytes per second that moving replicas between log directories may use.", update=PER_BROKER, internal=True),
])  # fmt: skip

#: Keys that Apache Kafka does not have. They begin with `ottla.`, so that they never clash with one it will have.
OTTLA = table([
    define("ottla.durability", STRING, "auto", one_of("auto", "fsync", "os"), MEDIUM,
        "What an acknowledged write has survived: fsync forces it to disk first, os trusts the page cache as Kafka does, "
        "auto is fsync where a partition has one replica and the producer asks for acks=all, and os elsewhere."),
    define("ottla.metrics.listener", STRING, "", HttpAddress(), MEDIUM,
        "Where /metrics (Prometheus), /healthz and /readyz are served over HTTP: PORT on 127.0.0.1, or HOST:PORT. Empty: nowhere. "
        "There is no authentication, so leave it on an address that only your monitoring reaches."),
    define("ottla.ssl.crl.location", STRING, None, None, MEDIUM,
        "A file of certificate revocation lists (PEM, or one in DER), one for each authority of a client's chain: a client is refused "
        "when a certificate of its chain is on them, its authority has none, or one is out of date. The file is read again when it "
        "changes.", update=PER_BROKER),
    define("ottla.bootstrap.users", STRING, None, None, LOW,
        "A file with the SCRAM verifiers of users who exist from the broker's first start on; ottla secure init writes one. Later "
        "starts do not look at it."),
    define("ottla.allow.plaintext.listeners", BOOLEAN, False, None, MEDIUM,
        "Whether a listener without TLS and without authentication may have an address that other machines reach. Whoever reaches it "
        "can then read, write and delete everything."),
    define("ottla.sasl.oauthbearer.unsecured.enable", BOOLEAN, False, None, MEDIUM,
        "Whether OAUTHBEARER may take tokens that nobody signed, where Kafka's unsecured handler is set: for tests of clients. "
        "Who connects is then whoever he says he is."),
    define("ottla.sasl.oauthbearer.allowed.urls", LIST, (), list_of(), MEDIUM,
        "Addresses from which keys of OAUTHBEARER may be read besides https and http on this machine: whole URLs of files or http; "
        "Kafka's system property org.apache.kafka.sasl.oauthbearer.allowed.urls."),
    define("ottla.log.format", STRING, "text", one_of("text", "json"), LOW,
        "How the broker writes its own log to stderr: lines for people, or a JSON object per line for machines."),
])  # fmt: skip

#: Every broker config by name.
BROKER = table(KAFKA.values(), DYNAMIC_ONLY.values(), OTTLA.values(), BROKER_DEAD_LETTERS.values())

#: Configs that say the same in different units or fall back on each other; the first that is set wins.
SYNONYMS: dict[str, tuple[str, ...]] = {
    name: chain
    for chain in (
        ("log.roll.ms", "log.roll.hours"),
        ("log.roll.jitter.ms", "log.roll.jitter.hours"),
        ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
        ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
    )
    for name in chain
    if name != "log.flush.scheduler.interval.ms"
}
