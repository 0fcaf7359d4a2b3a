"""Every client logs in by Kerberos, by tokens of an identity provider and by delegation tokens, rightly and wrongly: the same
table against Ottla and against Apache Kafka.

    python -m tests.clients.sasl.ticket_matrix [ottla] [kafka] [client ...] [words of a case's name ...]

Prints what each client said in a word: ok, refused (the login failed), mechanism (it is not offered), other (it says no reason, or
another one). Where two brokers' words differ both stand there, with a slash. Records that are produced while sessions end and begin
anew must all arrive. Who should get in and did not tries once more: a machine may be busy.
"""

from __future__ import annotations

import re
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from .ticket_brokers import TicketBrokers
from .ticket_cases import CASES, KERBEROS_CLIENTS, Case

CLIENTS = KERBEROS_CLIENTS
_MECHANISM = re.compile(r"unsupported.{0,8}mechanism|mechanism.{0,40}(not enabled|unsupported)|handshake failed", re.I)
_REFUSED = re.compile(r"authenticat|sasl|kerberos|krb|gss|login|ticket|kdc", re.I)


class Result(NamedTuple):
    """What came of one login of one client."""

    client: str
    case: Case
    answer: str

    @property
    def verdict(self) -> str:
        """What it said, in a word."""
        if self.answer == "ok":
            return "ok"
        if _MECHANISM.search(self.answer):
            return "mechanism"
        return "refused" if _REFUSED.search(self.answer) else "other"

    @property
    def failure(self) -> str:
        """What is not as wanted, empty if all is."""
        if (self.answer == "ok") is self.case.works:
            return ""
        return f"{self.client}, {self.case}: {self.answer[:500] or 'the client died'}"


def run(kind: str, clients: tuple[str, ...] = CLIENTS, cases: tuple[Case, ...] = CASES) -> list[Result]:
    """Log all clients in, in parallel, and return what came of it."""
    with tempfile.TemporaryDirectory(prefix="ottla-tickets-") as folder, TicketBrokers(kind, Path(folder)) as brokers:
        return tries(brokers, clients, cases)


def tries(brokers: TicketBrokers, clients: tuple[str, ...] = CLIENTS, cases: tuple[Case, ...] = CASES) -> list[Result]:
    """Go through the table: first what holds, then what was taken away."""

    def one(client: str) -> list[Result]:
        mine = [case for case in cases if client in case.clients and case.late is late]
        found = [Result(client, case, brokers.login(client, case)) for case in mine]
        return [
            Result(client, r.case, brokers.login(client, r.case)) if r.case.works and r.failure else r for r in found
        ]

    found: list[Result] = []
    with ThreadPoolExecutor(len(clients)) as threads:
        for late in (False, True):
            if late:
                brokers.revoke()
            found += [result for results in threads.map(one, clients) for result in results]
    return found


def table(results: dict[str, list[Result]]) -> str:
    """Write the verdicts of all clients."""
    words = {kind: {(r.case, r.client): r.verdict for r in found} for kind, found in results.items()}
    lines = ["".join(f"{text:{width}}" for text, width in zip(("", *CLIENTS), (72, *[20] * 5), strict=True))]
    for case in CASES:
        row = f"{case!s:72}"
        for client in CLIENTS:
            said = list(dict.fromkeys(words[kind].get((case, client), "-") for kind in words))
            row += f"{' / '.join(said):20}"
        if any((case, client) in found for found in words.values() for client in CLIENTS):
            lines.append(row.rstrip())
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    clients = tuple(word for word in arguments if word in CLIENTS) or CLIENTS
    kinds = [word for word in arguments if word in ("ottla", "kafka")] or ["ottla", "kafka"]
    names = [word for word in arguments if word not in CLIENTS and word not in ("ottla", "kafka")]
    cases = tuple(case for case in CASES if not names or any(name in str(case) for name in names))
    results = {kind: run(kind, clients, cases) for kind in kinds}
    print(table(results))
    failures = 0
    for kind, found in results.items():
        wrong = [result.failure for result in found if result.failure]
        right = sum(result.case.works for result in found)
        print(f"{kind}: {len(found)} logins, {right} meant to succeed, {len(wrong)} not as wanted")
        print("\n".join(f"  {line}" for line in wrong))
        print("\n".join(f"  {r.client}, {r.case}: {r.answer[:200]}" for r in found if r.verdict == "other"))
        failures += len(wrong)
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
