"""The report card: docs/report-card.md, from what the suites said on Ottla and on Apache Kafka in the same run.

    python -m tests.suites.report                       run every suite in its full form on both brokers (hours), write the page
    python -m tests.suites.report --form short          the bounded forms (what CI runs)
    python -m tests.suites.report --stored              run nothing: write the page from the results that are there

A suite stands on the page only with a pair of results from one run (results.py). The page holds no dates and no machine's figures
beyond pass and fail, so that the same verdicts give the same page; `tests/suites/test_suites.py` checks that it names every suite.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.jars import KAFKA_VERSION

from .__main__ import arguments as run_arguments
from .__main__ import run_all
from .exceptions import EXCEPTIONS
from .results import Result, load
from .suite import BROKERS, Suite
from .table import TABLE
from .versions import ROOT

PAGE = ROOT / "docs" / "report-card.md"
FORMS = ("full", "short")
Pair = tuple[Result, Result]

HEAD = f"""# Report card

Test-suites that other projects wrote, and applications of Apache Kafka's own, run against Ottla and against Apache Kafka
{KAFKA_VERSION} by the same command in the same run. Made by `python -m tests.suites.report`; do not edit.

Every run has a fresh single-node broker. One row again: `python -m tests.suites NAME`. Its programs are unmodified and
come from the package registries (Go proxy, npm, Maven Central). *full* is the whole suite, *short* the bounded form that CI runs.
"""


def pair(suite: Suite) -> Pair | None:
    """The newest pair of one run, the full form before the short one."""
    for form in FORMS:
        ottla, kafka = (load(suite.name, broker, form) for broker in BROKERS)
        if ottla is not None and kafka is not None and ottla.run == kafka.run:
            return ottla, kafka
    return None


def page(pairs: Iterable[tuple[Suite, Pair | None]]) -> str:
    """The text of docs/report-card.md."""
    known = list(pairs)
    lines = [HEAD, "| name | suite | what it does here | form | Ottla | Apache Kafka |", "|---|---|---|---|---|---|"]
    for suite, found in known:
        cells = ("–", "not run", "not run") if found is None else (found[0].form, found[0].counts(), found[1].counts())
        lines.append(f"| `{suite.name}` | {suite.title} | {suite.what} | {' | '.join(cells)} |")
    commits = sorted({found[0].commit for _, found in known if found is not None and found[0].commit})
    if commits:
        lines += [
            "",
            f"Ottla at {', '.join(f'`{commit}`' for commit in commits)}; + means with changes not yet committed.",
        ]
    lines += ["", "## What failed", ""]
    failed = [line for suite, found in known if found is not None for line in _failures(suite, found)]
    lines += failed or ["Nothing of what was run."]
    skipped = [line for suite, found in known if found is not None for line in _skipped(suite, found)]
    lines += ["", "## What was skipped", "", *(skipped or ["Nothing of what was run."])]
    return "\n".join(lines) + "\n"


def _failures(suite: Suite, found: Pair) -> list[str]:
    """A line per test that failed on either broker, with its reason."""
    by_test: dict[str, dict[str, str]] = {}
    for result in found:
        for outcome in result.of("fail"):
            by_test.setdefault(outcome.test, {})[result.broker] = outcome.detail
    lines = []
    for test, said in sorted(by_test.items()):
        known = EXCEPTIONS.get(suite.name, {}).get(test)
        where = " and ".join({"ottla": "Ottla", "kafka": "Apache Kafka"}[broker] for broker in said)
        explained = known is not None and set(said) <= set(known.brokers)
        reason = (
            known.why if known is not None and explained else f"**not explained**: {_cell(next(iter(said.values())))}"
        )
        lines.append(f"- `{suite.name}` `{test}` on {where}: {reason}")
    return lines


def _skipped(suite: Suite, found: Pair) -> list[str]:
    tests = {o.test: o.detail for result in found for o in result.of("skip")}
    if not tests:
        return []
    both = {o.test for o in found[0].of("skip")} & {o.test for o in found[1].of("skip")}
    marks = [f"`{test}`{'' if test in both else ' (one of them)'}" for test in sorted(tests)]
    return [f"- `{suite.name}`: {', '.join(marks)}"]


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())[:200]


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.suites.report", description="Write docs/report-card.md.")
    parser.add_argument("--stored", action="store_true", help="run nothing, write from the stored results")
    parser.add_argument("--form", choices=FORMS, default="full")
    parser.add_argument("--write", type=Path, default=PAGE)
    options = parser.parse_args(words)
    if not options.stored:
        run_all(TABLE, BROKERS, run_arguments(["all", "--form", options.form]))
    pairs = [(suite, pair(suite)) for suite in TABLE]
    options.write.write_text(page(pairs))
    return int(any(found is not None and found[0].unexplained() for _, found in pairs))


if __name__ == "__main__":
    sys.exit(main())
