"""The client's tokens of an identity provider: given, made by a callable, fetched; and answers that would hurt."""

from __future__ import annotations

import base64
import json

import pytest

from ottla.client import oauth
from ottla.client.config import Config
from ottla.client.errors import AuthenticationError, ConfigError
from tests.broker.test_jwks import SETTINGS, TIMES
from tests.client.test_security import connect
from tests.security.oauth_tokens import jwks, public_jwk, token
from tests.support.identity_provider import IdentityProvider
from tests.support.in_process import RunningBroker

LOGIN = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER"}


@pytest.fixture(autouse=True)
def nothing_kept():
    oauth._kept.clear()


@pytest.fixture
def endpoint():
    with IdentityProvider() as found:
        yield found


def config(endpoint=None, **more):
    fetched = {} if endpoint is None else {
        "sasl_oauthbearer_token_endpoint_url": endpoint.url, "sasl_oauthbearer_client_id": "orders",
        "sasl_oauthbearer_client_secret": "s3cret:/&",
    }  # fmt: skip
    return Config("127.0.0.1:1", **{**LOGIN, **fetched, **more})


def answer(text, **more):
    return json.dumps({"access_token": text, "token_type": "Bearer", "expires_in": 300, **more}).encode()


async def test_a_client_gets_in_with_a_token_however_it_comes_by_it(endpoint):
    async def made() -> str:
        return token(**TIMES)

    with IdentityProvider(jwks(public_jwk("rsa"))) as provider:
        settings = {**SETTINGS, "sasl.oauthbearer.jwks.endpoint.url": provider.url}
        async with RunningBroker(**settings) as running:
            await connect(running.port, **LOGIN, sasl_oauthbearer_token=token(**TIMES))
            await connect(running.port, **LOGIN, sasl_oauthbearer_token=made)
            endpoint.body = answer(token(**TIMES))
            await connect(running.port, **LOGIN, sasl_oauthbearer_token_endpoint_url=endpoint.url)
            with pytest.raises(AuthenticationError, match="invalid_token"):
                await connect(running.port, **LOGIN, sasl_oauthbearer_token=token(**TIMES, aud="other"))
            with pytest.raises(AuthenticationError, match="needs a token"):
                await connect(running.port, **LOGIN)


async def test_the_provider_is_asked_as_rfc_6749_says(endpoint):
    seen = []
    endpoint.body = answer("a.b.c")
    plainly = endpoint.answer

    def note(request):
        length = int(request.headers["Content-Length"])
        seen.append((request.headers["Authorization"], request.rfile.read(length).decode()))
        plainly(request)

    endpoint.answer = note
    assert await oauth.token(config(endpoint, sasl_oauthbearer_scope="a b")) == "a.b.c"
    expected = base64.b64encode(b"orders:s3cret%3A%2F%26").decode()
    assert seen == [(f"Basic {expected}", "grant_type=client_credentials&scope=a+b")]


async def test_a_token_serves_until_most_of_its_life_is_over(endpoint):
    endpoint.body = answer("a.b.c")
    for _ in range(3):
        assert await oauth.token(config(endpoint)) == "a.b.c"
    assert endpoint.asked == 1
    endpoint.body = answer("d.e.f", expires_in=0)
    other = config(endpoint, sasl_oauthbearer_client_secret="another")
    for _ in range(2):
        assert await oauth.token(other) == "d.e.f"
    assert endpoint.asked == 3


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""), (200, b"[]"), (200, b"{}"), (200, b'{"access_token":5}'), (200, b'{"access_token":""}'),
        (200, b'{"access_token":"a.b.c","expires_in":"soon"}'), (200, b"[" * 50_000), (200, b"x" * ((1 << 20) + 1)),
        (401, b"s3cret"), (500, b""), (302, b""),
    ],
)  # fmt: skip
async def test_answers_without_a_token(endpoint, status, body):
    endpoint.status, endpoint.body, endpoint.headers = status, body, {"Location": "http://127.0.0.1:1/"}
    with pytest.raises(AuthenticationError, match="no token from") as caught:
        await oauth.token(config(endpoint))
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/token", "file:///etc/passwd", "ftp://x/", "https://user:secret@idp.example/", "https:///x", "token",
        "http://169.254.169.254/", "http://[::1",
    ],
)  # fmt: skip
async def test_a_secret_goes_nowhere_else(url):
    """CVE-2025-27817."""
    with pytest.raises(ConfigError) as caught:
        await oauth.token(config(sasl_oauthbearer_token_endpoint_url=url))
    assert "user:secret" not in str(caught.value)


@pytest.mark.parametrize("source", [lambda: 5, lambda: "", lambda: None])
async def test_what_is_no_token(source):
    with pytest.raises(AuthenticationError, match="a token is a text"):
        await oauth.token(config(sasl_oauthbearer_token=source))
