"""python -m bench [--quick] [--only SCENARIO,...] [--without kafka] [--profile] [--out DIR]"""

from __future__ import annotations

import argparse
import os
import pstats
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.growth import GROWTH, Growth
from bench.peers import peers
from bench.process import machine
from bench.report import write
from bench.scenarios import Options, Outcome, brokers, produce
from bench.table import SCENARIOS
from tests.clients.brokers import OttlaProcess

ROOT = Path(__file__).parent.parent
PROFILE_LINES = 40


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Ottla beside Apache Kafka and the physical limit"
    )
    parser.add_argument(
        "--quick", action="store_true", help="minutes instead of an hour: shows that it runs, judges nothing"
    )
    parser.add_argument("--only", default="", help=f"comma-separated: {', '.join(SCENARIOS)}, growth")
    parser.add_argument("--without", default="", help="comma-separated peers to leave out: kafka, limit, ottla")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--profile", action="store_true", help="Ottla alone, under cProfile; the profile is printed")
    parser.add_argument("--out", type=Path, help="default docs/bench for a whole run, else build/bench")
    return parser.parse_args()


def options_of(asked: argparse.Namespace, folder: Path) -> Options:
    if asked.quick:
        return Options(rounds=asked.rounds or 1, seconds=0.5, warmup=0.25, scale=0.04, partitions=1000, folder=folder)
    return Options(rounds=asked.rounds or 3, folder=folder)


def measure(asked: argparse.Namespace, folder: Path) -> tuple[list[Outcome], list[Growth], list[str]]:
    names = [n for n in asked.only.split(",") if n] or [*SCENARIOS, "growth"]
    unknown = set(names) - set(SCENARIOS) - {"growth"}
    if unknown:
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)} and growth")
    options = options_of(asked, folder)
    without = set(asked.without.split(",")) | ({"kafka", "limit"} if asked.profile else set())
    outcomes: list[Outcome] = []
    growth: list[Growth] = []
    problems: list[str] = []
    progress = Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    with peers(folder, [n for n in ("kafka", "ottla", "limit") if n not in without]) as running, progress:
        jobs = [(n, SCENARIOS[n]) for n in names if n in SCENARIOS]
        jobs += [(f"growth: {g.__name__}", g) for g in GROWTH if "growth" in names]  # type: ignore[misc]
        bar = progress.add_task("warming up", total=len(jobs))
        for peer in brokers(
            running
        ):  # a JVM that has run nothing yet compiles in the first scenario, and pays there for all
            for load in (
                {"connections": 10, "partitions": 4},
                {"records": 100, "size": 150, "inflight": 5, "limit": int(1e9)},
            ):
                produce(peer, Options(seconds=2.5 * options.seconds, warmup=0), **load)
        for name, job in jobs:
            progress.update(bar, description=name)
            try:
                found = job(running, options)
            except Exception as error:  # noqa: BLE001  one scenario that cannot run must not lose the figures of an hour
                problems.append(f"{name}: {error}")
            else:
                if isinstance(found, Growth):
                    growth.append(found)
                else:
                    outcomes += found
            progress.advance(bar)
    return outcomes, growth, problems


def profiled(folder: Path) -> None:
    """Makes every Ottla of this process run under cProfile."""
    original = OttlaProcess.command

    def command(self: OttlaProcess) -> list[str]:
        python, *rest = original(self)
        return [python, "-m", "cProfile", "-o", str(folder / f"{self.port}.profile"), *rest]

    OttlaProcess.command = command  # type: ignore[method-assign]


def main() -> None:
    asked = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the brokers end and the folder goes
    how = " ".join(["python -m bench", *sys.argv[1:]])
    partial = asked.quick or asked.only or asked.without or asked.profile
    out = asked.out or (ROOT / "build" / "bench" if partial else ROOT / "docs" / "bench")
    folder = Path(tempfile.mkdtemp(prefix="ottla-bench-", dir=os.environ.get("OTTLA_BENCH_DIR")))
    began = time.monotonic()
    try:
        if asked.profile:
            profiled(folder)
        box = machine()
        outcomes, growth, problems = measure(asked, folder)
        box["took"] = f"{(time.monotonic() - began) / 60:.0f} min"
        write(out, box, how, outcomes, growth, problems)
        for profile in folder.glob("*.profile"):
            pstats.Stats(str(profile)).sort_stats("tottime").print_stats(PROFILE_LINES)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print((out / "results.md").read_text() if partial else f"written to {out}")
    for problem in problems:
        print("FAILED", problem, file=sys.stderr)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
