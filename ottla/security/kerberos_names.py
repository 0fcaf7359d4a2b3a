"""Kerberos principals and the rules that shorten them to user names (`sasl.kerberos.principal.to.local.rules`).

    alice/host.example@REALM ──parse──► ("alice", "host.example", "REALM") ──rules, the first that fits──► "alice"

A rule is `DEFAULT` (the first component, if the realm is the machine's own) or

    RULE:[n:format](regex)s/pattern/replacement/g/L
          │ │       │      │                    │ └ L or U: lower or upper case
          │ │       │      └ substitution, everywhere with g
          │ │       └ the formatted text must match this as a whole
          │ └ $0 is the realm, $1 and $2 are the components
          └ for principals with n components

Grammar, order and refusals are those of Kafka's KerberosShortNamer; patterns and replacements are read as Java reads them,
as far as Python's `re` has the same syntax (no `\\p{..}`, no `&&` in classes: such a rule is refused when the broker starts).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_NAME = re.compile(r"([^/@]*)(?:/([^/@]*))?@([^/@]*)")
_RULE = re.compile(
    r"(?:(DEFAULT)|RULE:\[([0-9]*):([^\]]*)\](?:\(([^)]*)\))?(?:s/([^/]*)/([^/]*)/(g)?)?/?([LU])?)",
)
_PARAMETER = re.compile(r"([^$]*)(?:\$([0-9]*))?")


class NoUserName(ValueError):  # noqa: N818 - a fact, not a bug
    """No rule makes a user name of a principal."""


class KerberosName(NamedTuple):
    """A principal in its parts; `host` and `realm` are None where it has none."""

    service: str
    host: str | None
    realm: str | None

    @classmethod
    def parse(cls, text: str) -> KerberosName:
        """Take a principal apart; raises ValueError if it has more than two components or several realms."""
        match = _NAME.fullmatch(text)
        if match is not None:
            return cls(match[1], match[2], match[3])
        if "@" in text:
            raise ValueError(f"Malformed Kerberos name: {text}")
        return cls(text, None, None)

    def __str__(self) -> str:
        host = "" if self.host is None else f"/{self.host}"
        return f"{self.service}{host}" + ("" if self.realm is None else f"@{self.realm}")


class _Rule(NamedTuple):
    """One rule; `components` is None for DEFAULT."""

    text: str
    components: int | None = None
    format: str = ""
    match: re.Pattern[str] | None = None
    pattern: re.Pattern[str] | None = None
    replacement: str = ""
    everywhere: bool = False
    case: str = ""

    def apply(self, realm: str, parameters: Sequence[str]) -> str | None:
        """Return what the rule makes of (realm, components...), or None if it is not for this principal."""
        if self.components is None:
            result = parameters[1] if parameters[0] == realm else None
        elif self.components == len(parameters) - 1:
            result = self._rewrite(parameters)
        else:
            result = None
        if result is None:
            return None
        if "/" in result or "@" in result:
            raise NoUserName(f"Non-simple name {result} after auth_to_local rule {self.text}")
        return {"L": str.lower, "U": str.upper}.get(self.case, str)(result)

    def _rewrite(self, parameters: Sequence[str]) -> str | None:
        base = replace_parameters(self.format, parameters)
        if self.match is not None and self.match.fullmatch(base) is None:
            return None
        if self.pattern is None:
            return base
        return self.pattern.sub(
            lambda found: java_replacement(self.replacement, found), base, count=0 if self.everywhere else 1
        )


class ShortNamer:
    """The rules of one broker. `realm` is the default realm of the machine."""

    def __init__(self, realm: str, rules: Iterable[str]) -> None:
        """Read the rules; raises ValueError with the one that is none."""
        self.realm = realm
        self._rules = [_parse(rule) for rule in rules]

    def short_name(self, name: KerberosName) -> str:
        """Return the user name of a principal; raises `NoUserName`."""
        if name.host is None:
            if name.realm is None:
                return name.service
            parameters = [name.realm, name.service]
        else:
            parameters = [name.realm or "", name.service, name.host]
        for rule in self._rules:
            result = rule.apply(self.realm, parameters)
            if result is not None:
                return result
        raise NoUserName(f"No rules apply to {name}, rules [{', '.join(rule.text for rule in self._rules)}]")


def _parse(text: str) -> _Rule:
    match = _RULE.match(text)
    if match is None:
        raise ValueError(f"Invalid rule: {text}")
    if match.end() != len(text):
        raise ValueError(f"Invalid rule: `{text}`, unmatched substring: `{text[match.end() :]}`")
    if match[1]:
        return _Rule(text)
    if not match[2]:
        raise ValueError(f"Invalid rule: {text}: it does not say for how many components it is")
    try:
        whole, pattern = (None if part is None else re.compile(part) for part in (match[4], match[5]))
    except re.error as error:
        raise ValueError(f"Invalid rule: {text}: {error}") from None
    return _Rule(text, int(match[2]), match[3], whole, pattern, match[6] or "", bool(match[7]), match[8] or "")


def replace_parameters(text: str, parameters: Sequence[str]) -> str:
    """Put parameters in the place of `$n`; what was put in is not looked at again."""
    result, start = [], 0
    while start < len(text):
        match = _PARAMETER.match(text, start)
        assert match is not None
        result.append(match[1])
        if match[2] is not None:
            if not match[2]:
                raise NoUserName(f"bad format in username mapping in {text}")
            number = int(match[2])
            if number >= len(parameters):
                raise NoUserName(f"index {number} from {text} is outside of the valid range 0 to {len(parameters) - 1}")
            result.append(parameters[number])
        start = match.end()
    return "".join(result)


def java_replacement(template: str, found: re.Match[str]) -> str:
    """Expand a replacement in Java's syntax: `$1` and `${name}` are groups, a backslash takes the next letter as it is.

    `$12` is group 12 if there is one, else group 1 followed by a 2.
    """
    result, at = [], 0
    while at < len(template):
        letter = template[at]
        at += 1
        if letter == "\\":
            if at == len(template):
                raise NoUserName(f"the replacement {template} ends in a backslash")
            result.append(template[at])
            at += 1
        elif letter == "$":
            group, at = _group(template, at, found)
            result.append(group)
        else:
            result.append(letter)
    return "".join(result)


def _group(template: str, at: int, found: re.Match[str]) -> tuple[str, int]:
    named = re.compile(r"\{([a-zA-Z][a-zA-Z0-9]*)\}").match(template, at)
    try:
        if named is not None:
            return found[named[1]] or "", named.end()
        end = at + 1
        number = int(template[at:end])
        while end < len(template) and template[end] in "0123456789" and int(template[at : end + 1]) <= found.re.groups:
            end += 1
            number = int(template[at:end])
        return found[number] or "", end
    except (IndexError, ValueError):
        raise NoUserName(f"the replacement {template} names a group that is not there") from None
