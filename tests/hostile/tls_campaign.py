"""A listener with TLS and SCRAM under attack, while an honest client works on it.

    python -m tests.hostile.tls_campaign [--connections 5000] [--seconds 20]

    slow    connections that say nothing, half a ClientHello at a byte a second, or, inside TLS, half a frame the same way
    storm   connections that begin a handshake and leave, as many as the attacker can make
    guess   logins with a wrong password
    claims  frames inside TLS that claim 100 MiB, 20 million fields, and compressed records that become 200 MiB

The attacker is a process of lower priority, for it stands in for other machines. What must hold stands in `check`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import ssl
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ottla.broker import newcomers
from ottla.cli.secure import make, write
from ottla.protocol.apis.create_topics import CreatableTopic, CreateTopicsRequest
from tests.hostile.bombs import bomb
from tests.hostile.broker import MIB, Victim
from tests.hostile.secure_talker import TOPIC, SecureHonest, SecureTalker
from tests.support.in_process import produce_request

#: A sweep comes each second, and a second of delay belongs to the attacker's own clock.
SWEEP_S = 2.0
RSS_GROWTH_MAX = 200 * MIB
SOURCES = [f"127.0.{i}.{j}" for i in (3, 4) for j in range(1, 51)]
PHASES = ("slow", "storm", "guess", "claims")


class Found(NamedTuple):
    """What was seen."""

    phases: dict[str, dict[str, float]]
    attacks: dict[str, dict[str, Any]]
    rss_before: int
    rss_peak: int
    sockets_max: int
    reaped_s: float
    sockets_after: int
    #: How many newcomers there may be, and how long they may live.
    cap: int = newcomers.NEWCOMERS_MAX
    lifetime_s: float = newcomers.AUTHENTICATION_DEADLINE_S

    def __str__(self) -> str:
        lines = [
            f"{name:8} rounds {p['rounds']:5.0f}, p50 {p['p50_s'] * 1e3:6.2f} ms, p99 {p['p99_s'] * 1e3:7.2f} ms, max {p['max_s'] * 1e3:6.0f} ms; "
            f"connects {p['connects']:3.0f}, p50 {p['connect_p50_s'] * 1e3:5.0f} ms, max {p['connect_max_s'] * 1e3:5.0f} ms  {self.attacks.get(name, '')}"
            for name, p in self.phases.items()
        ]
        lines.append(
            f"RSS {self.rss_before / MIB:.0f} MiB, at most {self.rss_peak / MIB:.0f}; sockets at most {self.sockets_max}, "
            f"all gone {self.reaped_s:.0f} s after the last slow connection, {self.sockets_after} left"
        )
        return "\n".join(lines)


# ── the attacker, in a process of its own ───────────────────────────────────────────────────────────────────────────


def _hello() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


class Attacker:
    """All attacks against one port. Each returns what it did."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.credentials = json.loads((folder / "client-python.json").read_text())
        self.context = ssl.create_default_context(cafile=self.credentials["ssl_cafile"])
        self.made = 0

    async def _connect(self, tls: bool = False) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        source = SOURCES[self.made % len(SOURCES)]
        self.made += 1
        more: dict[str, Any] = {"ssl": self.context, "server_hostname": "localhost"} if tls else {}
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0), **more)

    async def slow(self, count: int, seconds: float) -> dict[str, Any]:
        hello, gate = _hello(), asyncio.Semaphore(100)
        closed_after: list[float] = []

        async def one(number: int) -> None:
            try:
                async with gate:
                    reader, writer = await self._connect(tls=number % 20 == 19)
                began = time.monotonic()
                if number % 20 == 19:
                    writer.write(struct.pack(">i", 100_000) + b"\x00\x12")
                elif number % 3 == 1:
                    writer.write(hello)  # and nothing after it: a handshake half done
                elif number % 3 == 2:
                    writer.write(hello[:3])
                while number % 3 == 2 or number % 20 == 19:
                    try:
                        async with asyncio.timeout(1):
                            if not await reader.read(4096):
                                break
                    except TimeoutError:
                        writer.write(b"\x01")
                while await reader.read(4096):
                    continue
                closed_after.append(time.monotonic() - began)
                writer.close()
            except (OSError, ssl.SSLError):
                closed_after.append(0.0)

        await asyncio.gather(*[one(number) for number in range(count)])
        return {"connections": count, "longest_s": round(max(closed_after), 1)}

    async def storm(self, seconds: float) -> dict[str, Any]:
        hello, until, made = _hello(), time.monotonic() + seconds, 0

        async def some() -> None:
            nonlocal made
            while time.monotonic() < until:
                try:
                    _, writer = await self._connect()
                    writer.write(hello)
                    made += 1
                    await asyncio.sleep(0)
                    writer.transport.abort()
                except OSError:
                    await asyncio.sleep(0)

        await asyncio.gather(*[some() for _ in range(50)])
        return {"connections": made, "per_s": round(made / seconds)}

    async def guess(self, seconds: float) -> dict[str, Any]:
        until, guesses, wrong = time.monotonic() + seconds, 0, 0

        def some() -> tuple[int, int]:
            tried = got_in = 0
            while time.monotonic() < until:
                try:
                    SecureTalker(self.port, self.credentials, password=f"guess {tried}").close()
                    got_in += 1
                except (PermissionError, OSError):
                    tried += 1
            return tried, got_in

        for tried, got_in in await asyncio.gather(*[asyncio.to_thread(some) for _ in range(20)]):
            guesses, wrong = guesses + tried, wrong + got_in
        return {"guesses": guesses, "per_s": round(guesses / seconds), "got_in": wrong}

    async def claims(self, seconds: float) -> dict[str, Any]:
        frames = [
            struct.pack(">i", 100 << 20), struct.pack(">i", (1 << 31) - 1),
            _frame(struct.pack(">hhih", 18, 3, 1, -1) + b"\x80\xda\xc4\x09"),
            _frame(struct.pack(">hhih", 36, 1, 1, -1) + struct.pack(">i", (1 << 31) - 1)),
            _frame(struct.pack(">hhih", 0, 9, 1, -1) + bytes(200_000)),
        ]  # fmt: skip
        until, sent = time.monotonic() + seconds, 0

        async def some() -> None:
            nonlocal sent
            while time.monotonic() < until:
                try:
                    reader, writer = await self._connect(tls=True)
                    writer.write(frames[sent % len(frames)])
                    sent += 1
                    while await reader.read(4096):
                        continue
                    writer.transport.abort()
                except (OSError, ssl.SSLError):
                    await asyncio.sleep(0)

        def bombs() -> int:
            talker, thrown = SecureTalker(self.port, self.credentials), 0
            while time.monotonic() < until:
                for codec in (1, 2, 3, 4):
                    talker.call(produce_request(TOPIC, bomb(codec), partition=1), 9)
                    thrown += 1
            return thrown

        thrown, *_ = await asyncio.gather(asyncio.to_thread(bombs), *[some() for _ in range(10)])
        return {"frames": sent, "bombs": thrown}


