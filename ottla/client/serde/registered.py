"""Serdes whose schemas are in a registry: what Avro, Protobuf and JSON Schema have in common.

    value ──► Writer ──► which schema? (subject: registered, latest, or by id; asked once per topic) ──► prefix + bytes
    bytes ──► Reader ──► header or prefix: id ──► decoder of that schema (asked once per id)         ──► value

Asking takes time, and a serializer is called where nobody may wait: on the event loop. So a Writer that lacks its schema raises
`SchemaPendingError` there; the producer awaits that and calls again. A Reader has `missing(columns)`: the fetcher loads the schemas
of a run of records before it hands the run out, so that `record.value` finds them. In a thread without a loop both simply wait.

Limits: schemas and decoders that are kept, references that are followed, ids that do not exist (asked about once in a while).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from ..errors import ConfigError, SerializationError
from ..registry.blocking import Registry
from ..registry.caches import Cache
from ..registry.errors import RegistryError
from ..registry.model import Reference, RegisteredSchema, Schema
from . import framing
from .pending import SchemaPendingError
from .subjects import Strategy, strategy

T = TypeVar("T")
#: Schemas that one schema may refer to, directly or not.
REFERENCES_MAX = 1000


class Chosen(NamedTuple):
    """The schema that values of a topic are written with."""

    prefix: bytes
    header: tuple[str, bytes] | None
    encode: Callable[[Any], bytes]
    until: float
    id: int
    guid: str | None


class RegisteredSerde(Generic[T]):
    """See the head of the module. Options of all kinds:

    subject             "topic" (`orders-value`), "record", "topic_record", or a function (topic, field, record) -> subject
    auto_register       register the schema at the first record (else it must be registered)
    normalize           have the registry normalize the schema before it compares it
    use_latest          write with the subject's latest version, read into it
    use_latest_metadata the same with the latest version that has this metadata
    use_schema_id       write with the schema of this id
    schema_id_in        "prefix", or "header": the schema's GUID goes into a header
    """

    kind = ""
    with_indexes = False

    def __init__(
        self, registry: Any, *, subject: str | Strategy = "topic", auto_register: bool | None = None,
        normalize: bool = False, use_latest: bool = False, use_latest_metadata: Mapping[str, str] | None = None,
        use_schema_id: int | None = None, schema_id_in: str = "prefix",
    ) -> None:  # fmt: skip
        self.registry = as_registry(registry)
        self.subject = strategy(subject)
        fixed = use_latest or use_latest_metadata is not None or use_schema_id is not None
        if auto_register and fixed:
            raise ConfigError("auto_register excludes use_latest, use_latest_metadata and use_schema_id")
        if schema_id_in not in ("prefix", "header"):
            raise ConfigError(f"schema_id_in={schema_id_in!r}: prefix or header")
        self.auto_register = not fixed if auto_register is None else auto_register
        self.normalize = normalize
        self.use_latest = use_latest
        self.use_latest_metadata = use_latest_metadata
        self.use_schema_id = use_schema_id
        self.in_header = schema_id_in == "header"
        capacity = int(self.registry.settings.cache_capacity) or 1
        self._chosen: Cache[Chosen] = Cache(capacity)
        self._decoders: Cache[Callable[[bytes], T]] = Cache(capacity)
        self._failed: Cache[Exception] = Cache(capacity, self.registry.settings.cache_missing_ttl_sec)

    # ── what each kind says ─────────────────────────────────────────────────────────────────────────────────────

    def own_schema(self, subject: str) -> Schema:
        """The schema to register or to look up; may ask the registry for what it refers to."""
        raise AssertionError("each kind has its schema")

    @property
    def record(self) -> str | None:
        """The full name of the record type, for subjects by record."""
        raise AssertionError("each kind knows its name")

    def encoder(self, schema: Schema | None) -> Callable[[Any], bytes]:
        """The function that writes values with a schema of the registry (None: with our own)."""
        raise AssertionError("each kind says how")

    def decoder(self, schema: Schema, indexes: tuple[int, ...], latest: Schema | None) -> Callable[[bytes], T]:
        """The function that reads values of a schema (Protobuf: of its message with these indexes)."""
        raise AssertionError("each kind says how")

    @property
    def indexes(self) -> tuple[int, ...] | None:
        """Protobuf's message indexes."""
        return None

    # ── as a serde ──────────────────────────────────────────────────────────────────────────────────────────────

    def serialize(self, value: T, topic: str) -> bytes:
        return self.writer("value")(value, topic)

    def deserialize(self, data: bytes, topic: str) -> T:
        return self.reader("value").read(data, topic, ())

    def writer(self, field: str) -> Writer:
        """What a producer calls, for its keys or its values."""
        return Writer(self, field)

    def reader(self, field: str) -> Reader[T]:
        """What a consumer calls, for its keys or its values."""
        return Reader(self, field)

    async def prepare(self, topic: str, field: str = "value") -> None:
        """Ask the registry for what writing to a topic needs, so that `try_enqueue` finds it."""
        await asyncio.wrap_future(self.registry.submit(lambda: self.choose(topic, field)))

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def chosen(self, topic: str, field: str, wait: bool) -> Chosen:
        """The schema for a topic; where it is not here: asks for it, or raises SchemaPendingError."""
        found = self._chosen.get((topic, field))
        if found is not None and found.until > time.monotonic():
            return found
        if not wait:
            raise SchemaPendingError(
                self.registry, lambda: self.choose(topic, field), f"the schema for {topic}'s {field}s"
            )
        return self.choose(topic, field)

    def choose(self, topic: str, field: str) -> Chosen:
        """Ask the registry which schema a topic is written with. Blocks."""
        until = float("inf")
        subject = self.subject(topic, field, self.record)
        schema: Schema | None = None
        guid: str | None = None
        lead: bytes
        note: tuple[str, bytes] | None
        if self.use_schema_id is not None:
            schema = self.registry.get(self.use_schema_id)
            schema_id = self.use_schema_id
            if self.in_header:
                guid = self.registry.lookup(subject, schema).guid
        else:
            registered = self._registered(subject)
            schema_id, guid = registered.id, registered.guid
            if self.use_latest or self.use_latest_metadata is not None:
                schema = registered.schema
                ttl = self.registry.settings.cache_latest_ttl_sec
                until = until if ttl is None else time.monotonic() + ttl
        if schema is not None:
            check_schema(schema, self.kind)
        if self.in_header:
            if guid is None:
                raise SerializationError("the registry gave no GUID", hint='schema_id_in="prefix" needs none')
            lead, note = b"", (framing.HEADERS[field], framing.header(guid, self.indexes))
        else:
            lead, note = framing.prefix(schema_id, self.indexes), None
        made = Chosen(lead, note, self.encoder(schema), until, schema_id, guid)
        self._chosen.put((topic, field), made)
        return made

    def _registered(self, subject: str) -> RegisteredSchema:
        if self.use_latest or self.use_latest_metadata is not None:
            return self.registry.latest(subject, metadata=self.use_latest_metadata)
        schema = self.own_schema(subject)
        if self.auto_register:
            return self.registry.register(subject, schema, normalize=self.normalize)
        return self.registry.lookup(subject, schema, normalize=self.normalize)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def framing(self, data: bytes, note: bytes | None) -> framing.Framing:
        """Which schema a value has; `note` is what stands in its header."""
        if note is not None:
            return framing.read_header(note, with_indexes=self.with_indexes)
        return framing.read_prefix(data, with_indexes=self.with_indexes)

    def known_decoder(self, schema: int | str, indexes: tuple[int, ...], subject: str | None) -> Any:
        """The decoder, where it is here already."""
        return self._decoders.get((schema, indexes, subject))

    def load_decoder(self, schema: int | str, indexes: tuple[int, ...], subject: str | None) -> Callable[[bytes], T]:
        """The decoder of a schema, from the registry if need be. Blocks."""
        key = schema, indexes, subject
        found = self._decoders.get(key)
        if found is not None:
            return found
        try:
            raw = self.fetch(schema)
            latest = None
            if subject is not None:
                latest = self.registry.latest(subject, metadata=self.use_latest_metadata).schema
            found = self.decoder(raw, indexes, latest)
        except (RegistryError, SerializationError) as problem:
            self._failed.put(key, problem)
            raise
        self._decoders.put(key, found)
        return found

    def fetch(self, schema: int | str) -> Schema:
        """A schema by its id or GUID, checked. Blocks unless the registry's client has it."""
        raw = self.registry.get(schema) if isinstance(schema, int) else self.registry.get_by_guid(schema)
        check_schema(raw, self.kind)
        return raw

    def failure(self, schema: int | str, indexes: tuple[int, ...], subject: str | None) -> Exception | None:
        """Why a decoder could not be had, if that was a moment ago."""
        return self._failed.get((schema, indexes, subject))

    def latest_subject(self, topic: str, field: str) -> str | None:
        """The subject whose latest version values are read into, if that is wanted."""
        if not self.use_latest and self.use_latest_metadata is None:
            return None
        return self.subject(topic, field, self.record)

    def referred(self, schema: Schema) -> list[tuple[Reference, Schema]]:
        """All schemas that one refers to, each behind those that it needs itself. Blocks."""
        found: dict[tuple[str, int], tuple[Reference, Schema]] = {}
        under_way: set[tuple[str, int]] = set()

        def follow(one: Schema, depth: int) -> None:
            if depth > 50:
                raise SerializationError("references are nested more than 50 deep")
            for reference in one.references:
                key = reference.subject, reference.version
                if key in found:
                    continue
                if key in under_way:
                    raise SerializationError(f"{reference.name} refers to itself")
                if len(found) + len(under_way) >= REFERENCES_MAX:
                    raise SerializationError(f"a schema refers to more than {REFERENCES_MAX} others")
                under_way.add(key)
                other = self.registry.version(*key).schema
                follow(other, depth + 1)
                under_way.discard(key)
                found[key] = reference, other

        follow(schema, 0)
        return list(found.values())


