"""`ottla completion`: scripts that let a shell complete commands, flags, topics, groups and profiles.

    TAB ──► the shell's script ──► ottla completion words -- WORD ... LAST ──► one candidate a line

The candidates come from the parser itself, so they are always those of this version. Names of topics and groups are asked of the
cluster that the words name, for at most a second; a cluster that does not answer completes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Sequence

from . import connection
from .trouble import Trouble

ASK_S = 1.0
_BASH = """_ottla() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
        ottla completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -o nosort -F _ottla ottla 2>/dev/null || complete -o default -F _ottla ottla
"""
_ZSH = """#compdef ottla
_ottla() {
    local -a found
    found=("${(@f)$(ottla completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -- "${found[@]}"; else _files; fi
}
if [[ "$funcstack[1]" = "_ottla" ]]; then _ottla "$@"; else compdef _ottla ottla; fi
"""
_FISH = """function __ottla_complete
    set -l words (commandline -opc) (commandline -ct)
    ottla completion words -- $words[2..-1] 2>/dev/null
end
complete -c ottla -a '(__ottla_complete)'
"""


def run(arguments: argparse.Namespace) -> int:
    """Print a script, or the candidates."""
    if arguments.shell != "words":
        print({"bash": _BASH, "zsh": _ZSH, "fish": _FISH}[arguments.shell], end="")
        return 0
    for candidate in candidates(arguments.words or [""]):
        print(candidate)
    return 0


def candidates(words: Sequence[str]) -> list[str]:
    """What the last word may become."""
    from .main import parser

    *before, last = words
    level: argparse.ArgumentParser = parser(before)
    given: dict[str, object] = {}
    positionals: list[str] = []
    waiting: argparse.Action | None = None
    for word in before:
        if waiting is not None:
            given[waiting.dest] = word
            waiting = None
            continue
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            found = level._option_string_actions.get(name)
            if found is not None and found.nargs != 0:
                if equals:
                    given[found.dest] = value
                else:
                    waiting = found
            continue
        choices = _subcommands(level)
        if word in choices:
            level, positionals = choices[word], []
        else:
            positionals.append(word)
    if waiting is not None:
        options = _values(waiting, given)
    elif last.startswith("-"):
        options = [name for name in level._option_string_actions if name.startswith("--") or len(last) < 2]
    else:
        options = list(_subcommands(level)) or _positional(level, positionals, given)
    return sorted(option for option in options if option.startswith(last))


def _subcommands(level: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in level._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _positional(level: argparse.ArgumentParser, given: list[str], options: dict[str, object]) -> list[str]:
    places = [action for action in level._actions if not action.option_strings]
    if not places:
        return []
    index = min(len(given), len(places) - 1)
    if index < len(given) and places[index].nargs not in ("*", "+"):
        return []
    return [each for each in _values(places[index], options) if each not in given]


def _values(action: argparse.Action, given: dict[str, object]) -> list[str]:
    if action.choices is not None:
        return [str(choice) for choice in action.choices]
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if metavar == "QUOTA=VALUE":
        return [f"{name}=" for name in _quotas()]
    if metavar == "QUOTA":
        return _quotas()
    if metavar == "PROFILE":
        return _profiles()
    if metavar.startswith("TOPIC") or metavar == "GROUP":
        return list(_ask(metavar, given))
    return []


def _quotas() -> list[str]:
    from .quota import KEYS

    return list(KEYS)


def _profiles() -> list[str]:
    try:
        return list(connection.profiles()[0])
    except Trouble:
        return []


def _ask(what: str, given: dict[str, object]) -> Iterable[str]:
    """Names that the cluster has; none if it does not answer soon."""
    from ..client.admin.admin import Admin
    from ..client.errors import ClientError

    async def ask() -> list[str]:
        arguments = argparse.Namespace(**{key: value for key, value in given.items() if key != "settings"})
        async with asyncio.timeout(ASK_S), Admin(connection.config(arguments)) as admin:
            if what == "GROUP":
                return [group.id for group in await admin.groups.list()]
            return await admin.topics.list()

    try:
        return asyncio.run(ask())
    except (ClientError, Trouble, TimeoutError):
        return []
