"""Creates the internal topics of streams groups: repartition topics and changelogs that a heartbeat found missing.

The heartbeat is answered at once with MISSING_INTERNAL_TOPICS; the topics are made beside it, and a later heartbeat finds
them. What failed is remembered for two heartbeats: so long it is told in the status and not tried again, by whichever
member asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...protocol.apis.create_topics import CreatableTopic, CreatableTopicConfig
from ...protocol.errors import ErrorCode, KafkaError
from ..auto_create import create

if TYPE_CHECKING:
    from ...coordinator.groups.streams.configured import InternalTopic
    from ..server import Broker

log = logging.getLogger("ottla.broker.coordinators")

#: Failures remembered; beyond this the oldest are forgotten, and tried again earlier. Kafka's number.
REMEMBERED_MAX = 1000


class StreamsTopics:
    """The topics being created, and why others could not be."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._in_flight: set[str] = set()
        #: Topic -> (when to forget it, what was wrong), in the order of the failures.
        self._failed: dict[str, tuple[float, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def create(self, topics: Mapping[str, InternalTopic], remember_ms: int) -> None:
        """Begin to create what is neither being created nor has just failed."""
        failed = self.failures(topics)
        wanted = [topic for topic in topics.values() if topic.name not in self._in_flight and topic.name not in failed]
        if not wanted:
            return
        self._in_flight.update(topic.name for topic in wanted)
        task = asyncio.create_task(self._create(wanted, remember_ms / 1000), name="create streams topics")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _create(self, topics: list[InternalTopic], remember_s: float) -> None:
        try:
            response = await create(self._broker, [_creatable(topic) for topic in topics])
            failed = {
                result.name: result.error_message or ErrorCode(result.error_code).message
                for result in response.topics
                if result.error_code
            }
        except (KafkaError, OSError) as problem:
            failed = dict.fromkeys((topic.name for topic in topics), str(problem))
        finally:
            self._in_flight.difference_update(topic.name for topic in topics)
        forget_at = asyncio.get_running_loop().time() + remember_s
        for name, why in failed.items():
            log.warning("cannot create the internal topic %s of a streams group: %s", name, why)
            self._failed.pop(name, None)
            self._failed[name] = (forget_at, why)
        while len(self._failed) > REMEMBERED_MAX:
            del self._failed[next(iter(self._failed))]

    def failures(self, topics: Mapping[str, InternalTopic]) -> dict[str, str]:
        """Say why topics could not be created lately."""
        now = asyncio.get_running_loop().time()
        for name in [name for name in topics if name in self._failed and self._failed[name][0] <= now]:
            del self._failed[name]
        return {name: self._failed[name][1] for name in topics if name in self._failed}

    def close(self) -> None:
        """Stop creating."""
        for task in self._tasks:
            task.cancel()


def _creatable(topic: InternalTopic) -> CreatableTopic:
    return CreatableTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication_factor or -1,
        assignments=[],
        configs=[CreatableTopicConfig(name=key, value=value) for key, value in topic.configs.items()],
    )
