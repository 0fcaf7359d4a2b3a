"""Fetch sessions (KIP-227): a consumer names its partitions once and afterwards only what changed.

A session keeps the partitions in the order in which they are read; one that returned data moves to the end, so that
a full response does not starve the others. A request of session epoch 0 opens a session, -1 closes it or does without;
any other must carry exactly the next epoch. Incremental answers leave out partitions with nothing new.

The cache has `max.incremental.fetch.session.cache.slots` places, and all sessions together follow at most PARTITIONS_MAX
partitions, whether there are such partitions or not: sessions outlive their connections, and without a bound a client
could fill the memory with names. When it is full, a session that was not used for `EVICTION_MS` makes room; otherwise the
client gets session id 0 and goes on without, which costs only bytes. A session that grows beyond the bound ends, and its
client asks in full again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import ZERO_UUID

if TYPE_CHECKING:
    from ..controller.decision import Randomness
    from ..protocol.apis.fetch import FetchPartition, FetchRequest, PartitionData

INITIAL_EPOCH = 0
FINAL_EPOCH = -1
#: Kafka's `min.incremental.fetch.session.eviction.ms`: a session used within it is not taken away.
EVICTION_MS = 120_000
#: What all sessions together may follow; each costs 350 bytes and its topic's name.
PARTITIONS_MAX = 100_000
#: No topic has a longer name, and no session follows one.
TOPIC_NAME_MAX = 249
TOPIC_ID_VERSION = 13

PartitionKey = tuple[str, bytes, int]


class FetchedPartition:
    """What a client wants of one partition, and what it was last told."""

    __slots__ = (
        "current_leader_epoch", "fetch_offset", "index", "last_fetched_epoch", "max_bytes", "sent_high_watermark",
        "sent_log_start_offset", "topic", "topic_id",
    )  # fmt: skip

    def __init__(self, topic: str, topic_id: bytes, wanted: FetchPartition) -> None:
        self.topic = topic
        self.topic_id = topic_id
        self.index = wanted.partition
        self.sent_high_watermark = -1
        self.sent_log_start_offset = -1
        self.update(wanted)

    def update(self, wanted: FetchPartition) -> None:
        """Take over where and how much to read."""
        self.fetch_offset = wanted.fetch_offset
        self.max_bytes = wanted.partition_max_bytes
        self.current_leader_epoch = wanted.current_leader_epoch
        self.last_fetched_epoch = wanted.last_fetched_epoch

    def is_news(self, data: PartitionData, size: int) -> bool:
        """Tell whether an incremental answer must carry this partition, and remember what it says."""
        news = bool(size) or data.error_code != 0 or data.diverging_epoch.epoch >= 0
        if data.high_watermark != self.sent_high_watermark or data.log_start_offset != self.sent_log_start_offset:
            news = True
        if data.error_code:
            # Kafka's way of saying it again once the error is over.
            self.sent_high_watermark = -1
        else:
            self.sent_high_watermark = data.high_watermark
            self.sent_log_start_offset = data.log_start_offset
        return news


class FetchSession:
    """The partitions one client follows."""

    __slots__ = ("epoch", "id", "last_used_ms", "partitions", "uses_topic_ids")

    def __init__(self, session_id: int, uses_topic_ids: bool, now_ms: int) -> None:
        self.id = session_id
        self.epoch = 1
        self.uses_topic_ids = uses_topic_ids
        self.last_used_ms = now_ms
        self.partitions: OrderedDict[PartitionKey, FetchedPartition] = OrderedDict()

    def follow(self, request: FetchRequest) -> None:
        """Take over the partitions that a request names."""
        for topic in request.topics:
            for wanted in topic.partitions:
                key = (topic.topic, topic.topic_id, wanted.partition)
                known = self.partitions.get(key)
                if known is None:
                    self.partitions[key] = FetchedPartition(topic.topic, topic.topic_id, wanted)
                else:
                    known.update(wanted)

    def merge(self, request: FetchRequest) -> None:
        """Apply the changes of an incremental request."""
        self.follow(request)
        for gone in request.forgotten_topics_data:
            for index in gone.partitions:
                self.partitions.pop((gone.topic, gone.topic_id, index), None)


class FetchSessions:
    """All sessions of a broker."""

    __slots__ = ("_partitions", "_partitions_max", "_random", "_sessions", "_slots")

    def __init__(self, slots: int, random: Randomness, partitions_max: int = PARTITIONS_MAX) -> None:
        self._slots = slots
        self._random = random
        self._partitions_max = partitions_max
        #: How many all sessions follow.
        self._partitions = 0
        #: By id, least recently used first.
        self._sessions: OrderedDict[int, FetchSession] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(
        self, request: FetchRequest, version: int, now_ms: int
    ) -> tuple[list[FetchedPartition], FetchSession | None, bool]:
        """Return the partitions to read, the session if there is one, and whether the answer may be incremental.

        Raises KafkaError with FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH or FETCH_SESSION_TOPIC_ID_ERROR.
        """
        uses_topic_ids = version >= TOPIC_ID_VERSION
        if request.session_epoch in (INITIAL_EPOCH, FINAL_EPOCH):
            self._end(request.session_id)
            session = None
            if request.session_epoch == INITIAL_EPOCH:
                session = self._open(request, uses_topic_ids, now_ms)
            if session is None:
                # A partition that is named twice is read once, as it is named the last time.
                named = {
                    (t.topic, t.topic_id, p.partition): FetchedPartition(t.topic, t.topic_id, p)
                    for t in request.topics
                    for p in t.partitions
                }
                return list(named.values()), None, False
            session.follow(request)
            self._partitions += len(session.partitions)
            return list(session.partitions.values()), session, False
        session = self._sessions.get(request.session_id)
        if session is None:
            raise KafkaError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        if session.epoch != request.session_epoch:
            raise KafkaError(ErrorCode.INVALID_FETCH_SESSION_EPOCH)
        if session.uses_topic_ids != uses_topic_ids:
            raise KafkaError(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR)
        before = len(session.partitions)
        session.merge(request)
        self._partitions += len(session.partitions) - before
        if not session.partitions:
            self._end(session.id)
            return [], None, False
        grown = len(session.partitions) > before
        if grown and (self._partitions > self._partitions_max or _names_too_long(request)):
            self._end(session.id)
            raise KafkaError(ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
        session.epoch = 1 if session.epoch == 0x7FFFFFFF else session.epoch + 1
        session.last_used_ms = now_ms
        self._sessions.move_to_end(session.id)
        return list(session.partitions.values()), session, True

    def forget(self, session: FetchSession) -> None:
        """End a session of which the client was never told."""
        self._end(session.id)

    def _end(self, session_id: int) -> None:
        session = self._sessions.pop(session_id, None)
        if session is not None:
            self._partitions -= len(session.partitions)

    def _open(self, request: FetchRequest, uses_topic_ids: bool, now_ms: int) -> FetchSession | None:
        sessions = self._sessions
        wanted = sum([len(topic.partitions) for topic in request.topics])
        if wanted > self._partitions_max or _names_too_long(request):
            return None
        while len(sessions) >= self._slots or self._partitions + wanted > self._partitions_max:
            if not sessions:
                return None
            oldest = next(iter(sessions.values()))
            if now_ms - oldest.last_used_ms < EVICTION_MS:
                return None
            self._end(oldest.id)
        session_id = 0
        while session_id == 0 or session_id in sessions:
            session_id = 1 + self._random.randrange(0x7FFFFFFF)
        session = sessions[session_id] = FetchSession(session_id, uses_topic_ids, now_ms)
        return session


def _names_too_long(request: FetchRequest) -> bool:
    return any(len(topic.topic) > TOPIC_NAME_MAX for topic in request.topics)


def sent(session: FetchSession, partition: FetchedPartition) -> None:
    """A partition returned data: read the others before it next time."""
    key = (partition.topic, partition.topic_id or ZERO_UUID, partition.index)
    if key in session.partitions:
        session.partitions.move_to_end(key)
