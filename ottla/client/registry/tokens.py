"""Bearer tokens for a registry: a fixed one, a function's, or an identity provider's by client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from ...security.addresses import is_loopback
from ..errors import ConfigError
from .errors import RegistryError
from .settings import RegistrySettings

_LIFE_SHARE = 0.8
_UNKNOWN_LIFE_S = 60.0
_lock = threading.Lock()
#: (address, client, scope, secret) -> token, and the monotonic time until which it serves.
_kept: dict[tuple[str, str, str, str], tuple[str, float]] = {}


def token_headers(settings: RegistrySettings) -> dict[str, str]:
    """The headers that show a token; none where no setting gives one."""
    fields: dict[str, Any] = {}
    token: Any = settings.bearer_auth_token
    if settings.bearer_auth_custom_provider_function is not None:
        given = settings.bearer_auth_custom_provider_function(settings.bearer_auth_custom_provider_config)
        fields = dict(given)
        token = fields.get("bearer.auth.token")
    elif callable(token):
        token = token()
    elif settings.bearer_auth_issuer_endpoint_url:
        token = _provided(settings)
    if not token:
        return {}
    headers = {"Authorization": f"Bearer {token}"}
    cluster = fields.get("bearer.auth.logical.cluster", settings.bearer_auth_logical_cluster)
    pool = fields.get("bearer.auth.identity.pool.id", settings.bearer_auth_identity_pool_id)
    if cluster:
        headers["target-sr-cluster"] = cluster
    if pool:
        headers["Confluent-Identity-Pool-Id"] = pool
    return headers


def _provided(settings: RegistrySettings) -> str:
    """The identity provider's token, kept for four fifths of its life."""
    from ...security.identity_provider import ask

    url = settings.bearer_auth_issuer_endpoint_url or ""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ConfigError(f"bearer.auth.issuer.endpoint.url={url}: a secret goes by https, or by http to this machine")
    client, secret = settings.bearer_auth_client_id or "", settings.bearer_auth_client_secret or ""
    key = url, client, settings.bearer_auth_scope or "", secret
    with _lock:
        kept = _kept.get(key)
        if kept is not None and time.monotonic() < kept[1]:
            return kept[0]
        began = time.monotonic()
        form = {"grant_type": "client_credentials"} | ({"scope": key[2]} if key[2] else {})
        basic = base64.b64encode(f"{quote_plus(client)}:{quote_plus(secret)}".encode()).decode()
        try:
            body = ask(url, data=urlencode(form).encode(), headers={"Authorization": f"Basic {basic}"})
            answer = json.loads(body)
            token, life = answer["access_token"], float(answer.get("expires_in", _UNKNOWN_LIFE_S))
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise RegistryError(f"no token from {url}: {problem!r}", retriable=isinstance(problem, OSError)) from None
        if not isinstance(token, str) or not 0 <= life < 1e9:
            raise RegistryError(f"no token from {url}: the answer holds no access_token")
        _kept[key] = token, began + life * _LIFE_SHARE
        return token
