"""A connection: whole requests out of any pieces, answers in order, and bounds on what one client costs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.broker import receiving as module
from ottla.broker.connection_limits import BACKLOG_BYTES_MAX, BACKLOG_MAX, FRAME_DEADLINE_S, UNREAD_DEADLINE_S
from ottla.broker.purgatory import Deferred
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.protocol.apis.list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ottla.protocol.apis.metadata import MetadataRequest
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.support.wires import Bench, turns

SERIAL, PIPELINED = 12, 16


@pytest.fixture(autouse=True)
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection may take as long as it likes, however slow the machine is; a test of that sets its own time."""
    monkeypatch.setattr(module, "TURN_S", 1000)


class World:
    """A bench with two APIs: Heartbeat, handled one after the other, and ListGroups, which is pipelined.

    Each request waits in `held` until `let` answers it, if its name is in `waits`; others are answered at once.
    """

    def __init__(self, *waits: str, **sets: str) -> None:
        self.waits = set(waits)
        self.started: list[str] = []
        self.held: dict[str, Deferred] = {}
        self.contexts: list[Any] = []
        #: How much an answer of ListGroups weighs.
        self.weight = 0
        self.bench = Bench(**sets)
        self.bench.handle(SERIAL, self._serial)
        self.bench.handle(PIPELINED, self._pipelined, pipelined=True)
        self.peer = self.bench.connect()

    def _serial(self, context: Any, request: HeartbeatRequest) -> Any:
        self.contexts.append(context)
        return self._answer(request.group_id, HeartbeatResponse())

    def _pipelined(self, context: Any, request: ListGroupsRequest) -> Any:
        groups = [ListedGroup(group_id="g" * 30_000, protocol_type="") for _ in range(self.weight // 30_000)]
        return self._answer(request.states_filter[0], ListGroupsResponse(groups=groups))

    def _answer(self, name: str, response: Any) -> Any:
        self.started.append(name)
        if name not in self.waits:
            return response
        self.held[name] = Deferred()
        return self.held[name]

    def let(self, name: str, result: Any = None) -> None:
        self.held.pop(name).resolve(HeartbeatResponse() if result is None else result)

    @property
    def metrics(self) -> Any:
        return self.bench.broker.metrics


def serial(name: str) -> tuple[HeartbeatRequest, int]:
    return HeartbeatRequest(group_id=name, generation_id=1, member_id="m"), 4


def pipelined(name: str) -> tuple[ListGroupsRequest, int]:
    return ListGroupsRequest(states_filter=[name]), 4


# ── frames ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_whole_frame_is_answered_at_once() -> None:
    world = World()
    world.peer.send(serial("a"))
    assert world.peer.numbers() == [0]
    assert world.started == ["a"]


def test_a_frame_byte_by_byte_is_one_request() -> None:
    world = World()
    world.peer.feed(world.peer.frame(*serial("a")) + world.peer.frame(*serial("b")), at_once=1)
    assert (world.peer.numbers(), world.started) == ([0, 1], ["a", "b"])


def test_several_frames_at_once_are_answered_in_one_write() -> None:
    world = World()
    world.peer.send(serial("a"), serial("b"), pipelined("c"))
    assert world.peer.numbers() == [0, 1, 2]
    assert world.peer.wire.writes == 1


def test_the_part_of_a_frame_behind_whole_ones_waits_for_its_rest() -> None:
    world = World()
    whole, cut = world.peer.frame(*serial("a")), world.peer.frame(*serial("b"))
    world.peer.feed(whole + cut[:-3])
    assert world.peer.numbers() == [0]
    world.peer.feed(cut[-3:] + world.peer.frame(*serial("c")))
    assert (world.peer.numbers(), world.started) == ([1, 2], ["a", "b", "c"])


def test_a_frame_larger_than_the_shared_buffer_arrives_whole() -> None:
    world = World()
    world.peer.send(serial("n" * 30_000), pipelined("x" * 32_000))
    big = ListGroupsRequest(states_filter=["s" * 30_000] * 20)
    world.peer.feed(world.peer.frame(big, 4), at_once=10_000)
    assert world.peer.numbers() == [0, 1, 2]
    assert world.bench.broker.request_memory.used == 0


@given(st.lists(st.integers(1, 70), min_size=1, max_size=200))
def test_however_the_bytes_are_cut_the_requests_are_the_same(cuts: list[int]) -> None:
    world = World()
    data = b"".join(world.peer.frame(*(serial if i % 2 else pipelined)(f"r{i}")) for i in range(12))
    pos = 0
    for cut in [*cuts, len(data)]:
        world.peer.feed(data[pos : pos + cut])
        pos += cut
    assert world.started == [f"r{i}" for i in range(12)]
    assert world.peer.numbers() == list(range(12))


@pytest.mark.parametrize(
    ("start", "hint"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", "looks like TLS"), (b"GET / HTTP/1.1\r\n", "looks like HTTP"),
        (b"\x7f\xff\xff\xff", "2147483647 bytes"), (b"\xff\xff\xff\xff", "-1 bytes"), (bytes(4), "0 bytes"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("at_once", [1, 1 << 20])
def test_what_is_no_request_closes_the_connection_and_says_what_it_looked_like(
    start: bytes, hint: str, at_once: int, caplog: pytest.LogCaptureFixture
) -> None:
    world = World()
    with caplog.at_level("INFO"):
        world.peer.feed(start[: 4 if at_once == 1 else None], at_once)
    assert world.peer.wire.closed
    assert world.metrics.invalid_requests == 1
    if at_once > 1 or "bytes" in hint:
        assert hint in caplog.text


@pytest.mark.parametrize(
    "frame", [b"\0", b"\0\x0c\0\4\0\0\0\1", b"\0\x0c\0\4\0\0\0\1\x7f\xff", b"\0\x0c\0\4\0\0\0\1\0\2\xff\xfe\0"]
)
def test_a_header_that_cannot_be_read_closes_the_connection(frame: bytes) -> None:
    world = World()
    world.peer.feed(len(frame).to_bytes(4, "big") + frame)
    assert world.peer.wire.closed
    assert world.metrics.invalid_requests == 1
    assert world.metrics.uncaught_exceptions == 0


# ── headers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", [0, 4])
def test_the_client_id_may_be_null_empty_or_change_from_request_to_request(version: int) -> None:
    world = World()
    wanted = ["one", "one", "two", None, None, "", "", "é", "one"]
    for client_id in wanted:
        request = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")
        world.peer.feed(world.peer.frame(request, version, client_id=client_id))
    assert [context.client_id for context in world.contexts] == wanted
    assert world.peer.numbers() == list(range(len(wanted)))


@pytest.mark.parametrize("client_id", ["test", None, ""])
def test_tags_of_a_flexible_header_are_skipped(client_id: str | None) -> None:
    world = World()
    tags = b"\x02" + b"\x00\x03abc" + b"\x07\x00"
    for section in (b"\0", tags, b"\0", tags):
        name = "" if client_id is None else client_id
        world.peer.feed(world.peer.frame(*serial("g"), client_id=name, tags=section))
    assert world.started == ["g"] * 4


def test_an_unknown_version_of_api_versions_is_answered_in_version_0() -> None:
    world = World()
    frame = bytearray(world.peer.frame(ApiVersionsRequest(client_software_name="a", client_software_version="1"), 3))
    frame[6:8] = (99).to_bytes(2, "big")
    world.peer.sent[0] = (18, 0)
    world.peer.feed(bytes(frame))
    ((_, response),) = world.peer.answers()
    assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert [entry.api_key for entry in response.api_keys] == [18]
    assert not world.peer.wire.closed


def test_an_unknown_version_of_any_other_api_closes_the_connection() -> None:
    world = World()
    frame = bytearray(world.peer.frame(*serial("a")))
    frame[6:8] = (99).to_bytes(2, "big")
    world.peer.feed(bytes(frame) + world.peer.frame(*serial("b")))
    assert world.peer.wire.closed
    assert world.started == []


# ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_answers_leave_in_the_order_of_requests_however_they_come() -> None:
    world = World("a", "b")
    world.peer.send(pipelined("a"), pipelined("b"), pipelined("c"))
    assert world.started == ["a", "b", "c"]
    assert world.peer.numbers() == []
    world.let("b", ListGroupsResponse())
    assert world.peer.numbers() == []
    world.let("a", ListGroupsResponse())
    assert world.peer.numbers() == [0, 1, 2]


def test_a_serial_request_that_waits_holds_back_later_ones() -> None:
    world = World("join")
    world.peer.send(serial("join"), serial("b"), pipelined("c"))
    assert (world.started, world.peer.numbers()) == (["join"], [])
    world.let("join")
    assert (world.started, world.peer.numbers()) == (["join", "b", "c"], [0, 1, 2])


def test_a_pipelined_request_that_waits_holds_back_no_later_one() -> None:
    world = World("produce")
    world.peer.send(pipelined("produce"), serial("b"))
    assert (world.started, world.peer.numbers()) == (["produce", "b"], [])
    world.let("produce", ListGroupsResponse())
    assert world.peer.numbers() == [0, 1]


def test_a_held_request_is_not_the_memory_it_was_received_in() -> None:
    world = World("join")
    world.peer.send(serial("join"), serial("kept"))
    world.bench.listener.shared[:] = b"\xee" * len(world.bench.listener.shared)
    world.let("join")
    assert world.started == ["join", "kept"]


async def test_a_coroutine_is_answered_when_it_ends() -> None:
    world = World()
    go = asyncio.Event()

    async def slow(context: Any, request: Any) -> HeartbeatResponse:
        await go.wait()
        return HeartbeatResponse(throttle_time_ms=7)

    world.bench.handle(SERIAL, slow)
    world.peer.send(serial("a"), pipelined("b"))
    await turns()
    assert world.peer.numbers() == []
    go.set()
    await turns()
    assert [(number, response.throttle_time_ms) for number, response in world.peer.answers()] == [(0, 7), (1, 0)]
    assert world.bench.listener.tasks == set()


def test_no_answer_is_wanted_and_the_next_is_not_kept_from_leaving() -> None:
    """What Produce with acks=0 returns."""
    world = World("later")
    world.bench.handle(SERIAL, lambda context, request: None)
    world.peer.send(serial("a"), pipelined("later"), serial("b"), pipelined("c"))
    world.let("later", ListGroupsResponse())
    assert world.peer.numbers() == [1, 3]


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_kafka_error_of_a_handler_is_the_error_of_the_answer() -> None:
    world = World("later")

    def refuse(context: Any, request: Any) -> Any:
        raise KafkaError(ErrorCode.NOT_COORDINATOR)

    world.bench.handle(SERIAL, refuse)
    world.peer.send(pipelined("later"), serial("b"), pipelined("c"))
    world.let("later", KafkaError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))
    assert [(n, r.error_code) for n, r in world.peer.answers()] == [
        (0, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS), (1, ErrorCode.NOT_COORDINATOR), (2, ErrorCode.NONE),
    ]  # fmt: skip


def test_a_bug_in_a_handler_is_unknown_server_error_and_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.bench.handle(SERIAL, lambda context, request: 1 / 0)
    world.peer.send(serial("a"), pipelined("b"))
    assert [r.error_code for _, r in world.peer.answers()] == [ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.NONE]
    assert world.metrics.uncaught_exceptions == 1
    assert "ZeroDivisionError" in caplog.text


def test_where_an_answer_has_no_place_for_an_error_the_connection_is_closed() -> None:
    """Metadata has one from version 13; before that an empty answer would say that there are no topics."""
    world = World()

    def refuse(context: Any, request: Any) -> Any:
        raise KafkaError(ErrorCode.KAFKA_STORAGE_ERROR)

    world.bench.handle(3, refuse)
    world.peer.send((MetadataRequest(topics=[]), 13))
    assert [response.error_code for _, response in world.peer.answers()] == [ErrorCode.KAFKA_STORAGE_ERROR]
    world.peer.send((MetadataRequest(topics=[]), 12))
    assert (world.peer.wire.closed, world.peer.numbers()) == (True, [])


def test_an_answer_that_its_version_cannot_say_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.bench.handle(SERIAL, lambda context, request: HeartbeatResponse(error_code="no number"))  # type: ignore[arg-type]
    world.peer.send(serial("a"))
    assert world.peer.wire.aborted
    assert world.metrics.uncaught_exceptions == 1
    assert "cannot be answered" in caplog.text


async def test_a_cancelled_request_ends_its_connection() -> None:
    world = World()

    async def wait(context: Any, request: Any) -> None:
        await asyncio.Event().wait()

    world.bench.handle(SERIAL, wait)
    world.peer.send(serial("a"))
    for task in world.bench.listener.tasks:
        task.cancel()
    await turns()
    assert world.peer.wire.aborted


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_long_backlog_stops_the_reading_until_it_is_shorter() -> None:
    world = World("join", "second")
    world.peer.send(serial("join"), *(serial(f"r{i}") for i in range(BACKLOG_MAX - 1)))
    assert world.peer.wire.reading
    world.peer.send(serial("last"))
    assert not world.peer.wire.reading
    world.let("join")
    assert world.peer.wire.reading
    assert len(world.peer.numbers()) == BACKLOG_MAX + 1
    assert world.bench.broker.request_memory.used == 0


def test_a_backlog_of_many_bytes_stops_the_reading() -> None:
    world = World("join")
    world.peer.send(serial("join"))
    size = 30_000
    for number in range(BACKLOG_BYTES_MAX // size + 1):
        assert world.peer.wire.reading
        world.peer.send(serial(str(number) + "x" * size))
    assert not world.peer.wire.reading
    world.let("join")
    assert world.peer.wire.reading


def test_a_client_that_does_not_read_is_not_served_until_it_does() -> None:
    world = World()
    world.weight = 3_000_000
    world.peer.wire.unread_max = 0
    world.peer.send(pipelined("a"), pipelined("b"), pipelined("c"), serial("d"))
    assert "d" not in world.started
    before = list(world.started)
    world.peer.send(serial("e"))
    assert world.started == before
    world.peer.wire.unread_max, world.peer.wire.unread = 1 << 62, 0
    world.peer.connection.resume_writing()
    assert world.started == ["a", "b", "c", "d", "e"]
    assert world.peer.numbers() == [0, 1, 2, 3, 4]


async def test_large_answers_behind_one_that_waits_are_not_made_without_end() -> None:
    """A client could ask for a thousand Fetches behind one Produce that waits for the disk."""
    world = World("produce")
    world.weight = 1_000_000
    world.peer.send(pipelined("produce"), *(pipelined(f"fetch{i}") for i in range(100)))
    assert len(world.started) < 10
    world.let("produce", ListGroupsResponse())
    await turns(101)  # a turn of the loop takes some, by their time
    assert len(world.started) == 101
    assert world.peer.numbers() == list(range(101))


def test_large_answers_to_requests_that_came_together_leave_as_they_are_made() -> None:
    world = World()
    world.weight = 3_000_000
    world.peer.send(*(pipelined(f"fetch{i}") for i in range(20)))
    assert world.peer.numbers() == list(range(20))
    assert world.peer.wire.writes >= 10


async def test_a_burst_of_one_connection_leaves_the_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_S", -1)
    world = World()
    world.peer.send(*(serial(f"r{i}") for i in range(5)))
    assert len(world.started) < 5
    monkeypatch.undo()
    await turns()
    assert world.peer.numbers() == [0, 1, 2, 3, 4]


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_frame_that_does_not_come_to_its_end_closes_the_connection() -> None:
    world = World()
    world.peer.feed(world.peer.frame(*serial("a"))[:-1])
    world.peer.sweep(FRAME_DEADLINE_S)
    assert not world.peer.wire.closed
    world.peer.sweep(1)
    assert world.peer.wire.closed
    assert world.metrics.invalid_requests == 1


def test_a_frame_that_we_do_not_read_is_not_late() -> None:
    world = World("join")
    world.peer.send(serial("join"), *(serial(f"r{i}") for i in range(BACKLOG_MAX)))
    cut = world.peer.frame(*serial("cut"))
    world.peer.connection._begin_partial(cut[:10])
    world.peer.sweep(5 * FRAME_DEADLINE_S)
    world.let("join")
    world.peer.sweep(1)
    assert not world.peer.wire.closed
    world.peer.feed(cut[10:])
    assert world.started[-1] == "cut"


def test_an_idle_connection_is_closed_after_connections_max_idle_ms() -> None:
    world = World(**{"connections.max.idle.ms": "20000"})
    world.peer.send(serial("a"))
    world.peer.sweep(20)
    assert not world.peer.wire.closed
    world.peer.sweep(1)
    assert world.peer.wire.closed


def test_a_client_that_reads_nothing_is_cut_and_one_that_reads_slowly_is_not() -> None:
    world = World()
    world.weight = 6_000_000
    slow, dead = world.bench.connect(), world.bench.connect()
    for peer in (slow, dead):
        peer.wire.unread_max = 0
        peer.send(pipelined("a"))
    for _ in range(4):
        slow.wire.unread -= 1000
        slow.sweep(UNREAD_DEADLINE_S / 2)
        dead.connection.sweep(world.bench.listener.ticks)
    assert dead.wire.aborted
    assert not slow.wire.closed


def test_a_closed_connection_whose_client_does_not_take_the_rest_is_cut() -> None:
    world = World()
    world.peer.connection.close()
    world.peer.sweep(5)
    assert not world.peer.wire.aborted
    world.peer.sweep(1)
    assert world.peer.wire.aborted
    assert world.metrics.invalid_requests == 0, "closed once, counted once"


# ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_ready_is_sent_before_the_connection_closes() -> None:
    world = World()
    world.peer.feed(world.peer.frame(*serial("a")) + b"\xff\xff\xff\xff")
    assert world.peer.numbers() == [0]
    assert world.peer.wire.closed


def test_an_answer_that_comes_after_the_end_is_dropped() -> None:
    world = World("late")
    world.peer.send(serial("late"), serial("never"))
    world.peer.wire.closed = True
    world.peer.connection.connection_lost(None)
    world.let("late")
    assert (world.started, world.peer.numbers()) == (["late"], [])
    assert world.bench.broker.request_memory.used == 0


def test_who_waits_for_a_client_is_told_that_it_is_gone() -> None:
    world = World()
    told: list[str] = []
    world.peer.connection.on_close.add(lambda: told.append("gone"))
    world.peer.connection.connection_lost(ConnectionResetError())
    assert told == ["gone"]


def test_bytes_and_requests_are_counted() -> None:
    world = World()
    first, second = world.peer.frame(*serial("a")), world.peer.frame(*pipelined("b"))
    world.peer.feed(first + second, at_once=9)
    metrics = world.metrics
    assert (metrics.bytes_in, metrics.bytes_out) == (len(first + second), len(world.peer.wire.written))
    assert (metrics.requests, metrics.requests_by_key[SERIAL], metrics.requests_by_key[PIPELINED]) == (2, 1, 1)


def test_a_closed_connection_takes_no_more_requests() -> None:
    world = World()
    world.peer.connection.close()
    world.peer.feed(world.peer.frame(*serial("a")))
    assert world.started == []


# ── tests hold requests back ────────────────────────────────────────────────────────────────────────────────────────


async def test_an_interceptor_sees_every_request_in_order_and_may_answer_in_the_broker_s_place() -> None:
    world = World()
    seen: list[str] = []
    go = asyncio.Event()

    async def intercept(context: Any, request: Any) -> Any:
        seen.append(type(request).__name__)
        await go.wait()
        return HeartbeatResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS) if len(seen) == 1 else None

    world.bench.broker.dispatcher.intercept = intercept
    world.peer.send(serial("a"), pipelined("b"))
    await turns()
    assert (seen, world.started) == (["HeartbeatRequest"], [])
    go.set()
    await turns(6)
    assert seen == ["HeartbeatRequest", "ListGroupsRequest"]
    assert [(n, r.error_code) for n, r in world.peer.answers()] == [(0, ErrorCode.REBALANCE_IN_PROGRESS), (1, 0)]
    assert world.started == ["b"]
