"""Conversations about sessions that end (KIP-368), on a listener with `connections.max.reauth.ms` of 3 s."""

from __future__ import annotations

from .sasl_talk import SCRAM_256, SCRAM_512, Script, Talk

SESSION_MS = 3000
SCRIPTS: dict[str, Script] = {}


def script(function: Script) -> Script:
    SCRIPTS[function.__name__] = function  # type: ignore[attr-defined]
    return function


async def log_in(talk: Talk, mechanism: str = "PLAIN", user: str = "alice", password: str | None = None) -> None:
    await talk.handshake(mechanism)
    await talk.login(mechanism, user, password)


@script
async def again_and_again(talk: Talk) -> None:
    await log_in(talk)
    await talk.metadata()
    for _ in range(3):
        await talk.pause(1.2)
        await log_in(talk)
        await talk.metadata()


@script
async def again_with_scram(talk: Talk) -> None:
    await log_in(talk, SCRAM_256)
    await log_in(talk, SCRAM_256)
    await talk.metadata()


@script
async def at_once_and_too_soon(talk: Talk) -> None:
    await log_in(talk)
    await log_in(talk)
    await talk.handshake("PLAIN")
    await talk.metadata()


@script
async def too_soon_and_expired(talk: Talk) -> None:
    await log_in(talk)
    await talk.pause(3.2)
    await talk.handshake("PLAIN")
    await talk.handshake("PLAIN")
    await talk.ended()


@script
async def as_somebody_else(talk: Talk) -> None:
    await log_in(talk)
    await log_in(talk, user="bob")
    await talk.ended()


@script
async def as_somebody_else_with_scram(talk: Talk) -> None:
    await log_in(talk, SCRAM_512)
    await log_in(talk, SCRAM_512, "bob")
    await talk.ended()


@script
async def by_another_mechanism(talk: Talk) -> None:
    await log_in(talk)
    await log_in(talk, SCRAM_256)
    await talk.ended()


@script
async def by_an_unknown_mechanism(talk: Talk) -> None:
    await log_in(talk)
    await talk.handshake("CRAM-MD5")
    await talk.ended()


@script
async def with_a_wrong_password(talk: Talk) -> None:
    await log_in(talk)
    await log_in(talk, password="wrong")
    await talk.ended()


@script
async def with_a_wrong_password_for_scram(talk: Talk) -> None:
    await log_in(talk, SCRAM_512)
    await log_in(talk, SCRAM_512, password="wrong")
    await talk.ended()


@script
async def expired(talk: Talk) -> None:
    await log_in(talk)
    await talk.pause(3.2)
    await talk.metadata()


@script
async def expired_and_versions(talk: Talk) -> None:
    await log_in(talk)
    await talk.pause(3.2)
    await talk.versions()


@script
async def expired_and_then_in_time(talk: Talk) -> None:
    await log_in(talk)
    await talk.pause(3.2)
    await log_in(talk)
    await talk.metadata()


@script
async def renewed_and_expired(talk: Talk) -> None:
    await log_in(talk)
    await talk.pause(2)
    await log_in(talk)
    await talk.pause(2)
    await talk.metadata()
    await talk.pause(1.5)
    await talk.metadata()


@script
async def client_that_cannot(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "alice", version=0)
    await talk.metadata()
    await talk.pause(3.2)
    await talk.metadata()


@script
async def bare_tokens(talk: Talk) -> None:
    await talk.handshake("PLAIN", 0)
    await talk.login("PLAIN", "alice", version=None)
    await talk.handshake("PLAIN", 0)
    await talk.login("PLAIN", "alice", version=None)
    await talk.metadata()


@script
async def versions_in_between(talk: Talk) -> None:
    await log_in(talk)
    await talk.versions()
    await log_in(talk)
    await talk.versions()
    await talk.metadata()


@script
async def handshake_twice(talk: Talk) -> None:
    await log_in(talk)
    await talk.handshake("PLAIN")
    await talk.handshake("PLAIN")
    await talk.ended()


@script
async def authenticate_without_handshake(talk: Talk) -> None:
    await log_in(talk)
    await talk.authenticate(b"\0alice\0alice-secret")
    await talk.metadata()


@script
async def versions_after_the_handshake(talk: Talk) -> None:
    await log_in(talk)
    await talk.handshake("PLAIN")
    await talk.versions(0)
    await talk.ended()
