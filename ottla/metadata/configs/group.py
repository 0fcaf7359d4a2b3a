"""Group configs: what a consumer, share or streams group may set for itself."""

from __future__ import annotations

import re

from .dead_letters import GROUP_DEAD_LETTERS
from .definition import MEDIUM, define, table
from .validators import at_least, one_of
from .values import INT, STRING, Value, invalid

#: ISO 8601 as Java reads it: days, hours, minutes, seconds with a fraction.
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?\Z", re.IGNORECASE)


class OffsetReset:
    """Where a share group begins: latest, earliest, or a duration back from now (ISO 8601)."""

    def ensure(self, name: str, value: Value) -> None:
        text = str(value)
        if text in ("latest", "earliest"):
            return
        strategy, _, duration = text.partition(":")
        match = _DURATION.match(duration)
        if strategy != "by_duration" or match is None or not any(match.groups()) or duration[-1] in "tT":
            why = (
                f"Invalid value `{text}` for configuration {name}. The value must be either 'earliest', 'latest' or of "
                "the format 'by_duration:<PnDTnHnMn.nS>'."
            )
            raise invalid(name, value, why)

    def __str__(self) -> str:
        return "[latest, earliest, by_duration:PnDTnHnMn.nS]"


GROUP = table([
    define("consumer.session.timeout.ms", INT, 45000, at_least(1), MEDIUM,
        "A member of a consumer group that is silent for this long is removed.", synonyms=("group.consumer.session.timeout.ms",)),
    define("consumer.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM,
        "How often members of a consumer group are told to send heartbeats.", synonyms=("group.consumer.heartbeat.interval.ms",)),
    define("share.session.timeout.ms", INT, 45000, at_least(1), MEDIUM,
        "A member of a share group that is silent for this long is removed.", synonyms=("group.share.session.timeout.ms",)),
    define("share.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM,
        "How often members of a share group are told to send heartbeats.", synonyms=("group.share.heartbeat.interval.ms",)),
    define("share.record.lock.duration.ms", INT, 30000, at_least(1000), MEDIUM,
        "A record handed to a share consumer goes to another one if it is not acknowledged in this time.", synonyms=("group.share.record.lock.duration.ms",)),
    define("share.auto.offset.reset", STRING, "latest", OffsetReset(), MEDIUM,
        "Where a share group begins to read a partition it has no position in."),
    define("share.isolation.level", STRING, "read_uncommitted", one_of("read_committed", "read_uncommitted"), MEDIUM,
        "Whether a share group is handed records of transactions that are not committed."),
    define("streams.session.timeout.ms", INT, 45000, at_least(1), MEDIUM,
        "A member of a streams group that is silent for this long is removed.", synonyms=("group.streams.session.timeout.ms",)),
    define("streams.heartbeat.interval.ms", INT, 5000, at_least(1), MEDIUM,
        "How often members of a streams group are told to send heartbeats.", synonyms=("group.streams.heartbeat.interval.ms",)),
    define("streams.num.standby.replicas", INT, 0, at_least(0), MEDIUM,
        "How many warm copies of each task a streams group keeps.", synonyms=("group.streams.num.standby.replicas",)),
    define("streams.initial.rebalance.delay.ms", INT, 3000, at_least(0), MEDIUM,
        "How long an empty streams group waits for more members before its first assignment.", synonyms=("group.streams.initial.rebalance.delay.ms",)),
], GROUP_DEAD_LETTERS.values())  # fmt: skip
