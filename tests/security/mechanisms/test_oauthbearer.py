"""SASL OAUTHBEARER: messages of RFC 7628, what Kafka's grammar refuses, and settings with which no broker starts."""

from __future__ import annotations

import pytest

from ottla.metadata.configs.broker import BROKER
from ottla.security.mechanisms import MECHANISMS, SaslConfigError, oauthbearer, unsecured_tokens
from ottla.security.principal import Principal
from tests.security.oauth_tokens import AUDIENCE, ISSUER, NOW_MS, NOW_S, keys, raw_token, token

from .drive import Peer, client_inputs, new_server, refusal, server_inputs, talk

URL = "https://idp.example/jwks"
UNSECURED = {"sasl.server.callback.handler.class": oauthbearer.UNSECURED_HANDLER, oauthbearer.UNSECURED_SETTING: True}


def prepare(jaas=None, **settings):
    """Prepare with Kafka's defaults and some settings."""
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return oauthbearer.prepare(jaas, lambda name: given[name] if name in given else BROKER[name].default)


def prepared():
    found = prepare(**{
        oauthbearer.URL_SETTING: URL, "sasl.oauthbearer.expected.issuer": ISSUER,
        "sasl.oauthbearer.expected.audience": [AUDIENCE],
    })  # fmt: skip
    found.source.keys = keys()
    return found


def server(**others):
    return server_inputs("OAUTHBEARER", **{"now_ms": NOW_MS, "prepared": prepared(), **others})


def client(text, **options):
    return client_inputs("OAUTHBEARER", "", text, options=options)


def first(text=None, authzid="", extra=""):
    return f"n,{authzid},\x01auth=Bearer {text or token()}\x01{extra}\x01".encode()


def test_a_good_token_lets_its_user_in_until_it_expires():
    found = talk(server(), client(token()))
    assert found.principal == Principal("User", "alice")
    assert found.expires_ms == (NOW_S + 600) * 1000
    assert found.last_message == b""


def test_the_message_of_the_rfc():
    """RFC 7628, section 4.1, with its extensions; the token is replaced by one that we can verify."""
    peer = new_server(server())
    peer.send(first(authzid="", extra="host=server.example.com\x01port=143\x01"))
    assert peer.result is not None


def test_a_bad_token_gets_its_reason_as_json_and_then_the_failure():
    peer = new_server(server())
    assert peer.send(first(token(exp=NOW_S - 100, iat=NOW_S - 200))) == b'{"status":"invalid_token"}'
    problem = refusal(peer.send, b"\x01")
    assert problem.message_for_client == '{"status":"invalid_token"}'
    assert "expired" in problem.reason


def test_a_second_token_after_a_bad_one_is_not_looked_at():
    peer = new_server(server())
    peer.send(first("x.y.z"))
    refusal(peer.send, first())


def test_our_client_ends_the_exchange_as_the_rfc_demands():
    peer = Peer(MECHANISMS["OAUTHBEARER"].client(client("a.b.c")))
    assert peer.start() == b"n,,\x01auth=Bearer a.b.c\x01\x01"
    assert peer.send(b'{"status":"invalid_token"}') == b"\x01"
    assert "invalid_token" in str(refusal(peer.send, b""))


def test_extensions_go_along():
    text = token()
    peer = Peer(MECHANISMS["OAUTHBEARER"].client(client(text, extension_logicalCluster="lkc-1")))
    message = peer.start()
    assert message == first(text, extra="logicalCluster=lkc-1\x01")
    new = new_server(server())
    new.send(message)
    assert new.result is not None


@pytest.mark.parametrize("options", [{"extension_auth": "x"}, {"extension_a1": "x"}, {"extension_a": "x\x01"}])
def test_extensions_that_would_break_the_message(options):
    refusal(Peer(MECHANISMS["OAUTHBEARER"].client(client(token(), **options))).start)


@pytest.mark.parametrize("text", ["", "a b", "a\x01auth=Bearer b", "ü"])
def test_tokens_that_cannot_be_sent(text):
    refusal(Peer(MECHANISMS["OAUTHBEARER"].client(client(text))).start)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x01",
        b"n,,\x01\x01",
        b"n,,\x01auth=Bearer a.b.c\x01",
        b"n,,\x01auth=Bearer a.b.c",
        b"n,,auth=Bearer a.b.c\x01\x01",
        b"n,,\x01auth=Bearer a.b.c\x01\x01x",
        b"y,,\x01auth=Bearer a.b.c\x01\x01",
        b"p=tls-unique,,\x01auth=Bearer a.b.c\x01\x01",
        b"n,a=,\x01auth=Bearer a.b.c\x01\x01",
        b"n,a=x=y,\x01auth=Bearer a.b.c\x01\x01",
        b"n,,\x01auth=Basic YWxpY2U6eA==\x01\x01",
        b"n,,\x01auth=Bearer\x01\x01",
        b"n,,\x01auth=Bearer a b\x01\x01",
        b"n,,\x01auth=Bearer a.b!c\x01\x01",
        b"n,,\x01Auth=Bearer a.b.c\x01\x01",
        b"n,,\x01host=x\x01\x01",
        b"n,,\x01auth=Bearer a.b.c\x01ho1st=x\x01\x01",
        b"n,,\x01auth=Bearer a.b.c\x01host=\x01\x01",
        b"n,,\x01auth=Bearer a.b.c\x01host=\xff\x01\x01",
        b"\0alice\0secret",
    ],
)
def test_what_is_no_first_message_gets_kafkas_sentence_without_a_reason(message):
    problem = refusal(new_server(server()).send, message)
    assert problem.message_for_client == ""


