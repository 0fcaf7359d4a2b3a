"""The credentials this broker knows, as SASL mechanisms ask for them, and a few threads for what takes long.

A password of PLAIN costs milliseconds to verify, and strangers may send as many as they like. What they buy with that is bounded:
the threads are as many as half of the processors, two at most, and the addresses that wait for them take turns, so that who guesses
from one address waits for himself.

    run(work, peer) ─► the peer's queue ─┬─► one of each peer in turn ─► threads
                       another's queue ──┘
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from ..controller.scram import MECHANISM_NUMBERS
from ..security.mechanisms import ScramCredential, TokenCredential
from ..security.mechanisms.scram_keys import ITERATIONS_MIN
from .chance import RANDOM
from .newcomers import spare_processors

if TYPE_CHECKING:
    from ..metadata.image import MetadataImage
    from .server import Broker

#: Threads that derive keys, where there are as many processors twice.
THREADS_MAX = 2
#: In the first log dir.
PEPPER_FILE = "ottla-salts.secret"


class Credentials:
    """Looks into the broker's image."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        #: The secret behind the salts of users that do not exist.
        self.pepper = RANDOM.randbytes(32)
        self._threads: ThreadPoolExecutor | None = None
        #: How many work, and what waits for one, by peer; whose turn is next stands first.
        self._busy = 0
        self._waiting: dict[str, deque[tuple[Callable[[], Any], asyncio.Future[Any]]]] = {}
        self._counted: MetadataImage | None = None
        #: Iterations of all credentials in order, by mechanism.
        self._iterations: dict[str, list[int]] = {}
        self._names: dict[str, list[str]] = {}

    def load_pepper(self) -> None:
        """Take the secret of earlier starts, or keep this one: a salt that a restart changes would tell who does not exist."""
        path = f"{self._broker.config.log_dirs[0]}/{PEPPER_FILE}"
        files = self._broker.files
        stored = files.read_all(path) if files.exists(path) else b""
        if len(stored) == len(self.pepper):
            self.pepper = stored
        else:
            files.replace(path, self.pepper)

    def scram(self, user: str, mechanism: str) -> ScramCredential | None:
        """Return the verifier of a user's password."""
        record: Any = self._broker.image.scram_credentials.get((user, MECHANISM_NUMBERS[mechanism]))
        if record is None:
            return None
        return ScramCredential(record.salt, record.stored_key, record.server_key, record.iterations)

    def token(self, token_id: str, mechanism: str) -> TokenCredential | None:
        """Return what verifies a delegation token. Takes long when a token logs in for the first time."""
        return self._broker.delegation_tokens.credential(token_id, mechanism)

    def likely_iterations(self, number: int, mechanism: str) -> int:
        """Return how many iterations some credential of a mechanism has; `number` is below 2**64 and says which."""
        self._look()
        found = self._iterations.get(mechanism)
        return found[number * len(found) >> 64] if found else ITERATIONS_MIN

    def decoy(self, number: int, mechanism: str) -> str:
        """Return the name of some user of a mechanism, "" if it has none."""
        self._look()
        names = self._names.get(mechanism)
        return names[number % len(names)] if names else ""

    def _look(self) -> None:
        """Look at all users when they have changed."""
        image = self._broker.image
        if self._counted is None or self._counted.scram_credentials is not image.scram_credentials:
            self._counted = image
            self._iterations = _iterations(image)
            self._names = {
                mechanism: [user for user, kind in image.scram_credentials if kind == number]
                for mechanism, number in MECHANISM_NUMBERS.items()
            }

    async def run(self, function: Callable[[], Any], peer: str = "") -> Any:
        """Call what takes long, in a thread, when it is the peer's turn."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(peer, deque()).append((function, future))
        self._begin()
        return await future

    def _begin(self) -> None:
        """Give work to the threads that have none."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(threads(), thread_name_prefix="sasl")
        while self._waiting and self._busy < threads():
            peer = next(iter(self._waiting))
            queue = self._waiting.pop(peer)
            function, future = queue.popleft()
            if queue:
                self._waiting[peer] = queue  # behind all others
            if not future.done():  # else who asked has hung up
                self._busy += 1
                done = asyncio.get_running_loop().run_in_executor(self._threads, function)
                done.add_done_callback(partial(self._settle, future))

    def _settle(self, future: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
        self._busy -= 1
        problem = None if done.cancelled() else done.exception()
        if done.cancelled():
            future.cancel()
        elif not future.done():
            if problem is None:
                future.set_result(done.result())
            else:
                future.set_exception(problem)
        if self._threads is not None:
            self._begin()

    def stop(self) -> None:
        """End the threads; who waits for one is no longer interested."""
        self._waiting.clear()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None


def threads() -> int:
    """Return how many threads this machine should have for passwords."""
    return min(spare_processors(), THREADS_MAX)


def _iterations(image: MetadataImage) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {name: [] for name in MECHANISM_NUMBERS}
    names = {number: name for name, number in MECHANISM_NUMBERS.items()}
    for (_, number), record in image.scram_credentials.items():
        if number in names:
            found[names[number]].append(record.iterations)  # type: ignore[attr-defined]
    return {name: sorted(each) for name, each in found.items()}
