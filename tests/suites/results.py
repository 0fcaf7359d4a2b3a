"""What runs of suites brought: kept as one JSON file per suite and broker, compared, judged.

A pair counts as "the same run" if both results carry the same run id and form: the two brokers then met the same program with
the same arguments on the same machine, one after the other. `python -m tests.suites` writes both; the report card shows only pairs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.support.jars import CACHE

from .exceptions import EXCEPTIONS
from .suite import Brokers, Form, Outcome, Verdict

STORE = CACHE / "suites"


@dataclass
class Result:
    """One suite on one broker."""

    suite: str
    broker: Brokers
    form: Form
    run: str
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    kills: int = 0
    #: Of Ottla's tree, if it was a clean commit.
    commit: str = ""
    only: str = ""

    def of(self, verdict: Verdict) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict == verdict]

    @property
    def ran(self) -> int:
        return len(self.of("pass")) + len(self.of("fail"))

    def unexplained(self) -> list[Outcome]:
        """What failed and has no reason in exceptions.py."""
        known = EXCEPTIONS.get(self.suite, {})
        return [o for o in self.of("fail") if o.test not in known or self.broker not in known[o.test].brokers]

    def counts(self) -> str:
        """As in the report card: `149 pass, 3 skipped`."""
        parts = [f"{len(self.of('pass'))} pass"]
        parts += [f"**{len(failed)} fail**"] if (failed := self.of("fail")) else []
        parts += [f"{len(skipped)} skipped"] if (skipped := self.of("skip")) else []
        return ", ".join(parts)


def path(suite: str, broker: str, form: str) -> Path:
    return STORE / f"{suite}-{form}-{broker}.json"


def save(result: Result) -> None:
    STORE.mkdir(parents=True, exist_ok=True)
    target = path(result.suite, result.broker, result.form)
    made = target.with_suffix(".new")
    made.write_text(json.dumps(asdict(result), indent=1))
    made.rename(target)


def load(suite: str, broker: str, form: str) -> Result | None:
    source = path(suite, broker, form)
    if not source.exists():
        return None
    read = json.loads(source.read_text())
    read["outcomes"] = [Outcome(**outcome) for outcome in read["outcomes"]]
    return Result(**read)
