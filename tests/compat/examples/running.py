"""Run one example with the shim's import, and judge what it says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from ottla.client.admin.configs import ConfigResource
from ottla.client.errors import ClientError
from ottla.sync import Admin, Producer
from tests.compat.examples.cases import B, Case

#: An example that has not said everything by then has failed.
PATIENCE_S = 120.0
#: An endless one that says nothing, or that works at its input, is interrupted after so long.
_QUIET_S = 10.0
_FROM = re.compile(r"^(\s*)from (confluent_kafka|aiokafka|kafka)(?=[.\s])", re.MULTILINE)
_IMPORT = re.compile(r"^(\s*)import (confluent_kafka|aiokafka|kafka)$", re.MULTILINE)
_BLOCK = re.compile(r"^\.\. code(?:-block)?:: *python\n((?:(?:[ \t].*)?\n)+)", re.MULTILINE)


def shimmed(text: str) -> str:
    """The program with its imports changed, and nothing else."""
    return _IMPORT.sub(r"\1from ottla.compat import \2", _FROM.sub(r"\1from ottla.compat.\2", text))


def program(source: Path, case: Case) -> str:
    """The text of the program."""
    name, _, numbers = case.path.partition("#")
    text = (source / name).read_text()
    if not numbers:
        return text
    found = [textwrap.dedent(block) for block in _BLOCK.findall(text)]
    blocks = "\n".join(found[int(number)] for number in numbers.split(","))
    return case.preface + blocks.replace("localhost:1234", B)


class Run:
    """An example that runs."""

    def __init__(self, folder: Path, text: str, case: Case, registry: str) -> None:
        self.case = case
        script = folder / "program.py"
        script.write_text(text)
        (folder / "six").mkdir(exist_ok=True)  # some ask Python 2's package for `input`
        (folder / "six" / "__init__.py").touch()
        (folder / "six" / "moves.py").write_text("input = input\n")
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
        self._process = subprocess.Popen(
            [sys.executable, str(script), *(each.format(registry=registry) for each in case.arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, cwd=folder, env=environment,
        )  # fmt: skip
        self.said = ""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(case.stdin)
        self._process.stdin.flush()
        if not case.interactive:
            self._process.stdin.close()
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, out: IO[str]) -> None:
        for line in out:
            self.said += line

    def left(self, closing: bool = False) -> list[str]:
        """What it has not said."""
        wanted = (*self.case.expect, *self.case.closing) if closing else self.case.expect
        return [each for each in wanted if not re.search(each, self.said)]

    def judge(self, producer: Producer[str, str]) -> str:
        """ "" where it is right, else what is wrong."""
        began = time.monotonic()
        interrupted = False
        said_at: float | None = None
        quiet_s = _QUIET_S if self.case.interactive or not self.case.expect else 0.0
        while self._process.poll() is None and time.monotonic() < began + PATIENCE_S:
            for topic, value in self.case.feed.items():
                for partition in range(self.case.topics.get(topic, 1)):
                    producer.enqueue(topic, value, partition=partition)
            self._reader.join(0.3)
            if said_at is None and not self.left():
                said_at = time.monotonic()
            enough = said_at is not None and time.monotonic() >= said_at + quiet_s
            if self.case.endless and not interrupted and enough:
                self._process.send_signal(signal.SIGINT)
                interrupted = True
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            return f"it does not end; not said: {self.left(closing=True)}"
        self._reader.join(5.0)
        left = self.left(closing=True)
        if self._process.returncode not in self.case.codes:
            return f"exit code {self._process.returncode}; not said: {left}"
        return f"not said: {left}" if left else ""


class Ground:
    """The cluster as an example wants it."""

    def __init__(self, bootstrap: str) -> None:
        self.admin = Admin(bootstrap)
        self.producer: Producer[str, str] = Producer(bootstrap, key=str, value=str)

    def lay(self, case: Case) -> None:
        """Make its topics anew where there are records, with their records."""
        for topic, partitions in {**dict.fromkeys((*case.records, *case.feed), 1), **case.topics}.items():
            with suppress(ClientError):
                self.admin.topics.create(topic, partitions=partitions)
        if case.share_group:
            self.admin.configs.set(ConfigResource.group(case.share_group), {"share.auto.offset.reset": "earliest"})
        for topic, values in case.records.items():
            if self.admin.topics.offsets([(topic, 0)])[topic, 0].offset < len(values):
                for value in values:
                    self.producer.enqueue(topic, value, partition=0)
        self.producer.flush()

    def close(self) -> None:
        self.producer.close()
        self.admin.close()


def report(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text(json.dumps(rows, indent=1))
