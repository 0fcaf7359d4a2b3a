"""The declaration language: constructors, defaults, equality."""

from __future__ import annotations

import pytest

from ottla.protocol.apis.fetch import FetchRequest, LeaderIdAndEpoch, PartitionData, ReplicaState
from ottla.protocol.apis.metadata import MetadataRequest
from ottla.protocol.schema import Versions


@pytest.mark.parametrize("text", ["0+", "3", "2-5", "none"])
def test_versions_are_written_as_they_are_read(text: str) -> None:
    assert str(Versions.parse(text)) == text


def test_versions_contain_their_ends() -> None:
    versions = Versions.parse("2-5")
    assert [v for v in range(8) if v in versions] == [2, 3, 4, 5]


def test_defaults_are_those_of_the_declaration() -> None:
    request = FetchRequest()
    assert (request.replica_id, request.max_bytes, request.session_epoch, request.rack_id) == (-1, 2**31 - 1, -1, "")
    assert request.cluster_id is None
    assert request.topics == []


def test_lists_are_fresh() -> None:
    FetchRequest().topics.append(FetchRequest())  # type: ignore[arg-type]
    assert FetchRequest().topics == []


def test_default_structs_are_shared_and_frozen() -> None:
    first, second = PartitionData(), PartitionData()
    assert first.current_leader is second.current_leader
    with pytest.raises(AttributeError, match="assign a new one"):
        first.current_leader.leader_id = 3
    first.current_leader = LeaderIdAndEpoch(leader_id=3)
    assert second.current_leader.leader_id == -1


def test_default_structs_equal_made_ones() -> None:
    assert FetchRequest().replica_state == ReplicaState()
    assert ReplicaState() == FetchRequest().replica_state
    assert ReplicaState(replica_id=1) != FetchRequest().replica_state
    assert repr(FetchRequest().replica_state) == repr(ReplicaState())


def test_equality_is_by_class_fields_and_unknown_tags() -> None:
    request, other = MetadataRequest(), MetadataRequest()
    assert request == other
    other.unknown_tags = {9: b""}
    assert request != other
    assert request != FetchRequest()


def test_unknown_field_names_are_refused() -> None:
    with pytest.raises(TypeError):
        MetadataRequest(topic=[])
    with pytest.raises(AttributeError):
        MetadataRequest().topic = []  # type: ignore[attr-defined]
