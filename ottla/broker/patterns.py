"""Patterns that come from clients: RE2, in linear time whatever the pattern."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import re2

from ..protocol.errors import ErrorCode, KafkaError

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> Callable[[str], object]:
    """Return what tells whether a whole text matches; raises INVALID_REGULAR_EXPRESSION."""
    try:
        compiled = re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        raise KafkaError(
            ErrorCode.INVALID_REGULAR_EXPRESSION, f"`{pattern}` is not a valid regular expression: {error}."
        ) from None
    match: Callable[[str], object] = compiled.fullmatch
    return match
