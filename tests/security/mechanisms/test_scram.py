"""SCRAM: the vectors of its RFCs, and everything a server and a client must refuse."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.security.mechanisms import (
    MECHANISMS,
    AuthenticationFailed,
    ScramCredential,
    TokenCredential,
    scram,
    scram_keys,
)
from ottla.security.principal import Principal

from .drive import PEPPER, Peer, client_inputs, credential, new_server, refusal, server_inputs, talk

SHA256, SHA512 = "SCRAM-SHA-256", "SCRAM-SHA-512"
#: RFC 7677, section 3.
RFC_SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
RFC_NONCES = "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
RFC_FIRST = f"n,,n=user,r={RFC_NONCES[0]}"
RFC_CHALLENGE = f"r={RFC_NONCES[0]}{RFC_NONCES[1]},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
RFC_FINAL = f"c=biws,r={RFC_NONCES[0]}{RFC_NONCES[1]},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
RFC_SIGNATURE = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def users(mechanism: str, **passwords: str):
    known = {name: credential(mechanism, password) for name, password in passwords.items()}
    return lambda user, asked: known.get(user) if asked == mechanism else None


def alices_server(mechanism: str = SHA256, **others):
    return server_inputs(mechanism, credential=users(mechanism, alice="secret"), **others)


@pytest.fixture
def rfc_nonces(monkeypatch):
    nonces = iter(RFC_NONCES)
    monkeypatch.setattr(scram, "_nonce", lambda random: next(nonces))
    return nonces


def test_the_server_speaks_as_rfc_7677_says(rfc_nonces):
    next(rfc_nonces)
    kept = credential(SHA256, "pencil", RFC_SALT)
    server = new_server(server_inputs(SHA256, credential=lambda user, mechanism: kept if user == "user" else None))
    assert server.send(RFC_FIRST.encode()) == RFC_CHALLENGE.encode()
    assert server.send(RFC_FINAL.encode()) == RFC_SIGNATURE.encode()
    assert server.result.principal == Principal("User", "user")


def test_the_client_speaks_as_rfc_7677_says(rfc_nonces):
    client = Peer(MECHANISMS[SHA256].client(client_inputs(SHA256, "user", "pencil")))
    assert client.start() == RFC_FIRST.encode()
    assert client.send(RFC_CHALLENGE.encode()) == RFC_FINAL.encode()
    client.send(RFC_SIGNATURE.encode())
    assert client.done


def test_the_keys_are_those_of_rfc_5802_for_sha_1(monkeypatch):
    """The RFC's own example is for SHA-1, which nobody offers; the formulas are the same."""
    monkeypatch.setitem(scram_keys.HASHES, "SCRAM-SHA-1", "sha1")
    salt = base64.b64decode("QSXCR+Q6sek8bf92")
    signed = (
        b"n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
    )
    kept = credential("SCRAM-SHA-1", "pencil", salt)
    assert scram._check_proof("SCRAM-SHA-1", kept.stored_key, signed, base64.b64decode("v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="))
    assert not scram._check_proof(
        "SCRAM-SHA-1", kept.stored_key, signed, base64.b64decode("w0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")
    )


@pytest.mark.parametrize("mechanism", [SHA256, SHA512])
def test_both_sides_understand_each_other(mechanism):
    result = talk(alices_server(mechanism), client_inputs(mechanism, "alice", "secret"))
    assert result.principal == Principal("User", "alice")
    assert result.expires_ms is None


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("bob", "secret"), ("alice", ""), ("bob", "")])
@pytest.mark.parametrize("mechanism", [SHA256, SHA512])
def test_wrong_password_and_unknown_user_are_refused_alike(mechanism, user, password):
    problem = refusal(talk, alices_server(mechanism), client_inputs(mechanism, user, password))
    assert problem.message_for_client == ""
    assert problem.reason == "wrong user or password"


def test_a_user_of_the_other_mechanism_is_unknown_to_this_one():
    server = server_inputs(SHA512, credential=users(SHA256, alice="secret"))
    assert refusal(talk, server, client_inputs(SHA512, "alice", "secret")).message_for_client == ""


def test_an_unknown_user_has_one_salt_that_looks_like_others_and_that_nobody_can_compute():
    def challenge(pepper: bytes, user: str) -> bytes:
        message = new_server(alices_server(pepper=pepper)).send(f"n,,n={user},r=abc".encode())
        return message.split(b",", 1)[1]

    bobs = challenge(PEPPER, "bob")
    assert bobs == challenge(PEPPER, "bob") != challenge(PEPPER, "carol")
    assert bobs != challenge(b"another broker's", "bob")
    salt, iterations = bobs.split(b",")
    assert iterations == b"i=4096"
    assert 24 <= len(base64.b64decode(salt[2:])) <= 26
    assert base64.b64decode(salt[2:]).isalnum()


def test_an_unknown_user_has_as_many_iterations_as_others():
    server = new_server(alices_server(likely_iterations=lambda number, mechanism: 8192))
    assert server.send(b"n,,n=bob,r=abc").endswith(b",i=8192")


