"""Writes what derives from the client's tables of settings: their types for checkers, and the page docs/client-settings.md.

    python tools/client_settings.py

A test fails when either differs from the tables in `ottla/client/settings_*.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ottla.client.config import Config
from ottla.client.settings import (
    Choice,
    Duration,
    Flag,
    Fraction,
    Instance,
    Names,
    Number,
    Setting,
    Size,
    Text,
    rows,
)
from ottla.client.settings_common import CommonSettings
from ottla.client.settings_consumer import ConsumerSettings
from ottla.client.settings_producer import Acks, ProducerSettings

ROOT = Path(__file__).resolve().parent.parent
TYPES = ROOT / "ottla" / "client" / "settings_types.py"
PAGE = ROOT / "docs" / "client-settings.md"

#: Kind of setting -> what it is set from, as a type; the word for it on the page.
KINDS: dict[type, tuple[str, str]] = {
    Acks: ("str | int", "all, 1 or 0"),
    Duration: ("int | str | timedelta", "duration"),
    Size: ("int | str", "bytes"),
    Number: ("int | str", "number"),
    Fraction: ("float | str", "number"),
    Flag: ("bool | str", "true or false"),
    Choice: ("str", "word"),
    Names: ("str | Iterable[str]", "list"),
    Text: ("str | None", "text"),
    Instance: ("Any", "object"),
}
TYPES_HEAD = '''\
"""The types of all settings, for type checkers: `Config(linger_ms="5ms")` is checked, name and value.

Made by `python tools/client_settings.py` from the tables in `settings_*.py`; edit those.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, TypedDict


class Settings(TypedDict, total=False):
    """Keyword arguments of `Config` and of the clients."""

'''
PAGE_HEAD = """\
# Settings of the client

Made by `python tools/client_settings.py` from the tables in `ottla/client/`; edit those. As keyword arguments the names have `_` for `.`
([how they are set](client.md#configuration)). Durations are in milliseconds, or text such as `"10s"`.
"""


def kind(row: Setting[Any, Any]) -> tuple[str, str]:
    return next(found for cls, found in KINDS.items() if isinstance(row, cls))


def types() -> str:
    names = [f"    {name}: {kind(row)[0]}" for name, row in rows(Config).items()]
    return TYPES_HEAD + "\n".join(names) + "\n"


def page() -> str:
    parts = [PAGE_HEAD]
    for title, table in (
        ("All clients", CommonSettings),
        ("Producer", ProducerSettings),
        ("Consumer", ConsumerSettings),
    ):
        parts.append(f"\n## {title}\n\n| setting | default | kind | |\n|---|---|---|---|\n")
        for row in rows(table).values():
            default = row.text(row.default)
            also = f" Also `{'`, `'.join(row.aliases)}`." if row.aliases else ""
            choices = f": {', '.join(row.choices)}" if isinstance(row, Choice) else ""
            doc = f"{row.doc}{also}".replace("|", "\\|")
            parts.append(f"| `{row.name}` | {f'`{default}`' if default else ''} | {kind(row)[1]}{choices} | {doc} |\n")
    return "".join(parts)


def main() -> None:
    TYPES.write_text(types())
    PAGE.write_text(page())
    print(f"written: {TYPES.relative_to(ROOT)}, {PAGE.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()
