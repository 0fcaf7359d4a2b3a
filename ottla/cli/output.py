"""What commands print: a table for people, JSON for programs, a progress bar on long work.

On a terminal tables are drawn (rich); elsewhere columns are padded with blanks, without colours or lines, so that grep, awk and
cut read them. A progress bar is drawn on stderr, and only if that is a terminal.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .trouble import MISUSED, Trouble

Row = Sequence[Any]


def show(arguments: argparse.Namespace, data: Any, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print `data` as JSON if that is asked for, else the rows as a table."""
    if arguments.json:
        print(json.dumps(data, indent=2))
    else:
        table(columns, rows)


def say(arguments: argparse.Namespace, data: Any, *lines: str) -> None:
    """Print what was done: lines for people, an object for programs."""
    if arguments.json:
        print(json.dumps(data, indent=2))
    else:
        for line in lines:
            print(line)


def table(columns: Sequence[str], rows: Iterable[Row], title: str | None = None) -> None:
    """Print a table."""
    cells = [[_text(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _drawn(columns, cells, title)
        return
    if title:
        print(title)
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in ([name.upper() for name in columns], *cells):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _drawn(columns: Sequence[str], cells: list[list[str]], title: str | None) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, title=title, title_justify="left")
    for index, name in enumerate(columns):
        is_number = bool(cells) and all(
            row[index].lstrip("-").replace(".", "").isdecimal() or row[index] == "-" for row in cells
        )
        drawn.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def _text(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "-"
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value))


@contextmanager
def progress(label: str, total: float | None, unit: str = "records") -> Iterator[Callable[[float], None]]:
    """A bar on stderr; gives what moves it on. Nothing is drawn where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}" + ("" if total is None else "/{task.total:,.0f}") + f" {unit}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=5) as bar:
        task = bar.add_task(label, total=total, rate="")

        def advance(count: float) -> None:
            bar.advance(task, count)
            speed = bar.tasks[0].speed
            bar.update(task, rate="" if speed is None else f"{speed:,.0f}/s")

        yield advance


def confirm(arguments: argparse.Namespace, question: str) -> None:
    """Ask before what cannot be undone: on a terminal; a script means what it says."""
    if arguments.yes or not sys.stdin.isatty():
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Trouble("nothing was done", "answer y, or give --yes", MISUSED)
