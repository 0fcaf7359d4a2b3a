"""The assignors by name; Java's class names are understood too, so that a configuration can be taken over."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import ConfigError
from .range import RangeAssignor
from .round_robin import RoundRobinAssignor
from .sticky import CooperativeStickyAssignor, StickyAssignor
from .types import Assignor

ASSIGNORS: dict[str, type[Assignor]] = {
    kind.name: kind for kind in (RangeAssignor, RoundRobinAssignor, StickyAssignor, CooperativeStickyAssignor)
}
_JAVA = "org.apache.kafka.clients.consumer."


def choose(names: Sequence[str | Assignor]) -> list[Assignor]:
    """The assignors that a member offers, in its order of preference."""
    chosen: list[Assignor] = []
    for name in names:
        if not isinstance(name, str):
            chosen.append(name)
            continue
        short = name.removeprefix(_JAVA)
        kind = ASSIGNORS.get(name) or next((k for k in ASSIGNORS.values() if k.__name__ == short), None)
        if kind is None:
            raise ConfigError(f"there is no assignor {name!r}; there are {', '.join(ASSIGNORS)}")
        chosen.append(kind())
    return chosen


def cooperative(assignors: Sequence[Assignor]) -> bool:
    """Whether a member that offers these keeps its partitions while it joins: only if each of them knows how.

    With ["range", "cooperative-sticky"] it is eager, which is how a group is rolled from one to the other.
    """
    return all(assignor.cooperative for assignor in assignors)
