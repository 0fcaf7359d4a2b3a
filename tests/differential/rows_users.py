"""Rows about users: SCRAM credentials, right and wrong (keys 50 and 51)."""

from __future__ import annotations

from typing import Any

from .wire import Row

DESCRIBE, ALTER = 50, 51
SHA_256, SHA_512, UNKNOWN = 1, 2, 0
Upsertion = tuple[str, int, int]


def alter(name: str, *upsertions: Upsertion, delete: tuple[tuple[str, int], ...] = (), salt: bytes = b"salt") -> Row:
    """Set credentials of (user, mechanism, iterations) and delete those of (user, mechanism)."""
    fields: dict[str, Any] = {
        "deletions": [{"name": user, "mechanism": mechanism} for user, mechanism in delete],
        "upsertions": [
            {"name": user, "mechanism": mechanism, "iterations": count, "salt": salt, "salted_password": b"\1" * 32}
            for user, mechanism, count in upsertions
        ],
    }
    return Row(f"users: {name}", ALTER, fields)


def describe(name: str, *users: str, fields: dict[str, Any] | None = None) -> Row:
    return Row(f"users described: {name}", DESCRIBE, fields or {"users": [{"name": user} for user in users]})


ALL = describe("all", fields={"users": None})
ROWS = [
    ALL,
    describe("one that does not exist", "scram-nobody"),
    alter("nothing at all"),
    alter("one", ("scram-a", SHA_256, 4096)),
    alter("the other mechanism", ("scram-a", SHA_512, 4096)),
    alter("again with more iterations", ("scram-a", SHA_256, 8192)),
    alter("two users", ("scram-b", SHA_256, 4096), ("scram-c", SHA_512, 16384)),
    alter("too few iterations", ("scram-d", SHA_256, 4095)),
    alter("too few iterations for the other", ("scram-d", SHA_512, 4095)),
    alter("no iterations", ("scram-d", SHA_256, 0)),
    alter("negative iterations", ("scram-d", SHA_256, -1)),
    alter("too many iterations", ("scram-d", SHA_256, 16385)),
    alter("empty name", ("", SHA_256, 4096)),
    alter("empty name and unknown mechanism", ("", UNKNOWN, 4096)),
    alter("unknown mechanism", ("scram-d", UNKNOWN, 4096)),
    alter("mechanism 3", ("scram-d", 3, 4096)),
    alter("negative mechanism", ("scram-d", -1, 4096)),
    alter("unknown mechanism and iterations", ("scram-d", 9, 1)),
    alter("the same twice", ("scram-d", SHA_256, 4096), ("scram-d", SHA_256, 4096)),
    alter("one user, two mechanisms", ("scram-d", SHA_256, 4096), ("scram-d", SHA_512, 4096)),
    alter("three times", ("scram-d", SHA_256, 4096), ("scram-d", SHA_512, 4096), ("scram-d", SHA_256, 4096)),
    alter("wrong and right of one user", ("scram-d", SHA_256, 1), ("scram-d", SHA_512, 4096)),
    alter("right and wrong users", ("scram-e", SHA_256, 4096), ("scram-f", SHA_256, 1)),
    alter("name with commas and blanks", ("scram x,y=z", SHA_256, 4096)),
    alter("name that is not ASCII", ("scram-ü", SHA_256, 4096)),
    alter("empty salt", ("scram-g", SHA_256, 4096), salt=b""),
    alter("delete and set one", ("scram-a", SHA_256, 4096), delete=(("scram-a", SHA_256),)),
    alter("delete one mechanism, set the other", ("scram-a", SHA_512, 4096), delete=(("scram-a", SHA_256),)),
    alter("delete twice", delete=(("scram-a", SHA_256), ("scram-a", SHA_256))),
    alter("delete both mechanisms", delete=(("scram-a", SHA_256), ("scram-a", SHA_512))),
    alter("delete three times", delete=(("scram-a", SHA_256), ("scram-a", SHA_512), ("scram-a", SHA_256))),
    alter("delete a user that does not exist", delete=(("scram-nobody", SHA_256),)),
    alter("delete a mechanism he does not have", delete=(("scram-b", SHA_512),)),
    alter("delete the empty name", delete=(("", SHA_256),)),
    alter("delete an unknown mechanism", delete=(("scram-a", UNKNOWN),)),
    alter("delete one that is not there and set it", ("scram-h", SHA_256, 4096), delete=(("scram-h", SHA_256),)),
    alter("delete one, set another", ("scram-i", SHA_256, 4096), delete=(("scram-b", SHA_256),)),
    ALL,
    describe("nobody", fields={"users": []}),
    describe("one", "scram-a"),
    describe("several", "scram-a", "scram-c", "scram-nobody"),
    describe("twice", "scram-a", "scram-a"),
    describe("twice one that does not exist", "scram-nobody", "scram-nobody", "scram-c"),
    describe("the empty name", ""),
    alter("delete", delete=(("scram-a", SHA_256),)),
    describe("one mechanism left", "scram-a"),
    alter("delete the last", delete=(("scram-a", SHA_512),)),
    describe("none left", "scram-a"),
]
