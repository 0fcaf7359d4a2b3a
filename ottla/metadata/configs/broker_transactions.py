"""Broker configs: transactions and producer ids."""

from __future__ import annotations

from .definition import CLUSTER_WIDE, HIGH, LOW, define
from .validators import at_least
from .values import BOOLEAN, INT, SHORT

TRANSACTIONS = [
    define("transaction.state.log.min.isr", INT, 2, at_least(1), HIGH,
        "How many replicas of __transaction_state must be in sync for a write."),
    define("transaction.state.log.load.buffer.size", INT, 5242880, at_least(1), HIGH,
        "How many bytes are read at once when transactions are loaded from their log."),
    define("transaction.state.log.replication.factor", SHORT, 3, at_least(1), HIGH,
        "How many replicas __transaction_state gets; no more than there are brokers."),
    define("transaction.state.log.num.partitions", INT, 50, at_least(1), HIGH,
        "How many partitions __transaction_state gets; not to be changed afterwards."),
    define("transaction.state.log.segment.bytes", INT, 104857600, at_least(1), HIGH,
        "The segment size of __transaction_state."),
    define("transaction.partition.verification.enable", BOOLEAN, True, None, LOW,
        "Whether a first write in a transaction is checked with its coordinator.", update=CLUSTER_WIDE),
    define("transactional.id.expiration.ms", INT, 604800000, at_least(1), HIGH,
        "How long the coordinator remembers a transactional id that is not used."),
    define("transaction.max.timeout.ms", INT, 900000, at_least(1), HIGH,
        "The longest timeout a producer may ask for its transactions."),
    define("transaction.abort.timed.out.transaction.cleanup.interval.ms", INT, 10000, at_least(1), LOW,
        "How often transactions beyond their timeout are looked for."),
    define("transaction.remove.expired.transaction.cleanup.interval.ms", INT, 3600000, at_least(1), LOW,
        "How often expired transactional ids are looked for."),
    define("transaction.two.phase.commit.enable", BOOLEAN, False, None, LOW,
        "Whether producers may leave transactions open for an outer coordinator.",
        no_effect="two-phase commit (KIP-939) is not stable in Kafka 4.2 and not served"),
    define("add.partitions.to.txn.retry.backoff.max.ms", INT, 100, at_least(0), HIGH,
        "How long the broker at most repeats adding partitions while a transaction still completes."),
    define("add.partitions.to.txn.retry.backoff.ms", INT, 20, at_least(1), HIGH,
        "The pause between two of these attempts.",
        no_effect="nothing is polled: the end of the transaction before wakes who waits"),
]  # fmt: skip
