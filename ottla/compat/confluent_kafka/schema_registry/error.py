"""confluent_kafka.schema_registry.error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ....client.errors import ClientError
from ....client.registry.errors import RegistryError
from ..serialization import SerializationError


class SchemaRegistryError(Exception):
    """The registry refused; -1 where it gave no answer of its own."""

    UNKNOWN = -1

    def __init__(self, http_status_code: int, error_code: int, error_message: str) -> None:
        self.http_status_code = http_status_code
        self.error_code = error_code
        self.error_message = error_message

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self.error_message} (HTTP status code {self.http_status_code}, SR code {self.error_code})"


@contextmanager
def translated() -> Iterator[None]:
    """The errors of Ottla's client under the names that programs catch."""
    try:
        yield
    except RegistryError as problem:
        raise SchemaRegistryError(problem.http_status, problem.error_code, problem.message) from problem
    except ClientError as problem:
        if isinstance(problem, ValueError):
            raise
        raise SerializationError(str(problem)) from problem
