"""The published examples of confluent-kafka, aiokafka and kafka-python, unchanged but for the import.

    python -m tests.compat.examples --source DIR [--on ottla|kafka] [--with shim|library] [--only REGEX] [--json FILE]

DIR holds the libraries' repositories: confluent-kafka-python, aiokafka, kafka-python. The examples say `localhost:9092`, so this runs in a
network of its own (`unshare`), where that port is always free; `--here` uses the machine's. `--with library` runs them as they are, which
shows that what is expected here is what the libraries do.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.compat.examples.cases import LIBRARIES, B, Case
from tests.compat.examples.running import Ground, Run, program, report, shimmed
from tests.support.kafka_jvm import KafkaJvm
from tests.support.process import OttlaProcess
from tests.support.registry import SchemaRegistry

_AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
_PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="x" password="x" user_ex="secret";'
_SETTINGS = {
    "authorizer.class.name": _AUTHORIZER, "super.users": "User:ANONYMOUS;User:ex", "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.sasl_plaintext.plain.sasl.jaas.config": _PLAIN,
}  # fmt: skip
_LISTENERS = "PLAINTEXT://127.0.0.1:9092,SASL_PLAINTEXT://127.0.0.1:9094"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compat.examples", description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--on", choices=("ottla", "kafka"), default="ottla")
    parser.add_argument("--with", dest="means", choices=("shim", "library"), default="shim")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--here", action="store_true")
    return parser.parse_args()


def broker(stack: ExitStack, on: str, folder: Path) -> None:
    """A cluster of one at localhost:9092, with an authorizer (the examples make rules) under which everybody may do all."""
    if on == "kafka":
        more = {
            "listeners": f"{_LISTENERS},CONTROLLER://127.0.0.1:9093", "advertised.listeners": _LISTENERS,
            "controller.quorum.voters": "1@127.0.0.1:9093",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
        }  # fmt: skip
        stack.enter_context(KafkaJvm(folder, 9092, {**_SETTINGS, **more}))
        return
    settings = {**_SETTINGS, "listeners": _LISTENERS}
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    process = stack.enter_context(OttlaProcess(folder, *sets, listen=None))
    process.wait_ready()


def run(ground: Ground, source: Path, case: Case, means: str, registry: str) -> tuple[str, str]:
    """("", what it said) where it is right, else (what is wrong, what it said)."""
    ground.lay(case)
    text = program(source, case)
    with tempfile.TemporaryDirectory() as folder:
        if (source / case.path).exists():  # what lies beside it: schemas, generated modules
            shutil.copytree(
                (source / case.path).parent, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.git")
            )
        running = Run(Path(folder), shimmed(text) if means == "shim" else text, case, registry)
        return running.judge(ground.producer), running.said


def main() -> int:
    given = arguments()
    if not given.here and "COMPAT_EXAMPLES_INSIDE" not in os.environ:
        command = f'ip link set lo up && exec {sys.executable} -m tests.compat.examples "$@"'
        os.environ["COMPAT_EXAMPLES_INSIDE"] = "1"
        return subprocess.call(["unshare", "-rn", "sh", "-c", command, "examples", *sys.argv[1:]])
    rows: list[dict[str, object]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker(stack, given.on, folder)
        ground = Ground("127.0.0.1:9092")
        registry = stack.enter_context(SchemaRegistry()).url
        stack.callback(ground.close)
        for library, cases in LIBRARIES.items():
            for case in cases:
                name = " ".join((library, case.path, *case.arguments)).replace(f" {B}", "")
                if not re.search(given.only, name):
                    continue
                began = time.monotonic()
                wrong, said = (
                    (f"skipped: {case.skip}", "")
                    if case.skip
                    else run(ground, given.source / library, case, given.means, registry)
                )
                rows.append(
                    {"example": name, "on": given.on, "wrong": wrong, "seconds": round(time.monotonic() - began, 1)}
                )
                print(f"{'ok' if not wrong else 'SKIP' if case.skip else 'WRONG':5} {name}  {wrong}", flush=True)
                if wrong and not case.skip:
                    print("      " + "\n      ".join(said.splitlines()[-12:]), flush=True)
                if given.json:
                    report(given.json, rows)
    failed = sum(1 for row in rows if row["wrong"] and not str(row["wrong"]).startswith("skipped"))
    print(f"{len(rows)} examples on {given.on} with the {given.means}, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
