"""Writes the tables of flags in docs/cli.md from the table of commands (ottla/cli/nouns.py): python tools/cli.py"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ottla.cli.nouns import NOUNS
from ottla.cli.spec import CONFIG, CONNECTION, JSON, Action, Flag

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
BEGIN, END = "<!-- made by tools/cli.py: begin -->", "<!-- made by tools/cli.py: end -->"
COMMON = (*CONNECTION, CONFIG, JSON)


def cell(text: Any) -> str:
    """Text in a table."""
    return str(text).replace("%%", "%").replace("|", "\\|").replace("*", "\\*")


def name(flag: Flag) -> str:
    """A flag as it is written, the long name first."""
    options = flag.options
    metavar = options.get("metavar")
    if not flag.names[0].startswith("-"):
        return f"`{metavar}`" + ({"*": " ...", "+": " ...", "?": ""}.get(options.get("nargs"), ""))
    value = "" if options.get("action") == "store_true" or metavar is None else f" {metavar}"
    ordered = sorted(flag.names, key=lambda each: not each.startswith("--"))
    return ", ".join([f"`{ordered[0]}{value}`", *(f"`{each}`" for each in ordered[1:])])


def rows(flags: tuple[Flag, ...]) -> list[str]:
    return [f"| {cell(name(each))} | {cell(each.options['help'])} |" for each in flags if each not in COMMON]


def action(title: str, each: Action) -> list[str]:
    own = rows(each.flags)
    text = [f"`{title}`: {each.help}." if each.help else "", ""]
    return [*text, *(["| argument | |", "|---|---|", *own, ""] if own else [])]


def reference() -> str:
    lines = [
        "| everywhere | |",
        "|---|---|",
        *[f"| {name(each)} | {cell(each.options['help'])} |" for each in COMMON],
        "",
    ]
    for noun, about in NOUNS.items():
        lines += [f"### `ottla {noun}`", "", f"{about.help[0].upper()}{about.help[1:]}.", ""]
        for verb, each in about.actions.items():
            if verb:
                lines += action(f"ottla {noun} {verb}", each)
            else:
                lines += [
                    *([each.text, ""] if noun == "completion" else []),
                    "| argument | |",
                    "|---|---|",
                    *rows(each.flags),
                    "",
                ]
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with new tables."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
    sys.exit(0)
