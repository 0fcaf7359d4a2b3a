"""Decisions become records in the metadata log, whoever else writes there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ottla.broker.controller import Controller
from ottla.controller.decision import Decision
from ottla.controller.producer_ids import ProducerIdBlock, allocate_producer_ids
from ottla.metadata.image import MetadataImage
from ottla.metadata.log import Conflict, load_image
from ottla.protocol.errors import ErrorCode, KafkaError
from tests.support.in_process import SharedMetadata
from tests.support.wires import turns


class Racing(SharedMetadata):
    """A log in which somebody else is faster, as often as `rivals` has an entry."""

    def __init__(self) -> None:
        super().__init__()
        self.rivals: list[int] = []

    async def append(self, records: Any, expected_version: int) -> int:
        if self.rivals:
            image = await load_image(self.log, "c")
            await self.log.append(allocate_producer_ids(image, self.rivals.pop(), 1).records, image.version)
        return await self.log.append(records, expected_version)


class Node:
    """A broker, as far as its controller goes."""

    def __init__(self, metadata: Racing) -> None:
        self.metadata = metadata
        self.image = MetadataImage.empty("c")
        self.controller = Controller(self)  # type: ignore[arg-type]
        self.applied: asyncio.Queue[MetadataImage] = asyncio.Queue()

    def apply(self, image: MetadataImage) -> None:
        self.image = image
        self.applied.put_nowait(image)

    async def allocate(self) -> ProducerIdBlock:
        return await self.controller.submit(lambda image: allocate_producer_ids(image, 1, 1))


@pytest.fixture
async def metadata() -> AsyncIterator[Racing]:
    metadata = Racing()
    await metadata.open("c")
    yield metadata
    await metadata.close()


async def test_a_decision_is_applied_when_its_answer_is_returned(metadata: Racing) -> None:
    node = Node(metadata)
    assert await node.allocate() == (0, 1000)
    assert (node.image.version, node.image.next_producer_id) == (1, 1000)
    assert await load_image(metadata.log, "c") == node.image


async def test_who_was_too_slow_catches_up_and_decides_again(metadata: Racing) -> None:
    node = Node(metadata)
    metadata.rivals = [7, 8]
    assert await node.allocate() == (2000, 3000), "two blocks went to others meanwhile"
    assert (node.image.version, node.image.next_producer_id) == (3, 3000)


async def test_decisions_of_one_broker_run_one_after_the_other(metadata: Racing) -> None:
    node = Node(metadata)
    blocks = await asyncio.gather(*(node.allocate() for _ in range(10)))
    assert sorted(blocks) == [(1000 * i, 1000 * i + 1000) for i in range(10)]


async def test_nothing_is_appended_for_nothing(metadata: Racing) -> None:
    node = Node(metadata)
    assert await node.controller.submit(lambda image: Decision("answer")) == "answer"
    assert (node.image.version, node.applied.empty()) == (0, True)


async def test_a_refusal_changes_nothing_and_leaves_the_turn_to_the_next(metadata: Racing) -> None:
    node = Node(metadata)

    def refuse(image: MetadataImage) -> Any:
        raise KafkaError(ErrorCode.POLICY_VIOLATION)

    with pytest.raises(KafkaError):
        await node.controller.submit(refuse)
    assert await node.allocate() == (0, 1000)


async def test_follow_applies_what_another_broker_appended(metadata: Racing) -> None:
    node, other = Node(metadata), Node(metadata)
    following = asyncio.create_task(node.controller.follow())
    await other.allocate()
    assert (await node.applied.get()).next_producer_id == 1000
    await other.allocate()
    assert (await node.applied.get()).next_producer_id == 2000
    assert await node.allocate() == (2000, 3000)
    following.cancel()


async def test_follow_writes_the_snapshot_when_one_is_due(metadata: Racing, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Node(metadata)
    monkeypatch.setattr("ottla.metadata.sqlite.SNAPSHOT_MIN_BYTES", 1)
    following = asyncio.create_task(node.controller.follow())
    await turns()
    await node.allocate()
    await turns(10)
    following.cancel()
    update = await metadata.log.read(-1)
    assert update.snapshot is not None
    assert update.batches == []
    assert (await load_image(metadata.log, "c")).next_producer_id == 1000


async def test_a_log_that_fails_ends_follow_with_its_error(metadata: Racing) -> None:
    node = Node(metadata)

    async def fail(version: int) -> int:
        raise Conflict("for the test")

    metadata.log.wait = fail  # type: ignore[method-assign]
    with pytest.raises(Conflict):
        await node.controller.follow()
