"""How long a callback holds the broker's event loop while strangers storm a TLS listener, in processor time.

    python -m tests.hostile.loop_holds [--seconds 5] [--on-loop]

The time that clients wait depends on who else uses the machine; the processor time of one callback does not. `--on-loop` does the
handshakes on the loop, as a broker without threads would. The loop is asyncio's own, whose callbacks can be watched.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from ottla.cli.secure import make, write

_START = """
import asyncio, json, signal, sys, threading, time
from ottla import event_loop
from ottla.broker import server
from ottla.cli import start
from ottla.cli.main import main

event_loop.new_event_loop = asyncio.new_event_loop
if {on_loop}:
    server.handshake_threads = lambda: 0
holds, run = [], asyncio.events.Handle._run
def timed(self):
    began = time.thread_time()
    run(self)
    holds.append((time.thread_time() - began, str(getattr(self._callback, "__qualname__", self._callback))))
asyncio.events.Handle._run = timed
asyncio.events.TimerHandle._run = timed
def tell(*_):
    found, holds[:] = sorted(holds, reverse=True), []
    at = lambda share: found[int(len(found) * share)][0] if found else 0.0
    print(json.dumps({{
        "callbacks": len(found), "loop_s": sum(hold for hold, _ in found), "process_s": time.process_time(),
        "longest_ms": [(round(hold * 1000, 2), name) for hold, name in found[:5]], "one_in_1000_ms": round(at(0.001) * 1000, 3),
        "one_in_100_ms": round(at(0.01) * 1000, 3),
    }}), file=sys.stderr, flush=True)
signal.signal(signal.SIGUSR2, tell)
sys.exit(main())
"""


def run(folder: Path, kind: str, seconds: float, *, on_loop: bool, count: int = 300) -> dict[str, object]:
    """Attack a fresh broker in one way, and return what its loop did meanwhile."""
    secure = folder / "secure"
    write(secure, make(secure, ("localhost", "127.0.0.1"), 9093, "admin", exposed=False))
    settings = ("listeners=SASL_SSL://127.0.0.1:0", "advertised.listeners=SASL_SSL://127.0.0.1:0")
    command = [
        sys.executable,
        "-c",
        _START.format(on_loop=on_loop),
        "start",
        "--config",
        str(secure / "server.properties"),
    ]
    command += ["--data-dir", str(folder / "data"), *[word for each in settings for word in ("--set", each)]]
    log = folder / "stderr.txt"
    with log.open("w") as out:
        broker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out, text=True)
    try:
        assert broker.stdout is not None
        line = broker.stdout.readline()
        assert line.startswith("ottla ready on "), log.read_text()
        port = line.rpartition(":")[2].strip()
        _tell(broker, log)  # the start itself does not count
        words = [port, str(secure), kind, str(count), str(seconds)]
        attack = subprocess.run(
            [sys.executable, "-m", "tests.hostile.tls_campaign", "--attack", *words],
            check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        return {"kind": kind, **json.loads(attack.stdout), **_tell(broker, log)}
    finally:
        broker.send_signal(signal.SIGTERM)
        broker.wait(30)


def _tell(broker: subprocess.Popen[str], log: Path) -> dict[str, object]:
    """Have the broker write down what its callbacks took since the last time."""
    before = len(_told(log))
    broker.send_signal(signal.SIGUSR2)
    while len(found := _told(log)) == before:
        assert broker.poll() is None, log.read_text()
    answer: dict[str, object] = json.loads(found[-1])
    return answer


def _told(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--on-loop", action="store_true")
    asked = parser.parse_args()
    for kind in ("storm", "guess"):
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run(Path(folder), kind, asked.seconds, on_loop=asked.on_loop)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
