"""Offsets of partitions and groups, elections: further calls of KafkaAdminClient."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ....client.errors import ClientError
from ....client.offsets import Committed
from ....protocol.errors import ErrorCode
from ...errors import KafkaTimeoutError, NoError, for_error
from ..structs import IsolationLevel, OffsetAndMetadata, OffsetAndTimestamp, OffsetSpec, TopicPartition


class OffsetTimestamp(int):
    """A time in ms, where a plain number would be an offset."""


class MemberToRemove(NamedTuple):
    """A member to throw out of its group."""

    member_id: str | None = None
    group_instance_id: str | None = None
    reason: str | None = None


class OffsetCalls:
    """The calls; `_admin` is our client."""

    _admin: Any
    _try: Any

    def list_partition_offsets(
        self, topic_partition_specs: Mapping[Any, int],
        isolation_level: IsolationLevel = IsolationLevel.READ_UNCOMMITTED, timeout_ms: float | None = None,
    ) -> dict[TopicPartition, OffsetAndTimestamp]:  # fmt: skip
        found = {}
        for key, spec in topic_partition_specs.items():
            where = (key[0], key[1])
            told = self._try(
                lambda w=where, s=spec: self._admin.topics.offsets([w], int(s), committed=bool(isolation_level))
            )[where]
            found[TopicPartition(*where)] = OffsetAndTimestamp(*told)
        return found

    def list_group_offsets(self, group_specs: Any) -> dict[str, dict[TopicPartition, OffsetAndMetadata]]:
        """group -> its offsets; `group_specs` is a group, a list of them, or {group: partitions or None}."""
        if isinstance(group_specs, str):
            group_specs = [group_specs]
        wanted = group_specs if isinstance(group_specs, Mapping) else dict.fromkeys(group_specs)
        return {group: self.list_consumer_group_offsets(group, partitions) for group, partitions in wanted.items()}

    def list_consumer_group_offsets(
        self, group_id: str, partitions: Any = None, **_: Any
    ) -> dict[TopicPartition, OffsetAndMetadata]:  # fmt: skip
        keys = None if partitions is None else [tuple(p) for p in partitions]
        found = self._try(lambda: self._admin.groups.offsets(group_id, keys))
        return {TopicPartition(*k): OffsetAndMetadata(c.offset, c.metadata, c.leader_epoch) for k, c in found.items()}

    def alter_group_offsets(self, group_id: str, offsets: Mapping[Any, Any], *_: Any) -> dict[Any, Any]:
        """Partition -> NoError, or the class of the error."""
        told: dict[Any, Any] = {}
        for key, value in offsets.items():
            put = Committed(value.offset, value.metadata) if hasattr(value, "offset") else int(value)
            told[key] = self._outcome(lambda k=key, p=put: self._admin.groups.set_offsets(group_id, {(k[0], k[1]): p}))
        return told

    def reset_group_offsets(self, group_id: str, offset_specs: Mapping[Any, Any], *_: Any) -> dict[Any, Any]:
        """Partition -> {"error", "offset"}; an offset beyond what there is becomes the nearest that is."""
        first = self.list_partition_offsets(dict.fromkeys(offset_specs, OffsetSpec.EARLIEST))
        last = self.list_partition_offsets(dict.fromkeys(offset_specs, OffsetSpec.LATEST))
        told = {}
        for key, spec in offset_specs.items():
            where = TopicPartition(*key)
            at = int(spec)
            if isinstance(spec, OffsetSpec | OffsetTimestamp):
                at = self.list_partition_offsets({key: int(spec)})[where].offset
            at = last[where].offset if at < 0 else min(max(at, first[where].offset), last[where].offset)
            told[key] = {"error": self.alter_group_offsets(group_id, {key: at})[key], "offset": at}
        return told

    def delete_group_offsets(self, group_id: str, partitions: Iterable[Any], *_: Any) -> dict[Any, Any]:
        """Partition -> NoError, or the class of the error."""
        return {
            key: self._outcome(lambda k=key: self._admin.groups.delete_offsets(group_id, [(k[0], k[1])]))
            for key in partitions
        }

    def _outcome(self, work: Any) -> type[BaseException]:
        try:
            work()
        except (ClientError, ExceptionGroup) as problem:
            return type(for_error(problem))
        return NoError

    def elect_leaders(
        self, election_type: int, topic_partitions: Any = None, timeout_ms: float | None = None,
        raise_errors: bool = True,
    ) -> dict[str, Any]:  # fmt: skip
        """Let preferred (0) or unclean (1) replicas lead, of {topic: partitions}, of topics, or of all."""
        keys = None
        if isinstance(topic_partitions, Mapping):
            keys = [(topic, number) for topic, numbers in topic_partitions.items() for number in numbers]
        elif topic_partitions is not None:
            found = self._try(lambda: self._admin.topics.describe(list(topic_partitions)))
            keys = [(topic.name, p.id) for topic in found.values() for p in topic.partitions]
        elected = self._try(lambda: self._admin.partitions.elect_leaders(keys, unclean=bool(int(election_type))))
        rows: dict[str, list[dict[str, Any]]] = {}
        for topic, number in sorted(elected if keys is None else keys):
            code = 0 if (topic, number) in elected else int(ErrorCode.ELECTION_NOT_NEEDED)
            rows.setdefault(topic, []).append({"partition_id": number, "error_code": code, "error_message": None})
        results = [{"topic": topic, "partition_result": parts} for topic, parts in rows.items()]
        return {"error_code": 0, "replica_election_results": results}

    def wait_for_topics(self, topic_names: Iterable[str], timeout_ms: float = 10_000) -> None:
        """Return when each of these has a leader for every partition."""
        deadline = time.monotonic() + timeout_ms / 1000
        names = list(topic_names)
        while True:
            try:
                found = self._admin.topics.describe(names)
            except (ClientError, ExceptionGroup):
                found = {}
            if len(found) == len(names) and all(p.leader >= 0 for topic in found.values() for p in topic.partitions):
                return
            if time.monotonic() >= deadline:
                raise KafkaTimeoutError(f"Topics not ready after {timeout_ms}ms: {sorted(set(names) - set(found))}")
            time.sleep(0.1)
