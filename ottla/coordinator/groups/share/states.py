"""How the share partitions of a group go from one state to the next: pure functions of `States`.

The group coordinator begins them (`begin_initializing`, `begin_deleting`), the shell asks the share coordinator, and what
came of it is told back (`initialized`, `not_initialized`, `deleted`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from ....metadata.image import MetadataImage
from .group import States, StateTopic

__all__ = [
    "DeleteStates", "InitializeStates", "begin_deleting", "begin_initializing", "deleted", "initialized",
    "missing", "not_initialized", "without_topics",
]  # fmt: skip

#: The name of a topic that the metadata does not know (any more).
_UNKNOWN_NAME = "<UNKNOWN>"


class InitializeStates(NamedTuple):
    """What the share coordinator shall be asked to begin."""

    group_id: str
    state_epoch: int
    #: Topic id -> partition -> start offset.
    start_offsets: Mapping[bytes, Mapping[int, int]]

    def partitions(self) -> dict[bytes, frozenset[int]]:
        """Return the partitions by topic."""
        return {topic_id: frozenset(offsets) for topic_id, offsets in self.start_offsets.items()}


class DeleteStates(NamedTuple):
    """What the share coordinator shall be asked to delete."""

    group_id: str
    partitions: Mapping[bytes, frozenset[int]]


def missing(
    states: States, names: Iterable[str], image: MetadataImage, now_ms: int, retry_interval_ms: int
) -> dict[bytes, StateTopic]:
    """Return the partitions of topics of these names that have no state and are not about to get it."""
    waits = now_ms - states.written_ms < retry_interval_ms
    found = {}
    for name in names:
        topic = image.topics.get(name)
        if topic is None:
            continue
        known = states.initialized.get(topic.id)
        if known is not None and len(known.partitions) >= len(topic.partitions):
            continue
        partitions = set(range(len(topic.partitions)))
        if known is not None:
            partitions -= known.partitions
        if waits and topic.id in states.initializing:
            partitions -= states.initializing[topic.id].partitions
        if partitions:
            found[topic.id] = StateTopic(topic.name, frozenset(partitions))
    return found


def begin_initializing(states: States, topics: Mapping[bytes, StateTopic]) -> States:
    """Add partitions to those being initialized; a topic that was being deleted is not any more."""
    initializing = _joined(states.initializing, topics)
    deleting = {topic_id: name for topic_id, name in states.deleting.items() if topic_id not in initializing}
    return states._replace(initializing=initializing, deleting=deleting)


def initialized(states: States, partitions: Mapping[bytes, frozenset[int]], image: MetadataImage) -> States:
    """Note partitions whose state was begun."""
    topics = {topic_id: StateTopic(_name(image, topic_id), some) for topic_id, some in partitions.items()}
    return states._replace(
        initializing=_less(states.initializing, partitions), initialized=_joined(states.initialized, topics)
    )


def not_initialized(states: States, partitions: Mapping[bytes, frozenset[int]]) -> States:
    """Note that the state of partitions could not be begun; the next heartbeat tries again."""
    return states._replace(initializing=_less(states.initializing, partitions))


def begin_deleting(states: States, topic_ids: Iterable[bytes]) -> States:
    """Take topics out of the initialized ones and note that their state has to go."""
    gone = {topic_id: states.initialized[topic_id].name for topic_id in topic_ids if topic_id in states.initialized}
    return states._replace(
        initialized={topic_id: topic for topic_id, topic in states.initialized.items() if topic_id not in gone},
        deleting={**states.deleting, **gone},
    )


def deleted(states: States, topic_ids: Collection[bytes]) -> States:
    """Note topics whose state is gone."""
    return states._replace(deleting={key: name for key, name in states.deleting.items() if key not in topic_ids})


def without_topics(states: States, topic_ids: Collection[bytes]) -> States:
    """Forget topics that do not exist any more; the share coordinator drops their state by itself."""
    return States(
        {key: topic for key, topic in states.initializing.items() if key not in topic_ids},
        {key: topic for key, topic in states.initialized.items() if key not in topic_ids},
        {key: name for key, name in states.deleting.items() if key not in topic_ids},
    )


def _joined(topics: Mapping[bytes, StateTopic], more: Mapping[bytes, StateTopic]) -> dict[bytes, StateTopic]:
    joined = dict(topics)
    for topic_id, topic in more.items():
        known = joined.get(topic_id)
        joined[topic_id] = topic if known is None else known._replace(partitions=known.partitions | topic.partitions)
    return joined


def _less(topics: Mapping[bytes, StateTopic], taken: Mapping[bytes, frozenset[int]]) -> dict[bytes, StateTopic]:
    less = {}
    for topic_id, topic in topics.items():
        partitions = topic.partitions - taken.get(topic_id, frozenset())
        if partitions:
            less[topic_id] = topic._replace(partitions=partitions)
    return less


def _name(image: MetadataImage, topic_id: bytes) -> str:
    topic = image.topics.by_id(topic_id)
    return _UNKNOWN_NAME if topic is None else topic.name