def test_who_has_unusual_iterations_is_no_more_likely_to_exist_than_others():
    """One user in ten has 8,192: so have as many of those who do not exist, always the same ones."""
    tenth = (1 << 64) // 10

    def challenge(user: str) -> bytes:
        server = new_server(alices_server(likely_iterations=lambda number, _: 8192 if number < tenth else 4096))
        return server.send(f"n,,n={user},r=abc".encode()).split(b",", 1)[1]

    found = {user: challenge(user) for user in map("nobody{}".format, range(500))}
    assert 25 <= sum(each.endswith(b",i=8192") for each in found.values()) <= 80
    assert all(challenge(user) == each for user, each in list(found.items())[:50])


def test_other_iterations_come_with_another_salt_as_with_a_new_password():
    salts = {
        new_server(alices_server(likely_iterations=lambda number, mechanism, count=count: count))
        .send(b"n,,n=bob,r=abc").split(b",")[1]
        for count in (4096, 8192)
    }  # fmt: skip
    assert len(salts) == 2


def test_a_delegation_token_that_does_not_exist_has_the_iterations_of_tokens():
    server = new_server(alices_server(likely_iterations=lambda number, mechanism: 8192))
    assert server.send(b"n,,n=nosuchtoken,r=abc,tokenauth=true").endswith(b",i=4096")


@pytest.mark.parametrize("name", ["a,b", "a=b", "=2C", ",=,", "a=3Db", "x" * 1000])
def test_names_with_comma_and_equals_sign(name):
    server = server_inputs(SHA256, credential=users(SHA256, **{name: "secret"}))
    assert talk(server, client_inputs(SHA256, name, "secret")).principal.name == name


# -- what a server refuses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        b"", b"n", b"n,,", b"n,,n=alice", b"n,,r=abc", b"n,,n=,r=abc", b"n,,n=alice,r=", b"n,,r=abc,n=alice",
        b"y,,n=alice,r=abc", b"p=tls-unique,,n=alice,r=abc", b",,n=alice,r=abc", b"n,n=alice,r=abc",
        b"n,,m=must,n=alice,r=abc", b"n,,n=ali=ce,r=abc", b"n,,n=ali=2c,r=abc", b"n,,n=al\0ice,r=abc",
        b"n,,n=alice,r=a\x7fb", b"n,,n=alice,r=abc,", b"n,,n=alice,r=abc,1=2", b"n,,n=alice,r=abc,x=",
        b"n,,n=\xff\xfe,r=abc", "n,,n=ålice,r=abc".encode(), b"n,a=,n=alice,r=abc", b"n,,n=alice,r=abc\n",
        b"n,,n=alice,r=" + b"a" * 70_000,
    ],
)  # fmt: skip
def test_a_malformed_first_message(message):
    problem = refusal(new_server(alices_server()).send, message)
    assert problem.message_for_client == ""


def test_another_authorization_id():
    server = new_server(alices_server())
    assert "authorization id" in refusal(server.send, b"n,a=admin,n=alice,r=abc").message_for_client


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_another_authorization_id_does_not_tell_who_exists(user):
    server = new_server(alices_server())
    assert "authorization id" in refusal(server.send, f"n,a=admin,n={user},r=abc".encode()).message_for_client


def finish(server: Peer, first: str, change) -> Peer:
    """Answer the challenge as alice would, changed by `change(binding, nonce) -> final without proof`."""
    header, bare = first[: first.index("n=", 1)], first[first.index("n=", 1) :]
    challenge = server.send(first.encode()).decode()
    fields = dict(part.split("=", 1) for part in challenge.split(","))
    salted = scram_keys.salted_password(SHA256, "secret", base64.b64decode(fields["s"]), int(fields["i"]))
    final = change(base64.b64encode(header.encode()).decode(), fields["r"])
    key = scram_keys.client_key(SHA256, salted)
    signature = scram.hmac.digest(scram_keys.stored_key(SHA256, key), f"{bare},{challenge},{final}".encode(), "sha256")
    proof = base64.b64encode(scram._xor(key, signature)).decode()
    server.send(f"{final},p={proof}".encode())
    return server


@pytest.mark.parametrize("first", ["n,,n=alice,r=abc", "n,a=alice,n=alice,r=abc", "n,,n=alice,r=abc,what=ever"])
@pytest.mark.parametrize("extension", ["", ",more=yes"])
def test_a_right_final_message_with_all_that_is_allowed(first, extension):
    server = finish(new_server(alices_server()), first, lambda c, r: f"c={c},r={r}{extension}")
    assert server.result.principal.name == "alice"


@pytest.mark.parametrize(
    "change",
    [
        lambda c, r: f"c={c},r={r}x",
        lambda c, r: f"c={c},r=abc",
        lambda c, r: f"c={c},r={r[1:]}",
        lambda c, r: f"c=eSws,r={r}",  # y,, where n,, was said
        lambda c, r: f"c=bixhPWJvYiw=,r={r}",
        lambda c, r: f"c=,r={r}",
        lambda c, r: f"c=AAAA,r={r}",
    ],
)
def test_a_final_message_with_another_nonce_or_binding_although_its_proof_is_right(change):
    with pytest.raises(AuthenticationFailed) as raised:
        finish(new_server(alices_server()), "n,,n=alice,r=abc", change)
    assert raised.value.message_for_client == ""


