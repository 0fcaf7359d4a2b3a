r"""Rules that turn a certificate's subject into a principal's name: `ssl.principal.mapping.rules`, as Kafka reads them.

    RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, DEFAULT

The first rule whose pattern matches the whole name decides: the replacement, in which `$1` is the first group, in lower
case with L and in upper case with U. DEFAULT takes the name as it is. A `/` inside a pattern is written `\/`. Where no
rule applies the client is refused.

Patterns and replacements are Java's. Python reads the patterns of such rules the same way but for possessive
quantifiers before 3.11, `\p{..}` classes and `\Q..\E`; what it cannot read is an error when the broker starts.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_RULE = r"(DEFAULT)|RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?).*?|(.*?)"
_SPLITTER: Final = re.compile(rf"\s*({_RULE})\s*(,\s*|$)")
_PARSER: Final = re.compile(_RULE)
_BACK_REFERENCE: Final = re.compile(r"\$(\d+)")


class MappingError(ValueError):
    """The rules cannot be read, or none of them applies to a name."""


class Rule(NamedTuple):
    """One rule; the default one has no pattern."""

    pattern: re.Pattern[str] | None
    replacement: str = ""
    case: str = ""
    #: The pattern as it was written.
    written: str = ""

    def apply(self, name: str) -> str | None:
        """Return the principal's name, or None if the rule does not apply."""
        if self.pattern is None:
            return name
        if self.pattern.fullmatch(name) is None:
            return None
        replacement = _Replacement(self.replacement, self.pattern.groups)
        found = self.pattern.sub(replacement, name)
        return found.lower() if self.case == "L" else found.upper() if self.case == "U" else found

    def __str__(self) -> str:
        if self.pattern is None:
            return "DEFAULT"
        return f"RULE:{self.written}/{self.replacement}{'/' + self.case if self.case else ''}"


class _Replacement:
    r"""Java's replacement: `$1` is a group, `\x` is x. A `$n` beyond the last group stays as it is (Kafka's rule)."""

    def __init__(self, text: str, groups: int) -> None:
        self._parts: list[str | int] = []
        pos = 0
        while pos < len(text):
            character = text[pos]
            if character == "\\":
                if pos + 1 == len(text):
                    raise MappingError("character to be escaped is missing")
                self._parts.append(text[pos + 1])
                pos += 2
                continue
            if character == "$":
                match = _BACK_REFERENCE.match(text, pos)
                if match is None:
                    raise MappingError("Illegal group reference")
                pos += self._reference(match[1], groups)
                continue
            self._parts.append(character)
            pos += 1

    def _reference(self, digits: str, groups: int) -> int:
        """Take as many digits as there are groups; returns how many characters that was, with the `$`."""
        number, taken = int(digits[0]), 1
        if number > groups:
            if groups == 0:
                raise MappingError(f"No group {number}")
            self._parts.append(f"${digits[0]}")
            return 2
        while taken < len(digits) and number * 10 + int(digits[taken]) <= groups:
            number = number * 10 + int(digits[taken])
            taken += 1
        self._parts.append(number)
        return 1 + taken

    def __call__(self, match: re.Match[str]) -> str:
        return "".join(match[part] or "" if isinstance(part, int) else part for part in self._parts)


class PrincipalMapper:
    """All rules of a listener, in order."""

    def __init__(self, rules: str | None) -> None:
        texts = [match[1] for match in _SPLITTER.finditer(("DEFAULT" if rules is None else rules).strip())]
        self.rules = [rule for text in texts if (rule := _parse(text)) is not None]

    def name(self, distinguished_name: str) -> str:
        """Return the principal's name; raises `MappingError` if no rule applies."""
        for rule in self.rules:
            found = rule.apply(distinguished_name)
            if found is not None:
                return found
        raise MappingError(f"No rules apply to {distinguished_name}, rules {self}")

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.rules))}]"


def _parse(text: str) -> Rule | None:
    match = _PARSER.match(text)
    if match is None or match.end() != len(text):
        unmatched = text[match.end() :] if match else text
        raise MappingError(f"Invalid rule: `{text}`, unmatched substring: `{unmatched}`")
    if match[1] is not None:
        return Rule(None)
    if match[2] is None:
        return None
    try:
        # Java's `$` and `.` know the same line ends; a name has none. `(?<name>` is the one difference of such rules.
        pattern = re.compile(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", match[2]))
    except re.error as problem:
        raise MappingError(f"Invalid rule: `{text}`: {problem}") from None
    return Rule(pattern, match[3], match[4], match[2])
