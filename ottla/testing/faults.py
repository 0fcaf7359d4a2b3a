"""Scripted faults: what a test says about requests to come, and the script that the broker's dispatcher consults.

How it works
------------
`on(api, **about)` makes a `Trigger`; choosing the occurrences (`once`, `times`, `nth`, `always`) and an action makes a
`Rule`. Before a handler runs, the dispatcher asks the `Script`, in its own thread (the loop's); the rules are asked in
the order in which they were made, each counts the requests that match it, and the first whose turn it is acts:

    fail         answer with the error; the handler never runs
    disconnect   close the connection; the handler never runs
    lose_answer  the handler runs, then the connection closes: done, but the client cannot know
    hold         wait at the gate until the test opens it, then go on

Requests of the fixture's own (client id `OWN_CLIENT_ID`) pass untouched and are not recorded.
"""

from __future__ import annotations

import asyncio
import difflib
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple

from ..protocol.apis import API_KEYS, request_class
from ..protocol.errors import ErrorCode
from ..protocol.schema import Request, Response
from . import mirror
from .durations import seconds

OWN_CLIENT_ID = "ottla-testing"
#: How many requests the trace remembers; older ones fall out.
TRACE_LENGTH = 10_000

_KEYS = {api.name: api.key for api in API_KEYS.values()}


class Seen(NamedTuple):
    """One request that reached the broker."""

    api: str
    version: int
    client_id: str | None
    request: Any


class Requests(list[Seen]):
    """What `kafka.requests(...)` returns: a list, and what tests ask of it most."""

    @property
    def versions(self) -> set[int]:
        """The versions in which the requests came."""
        return {seen.version for seen in self}


def api_key(name: str) -> int:
    """The key of an API by Kafka's name for it."""
    if name not in _KEYS:
        raise ValueError(f"Kafka has no API {name!r}" + _did_you_mean(name, _KEYS))
    return _KEYS[name]


def check_about(api: str | None, about: dict[str, Any]) -> None:
    """Raise what is wrong with the words that narrow a rule: one that no request knows would never match."""
    if "where" in about and not callable(about["where"]):
        raise TypeError(f"where= is a function of the request, not {about['where']!r}")
    unknown = about.keys() - {"client_id", "where"}
    if not unknown:
        return
    keys = API_KEYS if api is None else [api_key(api)]
    known = set().union(*(mirror.names(request_class(key)) for key in keys))
    for name in sorted(unknown - known):
        whose = "no request has" if api is None else f"{api} requests have no"
        raise ValueError(f"{whose} {name!r}" + _did_you_mean(name, known | {"client_id", "where"}))


def concerns(
    about: dict[str, Any],
    request: Request,
    version: int,
    client_id: str | None,
    topic_name: Callable[[bytes], str | None],
) -> bool:
    """Whether all that `about` says is true of the request."""
    for what, value in about.items():
        if what == "where":
            true = bool(value(request))
        elif what == "client_id":
            true = client_id == value
        else:
            true = mirror.speaks_of(request, what, value, version, topic_name)
        if not true:
            return False
    return True


def _check_error(error: object) -> None:
    if not isinstance(error, ErrorCode):
        hint = _did_you_mean(error, ErrorCode.__members__) if isinstance(error, str) else ""
        raise TypeError(f"an error is one of ottla.testing.Error, not {error!r}{hint}")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f": did you mean {near[0]!r}?" if near else ""


class Call(NamedTuple):
    """A request at the door, as the dispatcher hands it to the script."""

    key: int
    version: int
    client_id: str | None
    request: Request
    topic_name: Callable[[bytes], str | None]
    handle: Callable[[], Awaitable[Response | None]]
    disconnect: Callable[[], None]


@dataclass(eq=False)
class Rule:
    """What to do with which requests. `seen` counts the requests that matched, `done` those acted upon."""

    key: int | None
    about: dict[str, Any]
    first: int
    last: float
    action: Callable[[Call], Awaitable[Response | None]]
    script: Script
    seen: int = 0
    done: int = 0

    def matches(self, call: Call) -> bool:
        """Whether the rule speaks of this request."""
        return self.key in (None, call.key) and concerns(
            self.about, call.request, call.version, call.client_id, call.topic_name
        )

    def remove(self) -> None:
        """Forget the rule."""
        self.script.remove(self)


