"""Does time tell who exists? Pairs of logins that must take equally long, measured and compared by Welch's t.

    python -m tests.security.mechanisms.timing [samples]       a campaign: 100,000 of each side by default

The two sides of a pair are measured in random order; the slowest samples, which are the machine's, are left out the same way
on both sides. |t| above 4.5 tells the means apart (the bound of TVLA); a difference that is real shows in every run.
"""

from __future__ import annotations

import gc
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from statistics import fmean, variance
from typing import NamedTuple

from ottla.security.mechanisms import MECHANISMS, AuthenticationFailed, ServerInputs, Work, scram_keys

from .drive import PEPPER, credential

T_MAX = 4.5
KEPT = 0.9
SHA256 = "SCRAM-SHA-256"
#: Of the sides that derive keys, which take a millisecond each, one in so many samples.
SLOW_SHARE = 50
#: As many users as a small company has, so that a look-up is one.
USERS = {f"user{i:04}": credential(SHA256, f"secret{i}", scram_keys.new_salt(os.urandom)) for i in range(200)}
NAMES = list(USERS)
_CHANCE = random.Random(2)
JAAS = {"user_injaas": "jaas-secret"}

Login = Callable[[str], float]


class Pair(NamedTuple):
    """Two logins that must look alike from outside."""

    name: str
    one: Callable[[], int]
    other: Callable[[], int]
    slow: bool = False


def inputs(mechanism: str) -> ServerInputs:
    return ServerInputs(
        mechanism=mechanism, now_ms=0, random=os.urandom, jaas=JAAS, pepper=PEPPER,
        credential=lambda user, kind: USERS.get(user) if kind == SHA256 else None,
        decoy=lambda number, _: NAMES[number % len(NAMES)],
    )  # fmt: skip


def first(user: str) -> int:
    """Time what the server does with the first message of SCRAM."""
    exchange = MECHANISMS[SHA256].server(inputs(SHA256))
    next(exchange)
    message = f"n,,n={user},r=abcdefgh".encode()
    began = time.perf_counter_ns()
    exchange.send(message)
    return time.perf_counter_ns() - began


def final(user: str, proof: Callable[[bytes], bytes]) -> int:
    """Time what the server does with the last message of SCRAM; `proof` changes the right one."""
    from base64 import b64encode
    from hmac import digest

    exchange = MECHANISMS[SHA256].server(inputs(SHA256))
    next(exchange)
    bare = f"n={user},r=abcdefgh"
    challenge = exchange.send(f"n,,{bare}".encode())
    assert isinstance(challenge, bytes)
    nonce = challenge.split(b",")[0].decode()
    without = f"c=biws,{nonce}"
    kept = USERS.get(user) or next(iter(USERS.values()))
    signature = digest(kept.stored_key, f"{bare},{challenge.decode()},{without}".encode(), "sha256")
    message = f"{without},p={b64encode(proof(signature)).decode()}".encode()
    began = time.perf_counter_ns()
    try:
        exchange.send(message)
    except AuthenticationFailed:
        return time.perf_counter_ns() - began
    raise AssertionError("it was let in")


def plain(user: str, password: str) -> int:
    """Time PLAIN, its work included, for a password that is wrong."""
    exchange = MECHANISMS["PLAIN"].server(inputs("PLAIN"))
    next(exchange)
    message = f"\0{user}\0{password}".encode()
    began = time.perf_counter_ns()
    try:
        step = exchange.send(message)
        assert isinstance(step, Work)
        exchange.send(step.function())
    except AuthenticationFailed:
        return time.perf_counter_ns() - began
    raise AssertionError("it was let in")


def some(begin: str) -> str:
    """Return one of the names that begin so, known or not."""
    return f"{begin}{_CHANCE.randrange(len(USERS)):04}"


def wrong_at(index: int) -> Callable[[bytes], bytes]:
    """Make a proof whose result differs at one byte: the first or the last."""
    return lambda signature: bytes(b ^ (1 if i == index else 0) for i, b in enumerate(signature))


PAIRS = (
    Pair("SCRAM's first message: one user known or not", lambda: first("user0100"), lambda: first("nobody00")),
    Pair("SCRAM's first message: users known or not", lambda: first(some("user")), lambda: first(some("nobo"))),
    Pair("SCRAM's proof: user known or not", lambda: final(some("user"), wrong_at(0)), lambda: final(some("nobo"), wrong_at(0))),
    Pair("SCRAM's proof: wrong at its begin or end", lambda: final("user0100", wrong_at(0)), lambda: final("user0100", wrong_at(31))),
    Pair("PLAIN: user known or not", lambda: plain("user0100", "wrong"), lambda: plain("nobody00", "wrong"), slow=True),
    Pair("PLAIN: user of the JAAS entry or none", lambda: plain("injaas", "wrong"), lambda: plain("nobody", "wrong"), slow=True),
    Pair("PLAIN: password nearly right or not", lambda: plain("injaas", "jaas-secreT"), lambda: plain("injaas", "Xaas-secret"), slow=True),
)  # fmt: skip


def welch(one: list[int], other: list[int]) -> float:
    """Welch's t of two lists, without the slowest of each."""
    kept = [sorted(side)[: int(len(side) * KEPT)] for side in (one, other)]
    spread = math.sqrt(sum(variance(side) / len(side) for side in kept))
    return (fmean(kept[0]) - fmean(kept[1])) / spread if spread else 0.0


def measure(pair: Pair, samples: int) -> float:
    """Return t of so many samples of each side."""
    chance = random.Random(1)
    found: tuple[list[int], list[int]] = ([], [])
    sides = (pair.one, pair.other)
    for side in sides:
        for _ in range(20):
            side()
    gc.collect()
    gc.disable()
    try:
        while min(map(len, found)) < samples:
            which = chance.randrange(2)
            found[which].append(sides[which]())
    finally:
        gc.enable()
    return welch(*found)


def all_pairs(samples: int, slow_samples: int = 0, tries: int = 3) -> Iterator[tuple[Pair, float]]:
    """Measure each pair; one that is told apart is measured again, and the smallest |t| counts: noise does not come thrice."""
    for pair in PAIRS:
        count = (slow_samples or max(samples // SLOW_SHARE, 200)) if pair.slow else samples
        t = measure(pair, count)
        for _ in range(tries - 1):
            if abs(t) < T_MAX:
                break
            t = min(t, measure(pair, count), key=abs)
        yield pair, t


def main(samples: int) -> int:
    worst = 0.0
    for pair, t in all_pairs(samples):
        worst = max(worst, abs(t))
        print(f"{pair.name:45} t = {t:6.2f}", flush=True)
    print(
        f"the means {'cannot' if worst < T_MAX else 'CAN'} be told apart: |t| is at most {worst:.2f}, the bound {T_MAX}"
    )
    return int(worst >= T_MAX)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
