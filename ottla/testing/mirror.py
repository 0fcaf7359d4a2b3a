"""Reads any request and answers any request with an error, by the schema alone.

A scripted fault must answer in the shape that the request asks for: per partition for Produce, per group for
DeleteGroups, once for JoinGroup. No table says so; the schema does. A response's list whose items carry an `error_code`
mirrors a list of the request: the one of the same name, or else the first. Names, ids and indexes are copied across,
the code goes to the innermost items, and to the outer one where there are none.

    ProduceRequest.topic_data[name, partition_data[index, records]]
    ProduceResponse.responses[name, partition_responses[index, error_code]]

One thing the schema cannot tell: where an item and what holds it both have a code, which of them says which error. That
is `_ITEM_CODES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..protocol.apis import response_class
from ..protocol.apis.describe_log_dirs import DescribeLogDirsRequest
from ..protocol.apis.fetch import FetchRequest
from ..protocol.apis.leave_group import LeaveGroupRequest
from ..protocol.apis.offset_delete import OffsetDeleteRequest
from ..protocol.apis.offset_fetch import OffsetFetchRequest
from ..protocol.errors import ErrorCode
from ..protocol.schema import Field, Primitive, Request, Response, Struct

#: Names under which requests speak of a partition, a topic and a group; all others are what they are called here.
_SYNONYMS = {
    "partition": {"partition", "partition_index", "index", "partition_indexes", "partitions"},
    "topic": {"topic", "topic_name", "name", "topics", "topic_names"},
    "group": {"group_id", "groups", "groups_names", "group_ids", "coordinator_keys", "key"},
}

#: The fields that carry the code of their item; AddPartitionsToTxn alone has a name of its own for it.
_CODES = ("error_code", "partition_error_code")

#: For APIs with a code of the whole (the request, or the group) and codes of items: the errors that Kafka says of items.
#: Any other is said once, of the whole, and the list of items stays empty: clients look for it only there.
_ITEM_CODES: dict[int, frozenset[int]] = {
    DescribeLogDirsRequest.API_KEY: frozenset({ErrorCode.KAFKA_STORAGE_ERROR}),
    FetchRequest.API_KEY: frozenset(ErrorCode)
    - {
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
    },
    LeaveGroupRequest.API_KEY: frozenset({ErrorCode.FENCED_INSTANCE_ID, ErrorCode.UNKNOWN_MEMBER_ID}),
    OffsetDeleteRequest.API_KEY: frozenset(
        {
            ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
            ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        }
    ),
    OffsetFetchRequest.API_KEY: frozenset(
        {
            ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            ErrorCode.UNKNOWN_TOPIC_ID,
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode.UNSTABLE_OFFSET_COMMIT,
        }
    ),
}


class _Refusal(NamedTuple):
    """What is to be said, and in which version of the response."""

    version: int
    code: int
    message: str | None
    of_items: bool


def error_response(request: Request, version: int, code: int, message: str | None = None) -> Response:
    """The response that refuses all of `request` with `code`."""
    response = response_class(request.API_KEY)()
    items = _ITEM_CODES.get(request.API_KEY)
    _fill(request, response, _Refusal(version, code, message, items is None or code in items))
    return response


def mentions(request: Struct, what: str, value: Any, version: int) -> bool:
    """Whether the request speaks of `value` as a `what`: a topic, partition, group, or any field by its name."""
    names = _SYNONYMS.get(what, {what})
    return any(name in names and seen == value for name, seen in values(request, version))


def names(message: type[Struct]) -> set[str]:
    """What a request of this class can be asked about: its plain fields, lists' items too, and their synonyms."""
    found = set()
    for field in message.FIELDS:
        found |= {field.name} if isinstance(field.type, Primitive) else names(field.type)
    if "topic_id" in found:
        found.add("topic")
    return found | {what for what, synonyms in _SYNONYMS.items() if found & synonyms}


def speaks_of(request: Struct, what: str, value: Any, version: int, topic_name: Callable[[bytes], str | None]) -> bool:
    """As `mentions`; a topic may also be spoken of by its id, which `topic_name` knows."""
    if mentions(request, what, value, version):
        return True
    if what != "topic":
        return False
    return any(name == "topic_id" and topic_name(seen) == value for name, seen in values(request, version))


def values(request: Struct, version: int) -> Iterator[tuple[str, Any]]:
    """Every plain value in the request with the name of its field, lists item by item."""
    for field in request.FIELDS:
        if version not in field.versions:
            continue
        value = getattr(request, field.name)
        for item in value if field.array and value is not None else [value]:
            if isinstance(item, Struct):
                yield from values(item, version)
            else:
                yield field.name, item


def _fill(source: Struct, target: Struct, refusal: _Refusal) -> bool:
    """Copy what `target` repeats of `source` and put the code in; False if `target` has nowhere for it."""
    version = refusal.version
    fields = {field.name: field for field in target.FIELDS if version in field.versions}
    has_code = any(name in fields for name in _CODES)
    placed = False
    for field in fields.values():
        if field.array and _carries_error(field, version):
            if has_code and not refusal.of_items:
                continue
            items = []
            for item in _counterpart(source, field, version):
                twin = field.type()  # type: ignore[operator]  # a Struct: _carries_error looked
                placed |= (_fill if isinstance(item, Struct) else _fill_plain)(item, twin, refusal)
                items.append(twin)
            setattr(target, field.name, items)
        elif not field.array and isinstance(field.type, Primitive):
            _copy(source, target, field)
    if has_code and not placed:
        _place(target, fields, refusal)
        placed = True
    return placed


def _fill_plain(item: Any, target: Struct, refusal: _Refusal) -> bool:
    """As `_fill`, where the request has a bare name or index and the response an item about it."""
    fields = {field.name: field for field in target.FIELDS if refusal.version in field.versions}
    for field in fields.values():
        if field.name not in _CODES and isinstance(field.type, Primitive) and type(field.type.default) is type(item):
            setattr(target, field.name, item)
            break
    _place(target, fields, refusal)
    return True


def _place(target: Struct, fields: dict[str, Field], refusal: _Refusal) -> None:
    setattr(target, next(name for name in _CODES if name in fields), refusal.code)
    if "error_message" in fields:
        target.error_message = refusal.message  # type: ignore[attr-defined]
    if "records" in fields:
        target.records = b""  # type: ignore[attr-defined]


def _copy(source: Struct, target: Struct, field: Field) -> None:
    names = [field.name, *(["partition"] if field.name == "partition_index" else [])]
    for name in names:
        if any(ours.name == name and ours.type == field.type and not ours.array for ours in source.FIELDS):
            setattr(target, field.name, getattr(source, name))
            return


def _carries_error(field: Field, version: int) -> bool:
    kind = field.type
    if isinstance(kind, Primitive):
        return False
    return any(
        inner.name in _CODES or (inner.array and _carries_error(inner, version))
        for inner in kind.FIELDS
        if version in inner.versions
    )


def _counterpart(source: Struct, field: Field, version: int) -> list[Any]:
    """The list of the request that the response's `field` answers."""
    lists = [ours.name for ours in source.FIELDS if ours.array and version in ours.versions]
    name = field.name if field.name in lists else next(iter(lists), None)
    return (getattr(source, name) or []) if name else []
