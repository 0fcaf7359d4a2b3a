"""SASL OAUTHBEARER (RFC 7628, KIP-255, KIP-768): the client shows a token that an identity provider signed.

    client                                                      server
    n,a=<user>,^Aauth=Bearer <token>^A<name>=<value>^A^A  ──►
                                                          ◄──   (empty: done)
                                                                or {"status":"invalid_token"}
    ^A                                                    ──►
                                                          ◄──   failure

A broker checks tokens against the keys of `sasl.oauthbearer.jwks.endpoint.url` and does not start without them. Kafka's
validator of unsigned tokens is there for tests of clients, and only if a broker setting says that it is insecure.

Keys are fetched and renewed by the broker (`broker/jwks.py`), which puts them into `KeySource`; here is no I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..principal import USER, Principal
from . import unsecured_tokens
from .base import (
    Authenticated,
    AuthenticationFailed,
    ClientExchange,
    ClientInputs,
    SaslConfigError,
    ServerExchange,
    ServerInputs,
)

if TYPE_CHECKING:
    from ..json_web_tokens import Key, Rules

NAME = "OAUTHBEARER"
LOGIN_MODULE = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"
_PACKAGE = "org.apache.kafka.common.security.oauthbearer."
#: Values of sasl.server.callback.handler.class. Names are compared; nothing is loaded.
SECURED_HANDLERS = (
    _PACKAGE + "OAuthBearerValidatorCallbackHandler",
    _PACKAGE + "secured.OAuthBearerValidatorCallbackHandler",
)
UNSECURED_HANDLER = _PACKAGE + "internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
VALIDATORS = (_PACKAGE + "DefaultJwtValidator", _PACKAGE + "BrokerJwtValidator")
UNSECURED_SETTING = "ottla.sasl.oauthbearer.unsecured.enable"
URL_SETTING = "sasl.oauthbearer.jwks.endpoint.url"

_ABORT = b"\x01"
# The grammar as Kafka reads it.
_SASLNAME = r"[\x01-\x2b\x2d-\x3c\x3e-\x7f]|=2C|=3D"
_KEY, _VALUE = "[A-Za-z]+", r"[\x21-\x7e \t\r\n]+"
_FIRST = re.compile(f"n,(?:a=(?P<authzid>(?:{_SASLNAME})+))?,\x01(?P<pairs>(?:{_KEY}={_VALUE}\x01)*)\x01")
_AUTH = re.compile(r"(?P<scheme>[A-Za-z0-9_]+) +(?P<token>[-_~+/.a-zA-Z0-9]+=*)")


def _nobody_cares(key_id: str) -> None:
    """Stand in until the broker listens."""


@dataclass(eq=False)
class KeySource:
    """The keys of one JWKS. The broker fetches them and puts them here; the mechanism reads."""

    url: str
    refresh_ms: int
    backoff_ms: int
    backoff_max_ms: int
    #: A file with the certificates that the endpoint's is signed by; None means the machine's.
    ca_file: str | None = None
    keys: Sequence[Key] = ()
    #: Called with a key id that is not among the keys: the set may have been renewed.
    missing: Callable[[str], None] = _nobody_cares


@dataclass(frozen=True)
class Signed:
    """The server's side as it should be: keys and rules."""

    source: KeySource
    rules: Rules


# -- the server ----------------------------------------------------------------------------------------------------


def prepare(jaas: Mapping[str, str] | None, setting: Callable[[str], Any]) -> Signed | unsecured_tokens.Unsecured:
    """Read the settings; refuses whatever would mean that tokens are not verified (CVE-2026-110985)."""
    handler = setting("sasl.server.callback.handler.class")
    if handler == UNSECURED_HANDLER:
        if not setting(UNSECURED_SETTING):
            raise SaslConfigError(
                f"{UNSECURED_HANDLER} takes tokens that nobody signed: everybody is who he says he is. "
                f"For tests of clients, say so with {UNSECURED_SETTING}=true"
            )
        return unsecured_tokens.prepare(jaas or {})
    if handler not in (None, *SECURED_HANDLERS):
        raise SaslConfigError(f"sasl.server.callback.handler.class is {handler}; only Kafka's own are there")
    validator = setting("sasl.oauthbearer.jwt.validator.class")
    if validator not in (None, *VALIDATORS):
        raise SaslConfigError(f"sasl.oauthbearer.jwt.validator.class is {validator}; only Kafka's own are there")
    url = str(setting(URL_SETTING) or "").strip()
    if not url:
        raise SaslConfigError(
            f"OAUTHBEARER needs {URL_SETTING}: without the keys of the identity provider no token can be verified"
        )
    return Signed(_key_source(url, jaas or {}, setting), _rules(setting))


def _key_source(url: str, jaas: Mapping[str, str], setting: Callable[[str], Any]) -> KeySource:
    refresh_ms = setting("sasl.oauthbearer.jwks.endpoint.refresh.ms")
    if refresh_ms <= 0:
        raise SaslConfigError("sasl.oauthbearer.jwks.endpoint.refresh.ms must be positive")
    ca_file, kind = jaas.get("ssl.truststore.location"), jaas.get("ssl.truststore.type", "PEM")
    if ca_file and kind != "PEM":
        raise SaslConfigError(f"the truststore of the JWKS endpoint is of type {kind}; PEM is read")
    return KeySource(
        url,
        refresh_ms,
        setting("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms"),
        setting("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms"),
        ca_file,
    )


