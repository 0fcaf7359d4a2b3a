"""TLS of a client: an `ssl.SSLContext` from the ssl.* settings, Kafka's names and librdkafka's.

PEM is read as it is, from a file or from the setting itself (KIP-651). PKCS12 is read with `cryptography`. A JKS store is
Java's own format: it is refused with the command that turns it into PKCS12.
"""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ConfigError

if TYPE_CHECKING:
    from .config import Config

_JKS_MAGIC = b"\xfe\xed\xfe\xed"
_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def context(config: Config) -> ssl.SSLContext:
    """Make the context; `ConfigError` names the setting that is wrong."""
    if config.ssl_context is not None:
        given: ssl.SSLContext = config.ssl_context
        return given
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = bool((config.ssl_endpoint_identification_algorithm or "").strip())
    _limit_versions(made, config.ssl_enabled_protocols)
    if config.ssl_cipher_suites:
        try:
            made.set_ciphers(":".join(config.ssl_cipher_suites))
        except ssl.SSLError as problem:
            raise ConfigError(f"ssl.cipher.suites: {problem}; names are OpenSSL's") from problem
    _trust(made, config)
    _identify(made, config)
    return made


def _limit_versions(made: ssl.SSLContext, names: tuple[str, ...]) -> None:
    unknown = [name for name in names if name not in _VERSIONS]
    if unknown or not names:
        raise ConfigError(f"ssl.enabled.protocols={','.join(names)}: known are {', '.join(_VERSIONS)}")
    made.minimum_version = min(_VERSIONS[name] for name in names)
    made.maximum_version = max(_VERSIONS[name] for name in names)


def _trust(made: ssl.SSLContext, config: Config) -> None:
    if config.ssl_truststore_certificates is not None:
        made.load_verify_locations(cadata=config.ssl_truststore_certificates)
    elif config.ssl_ca_location is not None:
        data = _read("ssl.truststore.location", config.ssl_ca_location)
        if b"-----BEGIN" in data:
            made.load_verify_locations(cadata=data.decode("ascii", "replace"))
        else:
            _, chain = _pkcs12("ssl.truststore", data, config.ssl_truststore_password)
            made.load_verify_locations(cadata=chain)
    else:
        made.load_default_certs()


def _identify(made: ssl.SSLContext, config: Config) -> None:
    """Load this client's own key and certificates, if it has any."""
    password = config.ssl_key_password
    if config.ssl_certificate_location is not None:
        key_file = config.ssl_key_location or config.ssl_certificate_location
        _load(made, config.ssl_certificate_location, key_file, password)
        return
    if config.ssl_keystore_key is not None:
        key, chain = config.ssl_keystore_key, config.ssl_keystore_certificate_chain or ""
    elif config.ssl_keystore_location is not None:
        data = _read("ssl.keystore.location", config.ssl_keystore_location)
        if b"-----BEGIN" in data:
            _load(made, config.ssl_keystore_location, config.ssl_keystore_location, password)
            return
        key, chain = _pkcs12("ssl.keystore", data, config.ssl_keystore_password)
        password = None
    else:
        return
    # The ssl module reads keys from files only: one that only we may read, gone at once.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{key}\n{chain}\n")
        file.flush()
        _load(made, file.name, file.name, password)


def _load(made: ssl.SSLContext, certificates: str, key: str, password: str | None) -> None:
    try:
        made.load_cert_chain(certificates, key, password=password if password is not None else _no_password)
    except (OSError, ssl.SSLError) as problem:
        raise ConfigError(f"the key and certificate of this client cannot be loaded: {problem}") from problem


def _no_password() -> str:
    """Answer for OpenSSL, which would ask the terminal."""
    raise ConfigError("the private key is encrypted: set ssl.key.password")


def _read(setting: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise ConfigError(f"{setting}={path}: {problem.strerror}") from problem


def _pkcs12(setting: str, data: bytes, password: str | None) -> tuple[str, str]:
    """Key and certificates of a PKCS12 store, as PEM text."""
    if data.startswith(_JKS_MAGIC):
        raise ConfigError(
            f"{setting}.location is a JKS store, which only Java reads: "
            "keytool -importkeystore -srckeystore OLD -destkeystore NEW.p12 -deststoretype PKCS12"
        )
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.serialization import pkcs12
    except ModuleNotFoundError:
        raise ConfigError(f"{setting}: reading PKCS12 needs the package cryptography") from None
    try:
        store = pkcs12.load_pkcs12(data, None if password is None else password.encode())
    except ValueError as problem:
        raise ConfigError(f"{setting} cannot be read: {problem}") from problem
    key = ""
    if store.key is not None:
        key = store.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    entries = [*([store.cert] if store.cert else []), *store.additional_certs]
    chain = "".join(entry.certificate.public_bytes(serialization.Encoding.PEM).decode() for entry in entries)
    return key, chain
