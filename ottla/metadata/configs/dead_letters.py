"""Dead-letter topics of share groups (KIP-1191): configs that Apache Kafka has from 4.4 on.

They stand beside the tables of 4.2 so that those stay Kafka 4.2's row by row: like its internal configs, DescribeConfigs
shows them only where they are set.
"""

from __future__ import annotations

from .definition import MEDIUM, define, table
from .values import BOOLEAN, STRING, Value, invalid


class NoInternalTopic:
    """A topic name that is not one of the broker's own."""

    def ensure(self, name: str, value: Value) -> None:
        if str(value).startswith("__"):
            raise invalid(name, value, f"{name}: DLQ topic name must not start with '__'")

    def __str__(self) -> str:
        return "name that does not start with __"


GROUP_DEAD_LETTERS = table([
    define("errors.deadletterqueue.topic.name", STRING, "", NoInternalTopic(), MEDIUM,
        "The topic to which a share group's undeliverable records go; empty for none.", internal=True),
    define("errors.deadletterqueue.copy.record.enable", BOOLEAN, False, None, MEDIUM,
        "Whether key and value are copied to the dead-letter topic, or only headers say where the record was.", internal=True),
])  # fmt: skip

TOPIC_DEAD_LETTERS = table([
    define("errors.deadletterqueue.group.enable", BOOLEAN, False, None, MEDIUM,
        "Whether share groups may use the topic as their dead-letter topic.", internal=True),
])  # fmt: skip

BROKER_DEAD_LETTERS = table([
    define("errors.deadletterqueue.auto.create.topics.enable", BOOLEAN, False, None, MEDIUM,
        "Whether a share group's dead-letter topic is created when it is not there.", internal=True),
    define("errors.deadletterqueue.topic.name.prefix", STRING, "dlq.", None, MEDIUM,
        "What the name of a dead-letter topic must begin with; empty allows any name.", internal=True),
])  # fmt: skip

#: The names of all of them.
LATER_THAN_4_2 = frozenset(GROUP_DEAD_LETTERS) | frozenset(TOPIC_DEAD_LETTERS) | frozenset(BROKER_DEAD_LETTERS)
