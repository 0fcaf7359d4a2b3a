r"""Rules from a certificate's subject to a principal: Kafka's own cases, and what Java's replacements mean."""

from __future__ import annotations

import pytest

from ottla.security.principal_mapping import MappingError, PrincipalMapper

RULES = (
    "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, "
    "RULE:^cn=(.*?),ou=(.*?),dc=(.*?),dc=(.*?)$/$1@$2/U, RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/U, DEFAULT"
)


@pytest.mark.parametrize(
    "rules",
    [
        "DEFAULT", "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/", "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, DEFAULT",
        "RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/", "RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L",
        "RULE:^cn=(.?),ou=(.?),dc=(.?),dc=(.?)$/$1@$2/U", "RULE:^CN=([^,ADEFLTU,]+)(,.*|$)/$1/", "RULE:^CN=([^,DEFAULT,]+)(,.*|$)/$1/",
    ],
)  # fmt: skip
def test_rules_that_kafka_takes(rules: str) -> None:
    assert PrincipalMapper(rules).rules


@pytest.mark.parametrize(
    "rules",
    [
        "default", "DEFAUL", "DEFAULT/L", "DEFAULT/U", "RULE:CN=(.*?),OU=ServiceUsers.*/$1", "rule:^CN=(.*?),OU=ServiceUsers.*$/$1/",
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L/U", "RULE:^CN=(.*?),OU=ServiceUsers.*$/L", "RULE:^CN=(.*?),OU=ServiceUsers.*$/U",
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/LU", "RULE:(/x/",
    ],
)  # fmt: skip
def test_rules_that_kafka_refuses(rules: str) -> None:
    with pytest.raises(MappingError, match="Invalid rule"):
        PrincipalMapper(rules)


@pytest.mark.parametrize(
    ("name", "principal"),
    [
        ("CN=Duke,OU=ServiceUsers,O=Org,C=US", "duke"), ("CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US", "duke@sme"),
        ("cn=duke,ou=sme,dc=mycp,dc=com", "DUKE@SME"), ("cN=duke,OU=JavaSoft,O=Sun Microsystems", "DUKE"),
        ("OU=JavaSoft,O=Sun Microsystems,C=US", "OU=JavaSoft,O=Sun Microsystems,C=US"),
    ],
)  # fmt: skip
def test_the_first_rule_that_applies_decides(name: str, principal: str) -> None:
    assert PrincipalMapper(RULES).name(name) == principal


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("", "[]"), ("RULE://", "[RULE:/]"), ("RULE:/.*/", "[RULE:/.*]"), ("RULE:/.*/L", "[RULE:/.*/L]"),
        ("RULE://,DEFAULT", "[RULE:/, DEFAULT]"), ("  RULE:// ,  DEFAULT  ", "[RULE:/, DEFAULT]"),
        ("  RULE:   /     / ,  DEFAULT  ", "[RULE:   /     , DEFAULT]"), ("  RULE:  /     /U   ,DEFAULT  ", "[RULE:  /     /U, DEFAULT]"),
        ("  RULE:([A-Z]*)/$1/U   ,RULE:([a-z]+)/$1/,   DEFAULT  ", "[RULE:([A-Z]*)/$1/U, RULE:([a-z]+)/$1, DEFAULT]"),
        (",   , , ,      , , ,   ", "[]"), (",,RULE://,,,DEFAULT,,", "[RULE:/, DEFAULT]"),
        (",  , RULE: /   /    ,,,   DEFAULT, ,   ", "[RULE: /   , DEFAULT]"),
        ("     ,  , RULE:   /  /U    ,,  ,DEFAULT, ,", "[RULE:   /  /U, DEFAULT]"),
        (r"RULE:\/\\\(\)\n\t/\/\//", r"[RULE:\/\\\(\)\n\t/\/\/]"),
        (r"RULE:\**\/+/*/L,RULE:\/*\**/**/", r"[RULE:\**\/+/*/L, RULE:\/*\**/**]"),
        (r"RULE:,RULE:,/,RULE:,\//U,RULE:,/RULE:,/,RULE:,RULE:,/L,RULE:,/L,RULE:, DEFAULT, /DEFAULT/,DEFAULT",
         r"[RULE:,RULE:,/,RULE:,\//U, RULE:,/RULE:,, RULE:,RULE:,/L,RULE:,/L, RULE:, DEFAULT, /DEFAULT, DEFAULT]"),
    ],
)  # fmt: skip
def test_rules_are_split_as_kafka_splits_them(written: str, read: str) -> None:
    assert str(PrincipalMapper(written)) == read


def test_a_comma_with_blanks_in_a_name() -> None:
    mapper = PrincipalMapper(r"RULE:^CN=((\\, *|\w)+)(,.*|$)/$1/,DEFAULT")
    assert mapper.name(r"CN=Tkac\, Adam,OU=ITZ,DC=geodis,DC=cz") == r"Tkac\, Adam"


@pytest.mark.parametrize(
    ("replacement", "principal"),
    [
        ("$1", "a"), ("$2$1", "ba"), ("$12", "a2"), ("$3", "$3"), ("$0", "a-b"), (r"\$1", "$1"), (r"x\/y", "x/y"), ("", ""),
    ],
)  # fmt: skip
def test_replacements_are_javas(replacement: str, principal: str) -> None:
    assert PrincipalMapper(f"RULE:^(\\w)-(\\w)$/{replacement}/").name("a-b") == principal


def test_where_no_rule_applies_there_is_no_principal() -> None:
    with pytest.raises(MappingError, match="No rules apply to CN=x, rules \\[RULE:a/b\\]"):
        PrincipalMapper("RULE:a/b/").name("CN=x")


def test_without_rules_nobody_is_let_in_and_unset_is_default() -> None:
    assert PrincipalMapper(None).name("CN=x") == "CN=x"
    with pytest.raises(MappingError):
        PrincipalMapper("").name("CN=x")
