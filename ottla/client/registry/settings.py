"""The settings of a registry's client, under Confluent's names; a name that nobody knows is refused with the nearest one.

Registry("http://one:8081,http://two:8081")                   several addresses: the next one when one fails
Registry({"url": …, "basic.auth.user.info": "alice:secret"})
Registry("https://…", ssl_ca_location="ca.pem", bearer_auth_token=…)
"""

from __future__ import annotations

import difflib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from ...security.addresses import is_loopback
from ..errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RegistrySettings:
    """See the head of the module; the dotted name of a setting is its name here with `.` for `_`."""

    #: One address or several, with commas between. User and password may stand in it.
    url: str = ""
    #: "user:password".
    basic_auth_user_info: str | None = field(default=None, repr=False)
    #: A token, or a function that returns one (asked before each request: it should keep the token itself).
    bearer_auth_token: str | Callable[[], str] | None = field(default=None, repr=False)
    #: STATIC_TOKEN, OAUTHBEARER, CUSTOM; without, what is set decides.
    bearer_auth_credentials_source: str | None = None
    bearer_auth_issuer_endpoint_url: str | None = None
    bearer_auth_client_id: str | None = None
    bearer_auth_client_secret: str | None = field(default=None, repr=False)
    bearer_auth_scope: str | None = None
    bearer_auth_custom_provider_function: Callable[[Any], Mapping[str, str]] | None = None
    bearer_auth_custom_provider_config: Any = None
    #: Headers of Confluent Cloud that go with a token.
    bearer_auth_logical_cluster: str | None = None
    bearer_auth_identity_pool_id: str | None = None
    #: PEM: whom to believe (False: everybody, for tests), and our own certificate.
    ssl_ca_location: str | bool | None = None
    ssl_certificate_location: str | None = None
    ssl_key_location: str | None = None
    ssl_key_password: str | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = None
    #: Seconds for one request and its answer, all in all.
    timeout: float = 10.0
    #: How often a request is tried again after a failure that may pass, and how long to wait in between.
    max_retries: int = 3
    retries_wait_ms: int = 200
    retries_max_wait_ms: int = 5_000
    #: Schemas, ids and versions that are kept, each; and for how many seconds "latest" is (None: as long as others).
    cache_capacity: int = 1000
    cache_latest_ttl_sec: float | None = 60.0
    #: For how many seconds an id that the registry does not know is not asked about again.
    cache_missing_ttl_sec: float = 10.0
    #: An answer that is larger is an error.
    max_response_bytes: int = 16 << 20

    @property
    def urls(self) -> list[str]:
        """The addresses, without user and password."""
        return [_without_user(each)[0] for each in self.url.split(",")]

    @property
    def basic(self) -> str | None:
        """User and password (`user:password`), from their own setting or from the first address."""
        return self.basic_auth_user_info or _without_user(self.url.split(",")[0])[1]


_NAMES = {each.name: each.name.replace("_", ".") for each in fields(RegistrySettings)}
_BY_DOTTED = {dotted: name for name, dotted in _NAMES.items()}


def as_settings(given: RegistrySettings | Mapping[str, Any] | str | None, **more: Any) -> RegistrySettings:
    """Settings of an address, a dict of dotted names, keywords; checked."""
    if isinstance(given, RegistrySettings):
        values = {each.name: getattr(given, each.name) for each in fields(given)}
    elif isinstance(given, Mapping):
        values = {_known(name): value for name, value in given.items()}
    else:
        values = {} if given is None else {"url": given}
    values |= {_known(name): value for name, value in more.items()}
    made = RegistrySettings(**values)
    _check(made)
    return made


def _known(name: str) -> str:
    if name in _BY_DOTTED:
        return _BY_DOTTED[name]
    if name in _NAMES:
        return name
    near = difflib.get_close_matches(name, [*_BY_DOTTED, *_NAMES], 1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    raise ConfigError(f"a registry has no setting {name!r}{hint}")


def _check(made: RegistrySettings) -> None:
    if not str(made.url or "").strip():
        raise ConfigError("url: where is the registry?")
    for url in made.urls:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError as problem:
            raise ConfigError(f"url: {problem}") from None
        if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
            raise ConfigError(f"url: {url!r} is no address of a registry (http://host:8081)")
        if _has_token(made) and parts.scheme == "http" and not is_loopback(host):
            raise ConfigError(f"url: {url}: a token goes by https, or by http to this machine")
    info = made.basic
    if info is not None and ":" not in info:
        raise ConfigError("basic.auth.user.info: expected user:password")
    if made.basic_auth_user_info and _without_user(made.url.split(",")[0])[1]:
        raise ConfigError("user and password stand in the url and in basic.auth.user.info: leave one out")
    if made.ssl_key_location and not made.ssl_certificate_location:
        raise ConfigError("ssl.key.location is set and ssl.certificate.location is not")
    source = made.bearer_auth_credentials_source
    if source not in (None, "STATIC_TOKEN", "OAUTHBEARER", "CUSTOM"):
        raise ConfigError(f"bearer.auth.credentials.source={source}: STATIC_TOKEN, OAUTHBEARER or CUSTOM")
    if source == "STATIC_TOKEN" and not made.bearer_auth_token:
        raise ConfigError("bearer.auth.token: a STATIC_TOKEN must be given")
    if source == "OAUTHBEARER" and not (made.bearer_auth_issuer_endpoint_url and made.bearer_auth_client_id):
        raise ConfigError("OAUTHBEARER needs bearer.auth.issuer.endpoint.url, bearer.auth.client.id and its secret")
    for name in ("timeout", "max_response_bytes"):
        if not isinstance(getattr(made, name), int | float) or getattr(made, name) <= 0:
            raise ConfigError(f"{_NAMES[name]}: expected a number above 0")
    for name in ("max_retries", "retries_wait_ms", "retries_max_wait_ms", "cache_capacity"):
        if not isinstance(getattr(made, name), int | float) or getattr(made, name) < 0:
            raise ConfigError(f"{_NAMES[name]}: expected a number from 0 on")


def _has_token(made: RegistrySettings) -> bool:
    return bool(
        made.bearer_auth_token or made.bearer_auth_issuer_endpoint_url or made.bearer_auth_custom_provider_function
    )


def _without_user(url: str) -> tuple[str, str | None]:
    """An address without user and password, and these."""
    url = url.strip().rstrip("/")
    parts = urlsplit(url)
    if parts.username is None:
        return url, None
    bare = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=bare)), f"{unquote(parts.username)}:{unquote(parts.password or '')}"
