"""Runs work that goes to and fro between the event loop and a worker thread.

The work is a generator: what it does between two yields runs on the loop, where logs are used; it yields a call for a
worker, or None to let others have the loop for a turn. What the call raises is thrown into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")
Step = Callable[[], object] | None


async def run_steps(steps: Generator[Step, None, T], executor: Executor | None = None) -> T:
    """Run to the end; the generator's return value."""
    loop = asyncio.get_running_loop()
    try:
        step = next(steps)
        while True:
            if step is None:
                await asyncio.sleep(0)
                step = next(steps)
                continue
            try:
                await loop.run_in_executor(executor, step)
            except Exception as problem:  # noqa: BLE001  the generator is told, and raises what it does not handle
                step = steps.throw(problem)
            else:
                step = next(steps)
    except StopIteration as end:
        value: T = end.value
        return value


def run_here(steps: Generator[Step, None, T]) -> T:
    """The same without a loop or a thread, for tools and tests."""
    try:
        step = next(steps)
        while True:
            try:
                if step is not None:
                    step()
            except Exception as problem:  # noqa: BLE001
                step = steps.throw(problem)
            else:
                step = next(steps)
    except StopIteration as end:
        value: T = end.value
        return value