def _frame(body: bytes) -> bytes:
    return struct.pack(">i", len(body)) + body


def attack(port: int, folder: Path, kind: str, count: int, seconds: float) -> None:
    os.nice(10)
    attacker = Attacker(port, folder)
    run = attacker.slow(count, seconds) if kind == "slow" else getattr(attacker, kind)(seconds)
    print(json.dumps(asyncio.run(run)))


# ── the campaign ────────────────────────────────────────────────────────────────────────────────────────────────────


def run(folder: Path, count: int, seconds: float, constants: dict[str, float] | None = None) -> Found:
    """Attack a fresh broker and return what was seen. `constants` replace those of the broker."""
    constants = constants or {}
    secure = folder / "secure"
    write(secure, make(secure, ("localhost", "127.0.0.1"), 9093, "admin", exposed=False))
    listeners = (
        "listeners=SASL_SSL://127.0.0.1:0",
        "advertised.listeners=SASL_SSL://127.0.0.1:0",
        "message.max.bytes=2000000",
    )
    with Victim(folder, *listeners, config=secure / "server.properties", constants=constants) as victim:
        port = victim.address[1]
        credentials = json.loads((secure / "client-python.json").read_text())
        talker = SecureTalker(port, credentials)
        topic = CreatableTopic(name=TOPIC, num_partitions=2, replication_factor=1)
        assert talker.call(CreateTopicsRequest(topics=[topic], timeout_ms=30_000), 7).topics[0].error_code == 0
        talker.close()
        with SecureHonest(port, secure) as honest:
            time.sleep(seconds)
            before, idle = victim.memory(), victim.sockets()
            attacks, most, reaped = {}, 0, 0.0
            for kind in PHASES:
                honest.phase(kind)
                done, sockets = _watched(victim, port, secure, kind, count, seconds)
                attacks[kind], most = done, max(most, sockets - idle)
                reaped = max(reaped, done.get("longest_s", 0.0))
                honest.phase(f"after {kind}")
                time.sleep(min(2.0, seconds))
            phases = honest.finish()
        time.sleep(1.5)
        return Found(
            phases, attacks, before, victim.peak_memory(), most, reaped, victim.sockets() - idle,
            int(constants.get("NEWCOMERS_MAX", newcomers.NEWCOMERS_MAX)),
            constants.get("AUTHENTICATION_DEADLINE_S", newcomers.AUTHENTICATION_DEADLINE_S),
        )  # fmt: skip


