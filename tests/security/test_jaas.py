"""sasl.jaas.config: what Kafka reads is read alike, no other login module than Kafka's own is taken, no secret is shown."""

from __future__ import annotations

import pytest

from ottla.security.jaas import for_mechanism, parse_jaas
from ottla.security.mechanisms import SaslConfigError

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (f"{PLAIN} required;", {}),
        (f'{PLAIN} required username="admin" password="x y=z;" user_alice="a";',
         {"username": "admin", "password": "x y=z;", "user_alice": "a"}),
        (f"{PLAIN} REQUIRED\n  user_a-b$c='it\"s'\n;\n", {"user_a-b$c": 'it"s'}),
        (f"{PLAIN} sufficient user_alice=secret;", {"user_alice": "secret"}),
        (f"// users\n{PLAIN} /* yes */ required // and\nuser_a=b;", {"user_a": "b"}),
        (f'{PLAIN} required "user_a,b"="x";', {"user_a,b": "x"}),
        (rf'{PLAIN} required password="a\"b\\c\101\n";', {"password": 'a"b\\cA\n'}),
        (f'{PLAIN} required user_alice="first" user_alice="second";', {"user_alice": "second"}),
        (f'{PLAIN} required user_bob="pässwörd";', {"user_bob": "pässwörd"}),
        (f'{PLAIN} required a="";', {"a": ""}),
    ],
)  # fmt: skip
def test_what_is_read(text, options):
    entry = parse_jaas(text)
    assert entry.module == PLAIN
    assert entry.options == options


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "does not contain any login modules"),
        ("  // nothing", "does not contain any login modules"),
        (f"{PLAIN}", "control flag not specified"),
        (f"{PLAIN};", "control flag not specified"),
        (f'{PLAIN} hunter2 a="b";', "Invalid login module control flag"),
        (f'{PLAIN} required password="hunter2"', "not terminated by semi-colon"),
        (f"{PLAIN} required password;", "Value not specified for key 'password'"),
        (f"{PLAIN} required password=;", "Value not specified for key 'password'"),
        (f'{PLAIN} required password "hunter2";', "Value not specified for key 'password'"),
        (f"{PLAIN} required password=my hunter2;", "Value not specified for key '...'"),
        (f'{PLAIN} required "hunter2";', "Value not specified for key '...'"),
        (f'{PLAIN} required = "hunter2";', "where the name of an option should be"),
        (f"{PLAIN} required; {SCRAM} required;", "several login modules"),
        ('com.sun.security.auth.module.JndiLoginModule required user.provider.url="ldap://hunter2";', "is not allowed"),
        ('com.sun.security.auth.module.LdapLoginModule required userProvider="ldap://hunter2";', "is not allowed"),
        ("os.system required;", "is not allowed"),
    ],
)
def test_what_is_refused_shows_no_secret(text, says):
    with pytest.raises(SaslConfigError) as raised:
        parse_jaas(text)
    assert says in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_module_belongs_to_its_mechanism():
    assert for_mechanism(f'{SCRAM} required username="a";', "SCRAM-SHA-512") == {"username": "a"}
    with pytest.raises(SaslConfigError, match=f"use {SCRAM}"):
        for_mechanism(f"{PLAIN} required;", "SCRAM-SHA-256")


def test_an_entry_does_not_print_its_options():
    assert "secret" not in repr(parse_jaas(f'{PLAIN} required user_alice="secret";'))
