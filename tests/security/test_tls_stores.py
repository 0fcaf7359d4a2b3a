"""Keystores as Java's own keytool writes them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.security import jks
from ottla.security.tls_stores import StoreError, key_store, trust_store
from tests.support.requires import requires

STORE, KEY = "store-password", "key-password"


def keytool(*words: str) -> None:
    subprocess.run(["keytool", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """broker.jks, broker.p12 with a key of CN=broker each; trust.jks, trust.p12 with its certificate."""
    requires("java")
    folder = tmp_path_factory.mktemp("stores")
    for kind, name, more in (("JKS", "jks", ("-keypass", KEY)), ("PKCS12", "p12", ())):
        own, trust = str(folder / f"broker.{name}"), str(folder / f"trust.{name}")
        common = ("-storetype", kind, "-storepass", STORE, "-noprompt")
        keytool("-genkeypair", "-alias", "own", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=broker", "-validity", "9",
                "-keystore", own, *common, *more)  # fmt: skip
        keytool("-exportcert", "-alias", "own", "-keystore", own, "-file", str(folder / "own.der"), *common)
        keytool("-importcert", "-alias", "ca", "-keystore", trust, "-file", str(folder / "own.der"), *common)
    return folder


def settings(folder: Path, kind: str, file: str, **more: str) -> dict[str, str]:
    found = {
        "ssl.keystore.type": kind, "ssl.keystore.location": str(folder / f"broker.{file}"), "ssl.keystore.password": STORE,
        "ssl.truststore.type": kind, "ssl.truststore.location": str(folder / f"trust.{file}"), "ssl.truststore.password": STORE,
    }  # fmt: skip
    return {**found, **{key.replace("_", "."): value for key, value in more.items()}}


@pytest.mark.java
@pytest.mark.parametrize(("kind", "file"), [("JKS", "jks"), ("PKCS12", "p12"), ("JKS", "p12"), ("PKCS12", "jks")])
def test_what_keytool_wrote_is_read_under_either_name(stores: Path, kind: str, file: str) -> None:
    given_settings = settings(stores, kind, file, **({"ssl_key_password": KEY} if file == "jks" else {}))
    keys, trusted = key_store(given_settings.get), trust_store(given_settings.get)
    assert keys is not None
    assert keys.chain[0].subject.rfc4514_string() == "CN=broker"
    assert trusted is not None
    assert [each.subject.rfc4514_string() for each in trusted] == ["CN=broker"]


@pytest.mark.java
@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        ("jks", {"ssl_keystore_password": "wrong", "ssl_key_password": KEY}, "keystore was tampered with, or password was incorrect"),
        ("jks", {}, "the password of the key is incorrect"),
        ("p12", {"ssl_keystore_password": "wrong"}, "cannot be read as PKCS12"),
    ],
)  # fmt: skip
def test_wrong_passwords_are_said_and_not_shown(stores: Path, file: str, change: dict[str, str], problem: str) -> None:
    kind = "JKS" if file == "jks" else "PKCS12"
    with pytest.raises(StoreError, match=problem) as raised:
        key_store(settings(stores, kind, file, **change).get)
    assert "wrong" not in str(raised.value)
    assert STORE not in str(raised.value)


@given(st.binary(max_size=200), st.booleans())
def test_a_damaged_file_is_an_error_and_nothing_else(data: bytes, begun: bool) -> None:
    try:
        jks.read((jks.MAGIC if begun else b"") + data, None)
    except jks.JksError as problem:
        assert str(problem)
