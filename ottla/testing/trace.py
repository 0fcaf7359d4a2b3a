"""Requests in words, for a person who looks at a failed test: what is usual is left out, what repeats is told once.

JoinGroup v5 from app: group_id='g', session_timeout_ms=45000, protocols=[{name='range', metadata=<24 bytes>}]
Heartbeat v3 from app, 35 times: group_id='g', generation_id=1, member_id='app-63a27830'
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..protocol.schema import Field, Struct

if TYPE_CHECKING:
    from .faults import Seen

#: Longer values end in dots; a line shall stay one that is read.
LINE_LENGTH = 300
#: Bytes up to a UUID's length are shown, longer ones counted.
BYTES_SHOWN = 16
#: Said even where they are 0, which is a partition like any other.
_ALWAYS = {"partition", "partition_index", "index"}


def lines(requests: Iterable[Seen]) -> list[str]:
    """One line for each request, or for several in a row that say the same."""
    told = ((f"{seen.api} v{seen.version} from {seen.client_id}", brief(seen.request)) for seen in requests)
    folded = [(*line, sum(1 for _ in same)) for line, same in groupby(told)]
    return [
        f"{head}{f', {count} times' if count > 1 else ''}{': ' if body else ''}{body:.{LINE_LENGTH}}"
        for head, body, count in folded
    ]


def brief(message: Struct) -> str:
    """The fields of a message that differ from their defaults."""
    values = [(field, getattr(message, field.name)) for field in message.FIELDS]
    return ", ".join(
        f"{field.name}={_text(value)}" for field, value in values if field.name in _ALWAYS or value != _default(field)
    )


def _default(field: Field) -> Any:
    return field.default() if callable(field.default) else field.default


def _text(value: Any) -> str:
    if isinstance(value, Struct):
        return f"{{{brief(value)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, bytes | bytearray | memoryview) and len(value) > BYTES_SHOWN:
        return f"<{len(value)} bytes>"
    return repr(bytes(value) if isinstance(value, memoryview) else value)
