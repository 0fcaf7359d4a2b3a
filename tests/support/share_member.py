"""A member of a share group that speaks raw ShareFetch and ShareAcknowledge, for tests of the broker room."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from ottla.protocol.apis import share_acknowledge as acknowledging
from ottla.protocol.apis import share_fetch as fetching
from ottla.records.batch import iter_headers, read_records

from .in_process import Client, RunningBroker

ACCEPT, RELEASE, REJECT, RENEW = 1, 2, 3, 4


class Got(NamedTuple):
    """One record that was handed out."""

    offset: int
    value: bytes | None
    delivery_count: int


class ShareMember:
    """One member with its own connection, reading one partition."""

    def __init__(self, broker: RunningBroker, topic_id: bytes, group: str = "g", *, version: int = 2) -> None:
        self.client: Client = broker.connect()
        self.group = group
        self.member = str(uuid.uuid4())
        self.topic_id = topic_id
        self.version = version
        self.epoch = 0

    async def __aenter__(self) -> ShareMember:
        await self.client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.__aexit__()

    def fetch_request(
        self, *acknowledgements: tuple[int, int, list[int]], epoch: int | None = None, **fields: Any
    ) -> fetching.ShareFetchRequest:
        """Make the next ShareFetch."""
        given = {
            "max_wait_ms": 0,
            "min_bytes": 1,
            "max_bytes": 1 << 20,
            "max_records": 500,
            "batch_size": 500,
            **fields,
        }
        batches = [
            fetching.AcknowledgementBatch(first_offset=first, last_offset=last, acknowledge_types=types)
            for first, last, types in acknowledgements
        ]
        partition = fetching.FetchPartition(partition_index=0, acknowledgement_batches=batches)
        return fetching.ShareFetchRequest(
            group_id=self.group,
            member_id=self.member,
            share_session_epoch=self.epoch if epoch is None else epoch,
            topics=[fetching.FetchTopic(topic_id=self.topic_id, partitions=[partition])],
            forgotten_topics_data=[],
            **given,
        )

    async def fetch_raw(self, *args: Any, **fields: Any) -> Any:
        """Fetch and return the whole response."""
        response = await self.client.call(self.fetch_request(*args, **fields), self.version)
        if response.error_code == 0 and "epoch" not in fields:
            self.epoch += 1
        return response

    async def fetch(self, *args: Any, **fields: Any) -> list[Got]:
        """Fetch and return the records that were handed out."""
        response = await self.fetch_raw(*args, **fields)
        assert response.error_code == 0
        return handed_out(response)

    async def acknowledge(
        self, *batches: tuple[int, int, list[int]], epoch: int | None = None, renew: bool = False
    ) -> Any:
        """Acknowledge and return the response."""
        request = acknowledging.ShareAcknowledgeRequest(
            group_id=self.group,
            member_id=self.member,
            share_session_epoch=self.epoch if epoch is None else epoch,
            is_renew_ack=renew,
            topics=[
                acknowledging.AcknowledgeTopic(
                    topic_id=self.topic_id,
                    partitions=[
                        acknowledging.AcknowledgePartition(
                            partition_index=0,
                            acknowledgement_batches=[
                                acknowledging.AcknowledgementBatch(
                                    first_offset=first, last_offset=last, acknowledge_types=types
                                )
                                for first, last, types in batches
                            ],
                        )
                    ],
                )
            ],
        )
        response = await self.client.call(request, self.version)
        if response.error_code == 0 and epoch is None:
            self.epoch += 1
        return response


def handed_out(response: Any) -> list[Got]:
    """List the records that the acquired ranges of a response cover."""
    found = []
    for topic in response.responses:
        for partition in topic.partitions:
            assert partition.error_code == 0, partition
            data = partition.records or b""
            records = [r for at, header in iter_headers(data) if not header.is_control for r in read_records(data, at)]
            for piece in partition.acquired_records:
                found += [
                    Got(record.offset, record.value, piece.delivery_count)
                    for record in records
                    if piece.first_offset <= record.offset <= piece.last_offset
                ]
    return found


def error_of(response: Any) -> tuple[int, str | None]:
    """Return error and message of the only partition of a ShareAcknowledge."""
    assert response.error_code == 0
    (topic,) = response.responses
    (partition,) = topic.partitions
    return partition.error_code, partition.error_message