def _watched(victim: Victim, port: int, folder: Path, *rest: object) -> tuple[dict[str, Any], int]:
    """Run one attack; returns what it did and the most sockets the broker had meanwhile."""
    command = [sys.executable, "-m", "tests.hostile.tls_campaign", "--attack", *map(str, (port, folder, *rest))]
    root, most = Path(__file__).parent.parent.parent, 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        while process.poll() is None:
            most = max(most, victim.sockets())
            time.sleep(0.25)
        assert process.stdout is not None
        assert process.returncode == 0
        return json.loads(process.stdout.read()), most


def check(found: Found, *, calm: bool = True) -> None:
    """What must hold. Not `calm`: on a machine that others use as well, times say little."""
    for problem in problems(found, calm=calm):
        raise AssertionError(f"{problem}\n{found}")


def problems(found: Found, *, calm: bool) -> Iterator[str]:
    if found.sockets_max > found.cap + 10:
        yield f"{found.sockets_max} connections beside the honest ones; {found.cap} may be"
    if found.reaped_s > found.lifetime_s + SWEEP_S:
        yield f"a slow connection lived {found.reaped_s} s"
    if found.sockets_after > 0:
        yield f"{found.sockets_after} sockets are left"
    if found.rss_peak - found.rss_before > RSS_GROWTH_MAX:
        yield f"memory grew by {(found.rss_peak - found.rss_before) / MIB:.0f} MiB"
    if found.attacks["guess"]["got_in"]:
        yield "a wrong password got in"
    base = found.phases["base"]["p99_s"]
    for kind in PHASES:
        if found.phases[kind]["p99_s"] > (2 * base if calm else max(10 * base, 1.0)):
            yield f"{kind}: p99 of the honest client {found.phases[kind]['p99_s'] * 1e3:.1f} ms, base {base * 1e3:.1f} ms"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--connections", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--attack", nargs=5, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.attack:
        port, folder, kind, count, seconds = asked.attack
        attack(int(port), Path(folder), kind, int(count), float(seconds))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = run(Path(folder), asked.connections, asked.seconds)
    print(found)
    broken = list(problems(found, calm=True))
    print("\n".join(broken) or "all held")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
