"""Writes docs/hostile-input.md from the cases: `python -m tests.hostile.table`."""

from __future__ import annotations

from pathlib import Path

from ottla.broker.connection_limits import (
    BACKLOG_BYTES_MAX,
    BACKLOG_MAX,
    FRAME_DEADLINE_S,
    PARTIAL_BUFFER_GROWTH,
    PARTIAL_BUFFER_SIZE,
    TURN_S,
    UNREAD_DEADLINE_S,
)
from ottla.broker.fetch_sessions import PARTITIONS_MAX as SESSION_PARTITIONS_MAX
from ottla.broker.handlers.produce import UNPACKING_S
from ottla.broker.listener import FILES_RESERVED, REFUSALS_LOGGED_MAX
from ottla.broker.request_memory import EXHAUSTED, PRESSURE_DEADLINE_S, REQUEST_MEMORY_MAX, UNREAD_MEMORY_MAX
from ottla.log.disk_files import OPEN_FILES_MAX
from ottla.records.compression import MAX_DECOMPRESSED_BYTES

from .broker import MIB
from .campaign import RSS_GROWTH_MAX
from .cases import CASES
from .test_campaign import CI_FRAMES

#: What a client does that no single request shows, what comes of it, and the test that tries it.
PRESSURES = [
    (
        "sends one byte a second",
        f"closed {FRAME_DEADLINE_S:.0f} s after the frame began",
        "test_bounds.test_one_byte_a_second_ends_at_the_deadline",
    ),
    (
        "claims 100 MiB and sends little",
        f"memory for {PARTIAL_BUFFER_GROWTH} times what came, from {PARTIAL_BUFFER_SIZE // 1024} KiB; closed as above",
        "test_bounds.test_a_claimed_size_costs_what_was_sent",
    ),
    (
        "many, each half a large frame",
        (
            f"{REQUEST_MEMORY_MAX // MIB} MiB in all (`queued.max.request.bytes`): then not read until there is room; who holds "
            f"memory for {PRESSURE_DEADLINE_S:.0f} s while others wait is closed; the oldest always goes on"
        ),
        "test_bounds.test_partial_frames_are_bounded_in_all_and_honest_ones_come_through",
    ),
    (
        "still more of them",
        f"closed at once beyond {EXHAUSTED} times that",
        "test_bounds.test_who_comes_when_twice_the_memory_is_gone_is_closed",
    ),
    (
        "1,000 connect and say nothing",
        "served like all others; closed after `connections.max.idle.ms` (10 minutes)",
        "test_pressure.test_1000_idle_connections_do_not_disturb_and_end",
    ),
    (
        "fetches with a wait of weeks",
        "closed after `connections.max.idle.ms`, as with Kafka",
        "test_bounds.test_who_waits_for_an_answer_is_reaped_too",
    ),
    (
        "asks for much and reads nothing",
        (
            f"not served while it does not read; closed after {UNREAD_DEADLINE_S:.0f} s; all such together hold at most "
            f"{UNREAD_MEMORY_MAX // MIB} MiB, then a fetch answers with one batch, and who has not read for the longest is closed"
        ),
        "test_pressure.test_a_client_that_asks_and_never_reads_is_bounded_and_ends",
    ),
    (
        "sends large requests behind one that must wait",
        f"not read beyond {BACKLOG_BYTES_MAX // 1024} KiB or {BACKLOG_MAX} requests until it is their turn",
        "test_bounds.test_what_waits_behind_a_request_is_bounded_in_bytes",
    ),
    (
        "sends thousands of requests at once",
        f"worked on for {TURN_S * 1000:.0f} ms, then others have their turn",
        "test_bounds.test_a_connection_gives_way_to_others",
    ),
    (
        "sends one Produce of a hundred bombs",
        f"unpacked for {UNPACKING_S * 1000:.0f} ms; the rest is answered REQUEST_TIMED_OUT, to come again",
        "test_bounds.test_one_request_of_many_bombs_has_its_time_and_no_more",
    ),
    (
        "opens fetch sessions for partitions that are not there",
        f"all sessions follow at most {SESSION_PARTITIONS_MAX:,} partitions together; beyond them answered without a session",
        "test_bounds.test_fetch_sessions_cannot_be_made_to_fill_the_memory",
    ),
    (
        "is cut off at any byte of a Produce",
        "nothing is appended, nothing is kept",
        "test_bounds.test_a_connection_dropped_at_every_byte_of_a_produce_request_appends_nothing",
    ),
    (
        "one connection more than `max.connections`",
        "closed at once (Kafka lets it wait unaccepted); those that are open stay",
        "test_pressure.test_connection_limits_are_exact",
    ),
    (
        "one connection more than `max.connections.per.ip`",
        "closed at once; other addresses are served",
        "test_bounds.test_connections_of_one_address_are_limited_exactly",
    ),
    (
        "connects until no file descriptor is left",
        "refused before the log lacks descriptors",
        "test_pressure.test_a_flood_of_connections_leaves_the_log_its_files",
    ),
    (
        "connects and goes, 3,000 times",
        "nothing is left of it",
        "test_pressure.test_connections_that_come_and_go_leave_nothing",
    ),
    (
        "sends rubbish all day",
        f"{REFUSALS_LOGGED_MAX} lines of log a second and one with the number of the others",
        "test_bounds.test_refusals_do_not_fill_the_log",
    ),
]
PAGE = Path(__file__).parents[2] / "docs" / "hostile-input.md"

