"""The codec: what goes in comes out, and bytes are a message or a refusal, never anything else."""

from __future__ import annotations

import struct
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.protocol import codec
from ottla.protocol.apis.api_versions import ApiVersionsResponse, FinalizedFeatureKey
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from ottla.protocol.apis.fetch import FetchableTopicResponse, FetchRequest, FetchResponse, PartitionData, ReplicaState
from ottla.protocol.apis.list_offsets import ListOffsetsRequest
from ottla.protocol.apis.metadata import MetadataRequest, MetadataRequestTopic
from ottla.protocol.apis.produce import (
    LeaderIdAndEpoch,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from ottla.protocol.errors import LocalProtocolError, RemoteProtocolError
from ottla.protocol.schema import Data
from ottla.protocol.stored.consumer_offsets import ConsumerGroupMemberMetadataValue
from tests.protocol.messages import all_versions, random_message

ALL = list(all_versions())
messages = st.sampled_from(ALL)
seeds = st.integers(0, 2**32)


def make(which: tuple[type[Data], int], seed: int) -> tuple[Any, bytes]:
    message = random_message(Random(seed), *which)
    return message, codec.encode(message, which[1])


def assert_comes_back(message: Data, version: int) -> None:
    """Compare bytes: messages made of random bytes may hold floats that are not a number, which equal nothing."""
    data = codec.encode(message, version)
    assert codec.encode(codec.decode(type(message), data, version), version) == data


@pytest.mark.slow
def test_defaults_of_every_version_come_back() -> None:
    for cls, version in ALL:
        data = codec.encode(cls(), version)
        assert codec.decoder(cls, version)(data, 0) == (cls(), len(data)), f"{cls.__name__} v{version}"


@given(messages, seeds)
def test_any_message_comes_back(which: tuple[type[Data], int], seed: int) -> None:
    message, data = make(which, seed)
    assert codec.decoder(*which)(data, 0) == (message, len(data))


@given(messages, seeds, st.binary(max_size=20), st.binary(min_size=1, max_size=20))
def test_what_stands_before_and_behind_a_message_is_left_alone(
    which: tuple[type[Data], int], seed: int, before: bytes, behind: bytes
) -> None:
    """Kafka does not look at bytes behind a request's last field, so neither do we."""
    message, data = make(which, seed)
    surrounded = bytearray(before + data + behind)
    assert codec.decoder(*which)(surrounded, len(before)) == (message, len(before) + len(data))


@given(messages, seeds)
def test_every_truncated_prefix_is_refused(which: tuple[type[Data], int], seed: int) -> None:
    """No field has a default at the end of the bytes: a message that is cut anywhere is refused."""
    _, data = make(which, seed)
    decode = codec.decoder(*which)
    for length in range(len(data)) if len(data) < 300 else [*range(150), *range(len(data) - 150, len(data))]:
        with pytest.raises(RemoteProtocolError):
            decode(data[:length], 0)


@given(messages, st.binary(max_size=200))
def test_random_bytes_are_a_message_or_refused(which: tuple[type[Data], int], data: bytes) -> None:
    try:
        message = codec.decode(which[0], data, which[1])
    except RemoteProtocolError:
        return
    assert_comes_back(message, which[1])


@given(messages, seeds, st.data())
def test_damaged_messages_are_a_message_or_refused(
    which: tuple[type[Data], int], seed: int, data: st.DataObject
) -> None:
    _, encoded = make(which, seed)
    damaged = bytearray(encoded)
    for _ in range(data.draw(st.integers(1, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = codec.decode(which[0], damaged, which[1])
    except RemoteProtocolError:
        return
    assert_comes_back(message, which[1])


def produce_v9(records: bytes = b"records") -> bytes:
    request = struct.pack(">BhiB", 0, -1, 1000, 2) + b"\x03tp" + b"\x02" + struct.pack(">iB", 5, len(records) + 1)
    return request + records + b"\0\0\0"


def test_record_batches_are_a_view_of_the_frame() -> None:
    """What will be written to the log is patched in place, in the buffer that the socket filled."""
    frame = bytearray(produce_v9())
    request = codec.decode(ProduceRequest, frame, 9)
    records = request.topic_data[0].partition_data[0].records
    assert records is not None
    records[0:1] = b"R"
    assert b"Records" in frame


def test_record_batches_are_passed_on_uncopied_between_joined_parts() -> None:
    records = [memoryview(b"first batch"), b"second batch"]
    partitions = [
        PartitionData(partition_index=0, records=records[0], aborted_transactions=None),
        PartitionData(partition_index=1, records=records),
        PartitionData(partition_index=2, records=None),
    ]
    response = FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=partitions)])
    parts = codec.encoder(FetchResponse, 12)(response)
    assert [part is records[0] for part in parts] == [False, True, False, True, False, False]
    assert parts[4] is records[1]
    decoded = codec.decode(FetchResponse, b"".join(parts), 12).responses[0].partitions
    assert [p.records for p in decoded] == [b"first batch", b"first batchsecond batch", None]


def test_a_response_without_records_is_one_part() -> None:
    assert len(codec.encoder(ProduceResponse, 9)(ProduceResponse())) == 1


def test_unknown_tags_are_kept_and_sent_again_in_order() -> None:
    data = produce_v9()[:-1] + b"\x02" + b"\x90\x01\x03abc" + b"\x05\x00"
    request = codec.decode(ProduceRequest, data, 9)
    assert request.unknown_tags == {144: b"abc", 5: b""}
    assert codec.encode(request, 9) == produce_v9()[:-1] + b"\x02" + b"\x05\x00" + b"\x90\x01\x03abc"


def test_known_tags_of_later_versions_are_unknown_tags_of_earlier_ones() -> None:
    response = ProduceResponse(throttle_time_ms=1)
    response.unknown_tags = {0: b"\x01"}
    assert codec.decode(ProduceResponse, codec.encode(response, 9), 9).unknown_tags == {0: b"\x01"}


def test_a_tag_said_by_field_and_by_unknown_tag_is_our_mistake() -> None:
    response = ApiVersionsResponse(finalized_features_epoch=4)
    response.unknown_tags = {1: b"x"}
    with pytest.raises(LocalProtocolError, match="tag 1 is used twice"):
        codec.encode(response, 3)


def test_tagged_field_of_another_size_than_its_value_is_refused() -> None:
    good = codec.encode(ApiVersionsResponse(finalized_features_epoch=4), 3)
    assert good.endswith(b"\x01\x01\x08" + struct.pack(">q", 4))
    with pytest.raises(RemoteProtocolError, match="finalized_features_epoch"):
        codec.decode(ApiVersionsResponse, good.replace(b"\x01\x01\x08", b"\x01\x01\x07"), 3)


def test_tagged_fields_at_their_default_are_not_sent() -> None:
    plain = PartitionProduceResponse(index=1)
    equal = PartitionProduceResponse(index=1, current_leader=LeaderIdAndEpoch())
    other = PartitionProduceResponse(index=1, current_leader=LeaderIdAndEpoch(leader_id=3))

    def size(partition: PartitionProduceResponse) -> int:
        topic = TopicProduceResponse(name="t", partition_responses=[partition])
        return len(codec.encode(ProduceResponse(responses=[topic]), 10))

    assert size(plain) == size(equal) < size(other)


def test_nullable_struct_in_a_tag_has_a_varint_marker() -> None:
    """Zero is null there; elsewhere it would be a byte, -1 (shown by the Java oracle)."""
    value = ConsumerGroupMemberMetadataValue(classic_member_metadata=None)
    assert codec.encode(value, 0).endswith(b"\x01\x00\x01\x00")
    assert codec.decode(ConsumerGroupMemberMetadataValue, codec.encode(value, 0), 0) == value


def test_value_that_the_version_lacks_is_not_lost() -> None:
    state = ReplicaState(replica_id=3)
    with pytest.raises(LocalProtocolError, match="replica_state cannot be sent in version 12"):
        codec.encode(FetchRequest(replica_state=state), 12)
    with pytest.raises(LocalProtocolError, match="replica_id"):
        codec.encode(FetchRequest(replica_id=3), 15)


def test_ignorable_value_that_the_version_lacks_is_dropped() -> None:
    request = FetchRequest(session_id=7, rack_id="r1")
    assert codec.encode(request, 4) == codec.encode(FetchRequest(), 4)


def test_null_is_sent_only_where_it_may_be() -> None:
    assert codec.decode(MetadataRequest, codec.encode(MetadataRequest(topics=None), 1), 1).topics is None
    for message, version in (
        (MetadataRequest(topics=None), 0),
        (MetadataRequest(topics=[MetadataRequestTopic(name=None)]), 9),
        (CreateTopicsRequest(topics=[CreatableTopic(name=None)]), 7),
    ):
        with pytest.raises(LocalProtocolError):
            codec.encode(message, version)


@pytest.mark.parametrize(
    ("field", "value"),
    [("replica_id", 2**31), ("replica_id", "one"), ("isolation_level", 128), ("topics", 3), ("topics", [3])],
)
def test_what_a_field_cannot_hold_is_our_mistake(field: str, value: object) -> None:
    request = ListOffsetsRequest()
    setattr(request, field, value)
    with pytest.raises(LocalProtocolError, match="ListOffsetsRequest v2"):
        codec.encode(request, 2)


def test_strings_are_strict_utf_8_of_at_most_32767_bytes() -> None:
    for version in (0, 9):
        for name in ("x" * 32_768, "\ud800"):
            with pytest.raises(LocalProtocolError):
                codec.encode(MetadataRequest(topics=[MetadataRequestTopic(name=name)]), version)
        longest = MetadataRequest(topics=[MetadataRequestTopic(name="x" * 32_767)])
        assert codec.decode(MetadataRequest, codec.encode(longest, version), version) == longest
    with pytest.raises(RemoteProtocolError, match="not UTF-8"):
        codec.decode(MetadataRequest, b"\0\0\0\1\0\1\xff", 0)
    long_in_compact_form = b"\x02" + b"\x81\x80\x02" + bytes(32_768) + b"\0" * 8
    with pytest.raises(RemoteProtocolError, match="at most 32767"):
        codec.decode(MetadataRequest, long_in_compact_form, 9)


def test_ids_have_sixteen_bytes() -> None:
    topic = FetchableTopicResponse(topic_id=b"short")
    with pytest.raises(LocalProtocolError, match="sixteen"):
        codec.encode(FetchResponse(responses=[topic]), 13)


def test_lists_of_structs_in_tags() -> None:
    response = ApiVersionsResponse(
        finalized_features=[FinalizedFeatureKey(name="metadata.version", max_version_level=27)]
    )
    assert codec.decode(ApiVersionsResponse, codec.encode(response, 4), 4) == response


def test_unknown_version_is_our_mistake() -> None:
    for compile_it in (codec.decoder, codec.encoder):
        with pytest.raises(LocalProtocolError, match=r"ProduceRequest has versions 3-13, not 14"):
            compile_it(ProduceRequest, 14)


def test_source_can_be_read() -> None:
    text = codec.source(ProduceRequest, 9)
    assert "def decode(buffer, pos):" in text
    assert "def encode(o):" in text


def test_traceback_shows_the_generated_line() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        codec.encode(ProduceRequest(acks=None), 9)
    assert caught.value.__cause__ is not None
    assert caught.value.__cause__.__traceback__ is not None
    assert caught.value.__cause__.__traceback__.tb_frame.f_code.co_filename == "<encode ProduceRequest v9>"
