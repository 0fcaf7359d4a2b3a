"""Where OAUTHBEARER's token comes from: `sasl.oauthbearer.token`, or an identity provider by client credentials (RFC 6749, 4.4).

    sasl.oauthbearer.token                       a text, or a callable (also async) that returns one
    sasl.oauthbearer.token.endpoint.url ─POST─►  {"access_token": "…", "expires_in": 300}
         with client.id, client.secret, scope

A token that was fetched serves all connections until four fifths of its life are over. Secrets go by https or to this machine, never
elsewhere, and no redirect is followed (CVE-2025-27817). What comes back has at most 1 MiB.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

from ..security.addresses import is_loopback
from .errors import AuthenticationError, ConfigError

if TYPE_CHECKING:
    from .config import Config

_LIFE_SHARE = 0.8
#: How long a token serves whose provider does not say how long it lives.
_UNKNOWN_LIFE_S = 60.0
#: (address, client, scope, secret) -> token, and the monotonic time until which it serves.
_kept: dict[tuple[str, str, str, str], tuple[str, float]] = {}


async def token(config: Config) -> str:
    """Return the token to show, "" if no setting says where it comes from."""
    source: Any = config.sasl_oauthbearer_token
    if source is not None:
        found = source() if callable(source) else source
        if inspect.isawaitable(found):
            found = await found
        if not isinstance(found, str) or not found:
            raise AuthenticationError(f"sasl.oauthbearer.token gave {type(found).__name__}, a token is a text")
        return found
    url = config.sasl_oauthbearer_token_endpoint_url
    if not url:
        return ""
    check_address(url)
    secret = config.sasl_oauthbearer_client_secret or ""
    key = url, config.sasl_oauthbearer_client_id or "", config.sasl_oauthbearer_scope or "", secret
    kept = _kept.get(key)
    if kept is None or time.monotonic() >= kept[1]:
        began = time.monotonic()
        try:
            body = await asyncio.get_running_loop().run_in_executor(None, _ask, *key)
            text, life_s = _read(body)
        except (OSError, ValueError) as problem:
            raise AuthenticationError(
                f"no token from {url}: {problem}", retriable=isinstance(problem, OSError)
            ) from None
        kept = _kept[key] = text, began + life_s * _LIFE_SHARE
    return kept[0]


def check_address(url: str) -> None:
    """Raise `ConfigError` unless a secret may be sent there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as problem:
        raise ConfigError(f"sasl.oauthbearer.token.endpoint.url is no address: {problem}") from None
    if parts.username or parts.password:
        raise ConfigError("sasl.oauthbearer.token.endpoint.url must not hold a password; there is client.secret")
    if host and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))):
        return
    raise ConfigError(f"sasl.oauthbearer.token.endpoint.url={url}: a secret goes by https, or by http to this machine")


def _ask(url: str, client_id: str, scope: str, secret: str) -> bytes:
    """Ask for a token, in a thread; raises OSError or ValueError."""
    from ..security.identity_provider import ask

    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    basic = base64.b64encode(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()).decode()
    return ask(url, data=urlencode(form).encode(), headers={"Authorization": f"Basic {basic}"})


def _read(body: bytes) -> tuple[str, float]:
    """Return the token and how long it lives."""
    try:
        answer = json.loads(body)
        text, life = answer["access_token"], answer.get("expires_in", _UNKNOWN_LIFE_S)
        life_s = float(life)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("the answer holds no access_token") from None
    if not isinstance(text, str) or not text or not 0 <= life_s < 1e9:
        raise ValueError("the answer holds no access_token")
    return text, life_s
