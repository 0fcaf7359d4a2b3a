"""Principals in Kafka's spelling."""

import pytest

from ottla.security.principal import Principal


def test_a_name_may_contain_colons_and_commas() -> None:
    """A distinguished name is a name."""
    principal = Principal.parse("User:CN=a:b,O=x")
    assert (principal.type, principal.name, str(principal)) == ("User", "CN=a:b,O=x", "User:CN=a:b,O=x")


@pytest.mark.parametrize("text", ["", "alice", "User:", ":alice"])
def test_half_a_principal_is_refused(text: str) -> None:
    """As Kafka's SecurityUtils.parseKafkaPrincipal does."""
    with pytest.raises(ValueError, match="like User:alice"):
        Principal.parse(text)
