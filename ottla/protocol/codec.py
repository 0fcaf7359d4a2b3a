"""Encodes and decodes messages: one straight-line function per class and version, compiled when first needed.

How it works
------------
`schema` says what a message is; `codec_decode` and `codec_encode` turn one class in one version into the source of a
Python function without a single decision left that depends on the version; `exec` compiles it, and it is kept. All
versions of all APIs would be some thousand functions, of which a broker ever needs a few dozen. To see one:

    python -m ottla.protocol.codec ProduceRequest 9

Contract
--------
- `decoder(cls, version)(buffer, pos)` returns the message and the position behind it. Bytes that are no such message
  raise RemoteProtocolError, and nothing else, whatever they are. Record batches become `memoryview`s of the buffer.
- `encoder(cls, version)(message)` returns buffers to be sent one after the other: a single `bytes`, unless there are
  record batches, which are passed on uncopied between the others. What the version cannot say raises
  LocalProtocolError: null or a wrong type, a string above 32,767 bytes, or a value set in a field that the version
  lacks and that is not ignorable.
- Memory: beside strings and bytes, which take at most four times what they had on the wire, the objects made from
  one buffer take at most `REQUEST_OBJECTS_MEMORY_MAX` (requests) or `OBJECTS_MEMORY_MAX` (all else), however many
  elements the bytes claim or really contain.
- Tagged fields: any order is understood, ascending order is written. A size that differs from that of the value is
  refused, where Apache Kafka reads on at the wrong place.
"""

from __future__ import annotations

import linecache
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from . import _codec_cy
from .codec_decode import decoder_source
from .codec_encode import encoder_source
from .errors import LocalProtocolError, RemoteProtocolError
from .schema import Data, Request
from .wire import Buffer

__all__ = ["Buffer", "decode", "decoder", "encode", "encoder", "source"]

#: A request of 100 MiB (Kafka's default limit of a frame) made of empty elements would fill gigabytes with objects.
#: 64 MiB is room for a Fetch of 250,000 partitions or a Metadata request of 500,000 topics.
REQUEST_OBJECTS_MEMORY_MAX = 64 << 20
#: Responses and stored records come from brokers that were chosen and from our own disk: enough for the Metadata of
#: two million partitions, and still a bound.
OBJECTS_MEMORY_MAX = 1 << 30

MessageT = TypeVar("MessageT", bound=Data)


def _compile(text: str, scope: dict[str, Any], name: str, label: str) -> Any:
    """Run the source of a function, registered so that a traceback shows its lines."""
    filename = f"<{label}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), scope)  # noqa: S102
    return scope[name]


def _check_version(cls: type[Data], version: int) -> None:
    if version not in cls.VERSIONS:
        raise LocalProtocolError(f"{cls.__name__} has versions {cls.VERSIONS}, not {version}")


def _decoder_source(cls: type[Data], version: int) -> tuple[str, dict[str, Any]]:
    _check_version(cls, version)
    room = REQUEST_OBJECTS_MEMORY_MAX if issubclass(cls, Request) else OBJECTS_MEMORY_MAX
    return decoder_source(cls, version, version in cls.FLEXIBLE, room)


def _encoder_source(cls: type[Data], version: int) -> tuple[str, dict[str, Any]]:
    _check_version(cls, version)
    return encoder_source(cls, version, version in cls.FLEXIBLE)


@cache
def decoder(cls: type[MessageT], version: int) -> Callable[[Buffer, int], tuple[MessageT, int]]:
    """Return the function that reads a message of this class and version from a buffer at a position."""
    label = f"{cls.__name__} v{version}"

    def unreadable(error: Exception) -> RemoteProtocolError:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else "it ends too early"
        return RemoteProtocolError(f"{label}: {reason} ({error})")

    text, scope = _decoder_source(cls, version)
    scope.update(malformed=(IndexError, struct.error, UnicodeDecodeError), unreadable=unreadable)
    found: Callable[[Buffer, int], tuple[MessageT, int]] = _compile(text, scope, "decode", f"decode {label}")
    table = _codec_cy.program(cls, version) if _codec_cy.is_compiled() else None
    return found if table is None else _codec_cy.Decoder(table, found)


@cache
def encoder(cls: type[MessageT], version: int) -> Callable[[MessageT], list[Buffer]]:
    """Return the function that writes a message of this class and version."""
    label = f"{cls.__name__} v{version}"

    def unwritable(error: Exception) -> LocalProtocolError:
        return LocalProtocolError(f"{label}: {error}")

    text, scope = _encoder_source(cls, version)
    wrong = (AttributeError, TypeError, struct.error, UnicodeEncodeError, OverflowError)
    scope.update(unencodable=wrong, unwritable=unwritable)
    found: Callable[[MessageT], list[Buffer]] = _compile(text, scope, "encode", f"encode {label}")
    table = _codec_cy.program(cls, version) if _codec_cy.is_compiled() else None
    return found if table is None else _codec_cy.Encoder(table, found)


def decode(cls: type[MessageT], data: Buffer, version: int, pos: int = 0) -> MessageT:
    """Read one message; what follows it is left alone, as Kafka does with a request."""
    found: MessageT = decoder(cls, version)(data, pos)[0]
    return found


def encode(message: Data, version: int) -> bytes:
    """Write one message as one run of bytes."""
    return b"".join(encoder(type(message), version)(message))


def source(cls: type[Data], version: int) -> str:
    """Return the Python source of the decoder and encoder, for a curious person or a compiler."""
    return _decoder_source(cls, version)[0] + "\n\n" + _encoder_source(cls, version)[0]


def _main() -> None:
    """Print the generated source of the message and version named on the command line."""
    import sys

    from .apis import API_KEYS, request_class, response_class

    name, version = sys.argv[1], int(sys.argv[2])
    classes = {x.__name__: x for key in API_KEYS for x in (request_class(key), response_class(key))}
    sys.stdout.write(source(classes[name], version))


if __name__ == "__main__":
    _main()
