"""Protobuf by a registry: `serde.Protobuf(registry, Order)` for a class that protoc made (`pip install 'ottla[protobuf]'`).

The schema that is registered is the class's .proto file, as the descriptor that protoc compiled (base64, which registries take as
well as the text), each file that it imports as a reference of its own; the well-known types need none. What is read is parsed into
the class, whatever version wrote it: Protobuf needs no writer's schema for that. The message that the prefix names is skipped over.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import ConfigError, SerializationError
from ..registry.model import PROTOBUF, Reference, Schema
from .adapting import needs
from .registered import RegisteredSerde

T = TypeVar("T")
#: Files that every reader has.
KNOWN = ("google/protobuf/", "google/type/", "confluent/")


class Protobuf(RegisteredSerde[T]):
    """See the head of the module. `reference_subject` names the subject of an imported file (its own name). Others: RegisteredSerde."""

    kind = PROTOBUF
    with_indexes = True

    def __init__(
        self, registry: Any, message: type[T] | None = None, *, skip_known_types: bool = True,
        reference_subject: Callable[[str], str] = str, **options: Any,
    ) -> None:  # fmt: skip
        needs("google.protobuf", "protobuf")
        super().__init__(registry, **options)
        self._message = message
        self._descriptor: Any = None if message is None else message.DESCRIPTOR  # type: ignore[attr-defined]
        self._indexes = None if message is None else indexes_of(self._descriptor)
        self._skip_known_types = skip_known_types
        self._reference_subject = reference_subject

    @property
    def record(self) -> str | None:
        return None if self._descriptor is None else str(self._descriptor.full_name)

    @property
    def indexes(self) -> tuple[int, ...] | None:
        return self._indexes

    @property
    def descriptor(self) -> Any:
        """The message's descriptor, if there is a class."""
        return self._descriptor

    def own_schema(self, subject: str) -> Schema:
        return self.file_schema(self._class().DESCRIPTOR.file)

    def file_schema(self, file: Any) -> Schema:
        """The schema of a .proto file; what it imports is registered (or looked up) first. Blocks."""
        references = []
        for other in file.dependencies:
            if self._skip_known_types and other.name.startswith(KNOWN):
                continue
            subject = self._reference_subject(other.name)
            schema = self.file_schema(other)
            if self.auto_register:
                self.registry.register(subject, schema, normalize=self.normalize)
            found = self.registry.lookup(subject, schema, normalize=self.normalize)
            if found.version is None:
                raise SerializationError(f"the registry gave no version of {subject}")
            references.append(Reference(other.name, subject, found.version))
        return Schema(base64.b64encode(file.serialized_pb).decode(), PROTOBUF, tuple(references))

    def encoder(self, schema: Schema | None) -> Callable[[Any], bytes]:
        kind = self._class()

        def encode(value: Any) -> bytes:
            if not isinstance(value, kind):
                raise SerializationError(f"expected a {kind.__name__}, not a {type(value).__name__}")
            data: bytes = value.SerializeToString()
            return data

        return encode

    def decoder(self, schema: Schema, indexes: tuple[int, ...], latest: Schema | None) -> Callable[[bytes], T]:
        parse: Callable[[bytes], T] = self._class().FromString
        return parse

    def load_decoder(self, schema: int | str, indexes: tuple[int, ...], subject: str | None) -> Callable[[bytes], T]:
        """The class reads whatever came: the registry is not asked."""
        return self.decoder(Schema("", PROTOBUF), indexes, None)

    def known_decoder(self, schema: int | str, indexes: tuple[int, ...], subject: str | None) -> Any:
        return self.load_decoder(schema, indexes, subject) if self._message is not None else None

    def _class(self) -> Any:
        if self._message is None:
            raise ConfigError("Protobuf needs the class of the message: serde.Protobuf(registry, Order)")
        return self._message


def indexes_of(descriptor: Any) -> tuple[int, ...]:
    """Where a message stands in its file, from the outermost message inwards."""
    found: list[int] = []
    one = descriptor
    while one.containing_type is not None:
        found.append([each.name for each in one.containing_type.nested_types].index(one.name))
        one = one.containing_type
    found.append(list(one.file.message_types_by_name).index(one.name))
    return tuple(reversed(found))
