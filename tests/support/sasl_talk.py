"""Conversations with a SASL listener, message by message, in any order; what happens is written down as text.

The same conversations run against Ottla and against Apache Kafka (tests/differential/test_sasl.py).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Self

from ottla.protocol import codec
from ottla.protocol.apis import API_KEYS, response_class
from ottla.protocol.apis.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ottla.protocol.apis.api_versions import ApiVersionsRequest
from ottla.protocol.apis.metadata import MetadataRequest
from ottla.protocol.apis.sasl_authenticate import SaslAuthenticateRequest
from ottla.protocol.apis.sasl_handshake import SaslHandshakeRequest
from ottla.protocol.errors import ErrorCode
from ottla.protocol.framing import frame_request, response_header_version
from ottla.protocol.schema import Request
from ottla.security.mechanisms import MECHANISMS, AuthenticationFailed, ClientInputs, Work, scram_keys

TIMEOUT_S = 20
SCRAM_256, SCRAM_512 = "SCRAM-SHA-256", "SCRAM-SHA-512"
NUMBERS = {SCRAM_256: 1, SCRAM_512: 2}
#: The users of these conversations: PLAIN in the listener's JAAS entry, SCRAM in the cluster.
PASSWORDS = {"alice": "alice-secret", "bob": "bob-secret"}
#: JAAS for a broker with these users.
PLAIN_JAAS = (
    "org.apache.kafka.common.security.plain.PlainLoginModule required "
    + " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
    + ";"
)
SCRAM_JAAS = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def upsertion(user: str, password: str, mechanism: str, iterations: int = 4096) -> ScramCredentialUpsertion:
    """Make what a tool sends to set a user's password."""
    salt = scram_keys.new_salt(secrets.token_bytes)
    return ScramCredentialUpsertion(
        name=user, mechanism=NUMBERS[mechanism], iterations=iterations, salt=salt,
        salted_password=scram_keys.salted_password(mechanism, password, salt, iterations),
    )  # fmt: skip


#: Lets seconds pass: the test's clock, or with a real Kafka the real one.
Pause = Callable[[float], Awaitable[None]]


