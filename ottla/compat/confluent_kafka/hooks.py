"""The callbacks that a configuration names: `error_cb`, `stats_cb`, `oauth_cb`, and `logger`.

error_cb(KafkaError)   when a call finds no broker, cannot log in, or meets a fatal error; before that call says so itself
stats_cb(json text)    from `poll` and `flush`, every statistics.interval.ms; our counters under librdkafka's names
oauth_cb(text)         when a connection needs a token: (token, seconds since 1970 when it ends); in a thread of its own
logger                 is given what this client's logger `ottla` says
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from ...client.errors import AuthenticationError
from .errors import KafkaError

_TELLING = {-187, -195, -193, -169, -181}  # all brokers down, transport, resolve, authentication, TLS


class Hooks:
    """What a client object calls of them."""

    def __init__(self, owner: object, settings: Mapping[str, Any], numbers: Callable[[], dict[str, Any]]) -> None:
        self._error, self._stats, self._numbers = settings.get("error_cb"), settings.get("stats_cb"), numbers
        self._interval_s = int(settings.get("statistics.interval.ms", 0)) / 1000
        self._name, self._began = str(settings.get("client.id", "rdkafka")), time.monotonic()
        self._due = self._began + self._interval_s
        logger = settings.get("logger")
        if logger is not None:
            handler = _Forward(logger)
            ours = logging.getLogger("ottla")
            ours.addHandler(handler)
            weakref.finalize(owner, ours.removeHandler, handler)

    def serve(self) -> None:
        """Called in the program's thread, by `poll` and `flush`."""
        now = time.monotonic()
        if self._stats is None or not self._interval_s or now < self._due:
            return
        self._due = now + self._interval_s
        told = {
            "name": self._name, "client_id": self._name, "ts": int(now * 1e6), "time": int(time.time()),
            "age": int((now - self._began) * 1e6), **self._numbers(),
        }  # fmt: skip
        self._stats(json.dumps(told))

    def failed(self, error: KafkaError) -> None:
        """A call has failed: tell `error_cb` what it is for."""
        if self._error is not None and (error.code() in _TELLING or error.fatal()):
            self._error(error)


class _Forward(logging.Handler):
    """Gives log records to the program's logger."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        if self._logger is not logging.getLogger(record.name):
            self._logger.log(record.levelno, record.getMessage())


class TokenCallback:
    """`oauth_cb` as our `sasl.oauthbearer.token`: asked again when the token's life is four fifths over."""

    def __init__(self, callback: Callable[[str], Any], argument: str) -> None:
        self._callback, self._argument = callback, argument
        self._token, self._until = "", 0.0

    async def __call__(self) -> str:
        if time.time() < self._until:
            return self._token
        try:
            found = await asyncio.to_thread(self._callback, self._argument)
            token, ends = found[0], float(found[1])
            extensions = found[3] if len(found) > 3 else None
        except Exception as problem:
            raise AuthenticationError(f"oauth_cb: {problem}") from problem
        if extensions:
            raise AuthenticationError("oauth_cb: SASL extensions are not supported here")
        now = time.time()
        self._token, self._until = str(token), now + (ends - now) * 0.8
        return self._token
