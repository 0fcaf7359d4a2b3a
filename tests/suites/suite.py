"""What a suite is, what it says, and the broker it is let loose on.

    Suite ──run(Trial)──► [Outcome, ...]            one Outcome per test of the suite: passed, failed or skipped
              │
              └─ Trial: a broker of its own in a fresh folder, the form (short: CI, full: the command), a place for logs

A suite is somebody else's program; its module here only gets it, builds it, runs it and reads its verdicts. It knows nothing
of which broker it speaks with, so the same call judges Ottla and Apache Kafka. What a suite is known to fail stands in
`exceptions.py` with its reason; whatever else fails is a finding.

`Trial.restarting(seconds)` is the storm some suites run in: the broker is killed (-9) and started again on its folder and
port, every so many seconds, until the block is left.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.clients.brokers import OttlaProcess
from tests.support.kafka_jvm import KafkaJvm, free_port

from . import scram
from .front import Front

Verdict = Literal["pass", "fail", "skip"]
Form = Literal["short", "full"]
Brokers = Literal["ottla", "kafka"]

BROKERS: tuple[Brokers, ...] = ("ottla", "kafka")


class Unavailable(Exception):
    """What a suite needs to be had or built is not on this machine."""


@dataclass(frozen=True)
class Outcome:
    """What one test of a suite said."""

    test: str
    verdict: Verdict
    detail: str = ""
    seconds: float = 0.0


@dataclass
class Trial:
    """One run of a suite: a broker that answers, and what the suite may know of it."""

    broker: OttlaProcess | KafkaJvm
    folder: Path
    form: Form
    #: Only these tests, as the suite writes them; empty means those of the form.
    only: str = ""
    kills: int = 0
    #: The address the suite is given, where it is not the broker's own.
    front: Front | None = None
    #: Where clients log in by SCRAM, for suites with `scram`.
    scram_bootstrap: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bootstrap(self) -> str:
        return self.broker.bootstrap if self.front is None else self.front.bootstrap

    @property
    def full(self) -> bool:
        return self.form == "full"

    def log(self, name: str) -> Path:
        """A file for what a program says."""
        return self.folder / f"{name}.log"

    def kill_and_restart(self) -> None:
        """kill -9, and start on the same folder and port; returns when it answers."""
        with self._lock:
            self.broker.kill()
            self.broker.start()
            self.kills += 1

    @contextmanager
    def restarting(self, every_s: float) -> Iterator[None]:
        """The broker is killed and started again every `every_s` seconds while the block runs."""
        over, trouble = threading.Event(), []

        def storm() -> None:
            while not over.wait(every_s):
                try:
                    self.kill_and_restart()
                except Exception as error:  # noqa: BLE001  raised again in the caller's thread, below
                    trouble.append(error)
                    return

        thread = threading.Thread(target=storm, name="restarts")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        if trouble:
            raise trouble[0]


@dataclass(frozen=True)
class Suite:
    """One row of the report card."""

    name: str
    #: Whose suite it is, with its version, as a reader of the report card sees it.
    title: str
    #: What it does here, in one sentence.
    what: str
    run: Callable[[Trial], list[Outcome]]
    #: Fetches and builds; raises `Unavailable`. Called before a broker is started.
    prepare: Callable[[], object] = lambda: None
    #: Broker settings, the same names for both brokers.
    settings: Mapping[str, str] = field(default_factory=dict)
    #: Clients wait, and are not refused, while the broker is down (front.py).
    fronted: bool = False
    #: The broker has a second listener with SCRAM and a user (scram.py).
    scram: bool = False


@contextmanager
def trial(suite: Suite, broker: Brokers, folder: Path, form: Form, only: str = "") -> Iterator[Trial]:
    """A fresh broker for one run; stopped afterwards, and killed if it does not stop."""
    settings = {"group.initial.rebalance.delay.ms": "0", **suite.settings}
    port, scram_port = free_port(), free_port()
    if suite.scram:
        settings |= scram.settings(broker, port, scram_port)
    with ExitStack() as stack:
        front = stack.enter_context(Front(port)) if suite.fronted else None
        if front is not None:
            settings["advertised.listeners"] = f"PLAINTEXT://{front.bootstrap}"
        settings.setdefault("advertised.listeners", f"PLAINTEXT://127.0.0.1:{port}")  # said by both, or by neither
        folder.mkdir(parents=True, exist_ok=True)
        started: OttlaProcess | KafkaJvm = (
            OttlaProcess(folder / "broker", port, settings)
            if broker == "ottla"
            else KafkaJvm(folder / "broker", port, settings)
        )
        stack.enter_context(started)
        if suite.scram:
            scram.create_user(port)
        address = f"127.0.0.1:{scram_port}" if suite.scram else ""
        yield Trial(started, folder, form, only, front=front, scram_bootstrap=address)


def call(
    command: Sequence[str], log: Path, timeout_s: float, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> tuple[int | None, str]:
    """Runs a program with its output in `log`: (exit code, or None if it was ended for taking too long; its output)."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        try:
            code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    return code, log.read_text(errors="replace")


def build(command: Sequence[str], cwd: Path, timeout_s: float = 1200.0) -> str:
    """Runs a step of building a suite; what it printed, or `Unavailable` with the end of it."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False)
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed") from error
    if done.returncode:
        raise Unavailable(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


def until(condition: Callable[[], object], seconds: float, what: str, poll_s: float = 0.1) -> None:
    """Waits for the thing itself; TimeoutError that says `what` did not happen."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(poll_s)