class Trigger:
    """Which requests; say how many of them by `once`, `times`, `nth` or `always`, then what to do."""

    def __init__(self, script: Script, api: str | None, about: dict[str, Any]) -> None:
        self._script = script
        self._key = None if api is None else api_key(api)
        check_about(api, about)
        self._about = about
        self._first, self._last = 1, float("inf")

    def once(self) -> Trigger:
        """The next matching request only."""
        return self._occurrences(1, 1)

    def times(self, count: int) -> Trigger:
        """The next `count` matching requests."""
        return self._occurrences(1, count)

    def nth(self, number: int) -> Trigger:
        """The `number`-th matching request from now on, counted from 1."""
        return self._occurrences(number, number)

    def always(self) -> Trigger:
        """Every matching request until the rule is removed; what happens when nothing is said."""
        return self._occurrences(1, float("inf"))

    def _occurrences(self, first: int, last: float) -> Trigger:
        if first < 1 or last < first:
            raise ValueError("occurrences count from 1")
        self._first, self._last = first, last
        return self

    def fail(self, error: ErrorCode, message: str | None = None) -> Rule:
        """Answer with the error; nothing is done."""
        _check_error(error)

        async def act(call: Call) -> Response | None:
            if getattr(call.request, "acks", None) == 0:  # nobody waits for an answer: Kafka closes the connection
                call.disconnect()
            return mirror.error_response(call.request, call.version, error, message or error.message)

        return self._add(act)

    def disconnect(self) -> Rule:
        """Close the connection instead of an answer; nothing is done."""

        async def act(call: Call) -> Response | None:
            call.disconnect()
            return mirror.error_response(call.request, call.version, ErrorCode.NETWORK_EXCEPTION)

        return self._add(act)

    def lose_answer(self) -> Rule:
        """Do what is asked, then close the connection: the client cannot know whether it was done."""

        async def act(call: Call) -> Response | None:
            response = await call.handle()
            call.disconnect()
            return response

        return self._add(act)

    def delay(self, duration: str | float) -> Rule:
        """Wait, then go on as usual."""

        async def act(call: Call) -> Response | None:
            await asyncio.sleep(seconds(duration))
            return None

        return self._add(act)

    def hold(self) -> Gate:
        """Let the requests wait until the gate is released."""
        gate = Gate()
        gate.rule = self._add(gate.pass_through)
        return gate

    def _add(self, action: Callable[[Call], Awaitable[Response | None]]) -> Rule:
        rule = Rule(self._key, self._about, self._first, self._last, action, self._script)
        self._script.add(rule)
        return rule


class Failing:
    """`kafka.fail(...)`: the occurrences come last, with the error."""

    def __init__(self, trigger: Trigger) -> None:
        self._trigger = trigger

    def once(self, error: ErrorCode, message: str | None = None) -> Rule:
        """Refuse the next matching request."""
        return self._trigger.once().fail(error, message)

    def times(self, count: int, error: ErrorCode, message: str | None = None) -> Rule:
        """Refuse the next `count` matching requests."""
        return self._trigger.times(count).fail(error, message)

    def nth(self, number: int, error: ErrorCode, message: str | None = None) -> Rule:
        """Refuse the `number`-th matching request."""
        return self._trigger.nth(number).fail(error, message)

    def always(self, error: ErrorCode, message: str | None = None) -> Rule:
        """Refuse every matching request until the rule is removed."""
        return self._trigger.always().fail(error, message)


class Gate:
    """A barrier in the broker: requests wait behind it until the test releases them. Also a context manager."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = False
        self._arrived = 0
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self.rule: Rule | None = None

    @property
    def held(self) -> int:
        """How many requests wait behind the gate now."""
        return len(self._waiting)

    async def pass_through(self, call: Call) -> Response | None:
        """Wait until the gate is open (in the broker's loop)."""
        loop = asyncio.get_running_loop()
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()
            if self._open:
                return None
            waiter = (loop, loop.create_future())
            self._waiting.append(waiter)
        try:
            await waiter[1]
        finally:  # also where the broker stops meanwhile
            with self._changed:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
        return None

    def wait(self, count: int = 1, within: str | float = "5s") -> None:
        """Return when `count` requests in all have come to the gate; AssertionError if they do not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._arrived >= count, seconds(within)):
                raise AssertionError(f"{self._arrived} requests came to the gate within {within}, not {count}")

    def release(self) -> None:
        """Open the gate for good: those who wait go on, those who come pass."""
        with self._changed:
            self._open = True
            waiting, self._waiting = self._waiting, []
        if self.rule is not None:
            self.rule.remove()
        for loop, future in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_finish, future)

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@dataclass
class Script:
    """All rules and the trace of one broker. Rules come from the test's thread, requests from the loop's."""

    trace: deque[Seen] = field(default_factory=lambda: deque(maxlen=TRACE_LENGTH))
    _rules: tuple[Rule, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _gates: list[Gate] = field(default_factory=list)

    def on(self, api: str | None, about: dict[str, Any]) -> Trigger:
        """The beginning of a sentence about requests to come."""
        return Trigger(self, api, about)

    def hold(self, api: str | None, about: dict[str, Any]) -> Gate:
        """A gate across the matching requests; `release_all` opens it at the latest."""
        gate = self.on(api, about).hold()
        self._gates.append(gate)
        return gate

    def add(self, rule: Rule) -> None:
        """Take the rule up, behind the others."""
        with self._lock:
            self._rules = (*self._rules, rule)

    def remove(self, rule: Rule) -> None:
        """Forget the rule; nothing happens if it is forgotten already."""
        with self._lock:
            self._rules = tuple(other for other in self._rules if other is not rule)

    def release_all(self) -> None:
        """Forget every rule and open every gate, so that nobody waits for a test that is over."""
        with self._lock:
            self._rules = ()
        for gate in self._gates:
            gate.release()

    async def consult(self, call: Call) -> Response | None:
        """The dispatcher asks: a response to send instead of the handler's, or None to go on."""
        if call.client_id == OWN_CLIENT_ID:
            return None
        self.trace.append(Seen(API_KEYS[call.key].name, call.version, call.client_id, call.request))
        chosen = None
        for rule in self._rules:
            if rule.matches(call):
                rule.seen += 1
                if chosen is None and rule.first <= rule.seen <= rule.last:
                    chosen = rule
        if chosen is None:
            return None
        chosen.done += 1
        return await chosen.action(call)
