"""The table of the SASL matrix: who logs in how, and what must come of it. Another mechanism is more rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.support.sasl_talk import SCRAM_256, SCRAM_512

#: What comes of a login: in; refused with SASL_AUTHENTICATION_FAILED; the mechanism is not offered.
OK, REFUSED, MECHANISM = "ok", "refused", "mechanism"
PLAIN = "PLAIN"
ENOUGH_SESSIONS_S = 5.0


class Case(NamedTuple):
    """One login. `late`: after one user was deleted and another one's password changed."""

    name: str
    listener: str
    mechanism: str
    user: str
    password: str
    wanted: str
    late: bool = False
    seconds: float = 0.0
    #: Clients that cannot say this, on Apache Kafka neither.
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.mechanism}: {self.name}"


def cases() -> Iterator[Case]:
    """List all logins."""
    for mechanism in (PLAIN, SCRAM_256, SCRAM_512):
        yield Case("right", "ALL", mechanism, "alice", "alice-secret", OK)
        yield Case("wrong password", "ALL", mechanism, "alice", "wrong", REFUSED)
        yield Case("password of another user", "ALL", mechanism, "alice", "bob-secret", REFUSED)
        yield Case("unknown user", "ALL", mechanism, "nobody", "alice-secret", REFUSED)
        yield Case("name in capitals", "ALL", mechanism, "ALICE", "alice-secret", REFUSED)
        yield Case("wrong password, sessions end", "ENDING", mechanism, "alice", "wrong", REFUSED)
        yield Case(
            "re-authentication under load", "ENDING", mechanism, "alice", "alice-secret", OK, seconds=ENOUGH_SESSIONS_S
        )
    for mechanism, other in ((SCRAM_256, SCRAM_512), (SCRAM_512, SCRAM_256)):
        short, others = mechanism[-3:], other[-3:]
        yield Case("alone on its listener", f"ONLY_{short}", mechanism, "alice", "alice-secret", OK)
        yield Case("downgrade to PLAIN", f"ONLY_{short}", PLAIN, "alice", "alice-secret", MECHANISM)
        yield Case("the other SCRAM asked", f"ONLY_{short}", other, "alice", "alice-secret", MECHANISM)
        yield Case("PLAIN offered only", "ONLY_PLAIN", mechanism, "alice", "alice-secret", MECHANISM)
        yield Case("a user of this one only", "ALL", mechanism, f"only{short}", f"secret-{short}", OK)
        yield Case("a user of the other one only", "ALL", mechanism, f"only{others}", f"secret-{others}", REFUSED)
        yield Case(
            "comma and equals sign", "ALL", mechanism, "comma,equals=", "odd-secret", OK, without=("kafka-python",)
        )
        yield Case("before it is revoked", "ALL", mechanism, "revoked", "revoked-secret", OK)
        yield Case("revoked", "ALL", mechanism, "revoked", "revoked-secret", REFUSED, late=True)
        yield Case("password before the change", "ALL", mechanism, "changed", "first-secret", REFUSED, late=True)
        yield Case("password after the change", "ALL", mechanism, "changed", "second-secret", OK, late=True)
    yield Case("alone on its listener", "ONLY_PLAIN", PLAIN, "bob", "bob-secret", OK)


CASES = tuple(cases())
#: For kafka-python in CI, which takes 2.5 s to say no.
FEW = tuple(
    case
    for case in CASES
    if case.name in ("right", "wrong password", "revoked", "PLAIN offered only", "re-authentication under load")
)
