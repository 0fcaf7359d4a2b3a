"""Principals of Kerberos and auth_to_local rules: Kafka's own cases, its refusals, and properties that hold for all names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.security.kerberos_names import KerberosName, NoUserName, ShortNamer, java_replacement, replace_parameters

REALM = "REALM.COM"
APP = ["RULE:[1:$1](App\\..*)s/App\\.(.*)/$1/g", "RULE:[2:$1](App\\..*)s/App\\.(.*)/$1/g", "DEFAULT"]
CASES = [
    "RULE:[1:$1]/{}", "RULE:[2:$1](Test.*)s/ABC///{}", "RULE:[2:$1](ABC.*)s/ABC/XYZ/g/{}",
    "RULE:[2:$1](App\\..*)s/App\\.(.*)/$1/g/{}", "RULE:[2:$1]/{}", "DEFAULT",
]  # fmt: skip
LOWER, UPPER = ([rule.format(case) for rule in CASES] for case in "LU")


def short(rules, principal, realm=REALM):
    return ShortNamer(realm, rules).short_name(KerberosName.parse(principal))


@pytest.mark.parametrize(
    ("rules", "principal", "user"),
    [
        (APP, "App.service-name/example.com@REALM.COM", "service-name"),
        (APP, "App.service-name@REALM.COM", "service-name"),
        (APP, "user/host@REALM.COM", "user"),
        (LOWER, "User@REALM.COM", "user"),
        (LOWER, "TestABC/host@FOO.COM", "test"),
        (LOWER, "ABC_User_ABC/host@FOO.COM", "xyz_user_xyz"),
        (LOWER, "App.SERVICE-name/example.com@REALM.COM", "service-name"),
        (LOWER, "User/root@REALM.COM", "user"),
        (UPPER, "User@REALM.COM", "USER"),
        (UPPER, "TestABC/host@FOO.COM", "TEST"),
        (UPPER, "ABC_User_ABC/host@FOO.COM", "XYZ_USER_XYZ"),
        (UPPER, "App.SERVICE-name/example.com@REALM.COM", "SERVICE-NAME"),
        (UPPER, "User/root@REALM.COM", "USER"),
        (["RULE:[2:$1@$0](rangerlookup@.*OTHER)s/@.*//", "DEFAULT"], "rangerlookup/h@X.OTHER", "rangerlookup"),
        (["RULE:[1:$1@$0](.*@EXAMPLE)s/@.*//", "DEFAULT"], "alice@EXAMPLE", "alice"),
        (["RULE:[1:$1@$0](.*@EXAMPLE)s/@.*//", "DEFAULT"], "alice@REALM.COM", "alice"),
        (["RULE:[2:$2.$1]"], "kafka/node1@ANY", "node1.kafka"),
        (["DEFAULT"], "simple", "simple"),
        (["RULE:[1:$1]s/a/b/"], "aaa@R", "baa"),
        (["RULE:[1:$1]s/a/b/g"], "aaa@R", "bbb"),
        (["RULE:[1:$1](b.*)", "RULE:[1:$1]s/^/u_/"], "alice@R", "u_alice"),
    ],
)
def test_rules_make_user_names(rules, principal, user):
    assert short(rules, principal) == user


@pytest.mark.parametrize(
    "rule",
    ["default", "DEFAUL", "DEFAULT/L", "DEFAULT/g", "rule:[1:$1]", "rule:[1:$1]/L/U", "RULE:[1:$1]/LU", "RULE:[1:$1/L",
     "RULE:[1:$1]/l", "RULE:[2:$1](ABC.*)s/ABC/XYZ/L/g", "RULE:[:$1]", "RULE:[1:$1](*)", "", "RULE:[1:$1] "],
)  # fmt: skip
def test_what_is_no_rule_is_refused_when_the_broker_starts(rule):
    with pytest.raises(ValueError, match="Invalid rule"):
        ShortNamer(REALM, [rule])


@pytest.mark.parametrize(
    ("rules", "principal"),
    [
        (["DEFAULT"], "alice@OTHER"),  # not our realm
        (["DEFAULT"], "alice@realm.com"),  # realms have case
        (["RULE:[1:$1]"], "alice/admin@REALM.COM"),  # other number of components
        (["RULE:[1:$1@$0]"], "alice@REALM.COM"),  # a realm in the user name
        (["RULE:[2:$1/$2]"], "alice/h@REALM.COM"),
        (["RULE:[1:$5]"], "alice@REALM.COM"),
        (["RULE:[1:$x]"], "alice@REALM.COM"),
        (["RULE:[1:$1]s/a/$7/"], "alice@REALM.COM"),
        ([], "alice@REALM.COM"),
    ],
)
def test_who_gets_no_user_name(rules, principal):
    with pytest.raises(NoUserName):
        short(rules, principal)


@pytest.mark.parametrize("text", ["a/b/c@R", "a@b@R", "a/@b/c", "admin@R@REALM.COM", "a\\@b@R"])
def test_malformed_principals(text):
    with pytest.raises(ValueError, match="Malformed"):
        KerberosName.parse(text)


def test_parts_of_a_principal():
    assert KerberosName.parse("a/b@R") == ("a", "b", "R")
    assert KerberosName.parse("a@R") == ("a", None, "R")
    assert KerberosName.parse("a/@R") == ("a", "", "R")
    assert KerberosName.parse("a/b") == ("a/b", None, None)


def test_parameters_are_put_in_once():
    many = ["too", "many", "parameters", "are", "ok"]
    assert replace_parameters("", []) == ""
    assert replace_parameters("hello", many) == "hello"
    assert replace_parameters("hello $0", many) == "hello too"
    assert replace_parameters("hello $0", ["no recursion $1"]) == "hello no recursion $1"
    for bad in ("$0", "hello $a", "$"):
        with pytest.raises(NoUserName):
            replace_parameters(bad, [])


def test_replacements_are_javas():
    found = re.compile("(a)(?P<two>b)?").search("ab")
    assert found is not None
    assert java_replacement("$1-$2-$0", found) == "a-b-ab"
    assert java_replacement("$12", found) == "a2"
    assert java_replacement("${two}", found) == "b"
    assert java_replacement("\\$1\\\\", found) == "$1\\"
    empty = re.compile("(a)(b)?").search("ac")
    assert empty is not None
    assert java_replacement("[$2]", empty) == "[]"


_PART = st.text(alphabet=st.characters(blacklist_characters="/@", blacklist_categories=["Cs"]), max_size=12)


@given(_PART, st.none() | _PART, _PART)
def test_a_principal_survives_being_written_and_read(service, host, realm):
    name = KerberosName(service, host, realm)
    assert KerberosName.parse(str(name)) == name


@given(
    _PART, st.none() | _PART, _PART, st.sampled_from([APP, LOWER, UPPER, ["DEFAULT"], ["RULE:[1:$1]", "RULE:[2:$1$2]"]])
)
def test_a_user_name_is_never_a_principal(service, host, realm, rules):
    try:
        user = ShortNamer(REALM, rules).short_name(KerberosName(service, host, realm))
    except NoUserName:
        return
    assert "@" not in user
    assert "/" not in user


@given(_PART, _PART)
def test_default_speaks_for_its_realm_only(service, realm):
    namer = ShortNamer(REALM, ["DEFAULT"])
    if realm == REALM:
        assert namer.short_name(KerberosName(service, None, realm)) == service
    else:
        with pytest.raises(NoUserName):
            namer.short_name(KerberosName(service, None, realm))
