"""What all SASL mechanisms have in common: the shape of an exchange, its inputs, its two ends.

A mechanism is a pair of generators without socket, clock or randomness; whoever drives them (the broker's
`authentication`, the client's connection, a test) carries the messages:

    server side                                   client side
    next()          start, nothing comes out      next()          ─► first message to the server
    send(message)   ─► challenge                  send(challenge) ─► next message
    ...             return Authenticated          ...             return None, when the server has shown itself
                    or raise AuthenticationFailed                 or raise AuthenticationFailed

What takes long (key derivation, Kerberos) is no message: the generator yields `Work`, the driver calls it in a thread
and sends its result back. So one password never holds up the other connections.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..principal import Principal


class Authenticated(NamedTuple):
    """How a server's side ends well."""

    principal: Principal
    #: Goes to the client with the good news.
    last_message: bytes = b""
    #: When what the client showed ends (time of day, milliseconds), or None.
    expires_ms: int | None = None


class AuthenticationFailed(Exception):  # noqa: N818 - the name in the contract, a fact and not a bug
    """How either side ends badly.

    On the server the text is sent to the peer. Empty means: the sentence Kafka sends when the reason would help somebody
    who guesses. `reason` is for our own log, and never holds what the peer must keep secret.
    """

    def __init__(self, message_for_client: str = "", reason: str = "") -> None:
        super().__init__(message_for_client or reason)
        self.message_for_client = message_for_client
        self.reason = reason or message_for_client


class SaslConfigError(ValueError):
    """A mechanism cannot work with its settings: the broker does not start, the client does not connect."""


class Work(NamedTuple):
    """Yielded for what would hold up the loop: to be called in a thread."""

    function: Callable[[], Any]


#: The server's side. Receives messages and results of work, yields challenges and work.
ServerExchange = Generator[bytes | Work | None, Any, Authenticated]
#: The client's side. The first thing it yields is its first message, or work.
ClientExchange = Generator[bytes | Work, Any, None]


class ScramCredential(NamedTuple):
    """What the server keeps of a password: enough to verify, not enough to log in (RFC 5802)."""

    salt: bytes
    stored_key: bytes
    server_key: bytes
    iterations: int

    def __repr__(self) -> str:
        return f"ScramCredential(iterations={self.iterations})"


class TokenCredential(NamedTuple):
    """A delegation token as SCRAM asks for it: who it speaks for, what verifies it, when it ends."""

    owner: Principal
    credential: ScramCredential
    expires_ms: int


def no_credential(user: str, mechanism: str) -> ScramCredential | None:
    """Know nobody."""
    return None


def no_token(token_id: str, mechanism: str) -> TokenCredential | None:
    """Know no delegation token."""
    return None


def no_decoy(number: int, mechanism: str) -> str:
    """Name nobody."""
    return ""


def few_iterations(number: int, mechanism: str) -> int:
    """Return Kafka's smallest and usual number of iterations."""
    return 4096


@dataclass(frozen=True, repr=False)
class ServerInputs:
    """All that a server's side may ask for. Made anew for each exchange."""

    mechanism: str
    now_ms: int
    #: So many random bytes.
    random: Callable[[int], bytes]
    #: Options of the JAAS entry of this listener and mechanism; empty if there is none.
    jaas: Mapping[str, str] = field(default_factory=dict)
    #: A SCRAM credential by user and mechanism.
    credential: Callable[[str, str], ScramCredential | None] = no_credential
    #: A delegation token by id and mechanism.
    token: Callable[[str, str], TokenCredential | None] = no_token
    #: The name of some user of a mechanism, by any number; empty if there is none. Who does not exist is looked up as he is.
    decoy: Callable[[int, str], str] = no_decoy
    #: How many iterations a credential of a mechanism has, by any number below 2**64: each as often as users have it. Whoever
    #: has unusual ones must be as likely not to exist as anybody else.
    likely_iterations: Callable[[int, str], int] = few_iterations
    #: What the mechanism's `prepare` made of its settings: keys, keytabs.
    prepared: Any = None
    #: A secret of this broker process, for answers to users that do not exist.
    pepper: bytes = b""


@dataclass(frozen=True, repr=False)
class ClientInputs:
    """All that a client's side may ask for."""

    mechanism: str
    now_ms: int
    random: Callable[[int], bytes]
    #: The broker's host name as the client was told it (GSSAPI).
    host: str = ""
    username: str = ""
    password: str = ""
    #: Options of the JAAS entry (`tokenauth`, `extension_...`, `scope`, `keyTab`, ...).
    options: Mapping[str, str] = field(default_factory=dict)
    #: The client's `sasl.*` settings as text, by Kafka's names.
    settings: Mapping[str, str] = field(default_factory=dict)


def prepare_nothing(jaas: Mapping[str, str] | None, setting: Callable[[str], Any]) -> None:
    """Need nothing but what `ServerInputs` holds."""


class Mechanism(NamedTuple):
    """One row of the table of mechanisms."""

    name: str
    #: JAAS login modules that stand for it, by Kafka's class names. They are only compared, never loaded.
    login_modules: tuple[str, ...]
    server: Callable[[ServerInputs], ServerExchange]
    client: Callable[[ClientInputs], ClientExchange]
    #: Makes of the options of the JAAS entry (None: there is none) and the listener's settings what the server's side
    #: needs, once. Raises `SaslConfigError` if something is missing: never does a mechanism start without its keys.
    prepare: Callable[[Mapping[str, str] | None, Callable[[str], Any]], Any] = prepare_nothing
