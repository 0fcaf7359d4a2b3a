"""The table of logins by what others issue: Kerberos tickets, tokens of an identity provider, delegation tokens.

Names and passwords have their own (`cases`). A `Login` is made of a case when its client's turn comes (`ticket_brokers`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.security.oauth_tokens import AUDIENCE, ISSUER, hmac_token, raw_token, token
from tests.support.sasl_talk import SCRAM_256, SCRAM_512

GSSAPI, OAUTHBEARER = "GSSAPI", "OAUTHBEARER"
KERBEROS_CLIENTS = ("java", "librdkafka", "franz-go", "kafka-python", "aiokafka")
OAUTH_CLIENTS = KERBEROS_CLIENTS
#: librdkafka, kafka-python and aiokafka cannot say that a name is a token's.
TOKEN_CLIENTS = ("java", "franz-go")
#: Sessions of the listeners ..._BRIEF end after this, and a client produces for so long.
SESSION_MS = 2200
HOLD_MS = 3 * SESSION_MS


class Case(NamedTuple):
    """One login, and whether it must work. `shows` are fields of a `Login`, or make them when it begins."""

    mechanism: str
    name: str
    listener: str
    works: bool
    shows: Callable[[], dict[str, Any]]
    clients: tuple[str, ...]
    #: After a principal, a key and a token were withdrawn.
    late: bool = False
    host: str = "localhost"
    hold_ms: int = 0

    def __str__(self) -> str:
        return f"{self.mechanism}: {self.name}"


def cases() -> Iterator[Case]:
    """List all logins."""
    yield from _kerberos()
    yield from _oauth()
    for mechanism in (SCRAM_256, SCRAM_512):
        yield from _delegation(mechanism)


# -- Kerberos ----------------------------------------------------------------------------------------------------------


def _by(principal: str, **more: Any) -> Callable[[], dict[str, Any]]:
    """A keytab of this principal; `cache=True`: what `kinit` left instead."""
    return lambda: {"principal": principal, **more}


def _kerberos() -> Iterator[Case]:
    def case(name: str, listener: str, works: bool, shows: Any, *, without: str = "", **more: Any) -> Case:
        clients = tuple(client for client in KERBEROS_CLIENTS if client != without)
        return Case(GSSAPI, name, listener, works, shows, clients, **more)

    yield case("right", "KERBEROS", True, _by("alice"))
    yield case("right, by a ticket of kinit", "KERBEROS", True, _by("alice", cache=True))
    yield case("wrong key", "KERBEROS", False, _by("changed"))
    yield case("no rule makes a user of it", "KERBEROS", False, _by("nobody"))
    yield case("expired ticket", "KERBEROS", False, _by("expired", cache=True))
    # Java looks the address' name up, and comes to localhost.
    yield case("wrong host", "KERBEROS", False, _by("alice"), without="java", host="127.0.0.1")
    yield case("wrong service", "KERBEROS", False, _by("alice", service="nosuch"))
    yield case("service that the keytab lacks", "KERBEROS", False, _by("alice", service="elsewhere"))
    yield case("downgrade: a listener of tokens", "OAUTH", False, _by("alice"))
    yield case("downgrade: a listener of passwords", "TOKENS", False, _by("alice"))
    # Debian's librdkafka cannot authenticate again, and kcat ends when its only connection does.
    yield case(
        "re-authentication under load", "KERBEROS_BRIEF", True, _by("alice"), without="librdkafka", hold_ms=HOLD_MS
    )
    # Its first login: a ticket that was given before lives on until it ends.
    yield case("revoked: no principal any more", "KERBEROS", False, _by("removed"), late=True)


# -- OAUTHBEARER -------------------------------------------------------------------------------------------------------


def _times(begins_s: int = -10, ends_s: int = 600) -> dict[str, int]:
    now = int(time.time())
    return {"iat": now + begins_s, "exp": now + ends_s}


def _unsigned() -> str:
    return raw_token({"alg": "none"}, {"sub": "alice", "iss": ISSUER, "aud": AUDIENCE, **_times()}, b"x")


_TOKENS: dict[str, tuple[bool, Callable[[], str]]] = {
    "right": (True, lambda: token(**_times())),
    "right, by an elliptic curve": (True, lambda: token("ec", "ES256", **_times())),
    "before its key is withdrawn": (True, lambda: token("rsa-2", **_times())),
    "expired": (False, lambda: token(**_times(-900, -60))),
    "without an end": (False, lambda: token(**{**_times(), "exp": None})),
    "not yet valid": (False, lambda: token(**_times(), nbf=int(time.time()) + 300)),
    "of another issuer": (False, lambda: token(**_times(), iss="https://evil.example/")),
    "for another audience": (False, lambda: token(**_times(), aud="other")),
    "without an audience": (False, lambda: token(**_times(), aud=None)),
    "by another key": (False, lambda: token("rsa-3", headers={"kid": "rsa"}, **_times())),
    "by a key nobody knows": (False, lambda: token("rsa-3", **_times())),
    "HMAC by the public key": (False, lambda: hmac_token("rsa", **_times())),
    "unsigned": (False, _unsigned),
}


def _oauth() -> Iterator[Case]:
    def case(name: str, listener: str, works: bool, make: Callable[[], str], **more: Any) -> Case:
        return Case(OAUTHBEARER, name, listener, works, lambda: {"token": make()}, OAUTH_CLIENTS, **more)

    for name, (works, make) in _TOKENS.items():
        yield case(name, "OAUTH", works, make)
    right = _TOKENS["right"][1]
    for listener, works in (("OAUTH_UNSIGNED", True), ("OAUTH", False)):
        name = f"unsigned by the client itself, where that is {'meant' if works else 'not meant'}"
        yield Case(OAUTHBEARER, name, listener, works, lambda: {"user": "alice"}, ("java", "librdkafka"))
    yield case("downgrade: a listener of tickets", "KERBEROS", False, right)
    yield case("downgrade: a listener of passwords", "TOKENS", False, right)
    yield case("re-authentication under load", "OAUTH_BRIEF", True, right, hold_ms=HOLD_MS)
    yield case("revoked: its key was withdrawn", "OAUTH", False, lambda: token("rsa-2", **_times()), late=True)
    yield case("another key was withdrawn", "OAUTH", True, right, late=True)


# -- delegation tokens -------------------------------------------------------------------------------------------------


def _delegation(mechanism: str) -> Iterator[Case]:
    def case(name: str, listener: str, works: bool, which: str, **more: Any) -> Case:
        by_token = more.pop("by_token", True)
        shows = lambda: {"delegation": which, "by_token": by_token}  # noqa: E731
        return Case(mechanism, f"delegation token, {name}", listener, works, shows, TOKEN_CLIENTS, **more)

    yield case("right", "TOKENS", True, "right")
    yield case("before it is removed", "TOKENS", True, "removed")
    yield case("wrong HMAC", "TOKENS", False, "wrong")
    yield case("nobody's id", "TOKENS", False, "unknown")
    yield case("expired", "TOKENS", False, "expired")
    yield case("not said to be one", "TOKENS", False, "right", by_token=False)
    yield case("downgrade: a listener of tickets", "KERBEROS", False, "right")
    yield case("re-authentication under load", "TOKENS_BRIEF", True, "right", hold_ms=HOLD_MS)
    yield case("revoked", "TOKENS", False, "removed", late=True)


CASES = tuple(cases())
#: For CI, where kafka-python and aiokafka, which take seconds to say no, are refused a few times only.
_FEW = ("expired", "unsigned", "revoked", "another issuer")
SHORT = tuple(
    case
    if case.works or any(word in case.name for word in _FEW)
    else case._replace(clients=tuple(each for each in case.clients if each not in ("kafka-python", "aiokafka")))
    for case in CASES
)
