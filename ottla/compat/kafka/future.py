"""The future that `send` gives: `get(timeout)`, `add_callback`, `add_errback`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ..errors import KafkaTimeoutError


class Future:
    """Callbacks are called in the client's I/O thread, at once where the future is done."""

    def __init__(self) -> None:
        self.is_done = False
        self.value: Any = None
        self.exception: BaseException | None = None
        self._callbacks: list[Callable[[Any], Any]] = []
        self._errbacks: list[Callable[[BaseException], Any]] = []
        self._changed = threading.Condition()

    def success(self, value: Any) -> Future:
        self._finish(value, None)
        return self

    def failure(self, error: BaseException) -> Future:
        self._finish(None, error)
        return self

    def _finish(self, value: Any, error: BaseException | None) -> None:
        with self._changed:
            self.value, self.exception, self.is_done = value, error, True
            self._changed.notify_all()
            callbacks, errbacks = self._callbacks, self._errbacks
            self._callbacks, self._errbacks = [], []
        if error is None:
            for callback in callbacks:
                callback(value)
        else:
            for errback in errbacks:
                errback(error)

    def succeeded(self) -> bool:
        return self.is_done and self.exception is None

    def failed(self) -> bool:
        return self.is_done and self.exception is not None

    def retriable(self) -> bool:
        return bool(getattr(self.exception, "retriable", False))

    def add_callback(self, function: Callable[..., Any], *arguments: Any, **more: Any) -> Future:
        """Call it with the value when it succeeds."""
        call = partial(function, *arguments, **more)
        with self._changed:
            if not self.is_done:
                self._callbacks.append(call)
                return self
        if self.exception is None:
            call(self.value)
        return self

    def add_errback(self, function: Callable[..., Any], *arguments: Any, **more: Any) -> Future:
        """Call it with the error when it fails."""
        call = partial(function, *arguments, **more)
        with self._changed:
            if not self.is_done:
                self._errbacks.append(call)
                return self
        if self.exception is not None:
            call(self.exception)
        return self

    def add_both(self, function: Callable[..., Any], *arguments: Any, **more: Any) -> Future:
        return self.add_callback(function, *arguments, **more).add_errback(function, *arguments, **more)

    def get(self, timeout: float | None = None) -> Any:
        """Wait at most so many seconds for the value, or raise the error."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.is_done, timeout):
                raise KafkaTimeoutError(f"Timeout after waiting for {timeout} secs.")
        if self.exception is not None:
            raise self.exception
        return self.value
