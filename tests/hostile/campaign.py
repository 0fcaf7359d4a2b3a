"""Mutated frames against a live broker, while an honest client works on it.

    python -m tests.hostile.campaign --frames 10000000 [--seed N]

Frames come from `tests.fuzz.frames` and `aimed`. A broker closes the connection at a frame that is none, so frames are sent in
groups that end with such a one, or with one that may wait for long; several groups are under way at a time. Each group
ends with the client's FIN, and the campaign reads until the broker's: by then the broker has looked at every frame.

What must hold stands in `check`. What the frames created is deleted between slices, so that a campaign of any length
says something about leaks and nothing about the size of the metadata.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from ottla.broker.dispatch import Entry, load_handlers
from tests.hostile.aimed import PREY, PREY_PARTITIONS, costs_too_much, hostile_frames, outcome
from tests.hostile.broker import MIB, Victim, wait_until
from tests.hostile.honest import Honest
from tests.hostile.talker import PATIENCE_S, create_topic, tidy

GROUP_MAX = 16
#: Threads are made when there is first much to sync at a time: those of the pool, not one per connection or request.
THREADS_MAX = 32
#: Groups that are sent and not yet read: connections at a time.
UNDER_WAY = 24
#: After so many frames what they created is deleted.
SLICE = 50_000
#: Every decoder, encoder and handler has been used by then, and the allocator has its arenas.
WARM_UP = 20_000
RSS_GROWTH_MAX = 64 * MIB
#: A round is two requests and their answers. The machine is shared with the attacker and with other work.
HONEST_P99_MAX_S = 1.0
HONEST_MAX_S = 5.0
#: Fetch, JoinGroup, SyncGroup: answered when something happens, or when the time is up that the frame names.
WAITING_KEYS = frozenset({1, 11, 14})
HONEST_TOPIC = "honest-4384d6e7"
#: The other end of a connection is remembered for a minute (TIME_WAIT); an address has only so many ports.
SOURCES = [f"127.0.{i}.{j}" for i in (1, 2) for j in range(1, 51)]


class Found(NamedTuple):
    """What was seen of the broker."""

    frames: int
    kinds: dict[str, int]
    connections: int
    seconds: float
    rss_before: int
    rss_peak: int
    rss_after: int
    sockets_before: int
    sockets_after: int
    threads_before: int
    threads_after: int
    honest: dict[str, float]
    complaints: list[str]

    def __str__(self) -> str:
        honest = self.honest
        return (
            f"{self.frames:,} frames ({self.kinds}) over {self.connections:,} connections in {self.seconds:.0f} s; "
            f"RSS {self.rss_before / MIB:.1f} MiB, at most {self.rss_peak / MIB:.1f}, after {self.rss_after / MIB:.1f}; "
            f"sockets {self.sockets_before} and {self.sockets_after}, threads {self.threads_before} and {self.threads_after}; honest client: {honest['rounds']} rounds, p50 {honest['p50_s'] * 1000:.1f} ms, "
            f"p99 {honest['p99_s'] * 1000:.1f} ms, max {honest['max_s'] * 1000:.0f} ms; "
            f"{len(self.complaints)} lines of complaint"
        )


def groups(
    seed: int, count: int, served: dict[int, Entry], topic_id: bytes, counts: Counter[str]
) -> Iterator[tuple[int, bytes]]:
    """Yield runs of frames that fit one connection, with the number of frames in each."""
    together: list[bytes] = []
    for data in hostile_frames(seed, count, served, topic_id):
        request = outcome(data, served)
        if costs_too_much(request):
            counts["left out"] += 1
            continue
        together.append(data)
        counts["refused" if request is None else "request"] += 1
        if len(together) == GROUP_MAX or request is None or request.API_KEY in WAITING_KEYS:
            yield len(together), b"".join(together)
            together.clear()
    if together:
        yield len(together), b"".join(together)


class Attack:
    """Sends groups and reads their ends."""

    def __init__(self, victim: Victim) -> None:
        self._address = victim.address
        self._under_way: deque[socket.socket] = deque()
        self.connections = 0

    def send(self, data: bytes) -> None:
        if len(self._under_way) == UNDER_WAY:
            self._read_one()
        source = SOURCES[self.connections % len(SOURCES)]
        connection = socket.create_connection(self._address, PATIENCE_S, source_address=(source, 0))
        self.connections += 1
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()  # it was closed at an early frame
            return
        self._under_way.append(connection)

    def _read_one(self) -> None:
        connection = self._under_way.popleft()
        try:
            while connection.recv(1 << 16):
                continue
        except ConnectionError:
            return  # closed with some of our bytes unread: the same end
        finally:
            connection.close()

    def finish(self) -> None:
        while self._under_way:
            self._read_one()


def run(folder: Path, frames: int, seed: int, progress: Callable[[int], None] = lambda n: None) -> Found:
    """Attack a fresh broker and return what was seen."""
    counts: Counter[str] = Counter()
    served = load_handlers()
    with Victim(folder, "group.initial.rebalance.delay.ms=0", "log.retention.check.interval.ms=5000") as victim:
        create_topic(victim, HONEST_TOPIC)
        topic_id = create_topic(victim, PREY, PREY_PARTITIONS)
        attack = Attack(victim)
        rss_before = sockets_before = threads_before = done = 0
        with Honest(victim, HONEST_TOPIC) as honest:
            began = time.monotonic()
            while done < frames:
                count = min(SLICE if done else WARM_UP, frames - done)
                for number, data in groups(seed + done, count, served, topic_id, counts):
                    attack.send(data)
                    progress(number)
                attack.finish()
                done += count
                topics, made_groups = tidy(victim, HONEST_TOPIC, PREY)
                counts.update(topics=topics, groups=made_groups)
                assert victim.alive(), victim.log.read_text(errors="replace")[-5000:]
                if trouble := victim.trouble():  # the slice by itself shows it again, within seconds
                    again = f"again: --seed {seed + done - count} --frames {count}"
                    raise AssertionError(
                        "\n".join([again, *trouble[:60], victim.log.read_text(errors="replace")[-20_000:]])
                    )
                if not rss_before:
                    rss_before, sockets_before, threads_before = victim.memory(), victim.sockets(), victim.threads()
                    victim.forget_peak()
            seconds = time.monotonic() - began
            wait_until(lambda: victim.sockets() <= sockets_before, "the connections are gone from the broker")
            return Found(
                frames, dict(counts), attack.connections, seconds, rss_before, victim.peak_memory(), victim.memory(),
                sockets_before, victim.sockets(), threads_before, victim.threads(), honest.finish(), victim.trouble(),
            )  # fmt: skip


def check(found: Found) -> None:
    """Say what is wrong, if anything is."""
    assert found.complaints == [], "\n".join(found.complaints[:60])
    assert found.rss_peak - found.rss_before <= RSS_GROWTH_MAX, str(found)
    assert found.sockets_after <= found.sockets_before, str(found)
    assert found.threads_after <= found.threads_before + THREADS_MAX, str(found)
    assert found.honest["rounds"] > 10, str(found)
    assert found.honest["p99_s"] <= HONEST_P99_MAX_S, str(found)
    assert found.honest["max_s"] <= HONEST_MAX_S, str(found)


def main() -> int:
    """Run with a progress bar; exit code 1 if something did not hold."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    parser = argparse.ArgumentParser(description="Send mutated frames to a live broker.")
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with tempfile.TemporaryDirectory() as folder, Progress(*columns) as bar:
        task = bar.add_task("frames", total=options.frames)
        found = run(Path(folder), options.frames, options.seed, lambda n: bar.update(task, advance=n))
    print(found)
    try:
        check(found)
    except AssertionError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
