"""`ottla secure init DIR`: all that TLS and passwords need, in one folder: certificates, a config, files for clients.

    ca.pem  ca.key             the authority: clients trust ca.pem; ca.key signs further certificates, keep it elsewhere
    broker.pem                 the broker's key and certificate, for the hosts given
    client.pem                 a client's key and certificate (mutual TLS), for the same user
    users                      the user's SCRAM verifier, taken over at the first start
    data                       what the broker keeps; a folder in which an open broker worked has no user to log in
    server.properties          `ottla start --config DIR/server.properties`
    client-java.properties  client-librdkafka.properties  client-python.json     for clients, with the password

Files that hold a secret are for their owner alone (0600), and nothing that is there is overwritten.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from .trouble import MISUSED, Trouble

#: The authority lives ten years; what it signs, as long as clients' systems accept.
AUTHORITY_DAYS, CERTIFICATE_DAYS = 3650, 825
#: As many iterations as `ottla user` and Kafka's tools take: another number would tell who asks that this user exists.
MECHANISM, ITERATIONS = "SCRAM-SHA-512", 4096
_JAAS = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="{}" password="{}";'


def run(arguments: argparse.Namespace) -> int:
    """Write the folder and say what to do with it."""
    folder: Path = arguments.folder
    hosts = tuple(dict.fromkeys([*(arguments.host or ()), *_own_names(bool(arguments.host))]))
    files = make(folder.absolute(), hosts, arguments.port, arguments.user, exposed=bool(arguments.host))
    existing = [name for name in files if os.path.lexists(folder / name)]
    if existing:
        raise Trouble(
            f"{folder} has {existing[0]} already, and nothing is overwritten",
            "name another folder; who would replace the authority has to give every client the new ca.pem",
            MISUSED,
        )
    write(folder, files)
    print(
        f"{folder} has a certificate authority, a broker's certificate for {', '.join(hosts)},\n"
        f"and the user {arguments.user}, whose password stands in the client files.\n\n"
        f"  ottla start --config {folder}/server.properties\n"
        f"  kafka-topics.sh --bootstrap-server {hosts[0]}:{arguments.port} --command-config {folder}/client-java.properties --list\n"
        f"  kcat -F {folder}/client-librdkafka.properties -L\n"
    )
    return 0


def write(folder: Path, files: dict[str, tuple[bytes, bool]]) -> None:
    """Write all files, the secret ones for their owner alone from their first byte on."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, (data, is_secret) in files.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_secret else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)


def make(folder: Path, hosts: tuple[str, ...], port: int, user: str, *, exposed: bool) -> dict[str, tuple[bytes, bool]]:
    """Make the contents of all files: name -> (bytes, whether they are secret)."""
    from ..broker.bootstrap_users import line_of
    from ..security.certificate_authority import issue, new_authority
    from ..security.mechanisms.scram_keys import credential_of, new_salt, salted_password

    now = datetime.now(UTC)
    password = secrets.token_urlsafe(24)
    authority = new_authority("Ottla CA", now, AUTHORITY_DAYS)
    broker = issue(authority, hosts[0], now, CERTIFICATE_DAYS, hosts)
    client = issue(authority, user, now, CERTIFICATE_DAYS)
    salt = new_salt(secrets.token_bytes)
    credential = credential_of(MECHANISM, salted_password(MECHANISM, password, salt, ITERATIONS), salt, ITERATIONS)
    address, bootstrap = "" if exposed else "127.0.0.1", f"{hosts[0]}:{port}"
    texts = {
        "server.properties": _lines(_server(folder, address, hosts[0], port, user)),
        "client-java.properties": _lines(_java(folder, bootstrap, user, password)),
        "client-librdkafka.properties": _lines(_librdkafka(folder, bootstrap, user, password)),
        "client-python.json": json.dumps(_python(folder, bootstrap, user, password), indent=2) + "\n",
        "users": f"# name mechanism iterations salt stored-key server-key\n{line_of(user, MECHANISM, credential)}\n",
    }
    return {
        "ca.pem": (authority.certificate_pem, False),
        "ca.key": (authority.key_pem, True),
        "broker.pem": (broker.key_pem + broker.certificate_pem, True),
        "client.pem": (client.key_pem + client.certificate_pem, True),
        **{name: (text.encode(), True) for name, text in texts.items()},
    }


def _server(folder: Path, address: str, host: str, port: int, user: str) -> list[tuple[str, str]]:
    told = f"[{host}]" if ":" in host else host
    return [
        ("# Passwords inside TLS on the first listener, certificates of clients on the second.", ""),
        ("listeners", f"SASL_SSL://{address}:{port},SSL://{address}:{port + 1}"),
        ("advertised.listeners", f"SASL_SSL://{told}:{port},SSL://{told}:{port + 1}"),
        ("log.dirs", f"{folder}/data"),
        ("sasl.enabled.mechanisms", "SCRAM-SHA-512,SCRAM-SHA-256"),
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", f"{folder}/broker.pem"),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", f"{folder}/ca.pem"),
        ("listener.name.ssl.ssl.client.auth", "required"),
        ("ssl.principal.mapping.rules", "RULE:^CN=([^,]+).*$/$1/,DEFAULT"),
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("super.users", f"User:{user}"),
        ("ottla.bootstrap.users", f"{folder}/users"),
    ]


def _java(folder: Path, bootstrap: str, user: str, password: str) -> list[tuple[str, str]]:
    return [
        ("bootstrap.servers", bootstrap),
        ("security.protocol", "SASL_SSL"),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", f"{folder}/ca.pem"),
        ("sasl.mechanism", MECHANISM),
        ("sasl.jaas.config", _JAAS.format(user, password)),
    ]


def _librdkafka(folder: Path, bootstrap: str, user: str, password: str) -> list[tuple[str, str]]:
    return [
        ("bootstrap.servers", bootstrap),
        ("security.protocol", "SASL_SSL"),
        ("ssl.ca.location", f"{folder}/ca.pem"),
        ("sasl.mechanism", MECHANISM),
        ("sasl.username", user),
        ("sasl.password", password),
    ]


def _python(folder: Path, bootstrap: str, user: str, password: str) -> dict[str, str]:
    return {
        "bootstrap_servers": bootstrap,
        "security_protocol": "SASL_SSL",
        "ssl_cafile": f"{folder}/ca.pem",
        "sasl_mechanism": MECHANISM,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{key}={value}\n" if value else f"{key}\n" for key, value in pairs)


def _own_names(exposed: bool) -> list[str]:
    return ["localhost", "127.0.0.1", "::1", *([socket.gethostname()] if exposed else [])]