def test_the_scheme_has_no_case():
    peer = new_server(server())
    peer.send(first().replace(b"Bearer", b"bEaReR"))
    assert peer.result is not None


def test_who_asks_for_another_user_is_refused():
    """CVE-2017-12610: the authorization id must be that of the token."""
    problem = refusal(new_server(server()).send, first(authzid="a=root"))
    assert "authorization id (root)" in problem.message_for_client
    peer = new_server(server())
    peer.send(first(authzid="a=alice"))
    assert peer.result is not None


def test_a_key_that_is_not_there_is_asked_for():
    ready, asked = prepared(), []
    ready.source.missing = asked.append
    assert new_server(server(prepared=ready)).send(first(token("rsa-2"))) == b'{"status":"invalid_token"}'
    assert asked == ["rsa-2"]


# -- no broker starts without keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize("jaas", [None, {}, {"unsecuredLoginStringClaim_sub": "x"}])
def test_no_start_without_a_source_of_keys(jaas):
    """CVE-2026-110985, CVE-2026-33557: an unset URL is no reason to skip the signature."""
    with pytest.raises(SaslConfigError, match=r"needs sasl\.oauthbearer\.jwks\.endpoint\.url"):
        prepare(jaas)


def test_no_start_with_unsigned_tokens_unless_that_is_said_twice():
    with pytest.raises(SaslConfigError, match="nobody signed"):
        prepare(sasl_server_callback_handler_class=oauthbearer.UNSECURED_HANDLER)
    assert isinstance(prepare(**UNSECURED), unsecured_tokens.Unsecured)


@pytest.mark.parametrize("handler", ["com.example.MyHandler", "", "java.lang.Runtime"])
def test_no_start_with_a_handler_that_is_not_there(handler):
    with pytest.raises(SaslConfigError, match="only Kafka's own"):
        prepare(sasl_server_callback_handler_class=handler, **{oauthbearer.URL_SETTING: URL})


def test_kafkas_names_of_the_handler():
    for handler in oauthbearer.SECURED_HANDLERS:
        found = prepare(sasl_server_callback_handler_class=handler, **{oauthbearer.URL_SETTING: URL})
        assert isinstance(found, oauthbearer.Signed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sasl.oauthbearer.sub.claim.name", " "),
        ("sasl.oauthbearer.scope.claim.name", ""),
        ("sasl.oauthbearer.clock.skew.seconds", -1),
        ("sasl.oauthbearer.jwks.endpoint.refresh.ms", 0),
        ("sasl.oauthbearer.jwt.validator.class", "com.example.Anything"),
    ],
)
def test_settings_that_are_refused(name, value):
    with pytest.raises(SaslConfigError):
        prepare(**{oauthbearer.URL_SETTING: URL, name: value})


def test_a_mechanism_that_was_not_prepared_lets_nobody_in():
    refusal(new_server(server(prepared=None)).send, first())


def test_before_the_keys_came_nobody_gets_in():
    ready = prepared()
    ready.source.keys = ()
    assert new_server(server(prepared=ready)).send(first()) == b'{"status":"invalid_token"}'


# -- unsigned tokens ---------------------------------------------------------------------------------------------------


def unsecured(**jaas):
    return server(prepared=prepare({f"unsecuredValidator{name}": value for name, value in jaas.items()}, **UNSECURED))


def claims(**changes):
    return {"sub": "bob", "iat": NOW_S - 10, "exp": NOW_S + 60, **changes}


def test_unsigned_tokens_where_they_are_wanted():
    text = raw_token({"alg": "none"}, claims())
    assert talk(unsecured(), client(text)).principal == Principal("User", "bob")


def test_kafkas_login_options_make_one():
    inputs = client_inputs(
        "OAUTHBEARER", "", "",
        options={"unsecuredLoginStringClaim_sub": "carol", "unsecuredLoginListClaim_scope": "|a|b"},
    )  # fmt: skip
    found = talk(server_inputs("OAUTHBEARER", prepared=unsecured(RequiredScope="a b").prepared), inputs)
    assert found.principal == Principal("User", "carol")
    assert found.expires_ms == 3_600_000


@pytest.mark.parametrize(
    ("header", "changes"),
    [
        ({"alg": "RS256"}, {}),
        ({}, {}),
        ({"alg": "none"}, {"exp": NOW_S}),
        ({"alg": "none"}, {"exp": None}),
        ({"alg": "none"}, {"iat": NOW_S + 10}),
        ({"alg": "none"}, {"iat": NOW_S + 5, "exp": NOW_S + 5}),
        ({"alg": "none"}, {"sub": ""}),
        ({"alg": "none"}, {"sub": 5}),
        ({"alg": "none"}, {"sub": None}),
    ],
)
def test_unsigned_tokens_have_their_rules_too(header, changes):
    text = raw_token(header, claims(**changes))
    assert new_server(unsecured()).send(first(text)) == b'{"status":"invalid_token"}'


def test_signed_tokens_are_no_unsigned_ones():
    assert new_server(unsecured()).send(first()) == b'{"status":"invalid_token"}'


def test_a_scope_that_is_lacking_is_named():
    peer = new_server(unsecured(RequiredScope="a b"))
    answer = peer.send(first(raw_token({"alg": "none"}, claims(scope=["a"]))))
    assert answer == b'{"status":"insufficient_scope", "scope":"[a, b]"}'


def test_clock_skew_of_unsigned_tokens():
    late = raw_token({"alg": "none"}, claims(exp=NOW_S - 1))
    peer = new_server(unsecured(AllowableClockSkewMs="5000"))
    peer.send(first(late))
    assert peer.result is not None
    with pytest.raises(SaslConfigError):
        unsecured(AllowableClockSkewMs="soon")
