"""`ottla token`: delegation tokens (KIP-48): create, list, renew, expire.

A token is a name and a password that somebody who is logged in makes for others, for a time: they log in with SCRAM, the token's id as the
name, its HMAC as the password, and `tokenauth=true`. The HMAC is shown as kafka-delegation-tokens shows it, in base64; renew and expire
take it, or the token's id where one may see the token.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import sys
from datetime import timedelta
from typing import Any

from ..client.admin.admin import Admin
from ..client.admin.security import Token
from .acl import principal
from .asking import with_admin
from .output import confirm, say, show
from .trouble import MISUSED, Trouble
from .values import when


def run(arguments: argparse.Namespace) -> int:
    """Do one of them."""
    return with_admin(
        arguments, {"create": _create, "list": _list, "renew": _renew, "expire": _expire}[arguments.action]
    )


def _span(ms: int | None) -> timedelta | None:
    return None if ms is None else timedelta(milliseconds=ms)


def _data(token: Token, *, secret: bool) -> dict[str, Any]:
    return {
        "id": token.id, "owner": token.owner, "renewers": list(token.renewers), "issued": when(token.issued_ms),
        "expires": when(token.expires_ms), "longest": when(token.max_ms),
        **({"hmac": base64.b64encode(token.hmac).decode()} if secret else {}),
    }  # fmt: skip


async def _create(admin: Admin, arguments: argparse.Namespace) -> int:
    token = await admin.tokens.create(
        renewers=[principal(each) for each in arguments.renewers], max_lifetime=_span(arguments.max_lifetime),
        owner=principal(arguments.owner) if arguments.owner else None,
    )  # fmt: skip
    data = _data(token, secret=True)
    say(arguments, data, *(f"{name:9}{_shown(value)}" for name, value in data.items()))
    if not arguments.json:
        print("id and hmac are name and password of SCRAM-SHA-256 or -512, with tokenauth=true", file=sys.stderr)
    return 0


def _shown(value: Any) -> str:
    return ", ".join(value) or "-" if isinstance(value, list) else str(value)


async def _list(admin: Admin, arguments: argparse.Namespace) -> int:
    tokens = await admin.tokens.describe([principal(each) for each in arguments.owners] or None)
    data = [_data(token, secret=arguments.secrets) for token in sorted(tokens, key=lambda token: token.issued_ms)]
    columns = ("id", "owner", "renewers", "issued", "expires", "longest", *(("hmac",) if arguments.secrets else ()))
    show(arguments, data, columns, [tuple(row.values()) for row in data])
    return 0


async def _hmac(admin: Admin, text: str) -> bytes:
    """The secret that a word stands for: itself, or that of the token with this id."""
    for token in await admin.tokens.describe():
        if token.id == text:
            return token.hmac
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Trouble(
            f"there is no token {text}, and it is no HMAC in base64", "ottla token list shows the tokens", MISUSED
        ) from None


async def _renew(admin: Admin, arguments: argparse.Namespace) -> int:
    until = await admin.tokens.renew(await _hmac(admin, arguments.token), period=_span(arguments.period))
    say(arguments, {"expires": when(until)}, f"lives until {when(until)}")
    return 0


async def _expire(admin: Admin, arguments: argparse.Namespace) -> int:
    hmac = await _hmac(admin, arguments.token)
    if arguments.after is None:
        confirm(arguments, "End the token now?")
    until = await admin.tokens.expire(hmac, after=_span(arguments.after))
    say(arguments, {"expires": when(until)}, "gone" if arguments.after is None else f"lives until {when(until)}")
    return 0
