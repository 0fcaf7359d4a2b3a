"""Transactions through a running broker: what producers write, what consumers of committed records see, restarts.

What the coordinator decides is tested in tests/coordinator/transactions; here it is what the handlers, the markers and
the logs add.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ottla.protocol.apis.describe_producers import DescribeProducersRequest, TopicRequest
from ottla.protocol.apis.find_coordinator import FindCoordinatorRequest
from ottla.protocol.apis.list_transactions import ListTransactionsRequest
from ottla.protocol.apis.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
)
from ottla.protocol.errors import ErrorCode
from ottla.records.batch import iter_headers, read_records
from tests.support.in_process import Client, RunningBroker
from tests.support.transactions import (
    NEW,
    OLD,
    Producer,
    committed_offset,
    fetched,
    produced,
    read_committed,
    settled,
)


@pytest.fixture
async def topic(broker: RunningBroker, client: Client) -> None:
    await client.call(FindCoordinatorRequest(key="g"), 0)
    await broker.topic("t")


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.usefixtures("topic")
async def test_committed_records_are_read_and_aborted_ones_are_not(client: Client, version: int) -> None:
    producer = Producer(client, version=version)
    assert await producer.init() == 0
    for number in range(6):
        assert await producer.produce(b"%d" % number) == 0
        assert await producer.end(commit=number % 2 == 0) == 0
        if version == OLD:
            await settled(client, "T")
            producer.sequences = {}
            producer.sequences = {("t", 0): number + 1}
            assert await producer.add() == 0
    await settled(client, "T")
    assert await read_committed(client) == [b"0", b"2", b"4"]


@pytest.mark.usefixtures("topic")
async def test_an_open_transaction_holds_back_readers_of_committed_records(
    broker: RunningBroker, client: Client
) -> None:
    """Also what others write after it; a fetch that waits is answered when the marker is there."""
    producer, other = Producer(client), Producer(client, "U")
    assert [await producer.init(), await other.init()] == [0, 0]
    assert [await producer.produce(b"a"), await other.produce(b"b"), await other.end()] == [0, 0, 0]
    await settled(client, "U")
    found = await fetched(client)
    assert (found.last_stable_offset, found.high_watermark, found.records) == (0, 3, b"")
    assert len(list(iter_headers((await fetched(client, isolation_level=0)).records))) == 3
    async with broker.connect() as reader:
        waiting = asyncio.ensure_future(fetched(reader, max_wait_ms=9000))
        await asyncio.sleep(0)
        assert await producer.end() == 0
        assert (await waiting).last_stable_offset == 4


@pytest.mark.usefixtures("topic")
async def test_a_marker_is_what_apache_kafka_writes(client: Client) -> None:
    producer = Producer(client)
    await producer.init()
    assert [await producer.produce(b"a"), await producer.end()] == [0, 0]
    await settled(client, "T")
    data = bytes((await fetched(client)).records)
    (_, first), (position, marker) = iter_headers(data)
    assert (marker.is_control, marker.is_transactional, marker.base_sequence) == (True, True, -1)
    assert (marker.producer_id, marker.producer_epoch) == (first.producer_id, first.producer_epoch + 1)
    assert [(record.key, record.value) for record in read_records(data, position)] == [(bytes([0, 0, 0, 1]), bytes(6))]


@pytest.mark.usefixtures("topic")
async def test_batches_of_one_transaction_keep_their_order_while_the_first_waits(client: Client) -> None:
    producer = Producer(client)
    await producer.init()
    for value in (b"a", b"b", b"c"):
        client.send(producer.request(value), 12)
    assert [produced(await client.receive()) for _ in range(3)] == [0, 0, 0]
    assert await producer.end() == 0
    await settled(client, "T")
    assert await read_committed(client) == [b"a", b"b", b"c"]


@pytest.mark.usefixtures("topic")
async def test_the_next_transaction_waits_for_the_markers_of_the_last(client: Client) -> None:
    """Instead of an error after which clients pause."""
    producer = Producer(client)
    await producer.init()
    for number in range(50):
        assert await producer.produce(b"%d" % number) == 0
        assert await producer.end() == 0
    await settled(client, "T")
    assert len(await read_committed(client)) == 50


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.usefixtures("topic")
async def test_a_late_produce_does_not_count_in_a_later_transaction(client: Client, version: int) -> None:
    producer = Producer(client, version=version)
    await producer.init()
    assert await producer.produce(b"a") == 0
    late = producer.request(b"late")
    assert await producer.end() == 0
    await settled(client, "T")
    refused = (ErrorCode.INVALID_TXN_STATE,) if version == OLD else (ErrorCode.INVALID_PRODUCER_EPOCH,)
    assert produced(await client.call(late, producer.produce_version)) in refused
    if version == NEW:
        assert await producer.produce(b"b") == 0
        assert produced(await client.call(late, producer.produce_version)) in refused
        assert await producer.end() == 0
        await settled(client, "T")
        assert await read_committed(client) == [b"a", b"b"]


@pytest.mark.usefixtures("topic")
async def test_a_late_end_does_not_end_a_later_transaction(client: Client) -> None:
    producer = Producer(client)
    await producer.init()
    assert await producer.produce(b"a") == 0
    late_commit, late_abort = producer.end_request(True), producer.end_request(False)
    assert await producer.end() == 0
    assert await producer.produce(b"b") == 0
    for late in (late_commit, late_abort):
        assert (await client.call(late, 5)).error_code == ErrorCode.PRODUCER_FENCED
    assert await producer.end(commit=False) == 0
    await settled(client, "T")
    assert await read_committed(client) == [b"a"]


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.usefixtures("topic")
async def test_a_late_end_of_an_old_producer_does_not_end_a_later_transaction(
    broker: RunningBroker, client: Client, commit: bool
) -> None:
    """It was repeated over a newer connection; epochs cannot tell (KAFKA-17754), the connection does."""
    producer = Producer(client, version=OLD)
    await producer.init()
    assert await producer.produce(b"a") == 0
    async with broker.connect() as newer:
        producer.client = newer
        assert await producer.end(commit=commit) == 0
        await settled(newer, "T")
        assert [await producer.add(), await producer.produce(b"b")] == [0, 0]
        assert (await client.call(producer.end_request(commit), 4)).error_code == ErrorCode.NOT_COORDINATOR
        late = await client.call(producer.offset_request(1), 3)
        assert late.topics[0].partitions[0].error_code == ErrorCode.NOT_COORDINATOR
        (found,) = await settled(newer, "T")
        assert found.transaction_state == "Ongoing"
        assert await producer.end() == 0


@pytest.mark.usefixtures("topic")
async def test_a_late_commit_of_offsets_does_not_count_in_a_later_transaction(client: Client) -> None:
    producer = Producer(client)
    await producer.init()
    assert await producer.commit_offset(1) == 0
    late = producer.offset_request(2)
    assert await producer.end() == 0
    assert await producer.commit_offset(3) == 0
    answer = await client.call(late, 5)
    assert answer.topics[0].partitions[0].error_code == ErrorCode.INVALID_PRODUCER_EPOCH
    assert await producer.end() == 0
    await settled(client, "T")
    assert await committed_offset(client) == (0, 3)


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.usefixtures("topic")
async def test_offsets_count_with_their_transaction(broker: RunningBroker, client: Client, version: int) -> None:
    producer = Producer(client, version=version)
    await producer.init()
    assert [await producer.commit_offset(5), await producer.end()] == [0, 0]
    await settled(client, "T")
    assert await committed_offset(client) == (0, 5)
    assert await producer.commit_offset(7) == 0
    assert await committed_offset(client) == (ErrorCode.UNSTABLE_OFFSET_COMMIT, -1)
    assert await committed_offset(client, stable=False) == (0, 5)
    assert await producer.end(commit=False) == 0
    await settled(client, "T")
    assert await committed_offset(client) == (0, 5)
    await broker.restart(clean=False)
    async with broker.connect() as again:
        assert await committed_offset(again) == (0, 5)


@pytest.mark.usefixtures("topic")
async def test_offsets_of_a_generation_that_is_over_are_refused(client: Client) -> None:
    """KIP-447."""
    producer = Producer(client)
    await producer.init()
    assert await producer.commit_offset(5, generation_id=3, member_id="m") == ErrorCode.ILLEGAL_GENERATION


@pytest.mark.usefixtures("topic")
async def test_a_new_producer_aborts_what_the_old_one_left_open(broker: RunningBroker, client: Client) -> None:
    old, new = Producer(client), Producer(client)
    await old.init()
    assert await old.produce(b"old") == 0
    assert await new.init() == 0
    assert new.producer_id == old.producer_id
    assert await old.produce(b"zombie") == ErrorCode.INVALID_PRODUCER_EPOCH
    assert await old.end() == ErrorCode.PRODUCER_FENCED
    assert [await new.produce(b"new"), await new.end()] == [0, 0]
    await settled(client, "T")
    assert await read_committed(client) == [b"new"]


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.usefixtures("topic")
async def test_a_transaction_that_is_open_too_long_is_aborted(
    broker: RunningBroker, client: Client, version: int
) -> None:
    producer = Producer(client, version=version)
    await producer.init(timeout_ms=1000)
    assert await producer.produce(b"a") == 0
    broker.clock.time_ms += 1001
    broker.broker.transactions.abort_timed_out()
    (found,) = await settled(client, "T")
    assert (found.transaction_state, found.producer_epoch) == ("CompleteAbort", producer.epoch + 1)
    assert await producer.end() in (ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_TXN_STATE)
    assert (await fetched(client)).last_stable_offset == 2
    assert await read_committed(client) == []


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.usefixtures("topic")
async def test_a_transaction_goes_on_after_a_restart(
    broker: RunningBroker, client: Client, version: int, clean: bool
) -> None:
    producer = Producer(client, version=version)
    await producer.init()
    assert [await producer.produce(b"a"), await producer.commit_offset(1)] == [0, 0]
    await broker.restart(clean=clean)
    async with broker.connect() as again:
        producer.client = again
        assert (await fetched(again)).last_stable_offset == 0
        assert [await producer.produce(b"b"), await producer.end()] == [0, 0]
        await settled(again, "T")
        assert await read_committed(again) == [b"a", b"b"]
        assert await committed_offset(again) == (0, 1)


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.usefixtures("topic")
async def test_markers_that_a_kill_prevented_are_written_after_the_start(
    broker: RunningBroker, client: Client, commit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end was answered, so it holds in every partition: never a torn transaction."""
    await broker.topic("u")
    producer = Producer(client)
    await producer.init()
    assert [await producer.produce(b"a"), await producer.produce(b"b", topic="u")] == [0, 0]
    assert await producer.commit_offset(9) == 0
    monkeypatch.setattr(broker.broker.transactions, "on_effects", lambda *_: None)
    for host in broker.broker.transactions.all_hosts():
        host.on_effects = lambda *_: None
    assert await producer.end(commit=commit) == 0
    await broker.restart(clean=False)
    async with broker.connect() as again:
        (found,) = await settled(again, "T")
        assert found.transaction_state == ("CompleteCommit" if commit else "CompleteAbort")
        assert await read_committed(again) == ([b"a"] if commit else [])
        assert await read_committed(again, "u") == ([b"b"] if commit else [])
        assert await committed_offset(again) == (0, 9 if commit else -1)
        producer.client = again
        assert [await producer.produce(b"next"), await producer.end()] == [0, 0]


