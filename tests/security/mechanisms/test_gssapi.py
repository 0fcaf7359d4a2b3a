"""SASL GSSAPI against a real KDC: right and wrong tickets, the security layer, names, and settings without which nobody starts."""

from __future__ import annotations

import contextlib
import os
from functools import partial

import pytest

from ottla.security.mechanisms import MECHANISMS, SaslConfigError, gssapi
from ottla.security.principal import Principal
from tests.support import kerberos
from tests.support.requires import missing, requires

from .drive import Peer, client_inputs, new_server, refusal, server_inputs, talk

SERVICE = "kafka/localhost"
OWN_RULES = ["RULE:[2:$1_$2]", "DEFAULT"]


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    requires("gssapi")
    if lacking := kerberos.missing():
        missing(f"needs {', '.join(lacking)}: apt install krb5-kdc krb5-admin-server krb5-user")
    before = dict(os.environ)
    with kerberos.Realm(tmp_path_factory.mktemp("realm")) as found:
        os.environ.update(found.environment())
        found.services = found.keytab(SERVICE, "kafka/127.0.0.1")
        found.alice = found.keytab("alice", "alice/admin")
        yield found
    os.environ.clear()
    os.environ.update(before)


def prepare(jaas=None, rules=("DEFAULT",), service="kafka"):
    settings = {"sasl.kerberos.service.name": service, "sasl.kerberos.principal.to.local.rules": list(rules)}
    return gssapi.prepare(jaas, settings.get)


def acceptor(realm, keytab=None, principal=None, **others):
    name = f"{SERVICE}@{realm.realm}" if principal is None else principal
    return prepare({"useKeyTab": "true", "keyTab": str(keytab or realm.services), "principal": name}, **others)


def server(realm, **others):
    return server_inputs("GSSAPI", prepared=acceptor(realm, **others))


def client(realm, principal="alice", keytab=None, host="localhost", **options):
    given = {
        "useKeyTab": "true",
        "keyTab": str(keytab or realm.alice),
        "principal": f"{principal}@{realm.realm}",
        **options,
    }
    return client_inputs("GSSAPI", "", "", host=host, options=given, settings={"sasl.kerberos.service.name": "kafka"})


def cached(realm, cache, host="localhost"):
    """A client with a ticket from a cache file."""
    return client_inputs(
        "GSSAPI", "", "", host=host, options={"useTicketCache": "true"}, settings={"sasl.kerberos.service.name": "kafka"}
    )  # fmt: skip


def test_a_ticket_lets_its_principal_in(realm):
    found = talk(server(realm), client(realm))
    assert found.principal == Principal("User", "alice")
    assert found.last_message == b""
    assert found.expires_ms is None  # as in Kafka: connections.max.reauth.ms says how long


def test_rules_make_the_user_name(realm):
    assert talk(server(realm), client(realm, "alice/admin")).principal.name == "alice"
    assert talk(server(realm, rules=OWN_RULES), client(realm, "alice/admin")).principal.name == "alice_admin"
    assert talk(server(realm, rules=["RULE:[1:$1]/U"]), client(realm)).principal.name == "ALICE"


def test_who_has_no_user_name_is_refused(realm):
    problem = refusal(talk, server(realm, rules=["RULE:[2:$1]"]), client(realm))
    assert problem.message_for_client == ""
    assert "No rules apply to alice@OTTLA.TEST" in problem.reason


def test_any_principal_of_the_keytab(realm):
    assert talk(server(realm, principal="*"), client(realm, host="127.0.0.1")).principal.name == "alice"


def test_a_ticket_for_another_host_is_refused(realm):
    problem = refusal(talk, server(realm), client(realm, host="127.0.0.1"))
    assert problem.message_for_client == ""
    assert "Kerberos" in problem.reason


def test_a_service_that_the_realm_does_not_know(realm):
    problem = refusal(talk, server(realm), client(realm, host="elsewhere.test"))
    assert "not found in Kerberos database" in str(problem)


def test_a_wrong_key(realm):
    keytab = realm.keytab("mallory")
    realm.change_key("mallory")
    refusal(talk, server(realm), client(realm, "mallory", keytab))
    refusal(talk, server(realm), client(realm, "alice", keytab))


def test_another_realm_with_the_same_names(realm, tmp_path):
    """Who makes a realm of his own has a ticket for our service, by another key."""
    with kerberos.Realm(tmp_path) as other:
        other.keytab(SERVICE)
        keytab = other.keytab("alice")
        asking = Peer(MECHANISMS["GSSAPI"].client(client(other, "alice", keytab)))
        with use(other):
            message = asking.start()
        assert message is not None
        problem = refusal(new_server(server(realm)).send, message)
    assert problem.message_for_client == ""


@contextlib.contextmanager
def use(other, **more):
    before = {name: os.environ.get(name) for name in other.environment(**more)}
    os.environ.update(other.environment(**more))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def first_message(realm, **others):
    message = Peer(MECHANISMS["GSSAPI"].client(client(realm, **others))).start()
    assert message
    return message


def test_a_ticket_that_is_sent_again_is_a_replay(realm):
    message = first_message(realm)
    new_server(server(realm)).send(message)
    problem = refusal(new_server(server(realm)).send, message)
    assert "replay" in problem.reason.lower()


def test_an_expired_ticket(realm, tmp_path):
    """A client does not show it, and a broker's clock allows five minutes: what counts is that nobody gets in."""
    keytab, cache = realm.keytab("brief", life="1s"), tmp_path / "cache"
    realm.kinit("brief", keytab, cache, life="1s")
    realm.wait_until_expired(cache)
    with use(realm, KRB5CCNAME=f"FILE:{cache}"):
        problem = refusal(talk, server(realm), cached(realm, cache))
    assert "expired" in str(problem).lower()


