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

_AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
_RIGHTS = {"authorizer.class.name": _AUTHORIZER, "super.users": "User:ANONYMOUS"}


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
        stack.enter_context(KafkaJvm(folder, 9092, _RIGHTS))
        return
    sets = [word for key, value in _RIGHTS.items() for word in ("--set", f"{key}={value}")]
    process = stack.enter_context(OttlaProcess(folder, *sets, listen="127.0.0.1:9092"))
    process.wait_ready()


def run(ground: Ground, source: Path, case: Case, means: str) -> tuple[str, str]:
    """("", what it said) where it is right, else (what is wrong, what it said)."""
    ground.lay(case)
    text = program(source, case)
    with tempfile.TemporaryDirectory() as folder:
        if (source / case.path).exists():  # what lies beside it: schemas, generated modules
            shutil.copytree(
                (source / case.path).parent, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.git")
            )
        running = Run(Path(folder), shimmed(text) if means == "shim" else text, case)
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
                    else run(ground, given.source / library, case, given.means)
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
