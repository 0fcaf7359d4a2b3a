"""Writes docs/apis.md from the handlers: which APIs are served, in which versions, and what each is for.

    python tools/apis.py

The sentence is the first of the handler's module; what is asked for stands in `broker/authorization`. A test fails when the page and the handlers differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ottla.broker.authorization import TABLE
from ottla.broker.dispatch import load_handlers
from ottla.protocol.apis import API_KEYS
from ottla.security import acl

PAGE = Path(__file__).resolve().parent.parent / "docs" / "apis.md"
HEAD = """\
# APIs served

Made by `python tools/apis.py` from the handlers in `ottla/broker/handlers/`; edit those. Only what works is advertised:
a client asks ApiVersions and finds exactly this table. Versions are those of Apache Kafka 4.2.

The last column is what a client must be allowed to do where there is an authorizer ([security](security.md#authorization)).

| key | API | versions | what it does | asks for |
|---|---|---|---|---|
"""


def asks(key: int) -> str:
    """Say what an API asks for: `WRITE topic`, `CREATE cluster or topic`."""
    words = [
        f"{acl.OPERATIONS[need.operation]} {acl.RESOURCE_TYPES[need.kind].lower().replace('_', ' ')}"
        + (f" ({need.when})" if need.when else "")
        for need in TABLE[key].needs
    ]
    return "; ".join(words) or "nothing"


def main() -> None:
    """Write the page."""
    rows = []
    entries = load_handlers()
    for entry in entries.values():
        text = (sys.modules[entry.function.__module__].__doc__ or "").split("\n\n")[0].replace("\n", " ")
        sentence = text.partition(": ")[2].strip() or text
        rows.append(
            f"| {entry.key} | {entry.name} | {entry.versions} | {sentence[:1].upper()}{sentence[1:]} | {asks(entry.key)} |\n"
        )
    declared = [api.name for api in API_KEYS.values() if api.key not in entries]
    tail = (
        ""
        if not declared
        else f"\nDeclared in `ottla/protocol/apis/` and checked against Kafka's schemas, not served yet: {', '.join(declared)}.\n"
    )
    PAGE.write_text(HEAD + "".join(rows) + tail)


if __name__ == "__main__":
    main()