def test_a_ticket_of_a_cache(realm, tmp_path):
    cache = tmp_path / "cache"
    realm.kinit("alice", realm.alice, cache)
    with use(realm, KRB5CCNAME=f"FILE:{cache}"):
        assert talk(server(realm), cached(realm, cache)).principal.name == "alice"


def test_a_revoked_service_key(realm):
    """A new key in the KDC and the old one in the keytab: nobody gets in, and nobody by the old key."""
    keytab = realm.keytab("other/localhost")
    realm.change_key("other/localhost")
    asked = server_inputs("GSSAPI", prepared=acceptor(realm, keytab, f"other/localhost@{realm.realm}"))
    asking = client(realm, serviceName="other")
    refusal(talk, asked, asking)


@pytest.mark.parametrize(
    "message", [b"", b"\x60", b"\x60\x82\xff\xff", b"n,,n=alice,r=x", os.urandom(200), b"\0" * 60_000]
)
def test_nonsense_in_place_of_a_token(realm, message):
    assert refusal(new_server(server(realm)).send, message).message_for_client == ""


@pytest.mark.parametrize("flip", range(0, 400, 37))
def test_a_token_that_was_changed(realm, flip):
    message = bytearray(first_message(realm))
    message[-1 - flip % len(message)] ^= 0x55
    peer = new_server(server(realm))
    try:
        peer.send(bytes(message))
    except gssapi.AuthenticationFailed:
        return
    # Lengths and tags at the front can be read in more than one way; what matters is that it is no other principal.
    assert peer.result is None


# -- the security layer ------------------------------------------------------------------------------------------------


class ByHand:
    """A client of GSSAPI whose answer to the offer of layers is the test's."""

    def __init__(self, realm, mutual=True):
        import gssapi as library

        flags = library.RequirementFlag.mutual_authentication if mutual else library.RequirementFlag.integrity
        store = {"ccache": "MEMORY:by-hand", "client_keytab": str(realm.alice)}
        name = library.Name(f"alice@{realm.realm}", library.NameType.kerberos_principal)
        credentials = library.Credentials(name=name, usage="initiate", store=store)
        target = library.Name("kafka@localhost", library.NameType.hostbased_service)
        self.context = library.SecurityContext(name=target, creds=credentials, flags=flags, usage="initiate")
        self.peer = new_server(server(realm))
        answer = self.peer.send(self.context.step(b""))
        if mutual:
            assert not self.context.step(answer)
            answer = self.peer.send(b"")
        self.offer = self.context.unwrap(answer).message

    def choose(self, message):
        return self.peer.send(self.context.wrap(message, False).message)


@pytest.mark.parametrize("mutual", [True, False])
def test_only_no_layer_is_offered(realm, mutual):
    by_hand = ByHand(realm, mutual)
    assert by_hand.offer == b"\x01\0\0\0"
    by_hand.choose(b"\x01\0\0\0")
    assert by_hand.peer.result.principal.name == "alice"


@pytest.mark.parametrize("choice", [b"", b"\x01\0\0", b"\x02\0\0\0", b"\x04\0\0\0", b"\x05\0\0\0", b"\0\0\0\0"])
def test_another_layer_is_refused(realm, choice):
    refusal(partial(ByHand(realm).choose, choice))


@pytest.mark.parametrize("authzid", [b"root", b"alice", b"alice@OTTLA.TEST", b"\xff"])
def test_an_authorization_id_makes_nobody_of_a_ticket(realm, authzid):
    """CVE-2017-12610: it is ignored, as in Kafka."""
    by_hand = ByHand(realm)
    by_hand.choose(b"\x01\0\0\0" + authzid)
    assert by_hand.peer.result.principal.name == "alice"


def test_a_choice_that_is_not_wrapped(realm):
    by_hand = ByHand(realm)
    refusal(by_hand.peer.send, b"\x01\0\0\0")


def test_a_client_that_goes_on_after_its_ticket_was_accepted(realm):
    import gssapi as library

    target = library.Name("kafka@localhost", library.NameType.hostbased_service)
    store = {"ccache": "MEMORY:by-hand", "client_keytab": str(realm.alice)}
    context = library.SecurityContext(
        name=target, creds=library.Credentials(usage="initiate", store=store),
        flags=library.RequirementFlag.mutual_authentication, usage="initiate",
    )  # fmt: skip
    peer = new_server(server(realm))
    peer.send(context.step(b""))
    refusal(peer.send, b"more")


# -- settings ----------------------------------------------------------------------------------------------------------


def test_the_realm_of_the_machine(realm):
    assert gssapi.default_realm() == "OTTLA.TEST"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keyTab": "/nowhere"}, "cannot be read"),
        ({"principal": ""}, "lacks principal"),
        ({"useKeyTab": "false"}, "useKeyTab=false"),
        ({"principal": "kafka/elsewhere@OTTLA.TEST"}, "no key for"),
        ({"serviceName": "other"}, "Conflicting serviceName"),
    ],
)
def test_a_broker_that_could_accept_nobody_does_not_start(realm, changes, says):
    jaas = {"useKeyTab": "true", "keyTab": str(realm.services), "principal": f"{SERVICE}@{realm.realm}", **changes}
    with pytest.raises(SaslConfigError, match=says):
        prepare(jaas)


def test_rules_are_read_when_the_broker_starts(realm):
    with pytest.raises(SaslConfigError, match="Invalid rule"):
        acceptor(realm, rules=["RULE:[1:$1"])


def test_without_a_jaas_entry_there_is_no_key():
    with pytest.raises(SaslConfigError, match="needs a JAAS entry"):
        prepare(None)


def test_what_was_not_prepared_lets_nobody_in():
    refusal(new_server(server_inputs("GSSAPI")).send, b"\x60")
