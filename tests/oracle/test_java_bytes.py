"""Our bytes are Kafka's bytes: random values of every message and version, through Kafka's own Java classes.

For each value: Java reads what we wrote and writes the same bytes again; the JSON it makes of it names the same values;
and what Java writes when given those values by name is what we wrote, and is read back by us. Versions that Kafka 4.2
dropped go through Kafka 3.9. One Java process per release does them all.
"""

from __future__ import annotations

import json
import struct
import subprocess
from io import BufferedReader
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from ottla.protocol import codec
from ottla.protocol.errors import ErrorCode, RemoteProtocolError
from ottla.protocol.schema import Data
from tests.oracle.kafka_json import to_json, without_defaults
from tests.oracle.kafka_schemas import Theirs, kafka_3_9_jars, kafka_4_2_jars, schemas
from tests.protocol.messages import all_versions, random_message
from tests.support.jars import class_path

pytestmark = [pytest.mark.java, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("Reencode.java")
VALUES_PER_VERSION = 12
SEED = 20_261_121


class Case(NamedTuple):
    """A value of ours, and what Java made of it."""

    message: Data
    version: int
    schema: Theirs
    encoded: bytes
    json: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{type(self.message).__name__} v{self.version}"


class Answer(NamedTuple):
    """Bytes, or the text of Java's exception."""

    reencoded: bytes | str
    json: bytes | str
    from_json: bytes | str


def make_cases(*, old: bool) -> list[Case]:
    """Make the values for one of the two releases: the defaults, then random ones."""
    random = Random(SEED)
    newest = schemas(kafka_4_2_jars())
    cases = []
    for cls, version in all_versions():
        dropped = version not in newest[cls.__name__].versions
        if dropped != old:
            continue
        schema = schemas(kafka_3_9_jars())[cls.__name__] if dropped else newest[cls.__name__]
        for number in range(VALUES_PER_VERSION):
            message: Data = cls() if number == 0 else random_message(random, cls, version)
            cases.append(
                Case(message, version, schema, codec.encode(message, version), to_json(message, schema, version))
            )
    return cases


def _field(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def _read_field(stream: BufferedReader) -> bytes | str:
    (length,) = struct.unpack(">i", stream.read(4))
    if length < 0:
        (length,) = struct.unpack(">H", stream.read(2))
        return stream.read(length).decode("utf-8", "replace")
    return stream.read(length)


def ask_java(folder: Path, cases: list[Case], directory: Path) -> tuple[str, list[Answer]]:
    """Run the cases through one Java process; returns its error table and an answer per case."""
    source, target = directory / "cases", directory / "answers"
    with source.open("wb") as stream:
        for case in cases:
            name = case.schema.java_class.encode()
            stream.write(struct.pack(">H", len(name)) + name + struct.pack(">h", case.version))
            stream.write(_field(case.encoded) + _field(json.dumps(case.json).encode()))
    command = [
        "java",
        "-Xshare:auto",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        class_path(folder),
        str(PROGRAM),
        str(source),
        str(target),
    ]
    made = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert made.returncode == 0, made.stderr[-4000:]
    with target.open("rb") as stream:
        codes = _read_field(stream)
        assert isinstance(codes, bytes)
        return codes.decode(), [Answer(*(_read_field(stream) for _ in range(3))) for _ in cases]


def differences(case: Case, answer: Answer) -> list[str]:
    """Name what Java and we see differently."""
    found = []
    if answer.reencoded != case.encoded:
        found.append(f"{case.label}: we wrote {case.encoded!r}, Java made of it {answer.reencoded!r}")
    if isinstance(answer.json, str):
        found.append(f"{case.label}: Java has no JSON of it: {answer.json}")
    else:
        theirs = json.loads(answer.json)
        ours = without_defaults(theirs, case.json)
        if theirs != ours:
            found.append(f"{case.label}: Java reads {theirs}, we meant {ours}")
    if isinstance(answer.from_json, str):
        found.append(f"{case.label}: Java does not accept {case.json}: {answer.from_json}")
        return found
    try:
        decoded, end = codec.decoder(type(case.message), case.version)(answer.from_json, 0)
    except RemoteProtocolError as problem:
        return [*found, f"{case.label}: Java's {answer.from_json!r} for {case.json} is not read: {problem}"]
    if end != len(answer.from_json) or codec.encode(decoded, case.version) != answer.from_json:
        found.append(f"{case.label}: Java's {answer.from_json!r} is read as {decoded}")
    if case.encoded != answer.from_json and not has_unknown_tags(case.message):
        found.append(f"{case.label}: Java writes {answer.from_json!r}, we {case.encoded!r} for {case.json}")
    return found


def has_unknown_tags(value: Any) -> bool:
    """Tell whether a message carries tags that JSON cannot name."""
    if isinstance(value, list):
        return any(has_unknown_tags(item) for item in value)
    fields = getattr(value, "FIELDS", ())
    return getattr(value, "unknown_tags", None) is not None or any(
        has_unknown_tags(getattr(value, x.name)) for x in fields
    )


def judge(folder: Path, cases: list[Case], directory: Path) -> str:
    """Compare all cases and return the error table."""
    codes, answers = ask_java(folder, cases, directory)
    found = [text for case, answer in zip(cases, answers, strict=True) for text in differences(case, answer)]
    assert found == [], f"{len(found)} of {len(cases)} differ, the first:\n" + "\n".join(found[:5])
    return codes


def test_kafka_4_2_agrees_on_every_byte(tmp_path: Path) -> None:
    """All messages and versions that Kafka 4.2.1 knows; its error codes, names and retriability too."""
    codes = judge(kafka_4_2_jars(), make_cases(old=False), tmp_path)
    ours = [f"{int(code)} {code.name} {str(code.retriable).lower()}" for code in ErrorCode]
    assert codes.splitlines() == ours


def test_kafka_3_9_agrees_on_the_versions_dropped_since(tmp_path: Path) -> None:
    """The old versions that we keep for old clients."""
    judge(kafka_3_9_jars(), make_cases(old=True), tmp_path)


def test_no_version_is_left_out() -> None:
    """The two runs together hold every message and version."""
    judged = {(type(case.message), case.version) for old in (False, True) for case in make_cases(old=old)}
    assert judged == set(all_versions())
