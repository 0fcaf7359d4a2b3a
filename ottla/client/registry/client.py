"""`ottla.Registry`: the registry's verbs with `await`; see blocking.py, which each of them runs in a thread of the registry's own.

The threads are few and this registry's alone, so that a slow one holds up nobody else: neither the loop nor the loop's own
threads, which look up addresses. Serializers and deserializers of asynchronous clients wait for schemas in the same way.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from .blocking import Registry as BlockingRegistry
from .model import RegisteredSchema, Schema
from .settings import RegistrySettings

T = TypeVar("T")


class Registry:
    """A schema registry. `settings`: an address (several with commas), a dict of Confluent's names, and keywords."""

    def __init__(self, settings: RegistrySettings | Mapping[str, Any] | str | None = None, **more: Any) -> None:
        self.blocking = BlockingRegistry(settings, **more)

    @property
    def settings(self) -> RegistrySettings:
        return self.blocking.settings

    async def run(self, work: Callable[..., T], *arguments: Any, **more: Any) -> T:
        """Run something that asks the registry, in one of its threads."""
        return await asyncio.wrap_future(self.blocking.submit(functools.partial(work, *arguments, **more)))

    async def close(self) -> None:
        """Close idle connections and end the threads."""
        self.blocking.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return repr(self.blocking)

    def clear_caches(self, *, latest_only: bool = False) -> None:
        """Ask anew from now on, for everything or for what is latest."""
        self.blocking.clear_caches(latest_only=latest_only)

    async def register(self, subject: str, schema: Schema, *, normalize: bool = False) -> RegisteredSchema:
        """Register a schema under a subject (again: gives what is there) and return it with its id."""
        return await self.run(self.blocking.register, subject, schema, normalize=normalize)

    async def lookup(
        self, subject: str, schema: Schema, *, normalize: bool = False, deleted: bool = False
    ) -> RegisteredSchema:
        """Where a schema is registered under a subject; RegistryError (not found) where it is not."""
        return await self.run(self.blocking.lookup, subject, schema, normalize=normalize, deleted=deleted)

    async def get(self, schema_id: int, *, subject: str | None = None, format: str | None = None) -> Schema:  # noqa: A002
        """The schema with an id."""
        return await self.run(self.blocking.get, schema_id, subject=subject, format=format)

    async def get_by_guid(self, guid: str, *, format: str | None = None) -> Schema:  # noqa: A002
        """The schema with a GUID."""
        return await self.run(self.blocking.get_by_guid, guid, format=format)

    async def version(
        self,
        subject: str,
        version: int | str = "latest",
        *,
        deleted: bool = False,
        format: str | None = None,  # noqa: A002
    ) -> RegisteredSchema:
        """The schema that stands under a subject as this version, or as the latest."""
        return await self.run(self.blocking.version, subject, version, deleted=deleted, format=format)

    async def latest(self, subject: str, *, metadata: Mapping[str, str] | None = None) -> RegisteredSchema:
        """The latest version of a subject, or the latest with this metadata."""
        return await self.run(self.blocking.latest, subject, metadata=metadata)

    async def subjects(self, prefix: str | None = None, *, deleted: bool = False) -> list[str]:
        """The names of all subjects, or of those that begin so."""
        return await self.run(self.blocking.subjects, prefix, deleted=deleted)

    async def versions(self, subject: str, *, deleted: bool = False) -> list[int]:
        """The versions of a subject."""
        return await self.run(self.blocking.versions, subject, deleted=deleted)

    async def subjects_of(self, schema_id: int) -> list[str]:
        """The subjects under which a schema stands."""
        return await self.run(self.blocking.subjects_of, schema_id)

    async def versions_of(self, schema_id: int) -> list[tuple[str, int]]:
        """(subject, version) wherever a schema stands."""
        return await self.run(self.blocking.versions_of, schema_id)

    async def referenced_by(self, subject: str, version: int | str = "latest") -> list[int]:
        """The ids of the schemas that refer to this one."""
        return await self.run(self.blocking.referenced_by, subject, version)

    async def delete_subject(self, subject: str, *, permanent: bool = False) -> list[int]:
        """Delete all versions of a subject; `permanent` only after a deletion without."""
        return await self.run(self.blocking.delete_subject, subject, permanent=permanent)

    async def delete_version(self, subject: str, version: int | str, *, permanent: bool = False) -> int:
        """Delete one version of a subject."""
        return await self.run(self.blocking.delete_version, subject, version, permanent=permanent)

    async def is_compatible(
        self, subject: str, schema: Schema, version: int | str = "latest", *, normalize: bool = False
    ) -> bool:
        """Whether a schema may follow a version of the subject ("all": every version)."""
        return await self.run(self.blocking.is_compatible, subject, schema, version, normalize=normalize)

    async def incompatibilities(
        self, subject: str, schema: Schema, version: int | str = "latest", *, normalize: bool = False
    ) -> list[str]:
        """Why a schema may not follow a version of the subject; an empty list where it may."""
        return await self.run(self.blocking.incompatibilities, subject, schema, version, normalize=normalize)

    async def config(self, subject: str | None = None, *, default_to_global: bool = False) -> dict[str, Any]:
        """The configuration of a subject, or that of all."""
        return await self.run(self.blocking.config, subject, default_to_global=default_to_global)

    async def set_config(self, subject: str | None = None, **config: Any) -> dict[str, Any]:
        """Change the configuration of a subject, or of all: `compatibility="BACKWARD"`, and what else the API has."""
        return await self.run(self.blocking.set_config, subject, **config)

    async def delete_config(self, subject: str | None = None) -> Any:
        """Back to the configuration of all, or to the default."""
        return await self.run(self.blocking.delete_config, subject)

    async def compatibility(self, subject: str | None = None) -> str:
        """The level of compatibility of a subject, or of all."""
        return await self.run(self.blocking.compatibility, subject)

    async def mode(self, subject: str | None = None) -> str:
        """READWRITE, READONLY, IMPORT …, of a subject or of all."""
        return await self.run(self.blocking.mode, subject)

    async def set_mode(self, mode: str, subject: str | None = None, *, force: bool = False) -> str:
        """Change the mode of a subject, or of all."""
        return await self.run(self.blocking.set_mode, mode, subject, force=force)

    async def delete_mode(self, subject: str) -> Any:
        """Back to the mode of all."""
        return await self.run(self.blocking.delete_mode, subject)

    async def contexts(self) -> list[str]:
        """The contexts of the registry."""
        return await self.run(self.blocking.contexts)

    async def types(self) -> list[str]:
        """The types of schemas that the registry knows."""
        return await self.run(self.blocking.types)
