"""An error response can be made for every API and every version, and encodes."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.protocol import codec
from ottla.protocol.apis import API_KEYS, request_class, response_class
from ottla.protocol.apis.delete_groups import DeleteGroupsRequest
from ottla.protocol.apis.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.protocol.apis.join_group import JoinGroupRequest
from ottla.protocol.apis.leave_group import LeaveGroupRequest, MemberIdentity
from ottla.protocol.apis.list_offsets import ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic
from ottla.protocol.apis.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
)
from ottla.protocol.errors import ErrorCode
from ottla.protocol.schema import Primitive, Struct
from ottla.testing import mirror

CODE = ErrorCode.UNKNOWN_SERVER_ERROR


def filled(cls: type[Struct]) -> Struct:
    """An instance with one item in every list."""
    message = cls()
    for field in cls.FIELDS:
        if isinstance(field.type, Primitive):
            if field.array:
                setattr(message, field.name, [field.type.default])
            elif getattr(message, field.name) is None:
                setattr(message, field.name, field.type.default)
        elif field.array:
            setattr(message, field.name, [filled(field.type)])
    return message


@pytest.mark.parametrize("key", API_KEYS)
def test_every_request_can_be_refused_in_every_version(key: int) -> None:
    cls = request_class(key)
    carries = "error_code" in names(response_class(key))
    for version in range(cls.VERSIONS.low, cls.VERSIONS.high + 1):
        request = filled(cls)
        response = mirror.error_response(request, version, CODE, "told")  # type: ignore[arg-type]
        data = codec.encode(response, version)
        decoded = codec.decode(type(response), data, version)
        if carries:
            assert CODE in found_codes(decoded), f"v{version}"


def names(cls: type[Struct]) -> set[str]:
    found = {field.name for field in cls.FIELDS}
    for field in cls.FIELDS:
        if not isinstance(field.type, Primitive):
            found |= names(field.type)
    return found


def found_codes(message: Struct) -> set[int]:
    found = set()
    for field in message.FIELDS:
        value = getattr(message, field.name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Struct):
                found |= found_codes(item)
            elif field.name.endswith("error_code"):
                found.add(item)
    return found


def test_the_code_stands_with_the_innermost_item() -> None:
    request = ListOffsetsRequest(
        topics=[ListOffsetsTopic(name="t", partitions=[ListOffsetsPartition(partition_index=3)])]
    )
    response = mirror.error_response(request, 7, CODE)
    ((topic,),) = (response.topics,)  # type: ignore[attr-defined]
    assert topic.name == "t"
    assert [(part.partition_index, part.error_code) for part in topic.partitions] == [(3, CODE)]


def test_bare_names_become_items() -> None:
    response = mirror.error_response(DeleteGroupsRequest(groups_names=["a", "b"]), 2, CODE)
    assert [(each.group_id, each.error_code) for each in response.results] == [("a", CODE), ("b", CODE)]  # type: ignore[attr-defined]


def test_the_outer_code_is_for_requests_without_items() -> None:
    assert mirror.error_response(JoinGroupRequest(group_id="g"), 7, CODE).error_code == CODE  # type: ignore[attr-defined]
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id="g", topics=None)])
    (group,) = mirror.error_response(request, 8, CODE).groups  # type: ignore[attr-defined]
    assert (group.group_id, group.error_code) == ("g", CODE)


def offset_fetch(version: int, code: ErrorCode) -> Any:
    if version < 8:
        topics = [OffsetFetchRequestTopic(name="t", partition_indexes=[3])]
        return mirror.error_response(OffsetFetchRequest(group_id="g", topics=topics), version, code)
    groups = [OffsetFetchRequestGroup(group_id="g", topics=[OffsetFetchRequestTopics(name="t", partition_indexes=[3])])]
    (group,) = mirror.error_response(OffsetFetchRequest(groups=groups), version, code).groups  # type: ignore[attr-defined]
    assert group.group_id == "g"
    return group


@pytest.mark.parametrize("version", [2, 7, 8, 10])
def test_a_group_that_cannot_be_read_is_refused_as_a_whole(version: int) -> None:
    """Partition errors are looked at only where the group has none; librdkafka gives up on those it does not expect."""
    refused = offset_fetch(version, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    assert (refused.error_code, refused.topics) == (ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, [])
    refused = offset_fetch(version, ErrorCode.UNSTABLE_OFFSET_COMMIT)
    (partition,) = refused.topics[0].partitions
    assert (refused.error_code, partition.error_code) == (ErrorCode.NONE, ErrorCode.UNSTABLE_OFFSET_COMMIT)


def test_before_groups_had_a_code_partitions_tell_theirs() -> None:
    (partition,) = offset_fetch(1, ErrorCode.NOT_COORDINATOR).topics[0].partitions
    assert (partition.partition_index, partition.error_code) == (3, ErrorCode.NOT_COORDINATOR)


@pytest.mark.parametrize(
    ("code", "whole", "items"),
    [
        (ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR, []),
        (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.NONE, [ErrorCode.UNKNOWN_MEMBER_ID]),
    ],
)
def test_a_member_is_refused_for_its_own_fault_only(code: ErrorCode, whole: ErrorCode, items: list[ErrorCode]) -> None:
    request = LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id="m")])
    response: Any = mirror.error_response(request, 5, code)
    assert (response.error_code, [member.error_code for member in response.members]) == (whole, items)


def test_a_fetch_session_is_refused_as_a_whole() -> None:
    request = FetchRequest(topics=[FetchTopic(topic="t", partitions=[FetchPartition(partition=3)])])
    response: Any = mirror.error_response(request, 12, ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
    assert (response.error_code, response.responses) == (ErrorCode.FETCH_SESSION_ID_NOT_FOUND, [])


def test_a_request_is_searched_by_what_it_speaks_of() -> None:
    request = ListOffsetsRequest(
        replica_id=5, topics=[ListOffsetsTopic(name="t", partitions=[ListOffsetsPartition(partition_index=3)])]
    )
    assert mirror.mentions(request, "topic", "t", 7)
    assert not mirror.mentions(request, "topic", "u", 7)
    assert mirror.mentions(request, "partition", 3, 7)
    assert mirror.mentions(request, "replica_id", 5, 7)
