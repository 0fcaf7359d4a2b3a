"""python -m tests.checker --transactions 100000: the campaign of `campaign`, with a bar. Fails if there is a finding."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from .campaign import Report, campaign


def main() -> int:
    """Run one campaign; its folder is kept if something was found."""
    parser = argparse.ArgumentParser(description="Check transactions under kills and pauses of broker and clients.")
    parser.add_argument("--transactions", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--calm", type=float, default=3.0, help="at most so many seconds between two disturbances")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=f"ottla-checker-{options.seed}-"))
    columns = (
        TextColumn("transactions"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[disturbed]} disturbances"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("", total=options.transactions, disturbed=0)

        def show(ended: int, report: Report) -> None:
            bar.update(task, completed=ended, disturbed=report.disturbances.total())

        report = campaign(
            folder, transactions=options.transactions, seed=options.seed,
            calm=(min(0.3, options.calm), options.calm), progress=show,
        )  # fmt: skip
    print(f"seed {options.seed}: {report}")
    for finding in report.findings[:50]:
        print(f"{finding.kind}: {finding.what}")
    if report.findings:
        print(f"events and data are kept in {folder}")
    else:
        shutil.rmtree(folder)
    return min(len(report.findings), 1)


if __name__ == "__main__":
    sys.exit(main())
