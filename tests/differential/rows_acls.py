"""Rows about the ACL APIs themselves, asked by a super user: every code that there is and that there is not, and filters."""

from __future__ import annotations

from typing import Any

from .wire import Row

_RULE = {
    "resource_type": 2, "resource_name": "edge", "resource_pattern_type": 3, "principal": "User:x", "host": "*",
    "operation": 3, "permission_type": 3,
}  # fmt: skip
_FILTER = {
    "resource_type_filter": 2, "resource_name_filter": "edge", "pattern_type_filter": 3, "principal_filter": None,
    "host_filter": None, "operation": 1, "permission_type": 1,
}  # fmt: skip


def create(name: str, *rules: dict[str, Any]) -> Row:
    return Row(f"acl create: {name}", 30, {"creations": [{**_RULE, **rule} for rule in rules]}, "1+")


def describe(name: str, **fields: Any) -> Row:
    return Row(f"acl describe: {name}", 29, {**_FILTER, **fields}, "1+")


def delete(name: str, *filters: dict[str, Any]) -> Row:
    return Row(f"acl delete: {name}", 31, {"filters": [{**_FILTER, **each} for each in filters]}, "1+")


ROWS = [
    create("nothing"),
    *[
        create(f"{field} {code}", {field: code})
        for field in ("resource_type", "resource_pattern_type", "operation", "permission_type")
        for code in (-1, 0, 1, 2, 99)
    ],
    create("no colon", {"principal": "x"}),
    create("no principal", {"principal": ""}),
    create("a colon only", {"principal": ":"}),
    create("a group", {"principal": "Group:x"}),
    create("no host", {"host": ""}),
    create("a host that is none", {"host": "nowhere"}),
    create("no name", {"resource_name": ""}),
    create("another cluster", {"resource_type": 4}),
    create("the cluster", {"resource_type": 4, "resource_name": "kafka-cluster"}),
    create("the cluster, prefixed", {"resource_type": 4, "resource_name": "kafka-cluster", "resource_pattern_type": 4}),
    create("a user", {"resource_type": 7, "resource_name": "User:b", "operation": 13}),
    create("an operation that a group has not", {"resource_type": 3, "operation": 4}),
    create("two phases", {"resource_type": 5, "operation": 15}),
    create("a name that no topic has", {"resource_name": "a/b"}),
    create("some of each", {}, {"resource_name": "ed", "resource_pattern_type": 4}, {"resource_name": "*"}, {"principal": "x"}, {}),
    create("prefixed star", {"resource_name": "*", "resource_pattern_type": 4}),
    *[
        describe(f"{field} {code}", **{field: code})
        for field in ("resource_type_filter", "pattern_type_filter", "operation", "permission_type")
        for code in (-1, 0, 1, 2, 3, 4, 99)
    ],
    describe("any name", resource_name_filter=None),
    describe("no name", resource_name_filter=""),
    describe("all of a user", resource_type_filter=1, resource_name_filter=None, pattern_type_filter=1, principal_filter="User:x"),
    describe("a host", host_filter="nowhere"),
    describe("no host", host_filter=""),
    describe("matching star", resource_name_filter="*", pattern_type_filter=2),
    describe("matching", pattern_type_filter=2),
    describe("matching a longer name", resource_name_filter="edgy", pattern_type_filter=2),
    delete("nothing"),
    *[
        delete(f"{field} {code}", {field: code, "principal_filter": "User:nobody"})
        for field in ("resource_type_filter", "pattern_type_filter", "operation", "permission_type")
        for code in (-1, 0, 99)
    ],
    delete("a host", {"host_filter": "nowhere"}),
    delete("overlapping", {"pattern_type_filter": 2}, {"resource_name_filter": None, "principal_filter": "User:x"}),
    describe("after all", resource_name_filter=None, principal_filter="User:x"),
]  # fmt: skip
