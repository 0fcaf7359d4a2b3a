"""A `Talker` on a listener SASL_SSL, and an honest client there that is told which phase it is in.

    python -m tests.hostile.secure_talker PORT FOLDER        FOLDER is one of `ottla secure init`

Each line of stdin names the next phase; at its end the client prints what each phase was like, and has compared its records.
A round is a record produced and read back on an open connection; every `CONNECT_EVERY`th is a connection made anew as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ottla.protocol.apis.sasl_authenticate import SaslAuthenticateRequest
from ottla.protocol.apis.sasl_handshake import SaslHandshakeRequest
from ottla.security.mechanisms import MECHANISMS, ClientInputs, Work
from tests.hostile.honest import PAUSE_S, fetch, read_all
from tests.hostile.talker import PATIENCE_S, Talker
from tests.support.in_process import batch, produce_request

TOPIC = "honest-4384d6e7"
CONNECT_EVERY = 50
#: How often a new connection may be driven out before that is a failure.
COMES_AGAIN = 3


class SecureTalker(Talker):
    """A blocking connection inside TLS, logged in by SCRAM."""

    def __init__(self, port: int, credentials: Mapping[str, str], password: str | None = None) -> None:
        super().__init__(("127.0.0.1", port))
        context = ssl.create_default_context(cafile=credentials["ssl_cafile"])
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        mechanism = credentials["sasl_mechanism"]
        answer = self.call(SaslHandshakeRequest(mechanism=mechanism), 1)
        assert answer.error_code == 0, answer
        inputs = ClientInputs(
            mechanism=mechanism, username=credentials["sasl_plain_username"],
            password=password or credentials["sasl_plain_password"], random=os.urandom, now_ms=int(time.time() * 1000),
        )  # fmt: skip
        exchange = MECHANISMS[mechanism].client(inputs)
        step: Any = next(exchange)
        try:
            while True:
                if isinstance(step, Work):
                    step = exchange.send(step.function())
                    continue
                reply = self.call(SaslAuthenticateRequest(auth_bytes=step), 2)
                if reply.error_code:
                    raise PermissionError(reply.error_message)
                step = exchange.send(reply.auth_bytes)
        except StopIteration:
            return


class SecureHonest:
    """The honest client in a process of its own."""

    def __init__(self, port: int, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.hostile.secure_talker", str(port), str(folder)]
        root = Path(__file__).parent.parent.parent
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, cwd=root
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "started\n"

    def phase(self, name: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(name + "\n")

    def finish(self) -> dict[str, dict[str, float]]:
        out, _ = self._process.communicate(timeout=PATIENCE_S)
        assert self._process.returncode == 0
        found: dict[str, dict[str, float]] = json.loads(out)
        return found

    def __enter__(self) -> SecureHonest:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # it ended by itself, which `phase` or `finish` has said
                    stream.close()


def _told(seconds: list[float], connects: list[float]) -> dict[str, float]:
    seconds.sort()
    connects.sort()
    at = lambda values, share: values[int(len(values) * share)] if values else 0.0  # noqa: E731
    return {
        "rounds": len(seconds), "p50_s": at(seconds, 0.5), "p99_s": at(seconds, 0.99), "max_s": at(seconds, 0.999999),
        "connects": len(connects), "connect_p50_s": at(connects, 0.5), "connect_max_s": at(connects, 0.999999),
    }  # fmt: skip


def main() -> int:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    credentials = json.loads((folder / "client-python.json").read_text())
    talker = SecureTalker(port, credentials)
    print("started", flush=True)
    phases: dict[str, tuple[list[float], list[float]]] = {}
    name, number = "base", 0
    while True:
        if select.select([sys.stdin], [], [], PAUSE_S)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            name = line.strip()
        rounds, connects = phases.setdefault(name, ([], []))
        value = b"honest %d" % number
        began = time.monotonic()
        request = produce_request(TOPIC, batch(value, timestamp=int(time.time() * 1000)))
        (answer,) = talker.call(request, 9).responses[0].partition_responses
        assert (answer.error_code, answer.base_offset) == (0, number), answer
        assert fetch(talker, TOPIC, number)
        number += 1
        rounds.append(time.monotonic() - began)
        if number % CONNECT_EVERY == 0:
            began = time.monotonic()
            for again in range(COMES_AGAIN + 1):
                try:
                    SecureTalker(port, credentials).close()
                    break
                except (
                    OSError
                ):  # driven out by a storm of others who wait to log in; it comes again, as every client does
                    if again == COMES_AGAIN:
                        raise
            connects.append(time.monotonic() - began)
    assert read_all(talker, TOPIC, number) == [b"honest %d" % n for n in range(number)]
    print(json.dumps({name: _told(*lists) for name, lists in phases.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
