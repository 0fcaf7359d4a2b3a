"""A blocking client that asks properly, and what the tests ask with it."""

from __future__ import annotations

import socket
from typing import Any

from ottla.protocol import codec
from ottla.protocol.apis import response_class
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.delete_groups import DeleteGroupsRequest
from ottla.protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.protocol.apis.list_groups import ListGroupsRequest
from ottla.protocol.apis.metadata import MetadataRequest
from ottla.protocol.framing import frame_request, response_header_version
from ottla.protocol.schema import Request

from .broker import MIB, Victim

PATIENCE_S = 60.0


class Talker:
    """A blocking connection that asks properly."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._correlation_id = 0

    def close(self) -> None:
        self.socket.close()

    def call(self, request: Request, version: int) -> Any:
        self._correlation_id += 1
        parts = codec.encoder(type(request), version)(request)
        self.socket.sendall(b"".join(frame_request(request.API_KEY, version, self._correlation_id, "talker", parts)))
        size = int.from_bytes(self.exactly(4), "big")
        frame = self.exactly(size)
        assert int.from_bytes(frame[:4], "big") == self._correlation_id
        start = 4 + response_header_version(request.API_KEY, version)
        return codec.decode(response_class(request.API_KEY), frame, version, start)

    def exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(min(size - len(data), MIB))
            if not part:
                raise ConnectionError("the broker ended the connection")
            data += part
        return bytes(data)


def create_topic(victim: Victim, name: str, partitions: int = 1) -> bytes:
    """Create a topic and return its id."""
    talker = Talker(victim.address)
    topic = CreatableTopic(name=name, num_partitions=partitions, replication_factor=1)
    (result,) = talker.call(CreateTopicsRequest(topics=[topic], timeout_ms=30_000), 7).topics
    assert result.error_code == 0, result
    talker.close()
    topic_id: bytes = result.topic_id
    return topic_id


def tidy(victim: Victim, *keep: str) -> tuple[int, int]:
    """Delete every topic and group but those to keep; returns how many there were."""
    talker = Talker(victim.address)
    topics = [t.name for t in talker.call(MetadataRequest(topics=None), 9).topics]
    topics = [name for name in topics if name not in keep and name != "__consumer_offsets"]
    groups = [g.group_id for g in talker.call(ListGroupsRequest(), 4).groups if g.group_id not in keep]
    for start in range(0, len(topics), 1000):
        states = [DeleteTopicState(name=name) for name in topics[start : start + 1000]]
        talker.call(DeleteTopicsRequest(topics=states, timeout_ms=30_000), 6)
    if groups:
        talker.call(DeleteGroupsRequest(groups_names=groups), 2)
    talker.close()
    return len(topics), len(groups)
