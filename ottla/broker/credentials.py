"""The credentials this broker knows, as SASL mechanisms ask for them, and a few threads for what takes long."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..controller.scram import MECHANISM_NUMBERS
from ..security.mechanisms import ScramCredential, TokenCredential
from ..security.mechanisms.scram_keys import ITERATIONS_MIN
from .chance import RANDOM

if TYPE_CHECKING:
    from ..metadata.image import MetadataImage
    from .server import Broker

#: Threads that derive keys. Two keep a core busy; a flood of logins waits for them and not the event loop.
THREADS = 2


#: In the first log dir.
PEPPER_FILE = "ottla-salts.secret"


class Credentials:
    """Looks into the broker's image."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        #: The secret behind the salts of users that do not exist.
        self.pepper = RANDOM.randbytes(32)
        self._threads: ThreadPoolExecutor | None = None
        self._counted: MetadataImage | None = None
        self._usual: dict[str, int] = {}
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

    def usual_iterations(self, mechanism: str) -> int:
        """Return the number of iterations that most credentials of a mechanism have."""
        self._look()
        return self._usual.get(mechanism, ITERATIONS_MIN)

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
            self._usual = _usual_iterations(image)
            self._names = {
                mechanism: [user for user, kind in image.scram_credentials if kind == number]
                for mechanism, number in MECHANISM_NUMBERS.items()
            }

    async def run(self, function: Callable[[], Any]) -> Any:
        """Call what takes long, in a thread."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sasl")
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    def stop(self) -> None:
        """End the threads; who waits for one is no longer interested."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None


def _usual_iterations(image: MetadataImage) -> dict[str, int]:
    counts: dict[int, Counter[int]] = {}
    for (_, number), record in image.scram_credentials.items():
        counts.setdefault(number, Counter())[record.iterations] += 1  # type: ignore[attr-defined]
    names = {number: name for name, number in MECHANISM_NUMBERS.items()}
    return {names[number]: count.most_common(1)[0][0] for number, count in counts.items() if number in names}
