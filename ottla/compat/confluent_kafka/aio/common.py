"""What both have: calls in an executor's threads, and callbacks of the configuration that are coroutine functions."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any

COMMON = ("error_cb", "throttle_cb", "stats_cb", "oauth_cb")


def on_loop(loop: asyncio.AbstractEventLoop, callback: Callable[..., Any]) -> Callable[..., Any]:
    """A callback for a thread: a coroutine function runs on the program's loop, and the thread waits for it."""

    def call(*arguments: Any, **more: Any) -> Any:
        result = callback(*arguments, **more)
        if inspect.isawaitable(result):

            async def finish() -> Any:
                return await result

            return asyncio.run_coroutine_threadsafe(finish(), loop).result()
        return result

    return call


def wrapped(loop: asyncio.AbstractEventLoop, settings: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The settings, with these callbacks for threads."""
    found = dict(settings)
    for name in names:
        if callable(found.get(name)):
            found[name] = on_loop(loop, found[name])
    return found


def awaited(name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A method that does the same-named one of the blocking client in the executor."""

    async def method(self: Any, *arguments: Any, **more: Any) -> Any:
        work = partial(getattr(self.blocking, name), *arguments, **more)
        return await asyncio.get_running_loop().run_in_executor(self.executor, work)

    method.__name__ = name
    method.__doc__ = f"As `{name}` of the blocking client."
    return method
