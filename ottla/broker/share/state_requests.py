"""What requests 83 to 87 have in common: each names partitions by topic id, each partition has its own answer.

They come from other brokers; here they are the same as a call of the `Persister`. All partitions are asked first and
awaited then, so that their records share a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...coordinator.share_state.records import SharePartitionKey
from ...protocol.errors import KafkaError
from ..purgatory import settled

__all__ = ["answer_each"]


async def answer_each(
    request: Any, make_topic: Any, make_partition: Any, ask: Callable[[SharePartitionKey, Any], Any]
) -> list[Any]:
    """Ask for every partition of a request; `ask` returns the fields of its result (a dict, or None).

    Without a group, topics, or partitions of one of the topics the answer is empty, as Kafka's.
    """
    if not request.group_id or not all(topic.partitions for topic in request.topics):
        return []
    asked = []
    for topic in request.topics:
        results = []
        for partition in topic.partitions:
            key = SharePartitionKey(request.group_id, topic.topic_id, partition.partition)
            try:
                results.append((partition.partition, ask(key, partition)))
            except KafkaError as error:
                results.append((partition.partition, error))
        asked.append((topic.topic_id, results))
    return [
        make_topic(topic_id=topic_id, partitions=[await _result(make_partition, *result) for result in results])
        for topic_id, results in asked
    ]


async def _result(make_partition: Any, index: int, result: Any) -> Any:
    try:
        found = await settled(result)
    except KafkaError as error:
        return make_partition(partition=index, error_code=error.code, error_message=error.message)
    return make_partition(partition=index, **(found or {}))
