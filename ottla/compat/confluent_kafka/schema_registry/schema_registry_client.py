"""SchemaRegistryClient and AsyncSchemaRegistryClient: confluent_kafka's verbs over Ottla's registry client.

The asynchronous one has the same verbs; each runs in a thread of the registry's own and is awaited. Defaults are theirs: three
retries from one second on, a latest version that is kept until `clear_latest_caches`.
"""

from __future__ import annotations

import asyncio
import functools
from types import TracebackType
from typing import Any, Self

from ....client.registry.blocking import Registry
from .error import translated
from .model import RegisteredSchema, Schema, ServerConfig, from_model, registered, to_model

_DEFAULTS = {"retries.wait.ms": 1000, "retries.max.wait.ms": 20_000, "cache.latest.ttl.sec": None, "timeout": None}


class SchemaRegistryClient:
    """A client of a schema registry; `conf` has `url` and what else confluent_kafka knows."""

    def __init__(self, conf: dict[str, Any]) -> None:
        if not conf.get("url"):
            raise ValueError("Missing required configuration property url")
        settings = _DEFAULTS | conf
        if settings["timeout"] is None:
            settings["timeout"] = 60.0  # they wait for ever
        self._conf = conf
        self.registry = Registry(settings)

    def config(self) -> dict[str, Any]:
        return self._conf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.registry.close()

    def register_schema(self, subject_name: str, schema: Schema, normalize_schemas: bool = False) -> int:
        """Register a schema; its id."""
        found = self.register_schema_full_response(subject_name, schema, normalize_schemas)
        return int(found.schema_id or 0)

    def register_schema_full_response(
        self, subject_name: str, schema: Schema, normalize_schemas: bool = False
    ) -> RegisteredSchema:
        with translated():
            return registered(self.registry.register(subject_name, to_model(schema), normalize=normalize_schemas))

    def get_schema(
        self,
        schema_id: int,
        subject_name: str | None = None,
        fmt: str | None = None,
        reference_format: str | None = None,
    ) -> Schema:
        with translated():
            return from_model(self.registry.get(schema_id, subject=subject_name, format=fmt))

    def get_schema_by_guid(self, guid: str, fmt: str | None = None) -> Schema:
        with translated():
            return from_model(self.registry.get_by_guid(guid, format=fmt))

    def get_schema_types(self) -> list[str]:
        with translated():
            return self.registry.types()

    def get_subjects_by_schema_id(self, schema_id: int) -> list[str]:
        with translated():
            return self.registry.subjects_of(schema_id)

    def get_schema_versions(self, schema_id: int) -> list[tuple[str, int]]:
        with translated():
            return self.registry.versions_of(schema_id)

    def lookup_schema(
        self, subject_name: str, schema: Schema, normalize_schemas: bool = False, fmt: str | None = None,
        deleted: bool = False,
    ) -> RegisteredSchema:  # fmt: skip
        with translated():
            found = self.registry.lookup(subject_name, to_model(schema), normalize=normalize_schemas, deleted=deleted)
            return registered(found)

    def get_subjects(self, subject_prefix: str | None = None, deleted: bool = False, **more: Any) -> list[str]:
        with translated():
            return self.registry.subjects(subject_prefix, deleted=deleted)

    def delete_subject(self, subject_name: str, permanent: bool = False) -> list[int]:
        with translated():
            found = self.registry.delete_subject(subject_name)
            if permanent:
                self.registry.delete_subject(subject_name, permanent=True)
            return found

    def get_latest_version(self, subject_name: str, fmt: str | None = None) -> RegisteredSchema:
        with translated():
            return registered(self.registry.version(subject_name, format=fmt))

    def get_latest_with_metadata(
        self, subject_name: str, metadata: dict[str, str], deleted: bool = False, fmt: str | None = None
    ) -> RegisteredSchema:
        with translated():
            return registered(self.registry.latest(subject_name, metadata=metadata))

    def get_version(
        self, subject_name: str, version: int | str = "latest", deleted: bool = False, fmt: str | None = None
    ) -> RegisteredSchema:
        with translated():
            return registered(self.registry.version(subject_name, version, deleted=deleted, format=fmt))

    def get_referenced_by(self, subject_name: str, version: int | str = "latest", **more: Any) -> list[int]:
        with translated():
            return self.registry.referenced_by(subject_name, version)

    def get_versions(self, subject_name: str, deleted: bool = False, **more: Any) -> list[int]:
        with translated():
            return self.registry.versions(subject_name, deleted=deleted)

    def delete_version(self, subject_name: str, version: int, permanent: bool = False) -> int:
        with translated():
            found = self.registry.delete_version(subject_name, version)
            if permanent:
                self.registry.delete_version(subject_name, version, permanent=True)
            return found

    def set_compatibility(self, subject_name: str | None = None, level: str | None = None) -> dict[str, Any]:
        if level is None:
            raise ValueError("level must be set")
        with translated():
            return self.registry.set_config(subject_name, compatibility=level.upper())

    def get_compatibility(self, subject_name: str | None = None) -> str:
        with translated():
            return self.registry.compatibility(subject_name)

    def test_compatibility(
        self, subject_name: str, schema: Schema, version: int | str = "latest", normalize: bool = False,
        verbose: bool = False,
    ) -> bool:  # fmt: skip
        with translated():
            return self.registry.is_compatible(subject_name, to_model(schema), version, normalize=normalize)

    def test_compatibility_all_versions(
        self, subject_name: str, schema: Schema, normalize: bool = False, verbose: bool = False
    ) -> bool:
        return self.test_compatibility(subject_name, schema, "all", normalize)

    def set_config(self, subject_name: str | None = None, config: ServerConfig | None = None) -> ServerConfig:
        if config is None:
            raise ValueError("config must be set")
        with translated():
            return ServerConfig.from_dict(self.registry.set_config(subject_name, **config.to_dict()))

    def get_config(self, subject_name: str | None = None) -> ServerConfig:
        with translated():
            return ServerConfig.from_dict(self.registry.config(subject_name))

    def delete_config(self, subject_name: str | None = None) -> ServerConfig:
        with translated():
            found = self.registry.delete_config(subject_name)
            return ServerConfig.from_dict(found if isinstance(found, dict) else {})

    def get_mode(self, subject_name: str) -> str:
        with translated():
            return self.registry.mode(subject_name)

    def update_mode(self, subject_name: str, mode: str, force: bool = False) -> str:
        with translated():
            return self.registry.set_mode(mode, subject_name, force=force)

    def delete_mode(self, subject_name: str) -> str:
        with translated():
            found = self.registry.delete_mode(subject_name)
            return str(found.get("mode") if isinstance(found, dict) else found)

    def get_global_mode(self) -> str:
        with translated():
            return self.registry.mode()

    def update_global_mode(self, mode: str, force: bool = False) -> str:
        with translated():
            return self.registry.set_mode(mode, force=force)

    def get_contexts(self, offset: int = 0, limit: int = -1) -> list[str]:
        with translated():
            return self.registry.contexts()

    def clear_latest_caches(self) -> None:
        self.registry.clear_caches(latest_only=True)

    def clear_caches(self) -> None:
        self.registry.clear_caches()

    @staticmethod
    def new_client(conf: dict[str, Any]) -> SchemaRegistryClient:
        return SchemaRegistryClient(conf)


class AsyncSchemaRegistryClient:
    """The same verbs, awaited."""

    def __init__(self, conf: dict[str, Any]) -> None:
        self.blocking = SchemaRegistryClient(conf)
        self.registry = self.blocking.registry

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        self.registry.close()

    def config(self) -> dict[str, Any]:
        return self.blocking.config()

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.blocking, name)
        if name.startswith("clear_"):
            return verb

        async def call(*arguments: Any, **more: Any) -> Any:
            return await asyncio.wrap_future(self.registry.submit(functools.partial(verb, *arguments, **more)))

        return call

    @staticmethod
    def new_client(conf: dict[str, Any]) -> AsyncSchemaRegistryClient:
        return AsyncSchemaRegistryClient(conf)
