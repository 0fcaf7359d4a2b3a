"""A word count of Kafka Streams as a streams group (KIP-1071): two instances, one killed, the broker killed in the middle.

    first third ─► two instances, tasks on both ─► kill -9 one ─► second third ─► kill -9 the broker, restart ─► the rest
                                                   its tasks go to the other                                      ─► counts

The application is unmodified (tests/java/StreamsApp.java, `group.protocol=streams`, exactly-once): the broker creates its
repartition and changelog topics and assigns its tasks, a warm copy of each included. Each word must come out as 1, 2, 3 ... n.
"""

from __future__ import annotations

import random
import socket
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ottla.protocol import codec
from ottla.protocol.apis.streams_group_describe import StreamsGroupDescribeRequest, StreamsGroupDescribeResponse
from ottla.protocol.framing import frame_request
from tests.clients.brokers import OttlaProcess
from tests.suites.client import Feeder, create, read_until
from tests.suites.java import STREAMS, Java, libraries, program
from tests.suites.streams import WORDS, counts_are_right
from tests.suites.suite import until
from tests.support.requires import requires

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.java]

GROUP = "app-wordcount"
PARTITIONS = 4
LINES = 900
#: A dead instance is noticed after this long, not after Kafka's 45 s.
SETTINGS = {
    "group.streams.session.timeout.ms": "6000",
    "group.streams.min.session.timeout.ms": "6000",
    "group.streams.heartbeat.interval.ms": "500",
    "group.streams.min.heartbeat.interval.ms": "500",
    "group.streams.initial.rebalance.delay.ms": "0",
    "group.streams.num.standby.replicas": "1",
    "transaction.state.log.num.partitions": "4",
}


def describe(bootstrap: str) -> Any:
    """StreamsGroupDescribe of the application."""
    host, _, port = bootstrap.rpartition(":")
    request = StreamsGroupDescribeRequest(group_ids=[GROUP])
    parts = codec.encoder(StreamsGroupDescribeRequest, 0)(request)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"".join(frame_request(request.API_KEY, 0, 1, "judge", parts)))
        with connection.makefile("rb") as answers:
            (size,) = struct.unpack(">i", answers.read(4))
            frame = answers.read(size)
    return codec.decode(StreamsGroupDescribeResponse, frame, 0, 5).groups[0]


def active_by_process(bootstrap: str) -> dict[str, int]:
    """How many active tasks each process has, while the group is stable."""
    group = describe(bootstrap)
    tasks: dict[str, int] = {}
    for member in group.members if group.group_state == "Stable" else ():
        count = sum(len(each.partitions) for each in member.assignment.active_tasks)
        tasks[member.process_id] = tasks.get(member.process_id, 0) + count
    return tasks


def running(bootstrap: str, processes: int) -> Callable[[], bool]:
    """Whether the group is stable with so many processes that share all tasks (two subtopologies)."""

    def condition() -> bool:
        tasks = active_by_process(bootstrap)
        return len(tasks) == processes and sum(tasks.values()) == 2 * PARTITIONS and min(tasks.values()) > 0

    return condition


def test_a_streams_application_survives_an_instance_and_the_broker(tmp_path: Path) -> None:
    requires("java", "javac", "mvn", "confluent_kafka")
    classes = program("StreamsApp", libraries("streams", STREAMS))
    chance = random.Random(1071)
    lines = [" ".join(chance.choices(WORDS, k=chance.randint(1, 4))) for _ in range(LINES)]
    expected = Counter(word for line in lines for word in line.split())
    with OttlaProcess(tmp_path / "broker", 0, SETTINGS) as broker:
        create(broker.bootstrap, PARTITIONS, "words", "counts")
        feeder = Feeder(broker.bootstrap)

        def feed(third: int) -> None:
            for line in lines[third * LINES // 3 : (third + 1) * LINES // 3]:
                feeder.send("words", line)
            feeder.flush()

        def instance(name: str) -> Java:
            arguments = [broker.bootstrap, str(tmp_path / name), "wordcount", "group.protocol=streams"]
            return Java(classes, "StreamsApp", arguments, tmp_path / f"{name}.log")

        with instance("one") as one, instance("two"):
            until(running(broker.bootstrap, 2), 90, "both instances have tasks")
            feed(0)
            one.kill()
            feed(1)
            until(running(broker.bootstrap, 1), 90, "the other instance has all tasks")
            broker.kill()
            broker.start()
            feed(2)
            total = expected.total()
            output = read_until(broker.bootstrap, "counts", lambda found: len(found) >= total, 120)
        assert counts_are_right(output, expected) == ""
        group = describe(broker.bootstrap)
        topics = {info.name for each in group.topology.subtopologies for info in each.state_changelog_topics}
        assert topics == {f"{GROUP}-counts-store-changelog"}
