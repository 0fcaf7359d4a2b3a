"""Records of the cluster metadata log: the frame around each, and which class its type number stands for.

    value  │ frame version uvarint = 1 │ record type uvarint │ version uvarint │ fields …       (the log record has no key)

Unlike coordinators, Kafka's controller refuses bytes behind the last field, and so does `read`.
"""

from __future__ import annotations

from ..codec import Buffer, decoder, encode
from ..errors import RemoteProtocolError
from ..schema import Data
from ..wire import read_uvarint, write_uvarint
from . import metadata

FRAME_VERSION = 1

#: Record type -> class.
RECORD_TYPES: dict[int, type[Data]] = {
    x.API_KEY: x for x in vars(metadata).values() if isinstance(x, type) and issubclass(x, Data) and x is not Data
}


def write(record: Data, version: int | None = None) -> bytes:
    """Frame a metadata record, in its newest version unless another is named."""
    number = record.VERSIONS.high if version is None else version
    head = write_uvarint(FRAME_VERSION) + write_uvarint(record.API_KEY) + write_uvarint(number)
    return head + encode(record, number)


def read(data: Buffer) -> tuple[Data, int]:
    """Read a framed metadata record; returns it and its version."""
    try:
        frame, pos = read_uvarint(data, 0)
        kind, pos = read_uvarint(data, pos)
        version, pos = read_uvarint(data, pos)
    except IndexError:
        raise RemoteProtocolError("a metadata record ends within its frame") from None
    if frame != FRAME_VERSION:
        raise RemoteProtocolError(f"a metadata record has frame version {frame}, known is {FRAME_VERSION}")
    if kind not in RECORD_TYPES or version not in RECORD_TYPES[kind].VERSIONS:
        raise RemoteProtocolError(f"metadata record type {kind} version {version} is not known")
    record, end = decoder(RECORD_TYPES[kind], version)(data, pos)
    if end != len(data):
        raise RemoteProtocolError(f"{len(data) - end} bytes follow a {type(record).__name__} in its frame")
    return record, version
