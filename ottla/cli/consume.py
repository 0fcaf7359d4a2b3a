"""`ottla consume`: prints records as they come; from any place, with filters, alone or as a member of a group.

    Begin (offsets of each partition) ──► Consumer ──► filters ──► print          until Ctrl-C, -c, -e, --until, --timeout-ms

Without a group the places are looked up first and the partitions assigned at them; nothing is committed. With a group, what was
shown is committed. What is bounded (-e, --until) ends at the offsets that were the end when reading began: records that come
meanwhile are not waited for. A watcher looks twenty times a second whether all is read: markers of transactions and filtered
records move the position without anything to print.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ..client.admin.admin import Admin
from ..client.consumer.consumer import Consumer
from . import asking, connection
from .printing import Part, as_json, by_format, by_properties, check_properties, unescape
from .trouble import MISUSED, Trouble
from .values import Place

TopicAndPartition = tuple[str, int]
Offsets = dict[TopicAndPartition, int]
WATCH_S = 0.05
_BEGINS = ("beginning", "end", "stored", "offset", "tail", "time")


def run(arguments: argparse.Namespace) -> int:
    """Read until the end that was asked for."""
    return asking.run(Reading(arguments).run())


def printer(arguments: argparse.Namespace) -> Part:
    """How records are printed."""
    if arguments.json:
        return as_json
    properties = check_properties(arguments.properties)
    null = b"NULL" if arguments.null else properties.get("null.literal", "null" if properties else "").encode()
    if arguments.format is not None:
        return by_format(arguments.format, null)
    end = properties.get("line.separator", arguments.delimiter)
    if properties:
        return by_properties(properties, unescape(end).encode(), null)
    key = "" if arguments.key_delimiter is None else "%k" + arguments.key_delimiter.replace("%", "%%")
    return by_format(f"{key}%s{end.replace('%', '%%')}", null)


def keeper(arguments: argparse.Namespace) -> Callable[[Any], bool] | None:
    """The filters, or None where there is none."""
    tests: list[Callable[[Any], bool]] = []
    if arguments.key is not None:
        wanted = arguments.key.encode()
        tests.append(lambda r: r.key == wanted)
    for header in arguments.headers:
        name, equals, value = header.partition("=")
        tests.append(_has_header(name, value.encode() if equals else None))
    if arguments.grep is not None:
        try:
            pattern = re.compile(arguments.grep.encode())
        except re.error as error:
            raise Trouble(
                f"--grep {arguments.grep!r}: {error}", "write a regular expression of Python", MISUSED
            ) from error
        tests.append(lambda r: (value := r.value) is not None and pattern.search(value) is not None)
    return (lambda r: all(test(r) for test in tests)) if tests else None


def _has_header(name: str, value: bytes | None) -> Callable[[Any], bool]:
    if value is None:
        return lambda r: any(each == name for each, _ in r.headers)
    return lambda r: (name, value) in r.headers


def places(arguments: argparse.Namespace) -> tuple[Place, Place | None]:
    """(where to begin, where to end)."""
    begins = [each for each in arguments.offset if each.kind in _BEGINS]
    ends = [each for each in arguments.offset if each.kind == "until"]
    if arguments.from_beginning:
        begins.append(Place("beginning"))
    if arguments.since is not None:
        begins.append(Place("time", arguments.since))
    if arguments.until is not None:
        ends.append(Place("until", arguments.until))
    if arguments.last is not None:
        begins.append(Place("last", arguments.last))
    if len(begins) > 1 or len(ends) > 1:
        raise Trouble("several places to begin or end at", "give one of -o, -n, --since, --from-beginning", MISUSED)
    return (begins[0] if begins else Place("stored" if arguments.group else "end")), (ends[0] if ends else None)


class Reading:
    """One run of the command."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.print = printer(arguments)
        self.keep = keeper(arguments)
        self.begin, self.until = places(arguments)
        self.is_bounded = arguments.exit or self.until is not None
        self.out = sys.stdout.buffer
        self.shown = 0
        self.last_ms = time.monotonic() * 1000
        self.signal = 0
        self._broken: BrokenPipeError | None = None
        if arguments.count is not None and arguments.count < 1:
            raise Trouble("nothing to read", "-c takes a number from 1 up", MISUSED)
        if arguments.group and (
            arguments.partitions is not None
            or self.until
            or self.begin.kind not in ("beginning", "end", "stored", "time")
        ):
            raise Trouble("a group decides itself what is read and where it goes on",
                          "leave out --group, or -p, -n, --until and offsets", MISUSED)  # fmt: skip
        if self.begin.kind == "stored" and not arguments.group:
            raise Trouble("-o stored needs a group", "give --group GROUP", MISUSED)

    async def run(self) -> int:
        """Read; 130 or 143 after Ctrl-C or SIGTERM, as a shell expects."""
        if self.arguments.group:
            await self._as_member()
        else:
            await self._alone()
        if self._broken is not None:
            raise self._broken
        self.out.flush()
        return 128 + self.signal if self.signal else 0

    async def _as_member(self) -> None:
        from datetime import UTC, datetime

        starts: dict[str, Any] = {"beginning": "earliest", "end": "latest", "stored": None}
        start = (
            datetime.fromtimestamp(self.begin.number / 1000, UTC)
            if self.begin.kind == "time"
            else starts[self.begin.kind]
        )
        config = connection.config(self.arguments)
        if start is None and not config.is_set("auto_offset_reset"):
            start = "latest"  # Kafka's console consumer's default, which --from-beginning changes
        async with Consumer[Any, Any](
            config, *self.arguments.topics, group=self.arguments.group, start=start
        ) as consumer:
            await self._read(consumer, {}, self._show, lambda: self._caught_up(consumer))

    def _caught_up(self, consumer: Consumer[Any, Any]) -> bool:
        lags = consumer.lag()
        return self.arguments.exit and bool(lags) and all(lag == 0 for lag in lags.values())

    async def _alone(self) -> None:
        begins, ends = await self._bounds()
        if self.begin.kind == "last":
            tail: list[tuple[int, bytes]] = []
            await self._pass(begins, ends, lambda record: tail.append((record.timestamp, self.print(record))))
            tail.sort(key=lambda each: each[0])
            for _, text in tail[max(0, len(tail) - self.begin.number) :]:
                self._write(text)
            self.out.flush()
            if self.is_bounded or self._is_over():
                return
            await self._pass(ends, None, self._show)
            return
        if not self.is_bounded and self.begin.kind == "end" and sys.stderr.isatty() and not self.arguments.quiet:
            print("waiting for new records; --from-beginning shows what is there, Ctrl-C ends", file=sys.stderr)
        await self._pass(begins, ends if self.is_bounded else None, self._show)

    async def _pass(self, begins: Offsets, ends: Offsets | None, show: Callable[[Any], None]) -> None:
        left = begins if ends is None else {key: at for key, at in begins.items() if at < ends[key]}
        if not left:
            return
        async with Consumer[Any, Any](connection.config(self.arguments), start="earliest") as consumer:
            consumer.assign(left)

            def is_done() -> bool:
                return ends is not None and all((consumer.position(*key) or 0) >= ends[key] for key in left)

            await self._read(consumer, ends or {}, show, is_done)

    async def _read(
        self, consumer: Consumer[Any, Any], ends: Offsets, show: Callable[[Any], None], is_done: Callable[[], bool]
    ) -> None:
        """Show records until somebody says stop."""
        watcher = asyncio.ensure_future(self._watch(consumer, is_done))
        unhook = self._hook_signals(consumer)
        try:
            async for record in consumer:
                if ends and record.offset >= ends.get((record.topic, record.partition), 1 << 63):
                    continue
                self.last_ms = time.monotonic() * 1000
                if self.keep is None or self.keep(record):
                    show(record)
                    if self._is_over():
                        consumer.stop()
        finally:
            unhook()
            watcher.cancel()
            self._flush_now(consumer)
        if watcher.done() and not watcher.cancelled() and watcher.exception() is not None:
            watcher.result()

    async def _watch(self, consumer: Consumer[Any, Any], is_done: Callable[[], bool]) -> None:
        timeout_ms = self.arguments.timeout_ms
        while True:
            await asyncio.sleep(WATCH_S)
            self._flush_now(consumer)
            if (
                is_done()
                or self._broken
                or (timeout_ms is not None and time.monotonic() * 1000 - self.last_ms >= timeout_ms)
            ):
                consumer.stop()
                return

    def _hook_signals(self, consumer: Consumer[Any, Any]) -> Callable[[], None]:
        """Let Ctrl-C and SIGTERM end the reading in order; a second one ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)

        def unhook() -> None:
            for number in numbers:
                loop.remove_signal_handler(number)

        def stop(number: int) -> None:
            self.signal = number
            unhook()
            consumer.stop()

        for number in numbers:
            loop.add_signal_handler(number, stop, number)
        return unhook

    # -- printing --------------------------------------------------------------------------------------------------

    def _show(self, record: Any) -> None:
        self._write(self.print(record))

    def _write(self, text: bytes) -> None:
        self.out.write(text)
        self.shown += 1

    def _is_over(self) -> bool:
        count = self.arguments.count
        return bool(self.signal) or (count is not None and self.shown >= count)

    def _flush_now(self, consumer: Consumer[Any, Any]) -> None:
        try:
            self.out.flush()
        except BrokenPipeError as error:
            self._broken = error
            consumer.stop()

    # -- places ----------------------------------------------------------------------------------------------------

    async def _bounds(self) -> tuple[Offsets, Offsets]:
        """Where each partition begins and ends for us."""
        config = connection.config(self.arguments)
        async with Admin(config) as admin:
            keys = await self._keys(admin)
            is_committed = config.isolation_level == "read_committed"

            async def offsets(at: str | int) -> Offsets:
                found = await admin.topics.offsets(keys, at, committed=is_committed)
                return {key: each.offset for key, each in found.items()}

            first, last = await asyncio.gather(offsets("earliest"), offsets("latest"))

            async def at_time(ms: int) -> Offsets:
                return {key: at if at >= 0 else last[key] for key, at in (await offsets(ms)).items()}

            ends = last if self.until is None else await at_time(self.until.number)
            place = self.begin
            if place.kind == "beginning":
                return first, ends
            if place.kind == "end":
                return last, ends
            if place.kind == "offset":
                return {key: min(max(place.number, first[key]), last[key]) for key in keys}, ends
            if place.kind in ("tail", "last"):
                return {key: max(first[key], ends[key] - place.number) for key in keys}, ends
            return await at_time(place.number), ends

    async def _keys(self, admin: Admin) -> list[TopicAndPartition]:
        """The partitions to read; asked of the admin client, which does not wait for a topic that is not there."""
        known = {name: len(topic.partitions) for name, topic in (await admin.topics.describe()).items()}
        keys = []
        for topic in self.arguments.topics:
            if topic not in known:
                raise asking.no_topic(topic, list(known))
            wanted = self.arguments.partitions
            wrong = [number for number in wanted or () if number >= known[topic]]
            if wrong:
                raise Trouble(
                    f"{topic} has no partition {wrong[0]}", f"its partitions are 0 to {known[topic] - 1}", MISUSED
                )
            keys += [(topic, number) for number in range(known[topic]) if wanted is None or number in wanted]
        return keys
