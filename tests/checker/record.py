"""Which versions of the requests of a transaction real clients send, and over how many connections: what `shapes` is made of.

python -m tests.checker.record [CLIENT ...]        each client works through a proxy; prints what it sent
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from ottla.protocol.apis import request_class
from tests.support.jars import CACHE, CLIENTS, class_path, jars
from tests.support.process import OttlaProcess

from .proxy import Proxy

KEYS = (0, 22, 24, 25, 26, 28)
CLIENTS_3_9 = ("org.apache.kafka:kafka-clients:3.9.1", "org.slf4j:slf4j-nop:1.7.36")
TRANSFORM = Path(__file__).with_name("transform.py")
GO = Path(__file__).with_name("franz")


def java(name: str, coordinates: tuple[str, ...]) -> Callable[[str], list[str]]:
    """tests/java/Transactions.java with one version of the client."""
    from tests.suites.java import program

    def command(bootstrap: str) -> list[str]:
        classes = program("Transactions", class_path(jars(name, coordinates)))
        return ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", classes, "Transactions", bootstrap, "t", "4"]

    return command


def go(modfile: str) -> Callable[[str], list[str]]:
    """franz/main.go with one version of the library."""
    from tests.clients.registry import _digest, _made_once, _run

    def make(work: Path) -> None:
        shutil.copytree(GO, work / "franz")
        _run(["go", "build", f"-modfile={modfile}", "-o", str(work / "program"), "."], cwd=work / "franz")

    def command(bootstrap: str) -> list[str]:
        made = _made_once(CACHE / f"go-{_digest(GO / 'main.go', GO / modfile)}", make)
        return [str(made / "program"), bootstrap, "t"]

    return command


PROGRAMS: dict[str, Callable[[str], list[str]]] = {
    "java-3.9": java("clients-3.9", CLIENTS_3_9),
    "java-4.2": java("clients", CLIENTS),
    "librdkafka": lambda bootstrap: [sys.executable, str(TRANSFORM), bootstrap, "t"],
    "franz-go": go("go.mod"),
    "franz-go-1.8": go("old.mod"),
}


async def record(client: str) -> dict[int, tuple[int, int]]:
    """What a client sends: API key -> (version, the connections' role: the lowest key that shares them)."""
    folder = Path(tempfile.mkdtemp(prefix="ottla-record-"))
    try:
        async with Proxy() as proxy:
            settings = [
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{proxy.port}",
                "group.initial.rebalance.delay.ms=0",
                "num.partitions=3",
            ]
            with OttlaProcess(folder, *(word for each in settings for word in ("--set", each))) as broker:
                proxy.broker_port = (await asyncio.to_thread(broker.wait_ready)).address[1]
                command = await asyncio.to_thread(PROGRAMS[client], f"127.0.0.1:{proxy.port}")
                process = await asyncio.create_subprocess_exec(
                    *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
                )
                async with asyncio.timeout(120):
                    out, _ = await process.communicate()
                assert process.returncode == 0, out.decode()[-2000:]
            return sum_up(proxy)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sum_up(proxy: Proxy) -> dict[int, tuple[int, int]]:
    """The versions of the requests of transactions, and which of them share connections."""
    versions: dict[int, int] = {}
    connections: dict[int, set[int]] = defaultdict(set)
    for seen in proxy.requests:
        if seen.api_key in KEYS:
            versions[seen.api_key] = max(versions.get(seen.api_key, 0), seen.version)
            connections[seen.api_key].add(seen.connection)
    return {
        key: (version, min(other for other in versions if connections[other] & connections[key]))
        for key, version in sorted(versions.items())
    }


def main() -> None:
    """Record the named clients, or all."""
    for client in sys.argv[1:] or PROGRAMS:
        found = asyncio.run(record(client))
        sent = ", ".join(
            f"{request_class(key).__name__} v{version} (as {role})" for key, (version, role) in found.items()
        )
        print(f"{client}: {found}\n   {sent}", flush=True)


if __name__ == "__main__":
    main()
