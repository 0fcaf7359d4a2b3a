"""Conversations of GSSAPI with a broker, with a real ticket and by hand: what it answers, and as whom the client acts then.

Held with Ottla and with Apache Kafka (`tests/differential/gssapi.py`). Whom the broker takes the client for is told by the owner of
a delegation token that it asks for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from ottla.protocol.apis.create_delegation_token import CreateDelegationTokenRequest
from tests.support.sasl_talk import Pause, Talk

RULES = "RULE:[1:$1](alice.*),RULE:[2:$1_$2](bob.*)s/bob/robert/"


class Client:
    """A client of GSSAPI that says what it is told to."""

    def __init__(self, talk: Talk, keytab: Path, principal: str = "alice@OTTLA.TEST", host: str = "localhost") -> None:
        import gssapi

        self.talk = talk
        name = gssapi.Name(principal, gssapi.NameType.kerberos_principal)
        store: Any = {"ccache": f"MEMORY:{principal}", "client_keytab": str(keytab)}
        self.context: Any = gssapi.SecurityContext(
            name=gssapi.Name(f"kafka@{host}", gssapi.NameType.hostbased_service),
            creds=gssapi.Credentials(name=name, usage="initiate", store=store),
            flags=gssapi.RequirementFlag.mutual_authentication, usage="initiate",
        )  # fmt: skip
        self.first = self.context.step(b"")

    async def until_offer(self) -> bytes | None:
        """Show the ticket; returns the layers that the broker offers, or None."""
        answer = await self.talk.authenticate(self.first)
        if answer is None or answer.error_code:
            return None
        self.context.step(answer.auth_bytes)
        answer = await self.talk.authenticate(b"")
        offer: bytes = self.context.unwrap(answer.auth_bytes).message
        self.talk.note(f"offered: layer {offer[0]}")
        return offer

    async def choose(self, choice: bytes) -> None:
        """Say which layer it is to be, and find out who one is."""
        answer = await self.talk.authenticate(self.context.wrap(choice, False).message)
        if answer is not None and not answer.error_code:
            request = CreateDelegationTokenRequest(
                owner_principal_type=None, owner_principal_name=None, max_lifetime_ms=1
            )
            made = await self.talk.call(request, 3)
            if made is not None:
                self.talk.note(f"in as {made.principal_type}:{made.principal_name}")


Script = Callable[[Talk, dict[str, Path]], Awaitable[Any]]


def _choosing(choice: bytes, principal: str = "alice") -> Script:
    async def conversation(talk: Talk, keytabs: dict[str, Path]) -> None:
        client = Client(talk, keytabs[principal.partition("/")[0]], f"{principal}@OTTLA.TEST")
        if await client.until_offer() is not None:
            await client.choose(choice)

    return conversation


def _first(change: Callable[[bytes], bytes]) -> Script:
    async def conversation(talk: Talk, keytabs: dict[str, Path]) -> None:
        await talk.authenticate(change(Client(talk, keytabs["alice"]).first))

    return conversation


async def _another_host(talk: Talk, keytabs: dict[str, Path]) -> None:
    await Client(talk, keytabs["alice"], host="127.0.0.1").until_offer()


async def _more_after_the_ticket(talk: Talk, keytabs: dict[str, Path]) -> None:
    client = Client(talk, keytabs["alice"])
    await talk.authenticate(client.first)
    await talk.authenticate(b"more")


async def _choice_in_the_clear(talk: Talk, keytabs: dict[str, Path]) -> None:
    await Client(talk, keytabs["alice"]).until_offer()
    await talk.authenticate(b"\x01\0\0\0")


async def _replay(talk: Talk, keytabs: dict[str, Path]) -> None:
    """Send somebody else's first message again."""
    message = Client(talk, keytabs["alice"]).first
    async with Talk(talk.port, talk.pause) as other:
        await other.handshake("GSSAPI")
        answer = await other.authenticate(message)
        assert not answer.error_code
    await talk.authenticate(message)
    await talk.ended()


CASES: dict[str, Script] = {
    "a ticket": _choosing(b"\x01\0\0\0"),
    "a larger message": _choosing(b"\x01\0\xff\xff"),
    "own authorization id": _choosing(b"\x01\0\0\0alice@OTTLA.TEST"),
    "other authorization id": _choosing(b"\x01\0\0\0root"),
    "integrity": _choosing(b"\x02\0\0\0"),
    "privacy": _choosing(b"\x04\0\0\0"),
    "no layer at all": _choosing(b"\0\0\0\0"),
    "a short choice": _choosing(b"\x01\0"),
    "choice in the clear": _choice_in_the_clear,
    "rule for two components": _choosing(b"\x01\0\0\0", "bob/admin"),
    "no rule applies": _choosing(b"\x01\0\0\0", "nobody"),
    "ticket for another host": _another_host,
    "more after the ticket": _more_after_the_ticket,
    "a replay": _replay,
    "nothing": _first(lambda message: b""),
    "nonsense": _first(lambda message: b"\x60nonsense"),
    "half a ticket": _first(lambda message: message[: len(message) // 2]),
    "a changed ticket": _first(lambda message: message[:-200] + bytes(200)),
}


async def transcripts(port: int, keytabs: dict[str, Path], pause: Pause = asyncio.sleep) -> dict[str, list[str]]:
    found = {}
    for name, conversation in CASES.items():
        async with Talk(port, pause) as talk:
            await talk.handshake("GSSAPI")
            talk.lines.clear()
            await conversation(talk, keytabs)
            found[name] = talk.lines
    return found
