"""All messages of the protocol room, and random values of them: what codec, oracle and fuzz tests share."""

from __future__ import annotations

import string
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from inspect import isclass
from pkgutil import iter_modules
from random import Random
from typing import Any

from ottla.protocol import apis, stored
from ottla.protocol.schema import Data, Field, Primitive, Struct

#: Characters of one to four bytes in UTF-8, and NUL.
CHARACTERS = string.ascii_letters + string.digits + "._- \0äß€漢😀"
#: Unknown tags are drawn from here: above all tags that Kafka uses, up to the highest that Java writes.
UNKNOWN_TAGS = (20, 127, 128, 300, 70_000, 0x7FFFFFFE)
BITS = {"b": 7, "h": 15, "i": 31, "q": 63, "H": 16, "I": 32}


@cache
def message_classes() -> tuple[type[Data], ...]:
    """Every request, response, header, stored record and embedded protocol, by module and in order of declaration."""
    names = [
        f"{package.__name__}.{module.name}" for package in (apis, stored) for module in iter_modules(package.__path__)
    ]
    modules = [import_module(name) for name in ("ottla.protocol.headers", "ottla.protocol.consumer_protocol", *names)]
    return tuple(
        thing
        for module in modules
        for thing in vars(module).values()
        if isclass(thing) and issubclass(thing, Data) and thing.__module__ == module.__name__
    )


def versions_of(cls: type[Data]) -> range:
    """All versions that the class declares."""
    return range(cls.VERSIONS.low, cls.VERSIONS.high + 1)


def all_versions() -> Iterator[tuple[type[Data], int]]:
    """Every message in each of its versions."""
    for cls in message_classes():
        for version in versions_of(cls):
            yield cls, version


def random_message(random: Random, cls: type[Struct], version: int, *, elements: int = 3, unknown: bool = True) -> Any:
    """Make a value that this version can carry, with edges (zero, extremes, null, empty) more often than chance would.

    `elements` bounds every array; `unknown` allows tags that no schema has.
    """
    flexible = version in getattr(cls, "FLEXIBLE", ())
    return _struct(random, cls, version, elements, flexible, unknown and flexible)


def _struct(random: Random, kind: type[Struct], version: int, elements: int, flexible: bool, unknown: bool) -> Struct:
    message = kind()
    for field in kind.FIELDS:
        if version in field.versions and not (field.tag is not None and random.random() < 0.4):
            setattr(message, field.name, _value(random, field, version, elements, flexible, unknown))
    if unknown and random.random() < 0.1:
        tags = random.sample(UNKNOWN_TAGS, random.randint(1, 3))
        message.unknown_tags = {tag: random.randbytes(random.choice((0, 1, 5, 200))) for tag in tags}
    return message


def _value(random: Random, field: Field, version: int, elements: int, flexible: bool, unknown: bool) -> Any:
    if version in field.nullable and random.random() < 0.2:
        return None
    if not field.array:
        return _one(random, field.type, version, elements, flexible, unknown)
    count = random.choice((0, 1, 1, 2, elements))
    if isinstance(field.type, Primitive) and random.random() < 0.05:
        count = random.choice((15, 16, 17, 126, 127, 128, 300))  # where the shape of the encoding changes
    return [_one(random, field.type, version, max(elements - 1, 1), flexible, unknown) for _ in range(count)]


def _one(
    random: Random, kind: Primitive | type[Struct], version: int, elements: int, flexible: bool, unknown: bool
) -> Any:
    if not isinstance(kind, Primitive):
        return _struct(random, kind, version, elements, flexible, unknown)
    if kind.code in BITS:
        top = (1 << BITS[kind.code]) - 1
        low = 0 if kind.code in "HI" else -top - 1
        return random.choice((0, 1, low, top, random.randint(low, top), random.randint(0, 100)))
    if kind.name == "bool":
        return random.random() < 0.5
    if kind.name == "float64":
        return random.choice((0.0, -1.5, 1e300, random.uniform(-1e6, 1e6)))
    if kind.name == "uuid":
        return random.choice((bytes(16), random.randbytes(16)))
    length = random.choice((0, 1, 5, 9, random.randint(0, 40)))
    if random.random() < 0.02:
        length = random.choice((126, 127, 128, 16_383, 16_384))
    if kind.name == "string":
        return "".join(random.choices(CHARACTERS, k=min(length, 8_000)))
    return random.randbytes(length)
