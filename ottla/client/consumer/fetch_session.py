"""A fetch session with one broker: name a partition once, and again only when it changed (KIP-227). Pure.

    request: epoch 0, all partitions ──► answer: session id
             epoch 1, what changed, what is forgotten ──► answer: only partitions with something to say
    FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, a lost connection: epoch 0 again

A broker without room for sessions answers with id 0; then every request names all (epoch -1 is for readers that want none).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic
from .assignors.types import TopicAndPartition

EPOCH_MAX = (1 << 31) - 1


class Wanted(NamedTuple):
    """What to fetch of a partition."""

    topic_id: bytes
    offset: int
    leader_epoch: int
    last_fetched_epoch: int
    max_bytes: int


class FetchSession:
    """The session with one broker."""

    def __init__(self) -> None:
        self.session_id = 0
        self.epoch = 0
        self._known: dict[TopicAndPartition, Wanted] = {}

    def reset(self) -> None:
        """Begin again: the broker forgot, or the connection ended with a request on the way."""
        self.session_id = self.epoch = 0
        self._known = {}

    def build(self, wanted: Mapping[TopicAndPartition, Wanted], request: FetchRequest, ids: bool) -> FetchRequest:
        """Fill in session and partitions; `ids`: the version names topics by id (13 and later)."""
        full = self.epoch == 0
        request.session_id, request.session_epoch = self.session_id, self.epoch
        topics: dict[str, FetchTopic] = {}
        for key, want in wanted.items():
            if not full and self._known.get(key) == want:
                continue
            topic = topics.get(key[0])
            if topic is None:
                topic = topics[key[0]] = _topic(FetchTopic, key[0], want.topic_id, ids)
            topic.partitions.append(
                FetchPartition(
                    partition=key[1],
                    current_leader_epoch=want.leader_epoch,
                    fetch_offset=want.offset,
                    last_fetched_epoch=-1,
                    partition_max_bytes=want.max_bytes,
                )
            )
        request.topics = list(topics.values())
        if not full:
            forgotten: dict[str, ForgottenTopic] = {}
            for key, want in self._known.items():
                if key in wanted and wanted[key].topic_id == want.topic_id:
                    continue
                gone = forgotten.get(key[0])
                if gone is None:
                    gone = forgotten[key[0]] = _topic(ForgottenTopic, key[0], want.topic_id, ids)
                gone.partitions.append(key[1])
            request.forgotten_topics_data = list(forgotten.values())
        self._known = dict(wanted)
        return request

    def accepted(self, session_id: int) -> None:
        """The broker took the request."""
        if session_id == 0:
            self.reset()
            return
        self.session_id = session_id
        self.epoch = 1 if self.epoch >= EPOCH_MAX else self.epoch + 1


def _topic(kind: Any, name: str, topic_id: bytes, ids: bool) -> Any:
    return kind(topic_id=topic_id, partitions=[]) if ids else kind(topic=name, partitions=[])