def test_librdkafka_before_2_6_1_says_its_own_nonce_twice():
    server = finish(new_server(alices_server()), "n,,n=alice,r=abc", lambda c, r: f"c={c},r=abc{r}")
    assert server.result.principal.name == "alice"


@pytest.mark.parametrize("final", [
    "", "c=biws,r={r}", "c=biws,r={r},p=", "c=biws,r={r},p=AAAA", "c=biws,r={r},p=====", "c=biws,p=AAAA,r={r}",
    "c=biws,r={r},p=A", "r={r},p=AAAA", "c=b iws,r={r},p=AAAA",
])  # fmt: skip
def test_a_malformed_final_message(final):
    server = new_server(alices_server())
    nonce = dict(part.split("=", 1) for part in server.send(b"n,,n=alice,r=abc").decode().split(","))["r"]
    assert refusal(server.send, final.format(r=nonce).encode()).message_for_client == ""


def test_a_credential_with_too_few_iterations_is_as_good_as_none():
    weak = credential(SHA256, "secret", iterations=100)
    server = server_inputs(SHA256, credential=lambda user, mechanism: weak)
    assert refusal(talk, server, client_inputs(SHA256, "alice", "secret")).reason == "wrong user or password"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_refused_and_nothing_else_happens(first, second):
    server = new_server(alices_server())
    with pytest.raises(AuthenticationFailed):
        server.send(first)
        server.send(second)


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_a_password_verifies_exactly_itself(user, password, other):
    kept = credential(SHA256, password)
    assert scram_keys.verifies(SHA256, password, kept)
    assert scram_keys.verifies(SHA256, other, kept) == (other.encode() == password.encode())


# -- delegation tokens ---------------------------------------------------------------------------------------------

OWNER = Principal("User", "alice")


def token_server(now_ms: int = 0):
    kept = credential(SHA256, "hmac")
    found = TokenCredential(OWNER, kept, 1000)
    return server_inputs(
        SHA256, now_ms=now_ms, token=lambda token_id, mechanism: found if token_id == "id" else None,
        credential=users(SHA256, id="hmac"),
    )  # fmt: skip


def test_a_token_speaks_for_its_owner_until_it_expires():
    result = talk(token_server(), client_inputs(SHA256, "id", "hmac", options={"tokenauth": "true"}))
    assert result.principal == Principal("User", "alice", by_token=True)
    assert result.expires_ms == 1000


@pytest.mark.parametrize(("token_id", "now_ms"), [("id", 1000), ("other", 0)])
def test_an_expired_or_unknown_token_is_no_user(token_id, now_ms):
    client = client_inputs(SHA256, token_id, "hmac", options={"tokenauth": "true"})
    assert refusal(talk, token_server(now_ms), client).message_for_client == ""


def test_without_the_extension_a_name_is_a_user():
    result = talk(token_server(), client_inputs(SHA256, "id", "hmac"))
    assert result.principal == Principal("User", "id", by_token=False)


# -- what a client refuses -----------------------------------------------------------------------------------------


def started(password: str = "secret") -> tuple[Peer, str]:
    client = Peer(MECHANISMS[SHA256].client(client_inputs(SHA256, "alice", password)))
    first = client.start()
    assert first is not None
    return client, first.decode().split("r=", 1)[1]


@pytest.mark.parametrize("challenge", [
    "", "r={r},s=c2FsdA==,i=4096", "r=x{r}y,s=c2FsdA==,i=4096", "r={r}y,s=c2FsdA==,i=4095", "r={r}y,s=c2FsdA==,i=1",
    "r={r}y,s=c2FsdA==,i=-1", "r={r}y,s=c2FsdA==,i=1000001", "r={r}y,s=c2FsdA==,i=99999999999", "r={r}y,i=4096",
    "m=x,r={r}y,s=c2FsdA==,i=4096", "r={r}y,s=c2FsdA,i=4096", "e=unknown-user",
])  # fmt: skip
def test_a_challenge_the_client_does_not_take(challenge):
    client, nonce = started()
    refusal(client.send, challenge.format(r=nonce).encode())


@pytest.mark.parametrize("final", [b"", b"v=", b"v=AAAA", b"e=invalid-proof", b"v=" + base64.b64encode(bytes(32))])
def test_a_server_that_does_not_know_the_password_is_found_out(final):
    client, nonce = started()
    client.send(f"r={nonce}y,s=c2FsdA==,i=4096".encode())
    refusal(client.send, final)


def test_secrets_are_not_in_what_is_printed():
    kept = credential(SHA256, "secret")
    assert repr(kept) == "ScramCredential(iterations=4096)"
    assert "secret" not in repr(client_inputs(SHA256, "alice", "secret"))
    assert isinstance(kept, ScramCredential)
