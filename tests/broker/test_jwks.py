"""Keys of an identity provider: no start without them, renewal without restart, and answers that would hurt."""

from __future__ import annotations

import asyncio
import ssl
import threading

import pytest

from ottla.broker.config import ConfigError
from ottla.broker.jwks import ALLOWED_SETTING, check_allowed, read_url
from ottla.security import identity_provider
from ottla.security.mechanisms.oauthbearer import LOGIN_MODULE as LOGIN
from ottla.security.mechanisms.oauthbearer import UNSECURED_HANDLER, UNSECURED_SETTING, URL_SETTING
from tests.security.oauth_tokens import AUDIENCE, ISSUER, jwks, public_jwk, raw_token, token
from tests.support.certificates import Authority
from tests.support.identity_provider import IdentityProvider
from tests.support.in_process import RunningBroker
from tests.support.sasl_talk import Talk

NOW_S = 1_700_000_000
TIMES = {"iat": NOW_S - 10, "exp": NOW_S + 600}
SETTINGS = {
    "listeners": "SASL://127.0.0.1:0",
    "listener.security.protocol.map": "SASL:SASL_PLAINTEXT",
    "inter.broker.listener.name": "SASL",
    "listener.name.sasl.sasl.enabled.mechanisms": "OAUTHBEARER",
    "connection.failed.authentication.delay.ms": "0",
    "sasl.oauthbearer.expected.issuer": ISSUER,
    "sasl.oauthbearer.expected.audience": AUDIENCE,
}


@pytest.fixture
def provider():
    with IdentityProvider(jwks(public_jwk("rsa"))) as found:
        yield found


def broker(provider, **more):
    return RunningBroker(**{**SETTINGS, URL_SETTING: provider.url, **more})


async def log_in(running, text):
    async with Talk(running.port) as talk:
        await talk.handshake("OAUTHBEARER")
        await talk.login("OAUTHBEARER", "", text)
        return talk.lines[-1]


async def test_a_session_lasts_as_long_as_its_token(provider):
    async with broker(provider) as running:
        assert await log_in(running, token(**TIMES)) == "authenticated for 600000 ms"
        running.clock.time_ms += 100_000
        assert await log_in(running, token(**TIMES)) == "authenticated for 500000 ms"


async def test_a_session_begins_anew_with_the_next_token_of_the_same_user(provider):
    async with broker(provider) as running, Talk(running.port) as talk:
        await talk.handshake("OAUTHBEARER")
        await talk.login("OAUTHBEARER", "", token(**TIMES))
        running.clock.time_ms += 590_000
        await talk.handshake("OAUTHBEARER")
        await talk.login("OAUTHBEARER", "", token(iat=NOW_S + 500, exp=NOW_S + 1190))
        await talk.metadata()
        assert running.broker.listeners[0].authentications.reauthentications == 1
    assert talk.lines[-2:] == ["authenticated for 600000 ms", "Metadata: ok"]


async def test_a_session_does_not_become_somebody_elses(provider):
    async with broker(provider) as running, Talk(running.port) as talk:
        await talk.handshake("OAUTHBEARER")
        await talk.login("OAUTHBEARER", "", token(**TIMES))
        await talk.handshake("OAUTHBEARER")
        await talk.login("OAUTHBEARER", "", token(**TIMES, sub="bob"))
        await talk.ended()
    assert "Cannot change principals during re-authentication from User.alice: User.bob" in talk.lines[-2]


@pytest.mark.parametrize(
    "text",
    [
        raw_token({"alg": "none"}, {"sub": "alice", **TIMES}, b"x"),
        token(**{**TIMES, "iat": NOW_S - 900, "exp": NOW_S - 31}),
        token(**TIMES, iss="https://evil.example/"),
        token(**TIMES, aud="other"),
        token("rsa-2", headers={"kid": "rsa"}, **TIMES),
    ],
    ids=["unsigned", "expired", "issuer", "audience", "key"],
)
async def test_the_default_settings_refuse(provider, text):
    """CVE-2026-33557: what Kafka 4.1.0 let in."""
    async with broker(provider) as running:
        line = await log_in(running, text)
    assert "authenticated" not in line
    assert "invalid_token" in line


