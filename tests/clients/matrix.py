"""The client matrix: every client library against every other, over one broker. Writes the table of docs/clients.md.

    python -m tests.clients.matrix --broker ottla                       short form: every pair, small corpus, a few minutes
    python -m tests.clients.matrix --broker ottla --corpus-mb 100       full form: a real corpus of 100 MB
    python -m tests.clients.matrix --bootstrap HOST:PORT --only kafkajs,java

What it does, in this order:

1. Prepare: each client's driver is built or found (registry.py). What cannot be built is shown as not run.
2. Produce: each client produces the corpus line by line with each codec it can do, each into a new topic that the broker
   creates by itself.
3. Read: each client reads each of these topics; the bytes read are compared with the corpus. In the full form `--readers N`
   gives each topic to N readers in turn, so that every pair of clients and every codec with every reader still
   meets, in hours instead of days.
4. Groups: each client alone, resumed by another one; mixed groups of 2 to 5 members (groups.py).
5. Admin: each library creates, describes, alters, grows and deletes a topic and lists groups.

A failure is one sentence in the table and one line at the end; the exit code tells whether there was one.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.clients import groups
from tests.clients.brokers import broker
from tests.clients.corpus import corpus
from tests.clients.registry import CLIENT_TABLE, Client, Command, Missing

SHORT_MB = 0.25
#: No driver works longer than this on one batch of topics: slower than 0.1 MB/s is a failure too.
BASE_TIMEOUT_S = 120
SECONDS_PER_MB = 10
MIXED_SIZES = (2, 3, 4, 5)
COLUMNS = ("produce", "read", "groups", "admin")


@dataclass
class Topic:
    """One produced copy of the corpus."""

    name: str
    producer: Client
    codec: str


@dataclass
class Result:
    """What one client did."""

    client: Client
    version: str = ""
    missing: str = ""
    command: Command | None = None
    codecs: list[str] = field(default_factory=list)
    passed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0))
    failures: dict[str, list[str]] = field(default_factory=lambda: {column: [] for column in COLUMNS})
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COLUMNS, 0.0))


class Matrix:
    """One run over one broker."""

    def __init__(
        self, bootstrap: str, clients: Sequence[Client], text: Path, options: argparse.Namespace, folder: Path
    ) -> None:
        self.bootstrap, self.text, self.options, self.folder = bootstrap, text, options, folder
        self.results = [Result(client) for client in clients]
        self.topics: list[Topic] = []
        self.lock = threading.Lock()
        self.run_id = f"{int(time.time()) % 100_000:05d}"
        self.lines, self.digest = _measure(text)
        megabytes = text.stat().st_size / 1e6
        self.timeout_s = BASE_TIMEOUT_S + SECONDS_PER_MB * megabytes
        self.megabytes = megabytes
        self.progress = Progress(
            TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[now]}"),
            console=Console(stderr=True), disable=not sys.stderr.isatty() and not options.progress,
        )  # fmt: skip

    @property
    def running(self) -> list[Result]:
        return [r for r in self.results if r.command is not None]

    # -- running drivers ---------------------------------------------------------------------------------------------

    def note(self, result: Result, column: str, failure: str | None) -> None:
        with self.lock:
            if failure is None:
                result.passed[column] += 1
            else:
                result.failures[column].append(failure)
                self.progress.console.print(
                    f"FAILED {result.client.name} · {column} · {failure}", markup=False, highlight=False
                )

    def call(self, result: Result, arguments: Sequence[str], topics: int = 1) -> tuple[list[dict[str, str]], str]:
        """Runs a driver; its events, and what went wrong ('' if nothing)."""
        assert result.command is not None
        argv = [*result.command.argv, *arguments]
        with tempfile.TemporaryFile(dir=self.folder) as errors, tempfile.TemporaryFile(dir=self.folder) as output:
            child = subprocess.Popen(
                argv, env=result.command.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
            )
            problem = ""
            try:
                code = child.wait(self.timeout_s * topics)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                problem, code = f"no end after {self.timeout_s * topics:.0f} s", 0
            output.seek(0)
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
            events = [json.loads(line) for line in output.read().splitlines() if line.startswith(b"{")]
        if code:
            problem = f"exit {code}: {_telling(said)}"
        return events, problem

    def each(self, name: str, jobs: Sequence[tuple[str, Callable[[], None]]], at_once: int = 1) -> None:
        """Runs jobs, `at_once` times `--jobs` at a time, under a line of the progress bar."""
        bar = self.progress.add_task(name, total=len(jobs), now="")

        def run(job: tuple[str, Callable[[], None]]) -> None:
            self.progress.update(bar, now=job[0])
            job[1]()
            self.progress.advance(bar)

        with ThreadPoolExecutor(self.options.jobs * at_once) as pool:
            list(pool.map(run, jobs))
        self.progress.update(bar, now="")

    # -- the five parts ----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        def one(result: Result) -> None:
            try:
                result.command = result.client.prepare()
                said = subprocess.run(
                    [*result.command.argv, "version"],
                    env=result.command.environment,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=True,
                )
                result.version = said.stdout.strip().removeprefix("v")
            except (Missing, RuntimeError, subprocess.SubprocessError) as error:
                result.command, result.missing = None, str(error)[:200]

        self.each("prepare", [(r.client.name, lambda r=r: one(r)) for r in self.results])

    def produce(self) -> None:
        def one(result: Result) -> None:
            wanted = [
                Topic(f"m{self.run_id}-{result.client.name}-{codec}", result.client, codec)
                for codec in result.client.codecs
            ]
            began = time.monotonic()
            while wanted:
                pairs = itertools.chain.from_iterable((t.codec, t.name) for t in wanted)
                events, problem = self.call(result, ["produce", self.bootstrap, str(self.text), *pairs], len(wanted))
                done = len([e for e in events if "produced" in e])
                for topic in wanted[:done]:
                    result.codecs.append(topic.codec)
                    self.note(result, "produce", None)
                    with self.lock:
                        self.topics.append(topic)
                if done < len(wanted):
                    self.note(result, "produce", f"{wanted[done].codec}: {problem or 'ended early'}")
                wanted = wanted[done + 1 :]
            result.seconds["produce"] = time.monotonic() - began

        self.each("produce", [(r.client.name, lambda r=r: one(r)) for r in self.running])
        order = {r.client.name: i for i, r in enumerate(self.results)}
        self.topics.sort(key=lambda t: (order[t.producer.name], t.codec))

    def readings(self) -> Iterator[tuple[Result, list[Topic]]]:
        """Who reads what, in batches for one process."""
        readers = self.running
        for i, result in enumerate(readers):
            mine = self.topics
            if 0 < self.options.readers < len(readers):
                mine = [t for j, t in enumerate(self.topics) if (i - j) % len(readers) < self.options.readers]
            size = 1 if self.megabytes > 20 else max(1, len(mine) // 2)
            for k in range(0, len(mine), size):
                yield result, mine[k : k + size]

    def read(self) -> None:
        def one(result: Result, topics: list[Topic]) -> None:
            began = time.monotonic()
            with tempfile.TemporaryDirectory(dir=self.folder) as place:
                while topics:
                    triples = [(t.name, str(self.lines), str(Path(place, str(i)))) for i, t in enumerate(topics)]
                    _, problem = self.call(
                        result, ["consume", self.bootstrap, *itertools.chain.from_iterable(triples)], len(topics)
                    )
                    done = 0
                    for topic, (_, _, path) in zip(topics, triples, strict=True):
                        done += 1
                        failure = self.compare(Path(path))
                        who = f"{topic.codec} of {topic.producer.name}"
                        self.note(result, "read", failure and f"{who}: {problem or failure}")
                        if failure and problem:
                            break
                    topics = topics[done:]
            result.seconds["read"] += time.monotonic() - began

        self.each("read", [(f"{r.client.name}", lambda r=r, t=t: one(r, t)) for r, t in self.readings()])

    def compare(self, path: Path) -> str | None:
        """What is wrong with the bytes a client read; None if they are the corpus."""
        if not path.exists():
            return "nothing was read"
        lines, digest = _measure(path)
        if digest == self.digest:
            return None
        if lines != self.lines:
            return f"{lines} lines instead of {self.lines}"
        with path.open("rb") as got, self.text.open("rb") as wanted:
            for number, (a, b) in enumerate(zip(got, wanted, strict=True), 1):
                if a != b:
                    return f"line {number} is {a[:60]!r} instead of {b[:60]!r}"
        return "bytes differ"

    def groups(self) -> None:
        able = self.running
        jobs: list[tuple[str, Callable[[], None]]] = []

        def guarded(who: Sequence[Result], scenario: Callable[[], None], label: str) -> Callable[[], None]:
            def run() -> None:
                began = time.monotonic()
                failure = None
                try:
                    scenario()
                except Exception as error:  # noqa: BLE001  whatever it is, it is a result of the matrix
                    failure = f"{label}: {error}"
                for result in who:
                    self.note(result, "groups", failure)
                    result.seconds["groups"] += time.monotonic() - began

            return run

        def prepared(result: Result) -> groups.Prepared:
            assert result.command is not None
            return result.client, result.command

        for i, result in enumerate(able):
            other = able[(i + 1) % len(able)]
            name = f"g{self.run_id}-{result.client.name}"
            scenario = lambda r=result, o=other, n=name: groups.alone(
                self.bootstrap, n, prepared(r), prepared(o), self.folder
            )
            jobs.append(
                (result.client.name, guarded([result, other], scenario, f"alone, resumed by {other.client.name}"))
            )
        for number, members, resumer in _mixed_groups([r for r in able if r.client.mixes]):
            label = "+".join(r.client.name for r in members)
            play = lambda m=members, r=resumer, n=number: groups.mixed(
                self.bootstrap,
                f"g{self.run_id}-mixed-{n}",
                [prepared(x) for x in m],
                prepared(r),
                self.folder,
                kill=bool(n % 2),
            )
            jobs.append(
                (
                    label,
                    guarded(
                        list({r.client.name: r for r in [*members, resumer]}.values()),
                        play,
                        f"{label}, resumed by {resumer.client.name}",
                    ),
                )
            )
        self.each("groups", jobs, at_once=3)  # members wait more than they work

    def admin(self) -> None:
        def one(result: Result) -> None:
            began = time.monotonic()
            events, problem = self.call(result, ["admin", self.bootstrap, f"a{self.run_id}-{result.client.name}"])
            for event in events:
                self.note(result, "admin", f"{event['step']}: {event['error']}" if "error" in event else None)
            if problem and not any("error" in e for e in events):
                self.note(result, "admin", problem)
            result.seconds["admin"] = time.monotonic() - began

        self.each("admin", [(r.client.name, lambda r=r: one(r)) for r in self.running])

    def run(self) -> None:
        wanted = self.options.parts
        with self.progress:
            self.prepare()
            if "produce" in wanted or "read" in wanted:
                self.produce()
            for part in ("read", "groups", "admin"):
                if part in wanted:
                    getattr(self, part)()

    def timing(self) -> str:
        """Where the time went."""
        spent = {r.client.name: sum(r.seconds.values()) for r in self.results}
        slowest = sorted(spent, key=lambda name: -spent[name])[:4]
        parts = [f"{column} {sum(r.seconds[column] for r in self.results):.0f} s" for column in COLUMNS]
        return ", ".join(parts) + "; most by " + ", ".join(f"{name} {spent[name]:.0f} s" for name in slowest)

    # -- the outcome -------------------------------------------------------------------------------------------------

    def failures(self) -> list[str]:
        return [
            f"{r.client.name} · {column} · {failure}"
            for r in self.results
            for column in COLUMNS
            for failure in r.failures[column]
        ]

    def table(self) -> str:
        rows = [
            "| client | version | line | codecs | produce | read back | groups | admin |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for result in self.results:
            client = result.client
            if result.missing:
                rows.append(f"| {client.library} | – | {client.line} | not run: {result.missing} | | | | |")
                continue
            codecs = "all five" if len(result.codecs) == 5 else ", ".join(sorted(result.codecs))
            cells = [self.cell(result, column) for column in COLUMNS]
            rows.append(f"| {client.library} | {result.version} | {client.line} | {codecs} | {' | '.join(cells)} |")
        return "\n".join(rows)

    def cell(self, result: Result, column: str) -> str:
        passed, failed = result.passed[column], len(result.failures[column])
        if not passed and not failed:
            return "–"
        unit = {"produce": "topics", "read": "topics", "groups": "groups", "admin": "calls"}[column]
        return f"**{failed} of {passed + failed} fail**: {result.failures[column][0]}" if failed else f"{passed} {unit}"


def _mixed_groups(able: list[Result]) -> Iterator[tuple[int, list[Result], Result]]:
    """Groups of 2 to 5 different clients, in turn, until every client was in one."""
    if len(able) < 2:
        return
    at, number = 0, 0
    for size in itertools.cycle(reversed(MIXED_SIZES)):
        members = [able[(at + k) % len(able)] for k in range(min(size, len(able)))]
        at += size
        yield number, members, able[at % len(able)]
        number += 1
        if at >= len(able) and number >= len(MIXED_SIZES):
            return


def _measure(path: Path) -> tuple[int, str]:
    """Lines and digest of a file."""
    lines, digest = 0, hashlib.blake2b()
    with path.open("rb") as source:
        while block := source.read(1 << 20):
            lines += block.count(b"\n")
            digest.update(block)
    return lines, digest.hexdigest()


def _telling(said: list[str]) -> str:
    """The line of an error output that says most: the last one that is no stack frame."""
    lines = [
        line.strip() for line in said if line.strip() and not line.strip().startswith(("at ", "File ", "...", "}"))
    ]
    marked = [line for line in lines if "rror" in line or "xception" in line]
    return (marked or lines or ["nothing was said"])[-1][:300]


def document(matrix: Matrix, broker_name: str, settings: str) -> str:
    """The text of docs/clients.md."""
    topics, reads = len(matrix.topics), sum(r.passed["read"] for r in matrix.results)
    failures = matrix.failures()
    outcome = (
        "Nothing failed."
        if not failures
        else f"{len(failures)} checks failed:\n\n" + "\n".join(f"- {f}" for f in failures)
    )
    readers = matrix.options.readers
    ring = f", each of them by {readers} clients in turn" if readers else ", each of them by every client"
    return f"""# Clients

