"""The login settings of a SASL mechanism, in the form Kafka takes from Java: `sasl.jaas.config`.

    org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" user_alice="secret";
    └─ login module ─────────────────────────────────────┘ └─flag─┘ └─ options ────────────────────────┘

Nothing is loaded here: the module's name is compared with those of the table of mechanisms, and any other is refused. A
name out of a config that gets loaded was what CVE-2023-25194, CVE-2025-27818 and CVE-2025-27819 needed.

Errors never repeat what stands in quotes: it may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .mechanisms import MECHANISMS, SaslConfigError

_FLAGS = frozenset({"required", "requisite", "sufficient", "optional"})
#: As Java's StreamTokenizer is set up there: blanks and comments between words, quoted strings and single characters.
#: A comment is never tried as anything else (`*+`), so that no text takes long.
_TOKEN = re.compile(
    r"""(?:[\x00-\x20]+|/\*(?:.*?\*/|.*)|/[^\r\n]*)*+(?:
        (?P<quoted>"(?:[^"\\\r\n]|\\.)*"|'(?:[^'\\\r\n]|\\.)*')
      | (?P<word>[A-Za-z0-9_$.\-\xa0-\U0010ffff]+)
      | (?P<sign>[^\x00-\x20])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:([0-3][0-7]{0,2}|[4-7][0-7]?)|(.))", re.DOTALL)
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class JaasEntry(NamedTuple):
    """A login module and its options."""

    module: str
    options: Mapping[str, str]

    def __repr__(self) -> str:
        return f"JaasEntry({self.module}, {len(self.options)} options)"


class _Token(NamedTuple):
    kind: str
    text: str


def parse_jaas(text: str) -> JaasEntry:
    """Read the one entry that a `sasl.jaas.config` holds; raises `SaslConfigError` and shows no secrets."""
    tokens = _tokens(text)
    if not tokens:
        raise SaslConfigError("JAAS config property does not contain any login modules")
    entry, used = _entry(tokens)
    if used < len(tokens):
        raise SaslConfigError("JAAS config property contains several login modules, should be 1 module")
    _check_module(entry.module)
    return entry


def for_mechanism(text: str, mechanism: str) -> Mapping[str, str]:
    """Return the options of an entry that must be one for this mechanism."""
    entry = parse_jaas(text)
    wanted = MECHANISMS[mechanism].login_modules
    if entry.module not in wanted:
        raise SaslConfigError(f"login module {entry.module} is not one for {mechanism}: use {wanted[0]}")
    return entry.options


def _check_module(module: str) -> None:
    known = sorted({name for row in MECHANISMS.values() for name in row.login_modules})
    if module not in known:
        raise SaslConfigError(f"login module {module!r} is not allowed: the known ones are {', '.join(known)}")


def _entry(tokens: list[_Token]) -> tuple[JaasEntry, int]:
    module = tokens[0]
    if module.kind == "sign":
        raise SaslConfigError("Login module not specified in JAAS config")
    if len(tokens) < 2 or tokens[1].kind == "sign":
        raise SaslConfigError("Login module control flag not specified in JAAS config")
    if tokens[1].text.lower() not in _FLAGS:
        raise SaslConfigError("Invalid login module control flag in JAAS config: use required")
    options: dict[str, str] = {}
    at = 2
    while at < len(tokens) and tokens[at] != _Token("sign", ";"):
        key = tokens[at]
        if key.kind == "sign":
            raise SaslConfigError(f"JAAS config has {key.text!r} where the name of an option should be")
        value = tokens[at + 2] if at + 2 < len(tokens) else _Token("sign", "")
        if tokens[at + 1 : at + 2] != [_Token("sign", "=")] or value.kind == "sign":
            # Behind an unquoted value the "key" may be the rest of a password with a blank in it.
            shown = key.text if key.kind == "word" and (at == 2 or tokens[at - 1].kind == "quoted") else "..."
            raise SaslConfigError(f"Value not specified for key '{shown}' in JAAS config")
        options[key.text] = value.text
        at += 3
    if at >= len(tokens):
        raise SaslConfigError("JAAS config entry not terminated by semi-colon")
    return JaasEntry(module.text, options), at + 1


def _tokens(text: str) -> list[_Token]:
    found = []
    at = 0
    while match := _TOKEN.match(text, at):
        at = match.end()
        kind = match.lastgroup or "sign"
        token = match[kind]
        found.append(_Token(kind, _unescape(token[1:-1]) if kind == "quoted" else token))
    return found


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda m: chr(int(m[1], 8)) if m[1] else _ESCAPED.get(m[2], m[2]), text)
