"""`ottla.sync.Registry`: the registry's verbs, for threads; the asynchronous `Registry` runs this one in threads of its own.

What is asked often is kept: schemas by id, by GUID and by (subject, version), ids by (subject, schema), what is latest for a
while, and for a short while which ids do not exist. Caches are bounded and shared by all serializers over one registry. Two threads
that miss the same thing ask once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

from .caches import Cache
from .errors import RegistryError
from .model import RegisteredSchema, Schema
from .rest import Rest
from .settings import RegistrySettings, as_settings

T = TypeVar("T")
#: A slow registry holds up these, and nobody else.
THREADS = 4


class Registry:
    """A schema registry. `settings`: an address (several with commas), a dict of Confluent's names, and keywords."""

    def __init__(self, settings: RegistrySettings | Mapping[str, Any] | str | None = None, **more: Any) -> None:
        self.settings = as_settings(settings, **more)
        self.rest = Rest(self.settings)
        capacity = int(self.settings.cache_capacity)
        self._by_id: Cache[Schema] = Cache(capacity)
        self._by_guid: Cache[Schema] = Cache(capacity)
        self._by_version: Cache[RegisteredSchema] = Cache(capacity)
        self._by_schema: Cache[RegisteredSchema] = Cache(capacity)
        self._latest: Cache[RegisteredSchema] = Cache(capacity, self.settings.cache_latest_ttl_sec)
        self._missing: Cache[RegistryError] = Cache(capacity, self.settings.cache_missing_ttl_sec)
        self._flights: dict[Any, threading.Lock] = {}
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run something that asks the registry, in one of its own few threads."""
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS, "ottla-registry")
            return self._threads.submit(work)

    def close(self) -> None:
        """Close idle connections, end the threads; what is asked later opens them again."""
        self.rest.close()
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Registry at {', '.join(self.settings.urls)}>"

    # ── schemas ─────────────────────────────────────────────────────────────────────────────────────────────────

    def register(self, subject: str, schema: Schema, *, normalize: bool = False) -> RegisteredSchema:
        """Register a schema under a subject (again: gives what is there) and return it with its id."""
        path = f"subjects/{_part(subject)}/versions" + _query(normalize=normalize)
        return self._by_content(path, subject, schema)

    def lookup(
        self, subject: str, schema: Schema, *, normalize: bool = False, deleted: bool = False
    ) -> RegisteredSchema:
        """Where a schema is registered under a subject; RegistryError (not found) where it is not."""
        path = f"subjects/{_part(subject)}" + _query(normalize=normalize, deleted=deleted)
        return self._by_content(path, subject, schema)

    def _by_content(self, path: str, subject: str, schema: Schema) -> RegisteredSchema:
        # What `register` found serves `lookup` too (and the other way): either says under which id the schema stands there.
        key = subject, schema, path.partition("?")[2]

        def ask() -> RegisteredSchema:
            answer = self._send("POST", path, schema.to_json())
            found = _read(lambda: RegisteredSchema.from_json(answer, known=schema))
            found = RegisteredSchema(schema, found.id, found.subject or subject, found.version, found.guid)
            if found.guid:
                self._by_guid.put(found.guid, schema)
            return found

        return self._once(self._by_schema, key, ask)

    def get(self, schema_id: int, *, subject: str | None = None, format: str | None = None) -> Schema:  # noqa: A002
        """The schema with an id. `subject` says in which context; `format` what the registry shall make of it."""
        path = f"schemas/ids/{int(schema_id)}" + _query(subject=subject, format=format)

        def ask() -> Schema:
            answer = self._send("GET", path)
            found = _read(lambda: RegisteredSchema.from_json(answer, id=schema_id))
            return found.schema

        return self._once(self._by_id, (schema_id, subject, format), ask)

    def get_by_guid(self, guid: str, *, format: str | None = None) -> Schema:  # noqa: A002
        """The schema with a GUID."""
        path = f"schemas/guids/{_part(guid)}" + _query(format=format)

        def ask() -> Schema:
            answer = self._send("GET", path)
            return _read(lambda: Schema.from_json(answer))

        return self._once(self._by_guid, guid if format is None else (guid, format), ask)

    def version(
        self,
        subject: str,
        version: int | str = "latest",
        *,
        deleted: bool = False,
        format: str | None = None,  # noqa: A002
    ) -> RegisteredSchema:
        """The schema that stands under a subject as this version, or as the latest."""
        path = f"subjects/{_part(subject)}/versions/{_part(str(version))}" + _query(deleted=deleted, format=format)

        def ask() -> RegisteredSchema:
            answer = self._send("GET", path)
            return _read(lambda: RegisteredSchema.from_json(answer))

        cache = self._latest if version in ("latest", -1) else self._by_version
        return self._once(cache, (subject, version, format), ask)

    def latest(self, subject: str, *, metadata: Mapping[str, str] | None = None) -> RegisteredSchema:
        """The latest version of a subject, or the latest with this metadata; kept for `cache.latest.ttl.sec`."""
        if metadata is None:
            return self.version(subject)
        pairs = [pair for key, value in sorted(metadata.items()) for pair in (("key", key), ("value", value))]
        path = f"subjects/{_part(subject)}/metadata?{urlencode(pairs)}"

        def ask() -> RegisteredSchema:
            answer = self._send("GET", path)
            return _read(lambda: RegisteredSchema.from_json(answer))

        return self._once(self._latest, (subject, tuple(pairs)), ask)

    # ── subjects and versions ───────────────────────────────────────────────────────────────────────────────────

    def subjects(self, prefix: str | None = None, *, deleted: bool = False) -> list[str]:
        """The names of all subjects, or of those that begin so."""
        return self._list("subjects" + _query(subjectPrefix=prefix, deleted=deleted), str)

    def versions(self, subject: str, *, deleted: bool = False) -> list[int]:
        """The versions of a subject."""
        return self._list(f"subjects/{_part(subject)}/versions" + _query(deleted=deleted), int)

    def subjects_of(self, schema_id: int) -> list[str]:
        """The subjects under which a schema stands."""
        return self._list(f"schemas/ids/{int(schema_id)}/subjects", str)

    def versions_of(self, schema_id: int) -> list[tuple[str, int]]:
        """(subject, version) wherever a schema stands."""
        rows = self._list(f"schemas/ids/{int(schema_id)}/versions", dict)
        return _read(lambda: [(str(row["subject"]), int(row["version"])) for row in rows])

    def referenced_by(self, subject: str, version: int | str = "latest") -> list[int]:
        """The ids of the schemas that refer to this one."""
        return self._list(f"subjects/{_part(subject)}/versions/{_part(str(version))}/referencedby", int)

    def delete_subject(self, subject: str, *, permanent: bool = False) -> list[int]:
        """Delete all versions of a subject; `permanent` only after a deletion without. The versions that were deleted."""
        try:
            path = f"subjects/{_part(subject)}"
            if permanent:
                path += _query(permanent=True)
            return self._list(path, int, "DELETE")
        finally:
            self._forget(subject)

    def delete_version(self, subject: str, version: int | str, *, permanent: bool = False) -> int:
        """Delete one version of a subject."""
        try:
            path = f"subjects/{_part(subject)}/versions/{_part(str(version))}" + _query(permanent=permanent)
            answer = self._send("DELETE", path)
            return _read(lambda: int(answer))
        finally:
            self._forget(subject)

    # ── compatibility, mode, configuration ──────────────────────────────────────────────────────────────────────

    def is_compatible(
        self, subject: str, schema: Schema, version: int | str = "latest", *, normalize: bool = False
    ) -> bool:
        """Whether a schema may follow a version of the subject ("all": every version)."""
        return not self.incompatibilities(subject, schema, version, normalize=normalize, verbose=False)

    def incompatibilities(
        self, subject: str, schema: Schema, version: int | str = "latest", *, normalize: bool = False,
        verbose: bool = True,
    ) -> list[str]:  # fmt: skip
        """Why a schema may not follow a version of the subject; an empty list where it may."""
        end = "" if version == "all" else f"/{_part(str(version))}"
        path = f"compatibility/subjects/{_part(subject)}/versions{end}" + _query(normalize=normalize, verbose=verbose)
        answer = self._send("POST", path, schema.to_json())
        if _read(lambda: bool(answer["is_compatible"])):
            return []
        return [str(each) for each in answer.get("messages") or ()] or ["not compatible"]

    def config(self, subject: str | None = None, *, default_to_global: bool = False) -> dict[str, Any]:
        """The configuration of a subject, or that of all; `compatibilityLevel` is in it."""
        query = _query(defaultToGlobal=default_to_global) if default_to_global else ""
        return self._object("GET", f"config{_under(subject)}{query}")

    def set_config(self, subject: str | None = None, **config: Any) -> dict[str, Any]:
        """Change the configuration of a subject, or of all: `compatibility="BACKWARD"`, and what else the API has."""
        return self._object("PUT", f"config{_under(subject)}", config)

    def delete_config(self, subject: str | None = None) -> Any:
        """Back to the configuration of all, or to the default."""
        return self._send("DELETE", f"config{_under(subject)}")

    def compatibility(self, subject: str | None = None) -> str:
        """The level of compatibility of a subject, or of all."""
        found = self.config(subject)
        return str(found.get("compatibilityLevel", found.get("compatibility")))

    def mode(self, subject: str | None = None) -> str:
        """READWRITE, READONLY, IMPORT …, of a subject or of all."""
        return str(self._object("GET", f"mode{_under(subject)}").get("mode"))

    def set_mode(self, mode: str, subject: str | None = None, *, force: bool = False) -> str:
        """Change the mode of a subject, or of all."""
        path = f"mode{_under(subject)}" + (_query(force=True) if force else "")
        return str(self._object("PUT", path, {"mode": mode}).get("mode"))

    def delete_mode(self, subject: str) -> Any:
        """Back to the mode of all."""
        return self._send("DELETE", f"mode{_under(subject)}")

    def contexts(self) -> list[str]:
        """The contexts of the registry."""
        return self._list("contexts", str)

    def types(self) -> list[str]:
        """The types of schemas that the registry knows."""
        return self._list("schemas/types", str)

    # ── caches ──────────────────────────────────────────────────────────────────────────────────────────────────

    def clear_caches(self, *, latest_only: bool = False) -> None:
        """Ask anew from now on, for everything or for what is latest."""
        self._latest.drop()
        if not latest_only:
            for cache in (self._by_id, self._by_guid, self._by_version, self._by_schema, self._missing):
                cache.drop()

    def _forget(self, subject: str) -> None:
        for cache in (self._by_version, self._by_schema, self._latest):
            cache.drop(lambda key: isinstance(key, tuple) and key[0] == subject)

    def _once(self, cache: Cache[T], key: Any, ask: Callable[[], T]) -> T:
        """What the cache has, or what `ask` finds: one thread asks, the others wait for it."""
        found = cache.get(key)
        if found is not None:
            return found
        flight = (id(cache), key)
        with self._lock:
            lock = self._flights.setdefault(flight, threading.Lock())
        with lock:
            try:
                found = cache.get(key)
                if found is not None:
                    return found
                missing = self._missing.get(flight)
                if missing is not None:
                    raise missing.with_traceback(None)
                try:
                    found = ask()
                except RegistryError as problem:
                    if problem.is_not_found and cache in (self._by_id, self._by_guid):
                        self._missing.put(flight, problem)
                    raise
                cache.put(key, found)
                return found
            finally:
                with self._lock:
                    self._flights.pop(flight, None)

    # ── one exchange ────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        return self.rest.send(method, path, body)

    def _list(self, path: str, kind: type[T], method: str = "GET") -> list[T]:
        answer = self._send(method, path)
        if not isinstance(answer, list) or not all(isinstance(each, kind) for each in answer):
            raise RegistryError(f"{method} /{path}: expected a list of {kind.__name__}")
        return answer

    def _object(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self._send(method, path, body)
        if not isinstance(answer, dict):
            raise RegistryError(f"{method} /{path}: expected an object")
        return answer


def _read(read: Callable[[], T]) -> T:
    """What an answer says; RegistryError where it is not what the API says."""
    try:
        return read()
    except (ValueError, KeyError, TypeError) as problem:
        raise RegistryError(f"the registry's answer cannot be read: {problem}") from problem


def _part(name: str) -> str:
    return quote(name, safe="")


def _under(subject: str | None) -> str:
    return "" if subject is None else f"/{_part(subject)}"


def _query(**values: Any) -> str:
    """`?a=1&b=true`; what is None or False is left out."""
    pairs = [(name, "true" if value is True else value) for name, value in values.items() if value not in (None, False)]
    return f"?{urlencode(pairs)}" if pairs else ""
