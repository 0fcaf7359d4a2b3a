"""Keys and values of the coordinators' topics: how a typed record becomes the bytes of a log record and back.

    key    │ record type i16 │ fields of the key …             the type tells which classes key and value are
    value  │ version i16     │ fields of the value …           no value at all: the key was deleted

A key's own schema has one version only and is not flexible, for two keys must be equal byte for byte to be the same
key when the topic is compacted. Values evolve; a reader takes the version from their first two bytes. Bytes behind
the last known field are left alone, as Kafka's coordinators do.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct as Layout
from struct import error
from typing import Any, NamedTuple

from ..codec import Buffer, decoder, encode
from ..errors import RemoteProtocolError
from ..schema import Data

_PREFIX = Layout(">h")
_KEY_VERSION = 0


class UnknownRecordError(RemoteProtocolError):
    """A record type or version that this release does not know; a newer one may have written it."""


class RecordType(NamedTuple):
    """The classes of a record type; `number` is what the key begins with."""

    number: int
    key: type[Data]
    value: type[Data]


def encode_key(key: Data) -> bytes:
    """Write a key with its record type."""
    return _PREFIX.pack(key.API_KEY) + encode(key, _KEY_VERSION)


def encode_value(value: Data | None, version: int | None = None) -> bytes | None:
    """Write a value with its version, the newest unless another is named; None stays None, the deletion of a key."""
    if value is None:
        return None
    number = value.VERSIONS.high if version is None else version
    return _PREFIX.pack(number) + encode(value, number)


class RecordTable:
    """The record types of one topic, made from the classes of the module that declares them."""

    def __init__(self, classes: Iterable[Any]) -> None:
        found = [x for x in classes if isinstance(x, type) and issubclass(x, Data) and x.API_KEY >= 0]
        values = {x.API_KEY: x for x in found if x.__name__.endswith("Value")}
        keys = (x for x in found if x.__name__.endswith("Key"))
        self.types = {x.API_KEY: RecordType(x.API_KEY, x, values[x.API_KEY]) for x in keys}

    def decode_key(self, data: Buffer) -> Data:
        """Read a key; UnknownRecordError if its type is not of this table."""
        found: Data = decoder(self._type_of(data).key, _KEY_VERSION)(data, _PREFIX.size)[0]
        return found

    def decode(self, key: Buffer, value: Buffer | None) -> tuple[Data, Data | None]:
        """Read a log record's key and value; the value is None where the record deletes the key."""
        record_type = self._type_of(key)
        found_key, _ = decoder(record_type.key, _KEY_VERSION)(key, _PREFIX.size)
        if value is None:
            return found_key, None
        version = _prefix(value)
        if version not in record_type.value.VERSIONS:
            raise UnknownRecordError(f"{record_type.value.__name__} has no version {version}")
        found_value, _ = decoder(record_type.value, version)(value, _PREFIX.size)
        return found_key, found_value

    def _type_of(self, key: Buffer) -> RecordType:
        number = _prefix(key)
        if number not in self.types:
            raise UnknownRecordError(f"record type {number} is not known")
        return self.types[number]


def _prefix(data: Buffer) -> int:
    try:
        number: int = _PREFIX.unpack_from(data)[0]
    except error:
        raise RemoteProtocolError("a coordinator record is shorter than its prefix of two bytes") from None
    return number