class Talk:
    """One connection and the transcript of what was said on it."""

    def __init__(self, port: int, pause: Pause = asyncio.sleep) -> None:
        self.port = port
        self.pause = pause
        self.lines: list[str] = []
        self.is_open = True
        self._correlation_id = 0

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    def note(self, line: str) -> None:
        self.lines.append(line.strip())

    # -- bytes -----------------------------------------------------------------------------------------------------

    def write(self, frame: bytes) -> None:
        """Send bytes behind their size."""
        self._writer.write(len(frame).to_bytes(4, "big") + frame)

    async def read(self) -> bytes | None:
        """Return the next frame, None if the broker closes instead."""
        async with asyncio.timeout(TIMEOUT_S):
            try:
                size = int.from_bytes(await self._reader.readexactly(4), "big")
                return await self._reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                self.is_open = False
                return None

    def send(self, request: Request, version: int) -> None:
        self._correlation_id += 1
        parts = codec.encoder(type(request), version)(request)
        frame = b"".join(frame_request(request.API_KEY, version, self._correlation_id, "talk", parts))
        self._writer.write(frame)

    async def receive(self, request: Request, version: int) -> Any:
        """Return the answer to a request, None if the broker closes instead; note an error or the end."""
        frame = await self.read()
        name = API_KEYS[request.API_KEY].name
        if frame is None:
            self.note(f"{name}: closed")
            return None
        kind = response_class(request.API_KEY)
        if request.API_KEY == ApiVersionsRequest.API_KEY and frame[4:6] == b"\0\x23":
            version = 0
        return codec.decode(kind, frame, version, 4 + response_header_version(request.API_KEY, version))

    async def call(self, request: Request, version: int) -> Any:
        self.send(request, version)
        return await self.receive(request, version)

    # -- requests --------------------------------------------------------------------------------------------------

    async def versions(self, version: int = 3, name: str = "talk") -> Any:
        request = ApiVersionsRequest(client_software_name=name, client_software_version="1")
        answer = await self.call(request, version)
        if answer is not None:
            self.note(f"ApiVersions: {error(answer)}")
        return answer

    async def unknown_versions(self) -> Any:
        """Ask ApiVersions in a version that nobody has."""
        self.write(b"\x00\x12\x7f\xff\x00\x00\x00\x63\x00\x04talk")
        frame = await self.read()
        self.note("ApiVersions: closed" if frame is None else f"ApiVersions: {ErrorCode(frame[5]).name}")

    async def handshake(self, mechanism: str, version: int = 1) -> Any:
        answer = await self.call(SaslHandshakeRequest(mechanism=mechanism), version)
        if answer is not None:
            self.note(f"SaslHandshake: {error(answer)} {','.join(sorted(answer.mechanisms))}")
        return answer

    async def authenticate(self, message: bytes, version: int = 2) -> Any:
        answer = await self.call(SaslAuthenticateRequest(auth_bytes=message), version)
        if answer is not None and answer.error_code:
            self.note(f"SaslAuthenticate: {error(answer)} {answer.error_message}")
        return answer

    async def metadata(self) -> Any:
        answer = await self.call(MetadataRequest(topics=[]), 9)
        if answer is not None:
            self.note("Metadata: ok")
        return answer

    # -- mechanisms ------------------------------------------------------------------------------------------------

    async def login(
        self, mechanism: str, user: str, password: str | None = None, *, version: int | None = 2, **options: str
    ) -> None:
        """Say all messages of a mechanism; `version` of SaslAuthenticate, or None for bare tokens."""
        secret = PASSWORDS.get(user, "") if password is None else password
        inputs = ClientInputs(mechanism, 0, secrets.token_bytes, username=user, password=secret, options=options)
        exchange = MECHANISMS[mechanism].client(inputs)
        message: Any = next(exchange)
        lifetime = 0
        try:
            while True:
                while isinstance(message, Work):
                    message = exchange.send(message.function())
                if version is None:
                    self.write(message)
                    token = await self.read()
                    if token is None:
                        self.note("token: closed")
                        return
                else:
                    answer = await self.authenticate(message, version)
                    if answer is None or answer.error_code:
                        return
                    token, lifetime = answer.auth_bytes, answer.session_lifetime_ms
                message = exchange.send(token)
        except StopIteration:
            self.note(f"authenticated for {lifetime} ms")
        except AuthenticationFailed as problem:
            self.note(f"client: {problem}")

    async def ended(self) -> None:
        """Note whether the broker ends the connection now."""
        if self.is_open:
            frame = await self.read()
            self.note("closed" if frame is None else f"unexpected: {frame[:20]!r}")

    async def create_users(self) -> None:
        """Give the users of the conversations their SCRAM credentials. Needs a listener where that is allowed."""
        for mechanism in NUMBERS:
            await self.credentials(*[upsertion(user, secret, mechanism) for user, secret in PASSWORDS.items()])

    async def credentials(self, *upsertions: ScramCredentialUpsertion, delete: tuple[tuple[str, str], ...] = ()) -> Any:
        deletions = [ScramCredentialDeletion(name=user, mechanism=NUMBERS[kind]) for user, kind in delete]
        request = AlterUserScramCredentialsRequest(deletions=deletions, upsertions=list(upsertions))
        return await self.call(request, 0)


def error(answer: Any) -> str:
    return ErrorCode(answer.error_code).name


#: What happens in a conversation.
Script = Callable[[Talk], Awaitable[Any]]
SCRIPTS: dict[str, Script] = {}


def script(function: Script) -> Script:
    SCRIPTS[function.__name__] = function  # type: ignore[attr-defined]
    return function


async def run(port: int, conversation: Script, pause: Pause = asyncio.sleep) -> list[str]:
    """Run one conversation on a new connection and return its transcript."""
    async with Talk(port, pause) as talk:
        await conversation(talk)
        return talk.lines


