"""A client that means well, while others do not: produces a record, reads it back, and keeps the time.

Runs as a process until its stdin ends, then reads the topic from the beginning, compares, and prints what it counted:

    python -m tests.hostile.honest HOST PORT TOPIC
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.records.batch import iter_headers, read_records
from tests.hostile.broker import Victim
from tests.hostile.talker import PATIENCE_S, Talker
from tests.support.in_process import batch, produce_request

#: Between two records: fast enough to feel every stall, slow enough to leave the processor to others.
PAUSE_S = 0.005


def fetch(talker: Talker, topic: str, offset: int) -> Any:
    partition = FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1 << 20)
    request = FetchRequest(
        max_wait_ms=100, min_bytes=1, max_bytes=1 << 20, topics=[FetchTopic(topic=topic, partitions=[partition])]
    )
    (answer,) = talker.call(request, 11).responses[0].partitions
    assert answer.error_code == 0, answer
    return answer.records or b""


def read_all(talker: Talker, topic: str, end: int) -> list[bytes]:
    values: list[bytes] = []
    while len(values) < end:
        data = fetch(talker, topic, len(values))
        for pos, header in iter_headers(data):
            values += [record.value or b"" for record in read_records(data, pos) if record.offset >= len(values)]
            assert header.next_offset == len(values)
    return values


class Honest:
    """A producer and consumer in a process of its own. `finish` tells how it went."""

    def __init__(self, victim: Victim, topic: str) -> None:
        host, port = victim.address
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.honest", host, str(port), topic],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent.parent,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "started\n"

    def finish(self) -> dict[str, Any]:
        """Have it stop and return what it counted; it has checked its own records."""
        out, _ = self._process.communicate("", timeout=PATIENCE_S)
        assert self._process.returncode == 0
        found: dict[str, Any] = json.loads(out)
        return found

    def __enter__(self) -> Honest:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def main() -> int:
    host, port, topic = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    talker = Talker((host, port))
    print("started", flush=True)
    seconds: list[float] = []
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        number = len(seconds)
        value = b"honest %d" % number
        began = time.monotonic()
        request = produce_request(topic, batch(value, timestamp=int(time.time() * 1000)))
        (answer,) = talker.call(request, 9).responses[0].partition_responses
        assert (answer.error_code, answer.base_offset) == (0, number), answer
        assert read_records(fetch(talker, topic, number))[0].value == value
        seconds.append(time.monotonic() - began)
    values = read_all(talker, topic, len(seconds))
    assert values == [b"honest %d" % number for number in range(len(seconds))]
    seconds.sort()
    found = {"rounds": len(seconds), "p50_s": seconds[len(seconds) // 2], "p99_s": seconds[len(seconds) * 99 // 100]}
    print(json.dumps({**found, "max_s": seconds[-1]}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