class Writer:
    """Serializes the keys or the values of a producer."""

    def __init__(self, serde: RegisteredSerde[Any], field: str) -> None:
        self._serde = serde
        self._field = field
        self.in_header = serde.in_header

    def __call__(self, value: Any, topic: str) -> bytes:
        chosen = self._serde.chosen(topic, self._field, may_wait())
        return chosen.prefix + chosen.encode(value)

    def header(self, topic: str) -> tuple[str, bytes]:
        """The header that goes with what was just serialized."""
        found = self._serde.chosen(topic, self._field, may_wait()).header
        if found is None:
            raise AssertionError("asked for the header of a serde that has none")
        return found


class Reader(Generic[T]):
    """Deserializes the keys or the values of a consumer."""

    def __init__(self, serde: RegisteredSerde[T], field: str) -> None:
        self.serde = serde
        self.field = field
        self._header = framing.HEADERS[field]

    def __call__(self, data: bytes, record: Any) -> T:
        return self.read(data, record.topic, record.headers)

    def read(self, data: bytes, topic: str, headers: Any, wait: bool | None = None) -> T:
        """The value of bytes that came with these headers."""
        serde = self.serde
        schema, indexes, start = serde.framing(data, self.note(headers))
        subject = serde.latest_subject(topic, self.field)
        decode = serde.known_decoder(schema, indexes, subject)
        if decode is None:
            if not (may_wait() if wait is None else wait):
                raise self._absent(schema, indexes, subject)
            decode = serde.load_decoder(schema, indexes, subject)
        try:
            value: T = decode(data[start:] if start else data)
        except SerializationError:
            raise
        except Exception as problem:
            raise SerializationError(
                f"{len(data)} bytes are no value of schema {schema}: {problem!r}", topic_partition=(topic, -1)
            ) from problem
        return value

    def note(self, headers: Any) -> bytes | None:
        """What the header says about the schema, if there is one."""
        for name, value in headers:
            if name == self._header and value is not None:
                return bytes(value)
        return None

    def _absent(self, schema: int | str, indexes: tuple[int, ...], subject: str | None) -> Exception:
        problem = self.serde.failure(schema, indexes, subject)
        if problem is None:
            load = lambda: self.serde.load_decoder(schema, indexes, subject)  # noqa: E731
            return SchemaPendingError(self.serde.registry, load, f"schema {schema}")
        if isinstance(problem, SerializationError):
            return problem
        retriable = getattr(problem, "retriable", False)
        return SerializationError(f"schema {schema}: {problem}", retriable=retriable)

    def present(self, frame: framing.Framing, topic: str) -> None:
        """Raise unless a schema is here already."""
        key = frame.schema, frame.indexes, self.serde.latest_subject(topic, self.field)
        if self.serde.known_decoder(*key) is None:
            raise self._absent(*key)

    def missing(self, column: int, columns: Any) -> Callable[[], None] | None:
        """What has to be loaded before these records can be read; None where it is all here. Does not block."""
        wanted = []
        for schema, indexes in self.schemas_of(column, columns):
            subject = self.serde.latest_subject(columns.topic, self.field)
            key = schema, indexes, subject
            if self.serde.known_decoder(*key) is None and self.serde.failure(*key) is None:
                wanted.append(key)
        if not wanted:
            return None

        def load() -> None:
            for key in wanted:
                try:
                    self.serde.load_decoder(*key)
                except (RegistryError, SerializationError):
                    continue  # kept in `_failed`: raised where the value is asked for

        return load

    def schemas_of(self, column: int, columns: Any) -> set[tuple[int | str, tuple[int, ...]]]:
        """The schemas that records of a run have; what has none is left to reading."""
        from ._prefixes_cy import heads

        size = framing.PREFIX_BYTES + (16 if self.serde.with_indexes else 0)
        rows: list[tuple[bytes, bytes | None]] = []
        if columns.has_headers(0, columns.count):
            for row in range(columns.count):
                data = columns.take(column, row)
                if data is not None:
                    rows.append((data, self.note(columns.headers(row))))
        else:
            places, sizes = columns.spots(column)
            rows = [(head, None) for head in heads(columns.payload, places, sizes, size)]
        found = set()
        for data, note in rows:
            try:
                frame = self.serde.framing(data, note)
            except SerializationError:
                continue  # raised where the value is asked for
            found.add((frame.schema, frame.indexes))
        return found


def as_registry(given: Any) -> Registry:
    """The blocking client of whatever a user gave: a registry of either kind, an address, settings."""
    blocking = getattr(given, "blocking", given)
    return blocking if isinstance(blocking, Registry) else Registry(blocking)


def may_wait() -> bool:
    """Whether this thread may wait for a registry: not where an event loop runs in it."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


def check_schema(schema: Schema, kind: str) -> None:
    """Raise unless values of a schema are ours to write and read."""
    if schema.type != kind:
        raise SerializationError(f"the registry has {schema.type} there, this serde is for {kind}")
    if schema.has_rules:
        raise SerializationError(
            "the schema has rules (ruleSet), which this client does not run: encryption, for one, would be left out",
            hint="disable them, or use Confluent's client with its rules",
        )
