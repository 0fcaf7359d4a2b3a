"""Runs suites against Ottla and Apache Kafka.

    python -m tests.suites                                  the list
    python -m tests.suites kgo --form full                  one suite, both brokers
    python -m tests.suites librdkafka --broker ottla --only 0081,0102 --keep /tmp/look
    python -m tests.suites all --form short
    python -m tests.suites librdkafka --beside              both brokers at the same time: half as long, on a machine twice as busy

Every run has a fresh broker in a folder of its own; `--keep` leaves folder and logs. Results go to the cache, from where
`python -m tests.suites.report` makes docs/report-card.md. The exit code tells whether Ottla failed what has no reason in
exceptions.py.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from .results import Result, save
from .suite import BROKERS, Brokers, Form, Suite, Unavailable, trial
from .table import BY_NAME, TABLE
from .versions import commit


def execute(suite: Suite, broker: Brokers, form: Form, run: str, folder: Path, only: str = "") -> Result:
    """One suite on one broker."""
    suite.prepare()
    began = time.monotonic()
    with trial(suite, broker, folder, form, only) as one:
        outcomes = suite.run(one)
    return Result(suite.name, broker, form, run, outcomes, time.monotonic() - began, one.kills, commit(), only)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.suites", description="Outside test-suites, on both brokers.")
    parser.add_argument("suites", nargs="*", help="names of the list, or all")
    parser.add_argument("--broker", choices=[*BROKERS, "both"], default="both")
    parser.add_argument("--form", choices=["short", "full"], default="full")
    parser.add_argument("--beside", action="store_true", help="both brokers at the same time, each in a process")
    parser.add_argument("--run", default="", help="the name of the run; a pair on the report card has one")
    parser.add_argument("--only", default="", help="only these tests, as the suite writes them")
    parser.add_argument("--keep", type=Path, help="a folder for data and logs, which stays")
    return parser.parse_args(words)


def show(result: Result, seconds: float) -> None:
    print(f"{result.suite:24} {result.broker:6} {result.counts()}  ({seconds:.0f} s, {result.kills} kills)", flush=True)
    for outcome in result.of("fail"):
        known = "" if outcome in result.unexplained() else "  (known)"
        print(f"    FAILED {outcome.test}{known}: {outcome.detail}", flush=True)


def run_all(suites: Sequence[Suite], brokers: Sequence[Brokers], options: argparse.Namespace) -> list[Result]:
    """Each suite on each broker, shown and, unless it is only a part, stored."""
    run, found = options.run or uuid.uuid4().hex[:8], []
    top = options.keep or Path(tempfile.mkdtemp(prefix="ottla-suites-"))
    for suite in suites:
        for broker in brokers:
            folder = top / f"{suite.name}-{broker}"
            shutil.rmtree(folder, ignore_errors=True)
            try:
                result = execute(suite, broker, options.form, run, folder, options.only)
            except Unavailable as error:
                print(f"{suite.name:24} {broker:6} not run: {error}", flush=True)
                continue
            show(result, result.seconds)
            found.append(result)
            if not options.only:
                save(result)
    if options.keep is None:
        shutil.rmtree(top, ignore_errors=True)
    return found


def run_beside(words: Sequence[str]) -> int:
    """The same command once per broker, at the same time, as one run; the exit code of Ottla's."""
    run = ["--run", uuid.uuid4().hex[:8]]
    command = [sys.executable, "-m", "tests.suites", *(word for word in words if word != "--beside"), *run]
    with ExitStack() as stack:
        started = {}
        for broker in BROKERS:
            started[broker] = stack.enter_context(subprocess.Popen([*command, "--broker", broker]))
            stack.callback(started[broker].terminate)
        codes = {broker: process.wait() for broker, process in started.items()}
    return codes["ottla"]


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the brokers are ended too
    if not options.suites:
        for suite in TABLE:
            print(f"{suite.name:24} {suite.title}: {suite.what}")
        return 0
    suites = TABLE if options.suites == ["all"] else [BY_NAME[name] for name in options.suites]
    if options.beside:
        for suite in suites:
            suite.prepare()  # once, before both would build the same
        return run_beside(sys.argv[1:] if words is None else words)
    brokers = BROKERS if options.broker == "both" else (options.broker,)
    found = run_all(suites, brokers, options)
    return int(any(result.unexplained() for result in found if result.broker == "ottla"))


if __name__ == "__main__":
    sys.exit(main())
