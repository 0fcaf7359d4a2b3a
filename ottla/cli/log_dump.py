"""`ottla log dump`: print what a file of a data folder says, for people or (`--json`) one object a line for programs.

The exit code is 1 if anything in the files is damaged. In JSON, keys and values are text where they are UTF-8 and
{"base64": …} where they are not.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import json
import os
from pathlib import Path
from typing import Any

from .log_files import Row, rows
from .trouble import MISUSED, Trouble


def run(arguments: argparse.Namespace) -> int:
    """Print every file; 1 if any of them is damaged."""
    damaged = False
    for path in arguments.files:
        if not arguments.json and len(arguments.files) > 1:
            print(f"{path}:")
        damaged |= _dump(path, records=arguments.records, as_json=arguments.json)
    return 1 if damaged else 0


def _dump(path: Path, *, records: bool, as_json: bool) -> bool:
    if not os.path.lexists(path) and os.access(path.parent, os.X_OK):
        raise Trouble(f"there is no file {path}", "check the path", MISUSED)
    if path.is_dir():
        raise Trouble(f"{path} is a folder", f"name its files: ottla log dump {path}/*.log", MISUSED)
    damaged, last_kind = False, ""
    try:
        for row in rows(path, records=records):
            damaged |= "fault" in row
            if as_json:
                print(json.dumps(_jsonable({"file": str(path), **row})))
            else:
                if row["kind"] != last_kind and row["kind"] in _COLUMNS and not (records and last_kind):
                    print(_heading(row["kind"]))
                last_kind = row["kind"]
                print(_line(row))
    except ValueError as error:
        raise Trouble(
            str(error), "name a segment, index, snapshot or checkpoint: ottla log dump --help", MISUSED
        ) from error
    return damaged


#: Kind of row -> (heading, width, how the cell is made) of each column.
_COLUMNS: dict[str, list[tuple[str, int]]] = {
    "batch": [("position", 11), ("base_offset", 12), ("last_offset", 12), ("count", 7), ("size", 9), ("leader_epoch", 13),
              ("compression", 12), ("max_timestamp", 24), ("producer_id", 12), ("producer_epoch", 15), ("base_sequence", 14)],
    "entry": [("offset", 12), ("position", 12), ("timestamp", 24)],
    "producer": [("producer_id", 12), ("producer_epoch", 15), ("last_sequence", 14), ("last_offset", 12),
                 ("last_timestamp", 24), ("coordinator_epoch", 18), ("current_txn_first_offset", 25)],
    "aborted": [("producer_id", 12), ("first_offset", 13), ("last_offset", 12), ("last_stable_offset", 19)],
    "epoch": [("leader_epoch", 13), ("start_offset", 13)],
    "offset": [("offset", 12), ("partition", 10), ("topic", 0)],
}  # fmt: skip


def _heading(kind: str) -> str:
    return "".join(name.rjust(width) if width else f"  {name}" for name, width in _COLUMNS[kind])


def _line(row: Row) -> str:
    kind = row["kind"]
    fault = f"  DAMAGED: {row['fault']}" if "fault" in row else ""
    if kind in _COLUMNS:
        cells = (
            _cell(name, row.get(name, "")).rjust(width) if width else f"  {row.get(name)}"
            for name, width in _COLUMNS[kind]
        )
        marks = "".join(f"  {mark}" for mark in ("transactional", "control") if row.get(mark))
        return "".join(cells) + marks + fault
    if kind == "record":
        headers = "".join(f" {name}={_text(value)}" for name, value in row["headers"])
        body = f"{_text(row['key'])} → {_text(row['value'])}" if "decoded" not in row else _decoded(row["decoded"])
        return f"    | {row['offset']:>8}  {_time(row['timestamp'])}  {body}{'  headers:' + headers if headers else ''}{fault}"
    if kind == "fault":
        return f"{row.get('position', '')!s:>11}{fault}"
    return "  " + "  ".join(str(value) for name, value in row.items() if name != "kind")


def _cell(name: str, value: Any) -> str:
    return _time(value) if "timestamp" in name and value != "" else str(value)


def _time(timestamp_ms: int) -> str:
    """UTC; a time that no calendar has stays a number."""
    try:
        moment = datetime.datetime.fromtimestamp(timestamp_ms / 1000, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        return str(timestamp_ms)
    return (
        moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{timestamp_ms % 1000:03d}" if timestamp_ms >= 0 else str(timestamp_ms)
    )


def _text(data: bytes | None) -> str:
    return "null" if data is None else repr(data)[1:]


def _decoded(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_jsonable(value))


def _jsonable(value: Any) -> Any:
    """Bytes as text where they are text, otherwise as base64; ids of 16 bytes that are no text as Kafka writes them."""
    if isinstance(value, dict):
        return {name: _jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(data).decode()}
    return value
