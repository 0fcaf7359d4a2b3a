"""What a schema registry answers when it refuses, and when it cannot be asked.

`http_status` and `error_code` are Confluent's: 40401 subject, 40402 version, 40403 schema not found; 42201 schema invalid;
409 not compatible; 50001 the registry's store; -1 where the answer was no answer of a registry.
"""

from __future__ import annotations

from typing import Any

from ..errors import ClientError

SUBJECT_NOT_FOUND = 40401
VERSION_NOT_FOUND = 40402
SCHEMA_NOT_FOUND = 40403
NOT_FOUND = {404, SUBJECT_NOT_FOUND, VERSION_NOT_FOUND, SCHEMA_NOT_FOUND}
#: Statuses after which the same request may succeed later, or elsewhere.
RETRIABLE = {408, 429, 500, 502, 503, 504}


class RegistryError(ClientError):
    """The registry refused, or gave what is no answer. `http_status`, `error_code`: see the head of the module."""

    def __init__(self, message: str, *, http_status: int = -1, error_code: int = -1, **more: Any) -> None:
        more.setdefault("retriable", http_status in RETRIABLE)
        super().__init__(message, api="schema registry", **more)
        self.http_status = http_status
        self.error_code = error_code

    @property
    def is_not_found(self) -> bool:
        """Whether the registry has no such subject, version or schema."""
        return self.error_code in NOT_FOUND or (self.error_code == -1 and self.http_status == 404)

    def __str__(self) -> str:
        text = super().__str__()
        return text if self.http_status < 0 else f"{text} [HTTP {self.http_status}, code {self.error_code}]"


class RegistryUnreachableError(RegistryError):
    """No URL of the registry answered; `causes` has the error of each."""

    def __init__(self, message: str, causes: list[Exception], **more: Any) -> None:
        super().__init__(message, retriable=True, **more)
        self.causes = causes