Unmodified client libraries against {broker_name}. Made by `{settings}`; do not edit.

A corpus of {matrix.megabytes:.1f} MB of real text ({matrix.lines:,} lines from what Debian packages ship) was produced line by line by each
client with each codec it can do ({topics} topics, created by the broker on first use) and read back byte for byte{ring}
({reads} readings). *Groups* are a member alone whose work another library resumes, and mixed groups of 2 to 5 members that share
6 partitions, lose a member (by leaving, or by `kill -9`), go on, commit, and are resumed. *Admin* is create, describe, alter
a topic's configs, add partitions, list groups, delete.

{matrix.table()}

{outcome}

Blank lines are not in the corpus (kcat does not send them), nor lines with a carriage return (the console producer splits there).
Old lines: Java 2.8, librdkafka 1.9 and 2.0.2 (Debian's, behind kcat), kafka-python 2.0.2, franz-go 1.8, sarama 1.38, kafkajs 1.16.
Not in the table: `@confluentinc/kafka-javascript`, which is librdkafka again and fetches a binary from outside npm's registry.
"""


@contextmanager
def _target(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str]]:
    if options.bootstrap:
        yield options.bootstrap, f"the broker at {options.bootstrap}"
        return
    settings = dict(pair.split("=", 1) for pair in options.set)
    with broker(options.broker, folder / "broker", settings) as started:
        yield started.bootstrap, {"ottla": "Ottla", "kafka": "Apache Kafka 4.2.1"}[options.broker]


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.clients.matrix", description="every client library against every other"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--bootstrap", help="a running broker HOST:PORT")
    where.add_argument("--broker", choices=("ottla", "kafka"), default="ottla", help="start this one (default ottla)")
    parser.add_argument("--corpus-mb", type=float, default=SHORT_MB, help=f"size of the corpus (default {SHORT_MB})")
    parser.add_argument("--only", default="", help="comma-separated names of clients")
    parser.add_argument(
        "--parts", default="produce,read,groups,admin", type=lambda s: s.split(","), help="comma-separated"
    )
    parser.add_argument("--readers", type=int, default=0, help="how many clients read each topic (default all)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a broker setting")
    parser.add_argument("--write", type=Path, help="write the page here, e.g. docs/clients.md")
    parser.add_argument("--keep", action="store_true", help="keep the work folder (broker log, data, members' logs)")
    parser.add_argument("--progress", action="store_true", help="a progress bar even if this is no terminal")
    return parser.parse_args(argv)


def run(options: argparse.Namespace) -> Matrix:
    """One run; prints the table, writes the page if asked."""
    names = [n for n in options.only.split(",") if n]
    unknown = set(names) - {c.name for c in CLIENT_TABLE}
    if unknown:
        raise SystemExit(
            f"no such client: {', '.join(sorted(unknown))}; there are {', '.join(c.name for c in CLIENT_TABLE)}"
        )
    clients = [c for c in CLIENT_TABLE if not names or c.name in names]
    folder = Path(tempfile.mkdtemp(prefix="ottla-matrix-"))
    try:
        text = corpus(options.corpus_mb)
        with _target(options, folder) as (bootstrap, name):
            matrix = Matrix(bootstrap, clients, text, options, folder)
            matrix.run()
        command = f"python -m tests.clients.matrix --corpus-mb {options.corpus_mb:g} --readers {options.readers} --write docs/clients.md"
        page = document(matrix, name, command)
        if options.write:
            options.write.write_text(page)
        print(matrix.table())
        for failure in matrix.failures():
            print("FAILED", failure)
        print(matrix.timing())
    finally:
        if options.keep:
            print("kept", folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return matrix


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the broker ends and the folder goes
    began = time.monotonic()
    matrix = run(arguments())
    failures = matrix.failures()
    print(
        f"{len(matrix.running)} of {len(matrix.results)} clients ran, {len(failures)} failures, {time.monotonic() - began:.0f} s"
    )
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
