"""Every client logs in by every mechanism, rightly and wrongly: the same table against Ottla and against Apache Kafka.

    python -m tests.clients.sasl.matrix [ottla] [kafka] [client ...]

Prints what was not as wanted, and how many logins there were. Records produced while sessions end and begin anew must all
arrive (`re-authentication under load`).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from .brokers import SaslBrokers
from .cases import CASES, FEW, OK, Case
from .drivers import CLIENTS, Driver


class Result(NamedTuple):
    """What came of one login of one client."""

    client: str
    case: Case
    answer: dict[str, Any]

    @property
    def failure(self) -> str:
        """What is not as wanted, empty if all is."""
        found = self.answer["outcome"]
        if self.client == "kafka-python" and self.case.wanted != OK and "socket disconnected" in self.answer["detail"]:
            return ""  # it loses an answer behind which the connection closes at once, from Apache Kafka as well
        if found != self.case.wanted:
            return f"{self.client}, {self.case}: {found} instead of {self.case.wanted}: {self.answer['detail']}"
        if self.case.seconds and (self.answer["failed"] or not self.answer["sent"]):
            return f"{self.client}, {self.case}: {self.answer['failed']} records lost of {self.answer['sent']}"
        return ""


def run(kind: str, clients: list[str], cases: tuple[Case, ...] = CASES, *, short: bool = False) -> list[Result]:
    """Log all clients in, in parallel, and return what came of it."""
    with tempfile.TemporaryDirectory(prefix="ottla-sasl-") as folder, SaslBrokers(kind, Path(folder)) as brokers:
        drivers = [Driver(name) for name in clients]
        try:
            found: list[Result] = []
            with ThreadPoolExecutor(len(drivers)) as threads:
                for late in (False, True):
                    if late:
                        asyncio.run(brokers.revoke())
                    for results in threads.map(partial(_log_in, brokers, cases, late, short), drivers):
                        found += results
            return found
        finally:
            for driver in drivers:
                driver.__exit__(None, None, None)


def _log_in(brokers: SaslBrokers, cases: tuple[Case, ...], late: bool, short: bool, driver: Driver) -> list[Result]:
    found = []
    for case in cases:
        if (
            case.late is not late
            or driver.name in case.without
            or (short and driver.name == "kafka-python" and case not in FEW)
        ):
            continue
        began = time.monotonic()
        answer = driver.ask(
            bootstrap=f"127.0.0.1:{brokers.ports[case.listener]}", mechanism=case.mechanism, user=case.user,
            password=case.password, tokenauth=False, seconds=case.seconds, topic=f"load-{driver.name}",
        )  # fmt: skip
        found.append(Result(driver.name, case, {**answer, "seconds": time.monotonic() - began}))
    return found


def main(arguments: list[str]) -> int:
    clients = [word for word in arguments if word in CLIENTS] or list(CLIENTS)
    failures = 0
    for kind in [word for word in arguments if word in ("ottla", "kafka")] or ["ottla", "kafka"]:
        results = run(kind, clients)
        wrong = [result.failure for result in results if result.failure]
        right = sum(result.case.wanted == OK for result in results)
        print(f"{kind}: {len(results)} logins, {right} meant to succeed, {len(wrong)} not as wanted")
        print("\n".join(f"  {line}" for line in wrong))
        failures += len(wrong)
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