def read_transcripts(text: str) -> dict[str, list[str]]:
    """Read transcripts as `write_transcripts` writes them."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("    "):
            found[name].append(line.strip())
        elif line and not line.startswith("#"):
            name = line
            found[name] = []
    return found


def write_transcripts(transcripts: dict[str, list[str]]) -> str:
    return "".join(f"{name}\n" + "".join(f"    {line}\n" for line in lines) for name, lines in transcripts.items())


# -- in order ------------------------------------------------------------------------------------------------------


@script
async def plain(talk: Talk) -> None:
    await talk.versions()
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "alice")
    await talk.metadata()


@script
async def plain_wrong_password(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "alice", "wrong")
    await talk.ended()


@script
async def plain_unknown_user(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "nobody", "wrong")
    await talk.ended()


@script
async def plain_other_authorization_id(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.authenticate(b"bob\0alice\0alice-secret")
    await talk.ended()


@script
async def plain_own_authorization_id(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.authenticate(b"alice\0alice\0alice-secret")
    await talk.metadata()


@script
async def plain_two_tokens(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.authenticate(b"alice\0alice-secret")
    await talk.ended()


@script
async def plain_five_tokens(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.authenticate(b"\0a\0b\0c\0d")
    await talk.ended()


@script
async def plain_no_user(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.authenticate(b"\0\0alice-secret")
    await talk.ended()


@script
async def plain_no_password(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.authenticate(b"\0alice\0")
    await talk.ended()


@script
async def plain_nothing(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.authenticate(b"")
    await talk.ended()


def _scram_scripts(mechanism: str, suffix: str) -> None:
    async def right(talk: Talk) -> None:
        await talk.versions()
        await talk.handshake(mechanism)
        await talk.login(mechanism, "alice")
        await talk.metadata()

    async def wrong_password(talk: Talk) -> None:
        await talk.handshake(mechanism)
        await talk.login(mechanism, "alice", "wrong")
        await talk.ended()

    async def unknown_user(talk: Talk) -> None:
        await talk.handshake(mechanism)
        await talk.login(mechanism, "nobody", "wrong")
        await talk.ended()

    async def bare_tokens(talk: Talk) -> None:
        await talk.handshake(mechanism, 0)
        await talk.login(mechanism, "alice", version=None)
        await talk.metadata()

    async def bare_tokens_wrong_password(talk: Talk) -> None:
        await talk.handshake(mechanism, 0)
        await talk.login(mechanism, "alice", "wrong", version=None)
        await talk.ended()

    async def version_0(talk: Talk) -> None:
        await talk.handshake(mechanism)
        await talk.login(mechanism, "alice", version=0)
        await talk.metadata()

    async def malformed(talk: Talk) -> None:
        await talk.handshake(mechanism)
        await talk.authenticate(b"n,,n=alice")
        await talk.ended()

    async def channel_binding(talk: Talk) -> None:
        await talk.handshake(mechanism)
        await talk.authenticate(b"p=tls-unique,,n=alice,r=abc")
        await talk.ended()

    async def other_authorization_id(talk: Talk) -> None:
        await talk.handshake(mechanism)
        await talk.authenticate(b"n,a=bob,n=alice,r=abc")
        await talk.ended()

    async def final_out_of_nowhere(talk: Talk) -> None:
        await talk.handshake(mechanism)
        await talk.authenticate(b"c=biws,r=abc,p=AAAA")
        await talk.ended()

    async def final_with_other_nonce(talk: Talk) -> None:
        await talk.handshake(mechanism)
        answer = await talk.authenticate(b"n,,n=alice,r=abc")
        assert not answer.error_code
        await talk.authenticate(b"c=biws,r=abcd,p=AAAA")
        await talk.ended()

    async def token_that_is_none(talk: Talk) -> None:
        await talk.handshake(mechanism)
        await talk.login(mechanism, "alice", tokenauth="true")
        await talk.ended()

    for function in (
        right, wrong_password, unknown_user, bare_tokens, bare_tokens_wrong_password, version_0, malformed, channel_binding,
        other_authorization_id, final_out_of_nowhere, final_with_other_nonce, token_that_is_none,
    ):  # fmt: skip
        SCRIPTS[f"scram_{suffix}_{function.__name__}"] = function


_scram_scripts(SCRAM_256, "256")
_scram_scripts(SCRAM_512, "512")


@script
async def plain_bare_tokens(talk: Talk) -> None:
    await talk.versions(0)
    await talk.handshake("PLAIN", 0)
    await talk.login("PLAIN", "alice", version=None)
    await talk.metadata()


@script
async def plain_bare_tokens_wrong_password(talk: Talk) -> None:
    await talk.handshake("PLAIN", 0)
    await talk.login("PLAIN", "alice", "wrong", version=None)


@script
async def plain_version_0(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "alice", version=0)
    await talk.metadata()


@script
async def no_versions(talk: Talk) -> None:
    await talk.handshake(SCRAM_512)
    await talk.login(SCRAM_512, "bob")
    await talk.metadata()


# -- out of order --------------------------------------------------------------------------------------------------


@script
async def nothing_but_metadata(talk: Talk) -> None:
    await talk.metadata()


@script
async def metadata_after_versions(talk: Talk) -> None:
    await talk.versions()
    await talk.metadata()


@script
async def metadata_after_handshake(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    talk.send(MetadataRequest(topics=[]), 9)
    frame = await talk.read()
    talk.note("closed" if frame is None else "answered")
    await talk.ended()


@script
async def metadata_between_messages(talk: Talk) -> None:
    await talk.handshake(SCRAM_256)
    await talk.authenticate(b"n,,n=alice,r=abc")
    talk.send(MetadataRequest(topics=[]), 9)
    while await talk.read() is not None:
        pass
    talk.note("closed")


@script
async def authenticate_without_handshake(talk: Talk) -> None:
    await talk.authenticate(b"\0alice\0alice-secret")


@script
async def authenticate_after_versions(talk: Talk) -> None:
    await talk.versions()
    await talk.authenticate(b"\0alice\0alice-secret")


@script
async def versions_twice(talk: Talk) -> None:
    await talk.versions()
    await talk.versions()


@script
async def versions_after_handshake(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.versions(0)
    await talk.ended()


@script
async def versions_nobody_has_and_then_some(talk: Talk) -> None:
    await talk.unknown_versions()
    await talk.versions()
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "alice")


@script
async def versions_with_a_bad_name(talk: Talk) -> None:
    await talk.versions(name="-bad-")
    await talk.versions()
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "bob")


@script
async def handshake_twice(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.handshake("PLAIN")
    await talk.ended()


@script
async def unknown_mechanism(talk: Talk) -> None:
    await talk.versions()
    await talk.handshake("CRAM-MD5")
    await talk.ended()


@script
async def mechanism_in_small_letters(talk: Talk) -> None:
    await talk.handshake("plain")
    await talk.ended()


@script
async def empty_mechanism(talk: Talk) -> None:
    await talk.handshake("")
    await talk.ended()


@script
async def unknown_mechanism_version_0(talk: Talk) -> None:
    await talk.handshake("CRAM-MD5", 0)
    await talk.ended()


@script
async def handshake_nobody_has(talk: Talk) -> None:
    talk.write(b"\x00\x11\x00\x09\x00\x00\x00\x01\x00\x04talk\x00\x05PLAIN")
    await talk.ended()


@script
async def authenticate_nobody_has(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    talk.write(b"\x00\x24\x00\x09\x00\x00\x00\x01\x00\x04talk\x00\x02x")
    await talk.ended()


@script
async def old_gssapi_token(talk: Talk) -> None:
    talk.write(b"\x60\x82\x01\x00rest of a token")
    await talk.ended()


@script
async def bytes_in_place_of_a_handshake(talk: Talk) -> None:
    await talk.versions()
    talk.write(b"\x7f\x7f\x00\x00\x00\x00\x00\x01\x00\x00")
    await talk.ended()


@script
async def too_large(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    talk._writer.write((524289).to_bytes(4, "big") + b"x")
    await talk.ended()


@script
async def bare_token_after_handshake_1(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    talk.write(b"\0alice\0alice-secret")
    await talk.ended()


@script
async def authenticate_after_handshake_0(talk: Talk) -> None:
    await talk.handshake("PLAIN", 0)
    await talk.authenticate(b"\0alice\0alice-secret")


# -- afterwards ----------------------------------------------------------------------------------------------------


@script
async def handshake_when_done(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "alice")
    await talk.handshake("PLAIN")
    await talk.metadata()


@script
async def authenticate_when_done(talk: Talk) -> None:
    await talk.handshake("PLAIN")
    await talk.login("PLAIN", "alice")
    await talk.authenticate(b"\0alice\0alice-secret")
    await talk.metadata()
