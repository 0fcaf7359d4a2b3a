"""What people write for times, offsets and partitions, read into numbers; wrong words are told as argparse tells them.

10m  1h30m  7d  500ms                        a duration
10m  2026-11-21T10:00  1700000000000         a moment: so long ago, ISO 8601, milliseconds since 1970
beginning  end  stored  17  -5  s@10m  e@..  where reading begins or ends (kcat's words)
0  0,3-5                                     partitions
"""

from __future__ import annotations

import argparse
import re
import time
from datetime import datetime
from typing import NamedTuple

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|min|[smhdw])")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|min|[smhdw]))+")


def duration_ms(text: str) -> int:
    """A duration in milliseconds."""
    word = text.strip().lower()
    if re.fullmatch(r"p(\d+d)?(t(\d+h)?(\d+m)?(\d+s)?)?", word):  # ISO 8601, as Kafka's tools take it
        word = word.replace("p", "").replace("t", "")
    if not _DURATION.fullmatch(word):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: 500ms, 30s, 10m, 1h30m, 7d")
    return round(sum(float(number) * _UNITS_MS[unit] for number, unit in _PART.findall(word)))


def moment_ms(text: str) -> int:
    """A moment in milliseconds since 1970."""
    word = text.strip()
    if word.isdecimal():
        return int(word)
    if _DURATION.fullmatch(word.lower()):
        return round(time.time() * 1000) - duration_ms(word)
    try:
        return round(datetime.fromisoformat(word.replace("Z", "+00:00")).timestamp() * 1000)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no moment: 10m (ago), 2026-11-21T10:00, or milliseconds since 1970"
        ) from None


#: Kafka's words for timestamps of ListOffsets that are no moments.
_SPECIAL_TIMES = {"latest": -1, "earliest": -2, "max-timestamp": -3, "earliest-local": -4, "latest-tiered": -5}


def offset_time(text: str) -> int:
    """A moment, or one of kafka-get-offsets' words and numbers."""
    word = text.strip().lower()
    if word in _SPECIAL_TIMES:
        return _SPECIAL_TIMES[word]
    return int(word) if word in map(str, _SPECIAL_TIMES.values()) else moment_ms(text)


class Place(NamedTuple):
    """Where reading begins: kind is beginning, end, stored, offset, tail (so many before the end) or time (ms); or until."""

    kind: str
    number: int = 0


_WORDS = {"beginning": "beginning", "earliest": "beginning", "end": "end", "latest": "end", "stored": "stored"}


def place(text: str) -> Place:
    """One `-o`."""
    word = text.strip().lower()
    if word in _WORDS:
        return Place(_WORDS[word])
    if word[:2] in ("s@", "e@"):
        return Place("time" if word[0] == "s" else "until", moment_ms(text.strip()[2:]))
    if re.fullmatch(r"-?\d+", word):
        return Place("tail", -int(word)) if word[0] == "-" else Place("offset", int(word))
    raise argparse.ArgumentTypeError(
        f"{text!r} is no offset: beginning, end, stored, 17, -5 (so many before the end), s@TIME (from), e@TIME (until)"
    )


def numbers(text: str) -> list[int]:
    """Partitions or brokers: 0,3-5."""
    found: list[int] = []
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 0,3-5")
        found += range(int(low), int(high or low) + 1)
    return found


def topic_partitions(text: str) -> tuple[str, list[int] | None]:
    """TOPIC or TOPIC:0,1 (as Kafka's kafka-consumer-groups)."""
    topic, colon, rest = text.partition(":")
    return topic, numbers(rest) if colon else None


def replica_lists(text: str) -> list[list[int]]:
    """1:2,2:3: the replicas of each partition, as Kafka's --replica-assignment."""
    try:
        return [[int(broker) for broker in part.split(":")] for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not BROKER:BROKER,BROKER:BROKER,...") from None


def when(timestamp_ms: int) -> str:
    """A timestamp as people read it, in local time; "-" for none."""
    if timestamp_ms < 0:
        return "-"
    return datetime.fromtimestamp(timestamp_ms / 1000).astimezone().isoformat(timespec="milliseconds")


_BYTE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def size(text: str) -> int:
    """Bytes: 100, 1k, 1KiB, 5m."""
    found = re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: 100, 1k, 5m")
    return int(found[1]) * _BYTE_UNITS[found[2]]


def bytes_text(count: float) -> str:
    """A number of bytes as people read it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024 or unit == "GiB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("the loop returns")
