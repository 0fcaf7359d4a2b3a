"""How a batch of metadata records lies in the metadata log: Kafka's frames (`stored/metadata_frame`), each after its length.

    length (uvarint) | frame version | record type | record version | fields      … and again, to the end of the batch
                      └───── the value of a record of Kafka's __cluster_metadata ─────┘

Lengths are checked against the batch; what does not fit, or was written by a newer release, is `RemoteProtocolError`.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..protocol.errors import RemoteProtocolError
from ..protocol.schema import Data
from ..protocol.stored import metadata_frame
from ..protocol.wire import read_uvarint, write_uvarint


def encode_records(records: Iterable[Data]) -> bytes:
    """Join records to what one append stores."""
    parts: list[bytes] = []
    for record in records:
        frame = metadata_frame.write(record)
        parts += (write_uvarint(len(frame)), frame)
    return b"".join(parts)


def decode_records(data: bytes) -> list[Data]:
    """Split what one append stored."""
    view = memoryview(data)
    records, pos = [], 0
    while pos < len(view):
        try:
            length, pos = read_uvarint(view, pos)
        except IndexError:
            raise RemoteProtocolError("a batch of metadata records ends within a length") from None
        if pos + length > len(view):
            raise RemoteProtocolError(f"a metadata record of {length} bytes ends beyond its batch")
        records.append(metadata_frame.read(view[pos : pos + length])[0])
        pos += length
    return records