def _rules(setting: Callable[[str], Any]) -> Rules:
    from ..json_web_tokens import Rules  # brings PyJWT and cryptography, for who uses them

    scope_claim, user_claim = (setting(f"sasl.oauthbearer.{name}.claim.name") for name in ("scope", "sub"))
    if not (scope_claim or "").strip() or not (user_claim or "").strip():
        raise SaslConfigError("sasl.oauthbearer.scope.claim.name and sub.claim.name must not be empty")
    skew = setting("sasl.oauthbearer.clock.skew.seconds")
    if skew is not None and skew < 0:
        raise SaslConfigError("sasl.oauthbearer.clock.skew.seconds must not be negative")
    return Rules(
        issuer=(setting("sasl.oauthbearer.expected.issuer") or "").strip() or None,
        audiences=frozenset(setting("sasl.oauthbearer.expected.audience") or ()),
        skew_ms=(skew or 0) * 1000,
        scope_claim=scope_claim.strip(),
        user_claim=user_claim.strip(),
    )


def server(inputs: ServerInputs) -> ServerExchange:
    """Take one token. After a refusal the client says that it has understood, and gets the failure (RFC 7628, 3.2.3)."""
    authzid, token = _read_first((yield None))
    try:
        user, expires_ms = _verify(inputs, token)
    except _Refused as refused:
        yield refused.answer.encode()
        raise AuthenticationFailed(refused.answer, refused.reason) from None
    if authzid and authzid != user:
        raise AuthenticationFailed(
            f"Authentication failed: Client requested an authorization id ({authzid}) that is different from the "
            f"token's principal name ({user})"
        )
    return Authenticated(Principal(USER, user), b"", expires_ms)


class _Refused(Exception):  # noqa: N818 - a fact, not a bug
    def __init__(self, answer: str, reason: str) -> None:
        super().__init__(reason)
        self.answer, self.reason = answer, reason


def _verify(inputs: ServerInputs, token: str) -> tuple[str, int]:
    prepared = inputs.prepared
    if isinstance(prepared, unsecured_tokens.Unsecured):
        try:
            return unsecured_tokens.validate(token, prepared, inputs.now_ms)
        except unsecured_tokens.InvalidToken as problem:
            raise _Refused(_json_error(problem.missing_scope), str(problem)) from None
    if not isinstance(prepared, Signed):
        raise AuthenticationFailed(reason="OAUTHBEARER was not prepared: no token is accepted")
    from .. import json_web_tokens as tokens

    try:
        key_id = tokens.key_id_of(token)
        if key_id is not None and all(key.id != key_id for key in prepared.source.keys):
            prepared.source.missing(key_id)
        claims = tokens.validate(token, prepared.source.keys, prepared.rules, inputs.now_ms)
    except tokens.InvalidToken as problem:
        raise _Refused(_json_error(None), str(problem)) from None
    return claims.user, claims.expires_ms


def _json_error(missing_scope: str | None) -> str:
    """Write the answer to a bad token as Kafka does, blanks included."""
    if missing_scope is None:
        return '{"status":"invalid_token"}'
    return f'{{"status":"insufficient_scope", "scope":"{missing_scope}"}}'


def _read_first(message: bytes) -> tuple[str, str]:
    """Return authorization id and token of the client's message. Extensions are checked for form, and taken by all."""
    found = _FIRST.fullmatch(message.decode("utf-8", "replace"))
    if found is None:
        raise AuthenticationFailed(reason="Invalid OAUTHBEARER client first message")
    pairs = dict(pair.split("=", 1) for pair in found["pairs"].split("\x01")[:-1])
    auth = pairs.get("auth")
    if auth is None:
        raise AuthenticationFailed(reason="Invalid OAUTHBEARER client first message: 'auth' not specified")
    bearer = _AUTH.fullmatch(auth)
    if bearer is None:
        raise AuthenticationFailed(reason="Invalid OAUTHBEARER client first message: invalid 'auth' format")
    if bearer["scheme"].lower() != "bearer":
        raise AuthenticationFailed(reason=f"Invalid scheme in OAUTHBEARER client first message: {bearer['scheme']}")
    return found["authzid"] or "", bearer["token"]


# -- the client ----------------------------------------------------------------------------------------------------


def client(inputs: ClientInputs) -> ClientExchange:
    """Show a token: the password, or an unsigned one made of Kafka's `unsecuredLogin...` options.

    Options `extension_NAME` go along (KIP-342).
    """
    token = inputs.password or unsecured_tokens.make(inputs.options, inputs.now_ms)
    if not token:
        raise AuthenticationFailed("OAUTHBEARER needs a token")
    if _AUTH.fullmatch(f"Bearer {token}") is None:
        raise AuthenticationFailed("the token for OAUTHBEARER holds characters that no token has")
    extensions = {
        name.removeprefix("extension_"): value
        for name, value in inputs.options.items()
        if name.startswith("extension_")
    }
    for name, value in extensions.items():
        if name == "auth" or not re.fullmatch(_KEY, name) or not re.fullmatch(_VALUE, value):
            raise AuthenticationFailed(f"the SASL extension {name} is not allowed")
    pairs = "".join(f"{name}={value}\x01" for name, value in {"auth": f"Bearer {token}", **extensions}.items())
    challenge: bytes = yield f"n,,\x01{pairs}\x01".encode()
    if challenge:
        yield _ABORT
        raise AuthenticationFailed(f"the server refuses the token: {_status(challenge)}")


def _status(challenge: bytes) -> str:
    """Read the reason a server gives, if it gives one."""
    try:
        answer = json.loads(challenge[:4096])
    except (ValueError, RecursionError):
        return repr(challenge[:200])
    return str(answer.get("status", answer))[:200] if isinstance(answer, dict) else repr(answer)[:200]
