"""Subscriptions by pattern: which topics a group's patterns match, evaluated by RE2 in linear time.

A heartbeat never matches anything itself. It may find that patterns have to be matched (again), and then its decision asks
the shell for it as an effect; the shell runs `ResolvePatterns.run`, in a thread where that is much, and gives the result
back to `Consumer.patterns_resolved`, which stores it and raises the group epoch if it changes anything.

    heartbeat ──► effect ResolvePatterns ──► run: every topic against every pattern ──► patterns_resolved ──► records

Patterns are matched again when one is new, when topics were created, and every `group.consumer.regex.refresh.interval.ms`;
but not within ten seconds, for topics are often created in a row. Deleted topics need none of it: what does not exist is not
assigned, and leaves the list the next time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import re2

from ....protocol.errors import ErrorCode, KafkaError
from .group import ConsumerGroup
from .member import ConsumerMember

__all__ = ["PatternChange", "ResolvePatterns", "check_pattern", "needs_refresh"]

#: Kafka's REGEX_BATCH_REFRESH_MIN_INTERVAL_MS.
REFRESH_MIN_INTERVAL_MS = 10_000

#: What RE2 says of a pattern, and what Java's RE2 says of the same.
_DESCRIPTIONS = {
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
}

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)


def check_pattern(pattern: str) -> None:
    """Raise INVALID_REGULAR_EXPRESSION if RE2 does not take the pattern."""
    try:
        _compiled(pattern)
    except re2.error as error:
        told = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        what = told.partition(":")[0]
        why = _DESCRIPTIONS.get(what, what)
        raise KafkaError(
            ErrorCode.INVALID_REGULAR_EXPRESSION,
            f"SubscribedTopicRegex `{pattern}` is not a valid regular expression: {why}.",
        ) from None


class ResolvePatterns(NamedTuple):
    """Work for the shell: match all topics of an image against patterns."""

    group_id: str
    patterns: tuple[str, ...]
    topic_names: tuple[str, ...]
    #: Version of the metadata the names are from, and when the work was asked for.
    version: int
    asked_ms: int

    @property
    def cost(self) -> int:
        """How many matches it takes."""
        return len(self.patterns) * len(self.topic_names)

    def run(self) -> dict[str, frozenset[str]]:
        """Match; touches nothing but itself, so it may run anywhere."""
        found: dict[str, frozenset[str]] = {}
        for pattern in self.patterns:
            try:
                match = _compiled(pattern).fullmatch
            except re2.error:
                # Heartbeats were refused it; Java's RE2, which wrote the log we took over, may have liked it.
                found[pattern] = frozenset()
                continue
            found[pattern] = frozenset(name for name in self.topic_names if match(name))
        return found


class PatternChange(NamedTuple):
    """How a heartbeat changes a member's pattern."""

    changed: bool = False
    #: Whether what the new pattern matches is known (or there is none), so that the assignment can follow at once.
    resolved: bool = False
    #: A pattern that nobody subscribes to any more.
    forgotten: str | None = None
    #: Whether nobody subscribed to the new pattern before.
    is_new: bool = False

    @classmethod
    def of(cls, group: ConsumerGroup, old: ConsumerMember, new: ConsumerMember) -> PatternChange:
        """Compare a member as it is with what it says now; raises INVALID_REGULAR_EXPRESSION."""
        if old.subscribed_topic_regex == new.subscribed_topic_regex:
            return _NO_CHANGE
        forgotten = old.pattern if old.pattern is not None and group.pattern_counts.get(old.pattern) == 1 else None
        if new.pattern is None:
            return cls(True, old.pattern is not None, forgotten)
        if new.pattern in group.pattern_counts:
            return cls(True, new.pattern in group.resolved, forgotten)
        check_pattern(new.pattern)
        return cls(True, False, forgotten, True)


_NO_CHANGE = PatternChange()


def needs_refresh(
    group: ConsumerGroup, patterns: dict[str, int], *, is_new: bool, topics_version: int, interval_ms: int, now_ms: int
) -> bool:
    """Whether `patterns` (those of the group from now on) have to be matched.

    `topics_version` is that of the metadata when topics were last created.
    """
    if not patterns:
        return False
    latest = next(iter(group.resolved.values()), None)
    if latest is None:
        return True
    if now_ms <= latest.timestamp_ms + REFRESH_MIN_INTERVAL_MS:
        return False
    return (
        is_new
        or len(patterns) != len(group.resolved)
        or latest.version < topics_version
        or now_ms > latest.timestamp_ms + interval_ms
    )
