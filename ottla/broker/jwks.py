"""The keys of identity providers: fetched before a listener with OAUTHBEARER opens, and again and again while it runs.

    start ──► fetch, or the broker does not start ──► every refresh.ms, or soon after a token names an unknown key ─┐
                                                          ▲      fetch in a thread; on failure the old keys stay    │
                                                          └───────── backoff up to retry.backoff.max.ms ◄───────────┘

What is fetched is bounded: 1 MiB, 20 s, no redirect. `https` is always allowed, `http` to this machine; any other address,
and files, only if `ottla.sasl.oauthbearer.allowed.urls` names it (CVE-2025-27817: a URL in a setting must not become a way
to read the broker's files or its neighbours).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit
from weakref import WeakSet

from ..security.addresses import is_loopback
from ..security.mechanisms.oauthbearer import URL_SETTING, KeySource, Signed
from .config import ConfigError

if TYPE_CHECKING:
    from .sasl_listener import Offer

log = logging.getLogger("ottla.broker.jwks")

ALLOWED_SETTING = "ottla.sasl.oauthbearer.allowed.urls"
#: What a file may hold; an answer is bounded by `identity_provider`.
BYTES_MAX = 1 << 20
#: Strangers can name unknown keys as often as they like; the provider is asked for their sake at most so often.
EXPEDITED_INTERVAL_S = 10.0
#: A key id longer than this is nonsense, as in Kafka.
KEY_ID_MAX = 1000


class KeySets:
    """All JWKS that the listeners of one broker need; each address is fetched once, however many use it."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)
        self._fetchers: dict[tuple[str, str | None], _Fetcher] = {}

    async def start(self, offers: Iterable[Offer]) -> None:
        """Fetch the keys that the mechanisms of a listener need; raises `ConfigError` if that cannot be done."""
        for source in _sources(offers):
            fetcher, is_new = self._fetcher(source)
            try:
                if is_new:
                    await fetcher.fetch()
            except (OSError, ValueError) as problem:
                del self._fetchers[source.url, source.ca_file]
                raise ConfigError(f"{URL_SETTING}: no keys from {source.url}: {problem}") from None
            fetcher.start()

    def follow(self, offers: Iterable[Offer]) -> None:
        """Give changed mechanisms their keys; those of a new address come when they come. Raises `ConfigError`."""
        for source in _sources(offers):
            fetcher, is_new = self._fetcher(source)
            fetcher.start()
            if is_new:
                fetcher.expedite("")

    def _fetcher(self, source: KeySource) -> tuple[_Fetcher, bool]:
        check_allowed(source.url, self._allowed)
        key = source.url, source.ca_file
        is_new = key not in self._fetchers
        if is_new:
            self._fetchers[key] = _Fetcher(source)
        self._fetchers[key].add(source)
        return self._fetchers[key], is_new

    async def stop(self) -> None:
        """Fetch nothing more."""
        for fetcher in self._fetchers.values():
            await fetcher.stop()


def _sources(offers: Iterable[Offer]) -> list[KeySource]:
    return [offer.prepared.source for offer in offers if isinstance(offer.prepared, Signed)]


class _Fetcher:
    """Fetches one JWKS and hands its keys to all who use it."""

    def __init__(self, source: KeySource) -> None:
        self._url, self._ca_file = source.url, source.ca_file
        self._refresh_s = source.refresh_ms / 1000
        self._backoff_s = max(source.backoff_ms, 1) / 1000
        self._backoff_max_s = max(source.backoff_max_ms, source.backoff_ms, 1) / 1000
        self._sources: WeakSet[KeySource] = WeakSet()
        self._keys: Any = ()
        self._wanted = asyncio.Event()
        self._last_expedited = -EXPEDITED_INTERVAL_S
        self._task: asyncio.Task[None] | None = None

    def add(self, source: KeySource) -> None:
        source.keys = self._keys
        source.missing = self.expedite
        self._sources.add(source)

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"keys of {self._url}")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def expedite(self, key_id: str) -> None:
        """Fetch soon: a token names a key that is not there, perhaps because the set was renewed."""
        now = asyncio.get_running_loop().time()
        if len(key_id) <= KEY_ID_MAX and now - self._last_expedited >= EXPEDITED_INTERVAL_S:
            self._last_expedited = now
            self._wanted.set()

    async def fetch(self) -> None:
        """Fetch once; raises OSError or ValueError."""
        from ..security.json_web_tokens import read_keys

        keys, refused = read_keys(await _in_daemon(partial(read_url, self._url, self._ca_file)))
        for reason in refused:
            log.warning("%s: %s", self._url, reason)
        if not keys:
            raise ValueError("the set holds no key that can be used")
        self._keys = tuple(keys)
        for source in self._sources:
            source.keys = self._keys

    async def _run(self) -> None:
        wait_s, backoff_s = self._refresh_s, self._backoff_s
        while True:
            try:
                await asyncio.wait_for(self._wanted.wait(), wait_s)
            except TimeoutError:
                log.debug("the keys of %s are due", self._url)
            self._wanted.clear()
            try:
                await self.fetch()
            except (OSError, ValueError) as problem:
                log.warning("%s: no new keys, the old ones stay: %s", self._url, problem)
                wait_s, backoff_s = backoff_s, min(backoff_s * 2, self._backoff_max_s)
            else:
                wait_s, backoff_s = self._refresh_s, self._backoff_s


async def _in_daemon(function: Callable[[], bytes]) -> bytes:
    """Call what may wait for a slow peer, in a thread that nobody waits for when the broker stops."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bytes] = loop.create_future()

    def settle(result: bytes | None, problem: Exception | None) -> None:
        if future.cancelled():
            return
        if problem is not None:
            future.set_exception(problem)
        else:
            future.set_result(result or b"")

    def call() -> None:
        result, problem = None, None
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
            problem = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=call, name="fetch keys", daemon=True).start()
    return await future


# -- addresses ---------------------------------------------------------------------------------------------------------


def check_allowed(url: str, allowed: frozenset[str]) -> None:
    """Raise `ConfigError` unless keys may be read from an address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as problem:
        raise ConfigError(f"{URL_SETTING}: {url} is no address: {problem}") from None
    if parts.scheme not in ("https", "http", "file"):
        raise ConfigError(f"{URL_SETTING}: {url} begins with neither https, http nor file")
    if parts.username or parts.password:
        raise ConfigError(f"{URL_SETTING} must not hold a password")
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise ConfigError(f"{URL_SETTING}: {url} is no file of this machine")
    elif not host:
        raise ConfigError(f"{URL_SETTING}: {url} names no host")
    if url in allowed or parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host or "")):
        return
    raise ConfigError(f"{URL_SETTING}: {url} is not allowed; if it is meant, set {ALLOWED_SETTING}={url}")


def read_url(url: str, ca_file: str | None) -> bytes:
    """Read an address, in a thread; raises OSError or ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return _read_file(parts)
    from ..security.identity_provider import ask

    return ask(url, ca_file)


def _read_file(parts: SplitResult) -> bytes:
    with Path(unquote(parts.path)).open("rb") as file:
        body = file.read(BYTES_MAX + 1)
    if len(body) > BYTES_MAX:
        raise ValueError(f"the file has more than {BYTES_MAX} bytes")
    return body