async def test_a_bad_token_over_the_wire_goes_as_with_kafka(provider):
    """The reason as a challenge, the client's ^A, then the failure with the same text."""
    async with broker(provider) as running, Talk(running.port) as talk:
        await talk.handshake("OAUTHBEARER")
        challenge = await talk.authenticate(b"n,,\x01auth=Bearer a.b.c\x01\x01")
        assert (challenge.error_code, challenge.auth_bytes) == (0, b'{"status":"invalid_token"}')
        await talk.authenticate(b"\x01")
        await talk.ended()
    assert talk.lines[1:] == ['SaslAuthenticate: SASL_AUTHENTICATION_FAILED {"status":"invalid_token"}', "closed"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({URL_SETTING: ""}, "needs sasl.oauthbearer.jwks.endpoint.url"),
        ({URL_SETTING: "file:///etc/passwd"}, "is not allowed"),
        ({URL_SETTING: "http://idp.example/jwks"}, "is not allowed"),
        ({URL_SETTING: "http://127.0.0.1:1/jwks"}, "no keys from"),
        ({URL_SETTING: "file:///nowhere", ALLOWED_SETTING: "file:///nowhere"}, "no keys from"),
        ({"sasl.server.callback.handler.class": UNSECURED_HANDLER}, "nobody signed"),
        ({"sasl.server.callback.handler.class": "com.example.Handler"}, "only Kafka's own"),
    ],
)
async def test_no_start_without_keys(provider, changes, says):
    """CVE-2026-110985: no key source, no broker."""
    with pytest.raises(ConfigError, match=says):
        async with broker(provider, **changes):
            raise AssertionError("it started")


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"{}"), (200, b'{"keys":[]}'), (200, b"<html>"), (404, b"{}"), (500, b""), (200, b"x" * (1 << 20) + b"x")],
)
async def test_no_start_with_an_answer_that_holds_no_keys(provider, status, body):
    provider.status, provider.body = status, body
    with pytest.raises(ConfigError, match="no keys from"):
        async with broker(provider):
            raise AssertionError("it started")


async def test_unsigned_tokens_only_where_that_is_said_twice(provider):
    changes = {"sasl.server.callback.handler.class": UNSECURED_HANDLER, UNSECURED_SETTING: "true", URL_SETTING: ""}
    async with broker(provider, **changes) as running:
        text = raw_token({"alg": "none"}, {"sub": "bob", **TIMES})
        assert await log_in(running, text) == "authenticated for 600000 ms"


async def test_an_unknown_key_makes_us_look_again_and_not_too_often(provider, monkeypatch):
    async with broker(provider) as running:
        new = token("rsa-2", **TIMES)
        provider.body = jwks(public_jwk("rsa"), public_jwk("rsa-2"))
        assert "invalid_token" in await log_in(running, new)
        async with asyncio.timeout(5):
            await asyncio.to_thread(lambda: [provider.arrived.acquire() for _ in range(2)])
            while "invalid_token" in await log_in(running, new):
                await asyncio.sleep(0)
        asked = provider.asked
        for number in range(20):
            await log_in(running, token("rsa-2", headers={"kid": str(number)}, **TIMES))
        assert provider.asked == asked


async def test_when_the_provider_fails_the_old_keys_stay(provider):
    async with broker(provider, **{
        "sasl.oauthbearer.jwks.endpoint.refresh.ms": "30", "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms": "1",
        "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms": "5",
    }) as running:  # fmt: skip
        provider.status = 503
        await asyncio.to_thread(lambda: [provider.arrived.acquire() for _ in range(6)])
        assert await log_in(running, token(**TIMES)) == "authenticated for 600000 ms"
        provider.status, provider.body = 200, jwks(public_jwk("rsa-2"))
        async with asyncio.timeout(5):
            while "authenticated" in await log_in(running, token(**TIMES)):  # a key that was withdrawn serves nobody
                await asyncio.sleep(0)
        assert await log_in(running, token("rsa-2", **TIMES)) == "authenticated for 600000 ms"


