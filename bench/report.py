"""The results as JSON and as a page people read: machine, goals met or not, every figure, the plots."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from bench.growth import Growth
from bench.plots import NAMES, svg
from bench.scenarios import Outcome


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _goals(outcomes: list[Outcome]) -> list[str]:
    rows = ["| scenario | figure | measured | goal | |", "|---|---|---|---|---|"]
    for outcome in outcomes:
        for goal in outcome.goals:
            bound = f"{'≥' if goal.at_least else '≤'} {_number(goal.bound)}"
            rows.append(
                f"| {outcome.title} | {goal.text} | {_number(goal.value)} | {bound} | {'met' if goal.met else '**not met**'} |"
            )
    return rows


def _figures(outcome: Outcome) -> list[str]:
    names = list(outcome.figures)
    rows = [
        f"### {outcome.title}",
        "",
        "| | " + " | ".join(NAMES.get(n, n) for n in names) + " |",
        "|---|" + "---|" * len(names),
    ]
    keys = list(dict.fromkeys(key for n in names for key in outcome.figures[n]))
    for key in keys:
        cells = [_number(outcome.figures[n][key]) if key in outcome.figures[n] else "–" for n in names]
        rows.append(f"| {key} | {' | '.join(cells)} |")
    return [*rows, ""]


def write(
    folder: Path, machine: dict[str, str], how: str, outcomes: list[Outcome], growth: list[Growth], problems: list[str]
) -> None:
    """results.json, results.md and the plots into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = {
        "machine": machine,
        "how": how,
        "outcomes": [{**asdict(o), "goals": [{**asdict(g), "met": g.met} for g in o.goals]} for o in outcomes],
        "growth": [asdict(g) for g in growth],
        "problems": problems,
    }
    (folder / "results.json").write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")
    met = [g.met for o in outcomes for g in o.goals]
    page = ["# Results", "", f"Made by `{how}`; do not edit. What is measured and how: `bench/README.md`.", ""]
    page += [", ".join(f"{key}: {value}" for key, value in machine.items()) + ".", ""]
    page += [f"{sum(met)} of {len(met)} goals met.", "", *_goals(outcomes), ""]
    if problems:
        page += ["Failed to run:", "", *[f"- {p}" for p in problems], ""]
    page += ["## Figures", ""]
    for outcome in outcomes:
        page += _figures(outcome)
    if growth:
        page += ["## How cost grows", ""]
    for one in growth:
        (folder / f"{one.name}.svg").write_text(svg(one.series, one.axis))
        page += [f"### {one.title}", "", f"![{one.title}]({one.name}.svg)", ""]
    (folder / "results.md").write_text("\n".join(page).rstrip() + "\n")
