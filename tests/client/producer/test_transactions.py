"""Transactions: all or nothing, fenced by a newer producer, in both versions of the protocol."""

from __future__ import annotations

import pytest

from ottla import Producer
from ottla.client.errors import BrokerError, ClientError, ClientTimeoutError, FencedError, TransactionError
from ottla.testing import Error, Kafka

FAST = {"retry_backoff_ms": 5, "retry_backoff_max_ms": 20, "reconnect_backoff_ms": 5, "reconnect_backoff_max_ms": 20}


def committed_now(kafka: Kafka, topic: str = "t") -> list[bytes | None]:
    return [record.value for record in kafka.topic(topic).records(committed=True)]


async def committed(kafka: Kafka, topic: str = "t") -> list[bytes | None]:
    """What is committed when all markers are written: a producer of the same id does not start before."""
    async with Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST):
        return committed_now(kafka, topic)


@pytest.fixture(params=["1", "2"])
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The version of transactions that the client sees."""
    if request.param == "1":
        monkeypatch.setattr("ottla.client.producer.transaction.FEATURE", "no such feature")
    return request.param


async def test_a_transaction_is_seen_as_a_whole_or_not_at_all(kafka: Kafka, version: str) -> None:
    async with Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST) as producer:
        async with producer.transaction() as tx:
            await tx.send("t", b"1")
            await tx.enqueue("t", b"2")
            assert committed_now(kafka) == []
        with pytest.raises(ZeroDivisionError):
            async with producer.transaction() as tx:
                await tx.send("t", b"aborted")
                await tx.enqueue("t", b"never sent")
                _ = 1 / 0
        async with producer.transaction():
            pass  # an empty one asks nobody
        async with producer.transaction() as tx:
            await tx.send_many("t", [b"3", b"4"])
    assert await committed(kafka) == [b"1", b"2", b"3", b"4"]
    added = len(kafka.requests("AddPartitionsToTxn"))
    assert added == (3 if version == "1" else 0)
    assert len(kafka.requests("EndTxn")) == 3


async def test_commit_and_abort_by_hand(kafka: Kafka, version: str) -> None:
    async with Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST) as producer:
        async with producer.transaction() as tx:
            await tx.send("t", b"1")
            await tx.commit()
        async with producer.transaction() as tx:
            await tx.send("t", b"2")
            await tx.abort()
    assert await committed(kafka) == [b"1"]


async def test_offsets_are_committed_with_it(kafka: Kafka, version: str) -> None:
    kafka.topic("in", partitions=1).put(["a", "b"])
    async with Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST) as producer:
        async with producer.transaction() as tx:
            await tx.send("t", b"1")
            await tx.send_offsets({("in", 0): 2}, "g")
        with pytest.raises(ZeroDivisionError):
            async with producer.transaction() as tx:
                await tx.send_offsets({("in", 0): 1}, "g")
                _ = 1 / 0
    await committed(kafka)
    assert kafka.group("g").offsets() == {("in", 0): 2}


async def test_a_newer_producer_fences_the_older(kafka: Kafka, version: str) -> None:
    async with Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST) as old:
        with pytest.raises(FencedError, match=r"transactional\.id") as caught:
            async with old.transaction() as tx:
                await tx.send("t", b"old")
                async with Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST) as new:
                    with pytest.raises(FencedError):
                        await tx.send("t", b"zombie")
                    async with new.transaction() as other:
                        await other.send("t", b"new")
        assert caught.value.fatal
        with pytest.raises(FencedError):
            async with old.transaction():
                pass
    assert await committed(kafka) == [b"new"]


async def test_a_record_outside_a_transaction_is_refused(kafka: Kafka) -> None:
    async with Producer(kafka.bootstrap, transactional_id="x") as producer:
        with pytest.raises(TransactionError, match="no transaction is open"):
            await producer.send("t", b"v")
    async with Producer(kafka.bootstrap) as producer:
        with pytest.raises(ClientError, match=r"transactional\.id"):
            producer.transaction()


async def test_a_failed_record_dooms_the_transaction_and_the_next_one_works(kafka: Kafka, version: str) -> None:
    kafka.topic("t", partitions=1)
    async with Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST) as producer:
        async with producer.transaction() as tx:
            await tx.send("t", b"1")
        kafka.fail("Produce").once(Error.TOPIC_AUTHORIZATION_FAILED)
        with pytest.raises(TransactionError, match=r"must be aborted.*TOPIC_AUTHORIZATION_FAILED"):
            async with producer.transaction() as tx:
                await tx.enqueue("t", b"2")
        async with producer.transaction() as tx:
            await tx.send("t", b"3")
            await tx.send("t", b"4")
    assert await committed(kafka) == [b"1", b"3", b"4"]


@pytest.mark.parametrize("api", ["EndTxn", "Produce", "TxnOffsetCommit", "InitProducerId", "FindCoordinator"])
@pytest.mark.parametrize("fault", ["disconnect", "lose_answer"])
async def test_lost_connections_are_survived(kafka: Kafka, version: str, api: str, fault: str) -> None:
    kafka.topic("in", partitions=1)
    getattr(kafka.on(api).once(), fault)()
    async with Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST) as producer:
        for turn in range(3):
            async with producer.transaction() as tx:
                await tx.send("t", b"%d" % turn)
                await tx.send_offsets({("in", 0): turn}, "g")
    assert await committed(kafka) == [b"0", b"1", b"2"]


@pytest.mark.parametrize(
    "error", [Error.CONCURRENT_TRANSACTIONS, Error.NOT_COORDINATOR, Error.COORDINATOR_LOAD_IN_PROGRESS]
)
async def test_a_busy_coordinator_is_asked_again(kafka: Kafka, version: str, error: Error) -> None:
    kafka.fail("EndTxn").times(2, error)
    kafka.fail("InitProducerId").once(error)
    async with (
        Producer(kafka.bootstrap, transactional_id="x", max_block_ms=8000, **FAST) as producer,
        producer.transaction() as tx,
    ):
        await tx.send("t", b"v")
    assert await committed(kafka) == [b"v"]


async def test_a_coordinator_that_stays_busy_is_told(kafka: Kafka) -> None:
    kafka.fail("InitProducerId").always(Error.CONCURRENT_TRANSACTIONS)
    with pytest.raises((ClientTimeoutError, BrokerError), match="CONCURRENT_TRANSACTIONS"):
        await Producer(kafka.bootstrap, transactional_id="x", max_block_ms=50, **FAST).start()
