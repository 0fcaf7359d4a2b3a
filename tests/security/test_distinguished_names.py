"""Subjects as strings: RFC 2253 as Java's X500Principal writes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ottla.security.distinguished_names import rfc2253
from tests.support.requires import requires

NAMES = {
    r"CN=Jürgen \#x,1.2.840.113549.1.9.1=#1603614062,O=\ Acme\, \"Inc\" \+ \<x\>\; \#1 a\=b\\c\ ,C=US": x509.Name([
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, ' Acme, "Inc" + <x>; #1 a=b\\c '),
        x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@b"), x509.NameAttribute(NameOID.COMMON_NAME, "Jürgen #x"),
    ]),
    "CN=a+OU=b,DC=example,DC=org": x509.Name([
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "org")]),
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example")]),
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "a"), x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "b")]),
    ]),
    "UID=u,STREET=Main St,ST=MD,L=Fulton,2.5.4.5=#130131": x509.Name([
        x509.NameAttribute(NameOID.SERIAL_NUMBER, "1"), x509.NameAttribute(NameOID.LOCALITY_NAME, "Fulton"),
        x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "MD"), x509.NameAttribute(NameOID.STREET_ADDRESS, "Main St"),
        x509.NameAttribute(NameOID.USER_ID, "u"),
    ]),
    "CN=" + "".join(rf"\00{letter}" for letter in "Z\ufffdrich"): x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Zürich", _type=_ASN1Type.BMPString)]),
    "": x509.Name([]),
}  # fmt: skip


@pytest.mark.parametrize("text", NAMES)
def test_names(text: str) -> None:
    assert rfc2253(NAMES[text].public_bytes()) == text


@pytest.mark.java
def test_java_writes_the_same(tmp_path: Path) -> None:
    requires("java")
    program = tmp_path / "Names.java"
    program.write_text(
        "public class Names { public static void main(String[] a) throws Exception { for (String h : a) System.out.println("
        "new javax.security.auth.x500.X500Principal(java.util.HexFormat.of().parseHex(h)).getName()); } }"
    )
    data = [name.public_bytes().hex() for name in NAMES.values()]
    done = subprocess.run(
        ["java", "-Dstdout.encoding=UTF-8", str(program), *data], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == list(NAMES)


@given(st.binary(max_size=60))
def test_what_is_no_name_is_a_value_error_and_nothing_else(data: bytes) -> None:
    try:
        rfc2253(data)
    except ValueError as problem:
        assert str(problem)