_HEAD = f"""# Hostile input

What arrives at an open port need not be a Kafka request, and a client need not be honest. This page lists what has been
tried against a running broker and what the broker does; it is made by `python -m tests.hostile.table`, and
`tests/hostile` runs every line of it. Where Apache Kafka 4.2.1 can be asked the same, a test asks it too.

Two answers are possible: Kafka's own error, if the request can be read, and the end of the connection, if it cannot.
Neither costs the broker more than a small multiple of the bytes received: a buffer grows with what came, not with
what was claimed; counts are held against the bytes that are left; unpacking of records stops at
{MAX_DECOMPRESSED_BYTES // MIB} MiB.

- `tests/hostile/test_campaign.py` sends {CI_FRAMES:,} mutated frames on many connections: no exception, no growth above
  {RSS_GROWTH_MAX // MIB} MiB, and an honest client is served meanwhile. Ten million:
  `python -m tests.hostile.campaign --frames 10000000` (last: 1,701 s on a busy machine, 7.4 million connections, 42 MiB of growth,
  the honest client's p99 20 ms in 204,089 rounds; the runs before it found an answer too long to be sent and a number too large).
- The parsers alone, without a broker: `python -m tests.fuzz.frames --count 10000000`.

## Requests

| Input | Ottla | Apache Kafka | |
| --- | --- | --- | --- |
"""

_PRESSURE = """
## Slow, idle, greedy and many

| Client | Ottla | Test |
| --- | --- | --- |
"""

_END = f"""
The broker keeps at most {OPEN_FILES_MAX} log files open and lets in only so many connections that {FILES_RESERVED} file
descriptors stay free.

What is not bounded so far: one request may create up to 10,000 partitions (Kafka's own limit), which takes the loop
about a millisecond each; requests about 100,000 partitions or groups that do exist as far as their names go are
answered in one piece of 0.3 to 1 s.
"""


def text() -> str:
    """The page."""
    rows = [f"| {case.name} | {case.ottla} | {case.kafka or '–'} | {case.why} |" for case in CASES]
    pressures = [f"| {client} | {answer} | `{test}` |" for client, answer, test in PRESSURES]
    return _HEAD + "\n".join(rows) + "\n" + _PRESSURE + "\n".join(pressures) + "\n" + _END


if __name__ == "__main__":
    PAGE.write_text(text())
