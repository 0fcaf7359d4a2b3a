"""watermill-kafka's own tests, from the module as the Go proxy serves it: publishing and subscribing over sarama.

Order, groups, reconnection, messages that are refused and come again, subscribers that end in the middle. They find the broker in
WATERMILL_TEST_KAFKA_BROKERS and make the topics they need; they expect one partition where none is asked for.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from tests.support.jars import CACHE

from .kgo import outcomes
from .suite import Outcome, Suite, Trial, Unavailable, build, call

VERSION = "v3.0.6"
MODULE = f"github.com/ThreeDotsLabs/watermill-kafka/v3@{VERSION}"
PACKAGE = "pkg/kafka"
SHORT = "^(TestCtxValues|TestCtxValuesAfterRetry|TestPublishSubscribe_AutoCommitDisabled)$"
TIMEOUT_S = 600


def prepare() -> tuple[Path, Path]:
    """The compiled tests, and the folder they run in."""
    if shutil.which("go") is None:
        raise Unavailable("go is not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    source = Path(json.loads(build(["go", "mod", "download", "-json", MODULE], CACHE))["Dir"])
    folder = CACHE / f"watermill-{hashlib.sha256(MODULE.encode()).hexdigest()[:12]}"
    program = folder / "kafka.test"
    if not program.exists():
        # A copy, for its go.sum lacks what only its tests need.
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder, copy_function=shutil.copyfile)
        for at in (folder, *folder.rglob("*")):
            at.chmod(0o755)
        made = program.with_suffix(".new")
        build(["go", "test", "-mod=mod", "-c", "-o", str(made), f"./{PACKAGE}"], folder)
        made.rename(program)
    return program, folder / PACKAGE


def run(trial: Trial) -> list[Outcome]:
    """One run; the long tests only in the full form."""
    program, folder = prepare()
    only = trial.only or ("" if trial.full else SHORT)
    command = [str(program), "-test.v", f"-test.timeout={TIMEOUT_S}s", *([] if trial.full else ["-test.short"])]
    command += [f"-test.run={only}"] if only else []
    env = {"WATERMILL_TEST_KAFKA_BROKERS": trial.bootstrap}
    _, output = call(command, trial.log("watermill"), TIMEOUT_S + 30, folder, env)
    return outcomes(output)


SUITES = (
    Suite("watermill", f"watermill-kafka {VERSION}", "its publish and subscribe tests, over sarama", run, prepare),
)
