"""franz-go's own tests (`pkg/kgo`), from the module as the Go module proxy serves it, its _test.go files included.

The tests find the broker in KGO_SEEDS and make the topics they need. Those that matter most here are the ETL chains: N records
are produced, three chained groups read, change and produce them again while members come and go, and every key must arrive
once at the end; with classic groups, KIP-848, share groups and transactions.

Four rows: one run (the card's numbers), ten in a row, with connections that die after 0.5 to 1.5 s (KGO_TEST_CHAOS), and with
a broker that is killed every 20 s. Connections die in the last one too, which is what KGO_TEST_CHAOS tells the tests; while the
broker is down they wait for it (front.py).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.support.jars import CACHE

from . import scram
from .suite import Outcome, Suite, Trial, Unavailable, Verdict, build, call

VERSION = "v1.22.2"
MODULE = f"github.com/twmb/franz-go@{VERSION}"
RECORDS = 20_000
RECORDS_SHORT = 2000
#: For CI: each kind of client work once.
SHORT = (
    "^(TestGroupETL|TestTxnEtl|TestShareGroupETL|TestShareGroupOffsetsAdmin|TestClient_Produce|TestPauseIssue|TestIssue648|"
    "TestIdempotentStableVersions|TestAddRemovePartitions|TestConsumeRegex|TestSCRAMAuth|TestSCRAMAuthBadCredentials)$"
)
RUNS = 10
KILL_EVERY_S = 20.0
TIMEOUT_S = 1200
_TEST_LINE = re.compile(r"^--- (PASS|FAIL|SKIP): (\S+) \(([0-9.]+)s\)", re.MULTILINE)
_VERDICTS: dict[str, Verdict] = {"PASS": "pass", "FAIL": "fail", "SKIP": "skip"}


def prepare() -> tuple[Path, Path]:
    """The compiled tests, and the folder they run in."""
    if shutil.which("go") is None:
        raise Unavailable("go is not installed")
    CACHE.mkdir(parents=True, exist_ok=True)
    source = Path(json.loads(build(["go", "mod", "download", "-json", MODULE], CACHE))["Dir"])
    program = CACHE / f"kgo-{hashlib.sha256(MODULE.encode()).hexdigest()[:12]}.test"
    if not program.exists():
        made = program.with_suffix(".new")
        build(["go", "test", "-c", "-o", str(made), "./pkg/kgo"], source)
        made.rename(program)
    return program, source / "pkg" / "kgo"


def outcomes(output: str) -> list[Outcome]:
    """The verdicts in what `go test -v` printed; the line that says most of a failed one."""
    found = [
        Outcome(name, _VERDICTS[word], _why(output, name) if word == "FAIL" else "", float(seconds))
        for word, name, seconds in _TEST_LINE.findall(output)
    ]
    if re.search(r"^panic: |^fatal error: ", output, re.MULTILINE):
        running = re.findall(r"^\t+(Test\S+) \(.*\)$", output, re.MULTILINE)
        said = re.search(r"^(?:panic|fatal error): .*$", output, re.MULTILINE)
        names = running or ["(the whole run)"]
        found += [Outcome(name, "fail", said.group() if said else "") for name in dict.fromkeys(names)]
    return found or [Outcome("(the whole run)", "fail", output.strip()[-300:])]


def _why(output: str, name: str) -> str:
    """The first line a failed test logged that is no log of the clean-up."""
    after = output.split(f"--- FAIL: {name} ", 1)[1].splitlines()[1:40]
    said = [line.strip() for line in after if re.match(r"\s+\w+_test\.go:\d+: ", line)]
    telling = [line for line in said if "deleting " not in line and "NOT DELETING" not in line]
    before = re.findall(rf"=== (?:NAME|CONT|RUN)\s+{re.escape(name)}\n((?:    .*\n)+)", output)
    telling += [line.strip() for block in before for line in block.splitlines() if "deleting " not in line]
    return telling[0][:300] if telling else ""


def once(trial: Trial, name: str = "kgo", env: Mapping[str, str] | None = None) -> list[Outcome]:
    """One run of the suite."""
    program, folder = prepare()
    records = RECORDS if trial.full else RECORDS_SHORT
    only = trial.only or ("" if trial.full else SHORT)
    command = [str(program), "-test.v", f"-test.timeout={TIMEOUT_S}s", *([f"-test.run={only}"] if only else [])]
    settings = {
        "KGO_SEEDS": trial.bootstrap,
        "KGO_TEST_RF": "1",
        "KGO_TEST_RECORDS": str(records),
        "KGO_LOG_LEVEL": "none",
        **_scram(trial),
        **(env or {}),
    }
    _, output = call(command, trial.log(name), TIMEOUT_S + 30, folder, settings)
    return outcomes(output)


def _scram(trial: Trial) -> dict[str, str]:
    """Where and as whom its tests of SCRAM log in; without this they are skipped."""
    if not trial.scram_bootstrap:
        return {}
    return {"KGO_TEST_SCRAM_SEEDS": trial.scram_bootstrap, "KGO_TEST_SCRAM": f"{scram.USER}:{scram.PASSWORD}:256"}


def repeated(trial: Trial) -> list[Outcome]:
    """Ten runs against one broker: a test passes if it passed every time."""
    runs = [once(trial, f"kgo-{number}") for number in range(RUNS if trial.full else 1)]
    return merged(runs)


def merged(runs: list[list[Outcome]]) -> list[Outcome]:
    """The worst verdict of each test over several runs, and in how many of them it failed."""
    found: dict[str, list[Outcome]] = {}
    for run in runs:
        for outcome in run:
            found.setdefault(outcome.test, []).append(outcome)
    together = []
    for test, all_of_it in found.items():
        failed = [o for o in all_of_it if o.verdict == "fail"]
        verdict: Verdict = "fail" if failed else "pass" if any(o.verdict == "pass" for o in all_of_it) else "skip"
        detail = f"{len(failed)} of {len(runs)} runs: {failed[0].detail}" if failed else ""
        together.append(Outcome(test, verdict, detail, max(o.seconds for o in all_of_it)))
    return together


def chaos(trial: Trial) -> list[Outcome]:
    """Every connection dies after 0.5 to 1.5 s."""
    return once(trial, "kgo-chaos", {"KGO_TEST_CHAOS": "1"})


def killed(trial: Trial) -> list[Outcome]:
    """The broker is killed (-9) and started again every 20 s.

    Some tests send one request and never again; one that is refused while the broker is down says nothing. So what failed is
    run once more, alone and in the same storm, and that verdict counts.
    """
    with trial.restarting(KILL_EVERY_S):
        first = once(trial, "kgo-killed", {"KGO_TEST_CHAOS": "1"})
        again = []
        for outcome in (o for o in first if o.verdict == "fail"):
            trial.only = f"^{outcome.test}$"
            again += once(trial, f"kgo-killed-{outcome.test.strip('()')}", {"KGO_TEST_CHAOS": "1"})
    second = {outcome.test: outcome for outcome in again}
    return [second.get(outcome.test, outcome) for outcome in first]


_TITLE = f"franz-go {VERSION}, `pkg/kgo`"
SUITES = (
    Suite("kgo", _TITLE, f"all its tests, {RECORDS:,} records through each chain", once, prepare, scram=True),
    Suite(
        "kgo-10",
        _TITLE,
        f"{RUNS} runs in a row on one broker; passed means {RUNS} times",
        repeated,
        prepare,
        scram=True,
    ),
    Suite(
        "kgo-chaos", _TITLE, "`KGO_TEST_CHAOS=1`: each connection dies after 0.5 to 1.5 s", chaos, prepare, scram=True
    ),
    Suite("kgo-kill", _TITLE, "the broker is killed (-9) and started again every 20 s", killed, prepare, fronted=True),
)