@pytest.mark.usefixtures("topic")
async def test_an_administrator_ends_a_transaction_that_hangs(client: Client) -> None:
    """`kafka-transactions.sh abort`: DescribeProducers, then WriteTxnMarkers."""
    producer = Producer(client)
    await producer.init()
    assert await producer.produce(b"a") == 0
    described = await client.call(DescribeProducersRequest(topics=[TopicRequest(name="t", partition_indexes=[0])]), 0)
    (hanging,) = described.topics[0].partitions[0].active_producers
    assert hanging.current_txn_start_offset == 0
    marker = WritableTxnMarker(
        producer_id=hanging.producer_id, producer_epoch=hanging.producer_epoch, transaction_result=False,
        topics=[WritableTxnMarkerTopic(name="t", partition_indexes=[0, 5])],
        coordinator_epoch=max(hanging.coordinator_epoch, 0),
    )  # fmt: skip
    answer = await client.call(WriteTxnMarkersRequest(markers=[marker]), 1)
    results = {each.partition_index: each.error_code for each in answer.markers[0].topics[0].partitions}
    assert results == {0: ErrorCode.NONE, 5: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}
    assert (await fetched(client)).last_stable_offset == 2
    assert await read_committed(client) == []


@pytest.mark.usefixtures("topic")
async def test_transactions_are_listed_by_state_producer_age_and_pattern(broker: RunningBroker, client: Client) -> None:
    producers = [Producer(client, name) for name in ("app-1", "app-2", "other")]
    for producer in producers:
        await producer.init()
    assert [await producers[0].produce(b"a"), await producers[2].produce(b"b")] == [0, 0]
    broker.clock.time_ms += 500

    async def listed(**filters: Any) -> list[str]:
        request = ListTransactionsRequest(**{"state_filters": [], "producer_id_filters": [], **filters})
        answer = await client.call(request, 2)
        assert answer.error_code == 0
        return sorted(each.transactional_id for each in answer.transaction_states)

    assert await listed() == ["app-1", "app-2", "other"]
    assert await listed(state_filters=["Ongoing"]) == ["app-1", "other"]
    assert await listed(producer_id_filters=[producers[1].producer_id]) == ["app-2"]
    assert await listed(state_filters=["Ongoing"], duration_filter=500) == []
    assert await listed(state_filters=["Ongoing"], duration_filter=499) == ["app-1", "other"]
    assert await listed(transactional_id_pattern="app-.") == ["app-1", "app-2"]
    bad = ListTransactionsRequest(state_filters=["Nonsense"], producer_id_filters=[], transactional_id_pattern="(")
    assert (await client.call(bad, 2)).error_code == ErrorCode.INVALID_REGULAR_EXPRESSION


@pytest.mark.usefixtures("topic")
async def test_a_deleted_topic_does_not_keep_a_transaction_from_ending(broker: RunningBroker, client: Client) -> None:
    from ottla.protocol.apis.delete_topics import DeleteTopicsRequest, DeleteTopicState

    producer = Producer(client)
    await producer.init()
    assert [await producer.produce(b"a"), await producer.commit_offset(3)] == [0, 0]
    await client.call(DeleteTopicsRequest(topics=[DeleteTopicState(name="t")], timeout_ms=1000), 6)
    assert await producer.end() == 0
    (found,) = await settled(client, "T")
    assert found.transaction_state == "CompleteCommit"


@pytest.mark.usefixtures("topic")
async def test_version_2_of_transactions_is_finalized(client: Client) -> None:
    from ottla.protocol.apis.api_versions import ApiVersionsRequest

    request = ApiVersionsRequest(client_software_name="x", client_software_version="1")
    answer = await client.call(request, 3)
    finalized = {each.name: each.max_version_level for each in answer.finalized_features}
    assert finalized["transaction.version"] == 2
