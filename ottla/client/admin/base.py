"""What the rooms of the admin client share: asking, trying again, and turning codes into errors.

Answers about several things carry a code for each. What succeeded is returned; one failure is raised as it is, several as one
ExceptionGroup, each error naming its item. Codes that mean "another broker, or a little later" are tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

from ...protocol.errors import ErrorCode
from ...protocol.schema import Request
from ..cluster import ANY, Cluster, Node, Target
from ..errors import BrokerError, ClientError, broker_error, error_code
from ..offsets import failures_as_one

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")

AGAIN = {
    ErrorCode.NOT_CONTROLLER, ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.THROTTLING_QUOTA_EXCEEDED,
}  # fmt: skip
#: What one item came to: a value, or its error.
Outcome = Any


def listed(one_or_more: str | Iterable[str]) -> list[str]:
    """A name alone is a list of one."""
    return [one_or_more] if isinstance(one_or_more, str) else list(one_or_more)


class Room:
    """One kind of thing."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def _timeout_ms(self) -> int:
        return self._cluster.config.request_timeout_ms

    async def _ask(self, request: Any, to: Target = ANY, **more: Any) -> Any:
        """An answer whose own error code is none."""
        answer = await self._cluster.request(request, to, **more)
        code = getattr(answer, "error_code", 0)
        if code:
            raise broker_error(
                code, getattr(answer, "error_message", None), api=_api(more.get("kind") or type(request))
            )
        return answer

    async def _each(
        self,
        keys: Iterable[KeyT],
        ask: Callable[[list[KeyT]], Awaitable[Mapping[KeyT, Outcome]]],
        what: str,
        *,
        allow: Iterable[ErrorCode] = (),
    ) -> dict[KeyT, Any]:
        """Ask about items until each has an outcome; raise what failed. `allow`: codes that count as done (None)."""
        left, done, attempt = list(keys), {}, 0
        fine = set(allow)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._cluster.config.default_api_timeout_ms / 1000
        failures: list[Exception] = []
        while left:
            outcomes = await ask(left)
            again: dict[KeyT, BrokerError] = {}
            for key in left:
                outcome = outcomes.get(key, _left_out(what, key))
                if not isinstance(outcome, BrokerError):
                    done[key] = outcome
                elif outcome.code in fine:
                    done[key] = None
                elif outcome.code in AGAIN:
                    again[key] = outcome
                else:
                    failures.append(outcome)
            left = list(again)
            attempt += 1
            wait_s = self._cluster.backoff_s(attempt)
            if left and loop.time() + wait_s > deadline:
                failures += again.values()
                break
            if left:
                self._cluster.want_metadata()
                await asyncio.sleep(wait_s)
        failures_as_one(what, failures)
        return done

    async def _all_nodes(self, request: Any, nodes: Iterable[int] | None = None, **more: Any) -> dict[int, Any]:
        """The same question to every broker."""
        if nodes is None:
            await self._cluster.refresh()
            nodes = list(self._cluster.metadata.nodes)
        ids = list(nodes)
        answers = await asyncio.gather(
            *(self._ask(request, Node(node), **more) for node in ids), return_exceptions=True
        )
        failures = [answer for answer in answers if isinstance(answer, ClientError)]
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, ClientError):
                raise answer
        failures_as_one(_api(more.get("kind") or type(request)), list(failures))
        return dict(zip(ids, answers, strict=True))


def _api(kind: type[Request]) -> str:
    return kind.__name__.removesuffix("Request")


def _left_out(what: str, key: Hashable) -> BrokerError:
    return item_error(ErrorCode.UNKNOWN_SERVER_ERROR, "the answer leaves it out", what, key)


def item_error(code: int, message: str | None, api: str, item: object) -> BrokerError:
    """The error of one item of an answer."""
    return broker_error(code, f"{item}: {message or error_code(code).message}", api=api)


def outcome(code: int, message: str | None, api: str, item: object, value: Outcome = None) -> Outcome:
    """The value, or the error where the code says so."""
    return item_error(code, message, api, item) if code else value
