"""SASL mechanisms, one file each; generators without I/O (`base` says how they are driven). Here is their table."""

from __future__ import annotations

from . import gssapi, oauthbearer, plain, scram
from .base import (
    Authenticated,
    AuthenticationFailed,
    ClientExchange,
    ClientInputs,
    Mechanism,
    SaslConfigError,
    ScramCredential,
    ServerExchange,
    ServerInputs,
    TokenCredential,
    Work,
)

__all__ = [
    "MECHANISMS", "Authenticated", "AuthenticationFailed", "ClientExchange", "ClientInputs", "Mechanism",
    "SaslConfigError", "ScramCredential", "ServerExchange", "ServerInputs", "TokenCredential", "Work",
]  # fmt: skip

#: All mechanisms by name. A new one is a file and a row here.
MECHANISMS: dict[str, Mechanism] = {
    row.name: row
    for row in (
        Mechanism(plain.NAME, (plain.LOGIN_MODULE,), plain.server, plain.client),
        Mechanism("SCRAM-SHA-256", (scram.LOGIN_MODULE,), scram.server, scram.client),
        Mechanism("SCRAM-SHA-512", (scram.LOGIN_MODULE,), scram.server, scram.client),
        Mechanism(gssapi.NAME, gssapi.LOGIN_MODULES, gssapi.server, gssapi.client, gssapi.prepare),
        Mechanism(
            oauthbearer.NAME, (oauthbearer.LOGIN_MODULE,), oauthbearer.server, oauthbearer.client, oauthbearer.prepare
        ),
    )
}