async def test_a_broker_stops_while_the_provider_keeps_it_waiting(provider):
    never = threading.Event()
    async with broker(provider, **{"sasl.oauthbearer.jwks.endpoint.refresh.ms": "1"}) as running:
        provider.answer = lambda request: never.wait(30)  # type: ignore[assignment]
        asked = provider.asked
        async with asyncio.timeout(5):
            while provider.asked == asked:
                await asyncio.sleep(0)
        async with asyncio.timeout(2):
            await running.broker.key_sets.stop()
    never.set()


async def test_a_file_that_is_allowed(tmp_path, provider):
    path = tmp_path / "my keys.json"
    path.write_bytes(jwks(public_jwk("rsa")))
    url = path.as_uri()
    async with broker(provider, **{URL_SETTING: url, ALLOWED_SETTING: url}) as running:
        assert (await log_in(running, token(**TIMES))).startswith("authenticated")
    assert provider.asked == 0


@pytest.mark.parametrize("trusted", [True, False])
async def test_keys_over_tls_by_an_authority_of_ones_own(tmp_path, trusted):
    authority = Authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("CN=idp", "127.0.0.1").write_pem(tmp_path / "idp.pem"))
    path = (authority if trusted else Authority()).write(tmp_path / "ca.pem")
    entry = f'{LOGIN} required ssl.truststore.location="{path}";'
    with IdentityProvider(jwks(public_jwk("rsa")), tls=context) as provider:
        running = broker(provider, **{"listener.name.sasl.oauthbearer.sasl.jaas.config": entry})
        if trusted:
            async with running:
                assert (await log_in(running, token(**TIMES))).startswith("authenticated")
        else:
            with pytest.raises(ConfigError, match="CERTIFICATE_VERIFY_FAILED"):
                async with running:
                    raise AssertionError("it started")
    assert provider.asked == (1 if trusted else 0)


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["https://idp.example/jwks", "http://localhost:1/x", "http://127.0.0.9/", "http://[::1]/"]
)
def test_addresses_that_need_no_permission(url):
    check_allowed(url, frozenset())


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/", "http://169.254.169.254/latest", "http://127.0.0.1.evil.example/", "file:///etc/shadow",
        "ftp://idp.example/", "gopher://x/", "jar:file:///x!/y", "/etc/passwd", "https:///x", "https://", "http://",
        "https://user:secret@idp.example/", "file://elsewhere/etc/passwd", "http://[::1", "data:application/json,{}",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(url):
    with pytest.raises(ConfigError) as problem:
        check_allowed(url, frozenset())
    assert "secret@" not in str(problem.value)


def test_only_the_whole_address_is_permitted():
    allowed = frozenset({"http://idp.example/jwks", "ftp://idp.example/"})
    check_allowed("http://idp.example/jwks", allowed)
    for url in ("http://idp.example/jwks2", "http://idp.example/", "ftp://idp.example/"):
        with pytest.raises(ConfigError):
            check_allowed(url, allowed)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(provider, status):
    with IdentityProvider(b"secret") as neighbour:
        provider.status, provider.headers = status, {"Location": neighbour.url}
        with pytest.raises(OSError, match=str(status)):
            read_url(provider.url, None)
        assert neighbour.asked == 0


def test_an_answer_without_end(provider):
    def endless(request):
        request.send_response(200)
        request.end_headers()
        for _ in range(100):
            try:
                request.wfile.write(b"x" * 65536)
            except OSError:
                return

    provider.answer = endless
    with pytest.raises(ValueError, match="more than 1048576 bytes"):
        read_url(provider.url, None)


def test_an_answer_that_drips(provider, monkeypatch):
    monkeypatch.setattr(identity_provider, "DEADLINE_S", -1.0)
    provider.body = b"x"
    with pytest.raises(TimeoutError):
        read_url(provider.url, None)


def test_no_http_at_all(provider):
    provider.answer = lambda request: request.wfile.write(b"\0\1\2\r\n\r\n")
    with pytest.raises(OSError):
        read_url(provider.url, None)
