"""One way to log in with each client: what a case asks for, in each client's own words, and how it went.

    java           AdminClient of 4.2.1, one JVM for all cases      kafka-python, aiokafka, confluent    one process
    kcat           Debian's librdkafka, a command per case          franz-go                             one process

An outcome is "ok" or what the client says; a test looks for the words it must hold.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.clients import registry
from tests.support.jars import KAFKA, class_path, jars

DRIVERS = Path(__file__).parents[1] / "drivers" / "logins"
JAVA_SOURCE = Path(__file__).parents[2] / "java" / "Logins.java"
GSSAPI_LOGIN = "com.sun.security.auth.module.Krb5LoginModule required"
OAUTH_LOGIN = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required"
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required"


@dataclass(frozen=True)
class Login:
    """What a client shows. Which fields count depends on the mechanism."""

    bootstrap: str
    mechanism: str
    user: str = ""
    password: str = ""
    #: GSSAPI: who, with which keytab, and the first component of the broker's name in the realm.
    principal: str = ""
    keytab: str = ""
    #: Instead of a keytab: a file with tickets, as `kinit` leaves them.
    cache: str = ""
    service: str = "kafka"
    #: OAUTHBEARER: the token, and a file that holds it for Java; without either an unsigned one of `user`.
    token: str = ""
    token_file: Path | None = None
    #: SCRAM: name and password are those of a delegation token.
    by_token: bool = False
    protocol: str = "SASL_PLAINTEXT"
    #: Produces for so long: sessions that end must begin anew meanwhile, and no record may be lost.
    hold_ms: int = 0
    #: How long to go on trying.
    patience_s: float = 2.0
    more: Mapping[str, str] = field(default_factory=dict)


def java_properties(login: Login) -> dict[str, str]:
    properties = {
        "bootstrap.servers": login.bootstrap, "security.protocol": login.protocol, "sasl.mechanism": login.mechanism,
        "request.timeout.ms": f"{login.patience_s * 1000:.0f}", "default.api.timeout.ms": f"{login.patience_s * 1000:.0f}",
        "reconnect.backoff.ms": "50",
    }  # fmt: skip
    if login.mechanism == "GSSAPI":
        source = f'useKeyTab=true storeKey=true keyTab="{login.keytab}"'
        if login.cache:
            source = f'useTicketCache=true doNotPrompt=true ticketCache="{login.cache}"'
        properties["sasl.jaas.config"] = (
            f'{GSSAPI_LOGIN} {source} principal="{login.principal}" refreshKrb5Config=true;'
        )
        properties["sasl.kerberos.service.name"] = login.service
    elif login.mechanism == "OAUTHBEARER":
        if login.token_file:
            properties["sasl.oauthbearer.token.endpoint.url"] = login.token_file.as_uri()
            properties["sasl.login.callback.handler.class"] = (
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
            )
            properties["sasl.jaas.config"] = f"{OAUTH_LOGIN};"
        else:
            properties["sasl.jaas.config"] = f'{OAUTH_LOGIN} unsecuredLoginStringClaim_sub="{login.user}";'
    else:
        extra = ' tokenauth="true"' if login.by_token else ""
        properties["sasl.jaas.config"] = f'{SCRAM_LOGIN} username="{login.user}" password="{login.password}"{extra};'
    return {**properties, **login.more}


def librdkafka_settings(login: Login) -> dict[str, str]:
    settings = {
        "bootstrap.servers": login.bootstrap, "security.protocol": login.protocol, "sasl.mechanism": login.mechanism,
    }  # fmt: skip
    if login.mechanism == "GSSAPI":
        settings |= {"sasl.kerberos.principal": login.principal, "sasl.kerberos.service.name": login.service}
        settings |= {"sasl.kerberos.kinit.cmd": "true"} if login.cache else {"sasl.kerberos.keytab": login.keytab}
    elif login.mechanism == "OAUTHBEARER":
        if not login.token:
            settings |= {
                "enable.sasl.oauthbearer.unsecure.jwt": "true", "sasl.oauthbearer.config": f"principal={login.user}",
            }  # fmt: skip
    else:
        settings |= {"sasl.username": login.user, "sasl.password": login.password}
    return settings


def python_settings(login: Login) -> dict[str, str]:
    """Keywords of kafka-python and aiokafka, which are the same."""
    settings = {
        "bootstrap_servers": login.bootstrap, "security_protocol": login.protocol, "sasl_mechanism": login.mechanism,
    }  # fmt: skip
    if login.mechanism == "GSSAPI":
        return {**settings, "sasl_kerberos_service_name": login.service}
    if login.mechanism == "OAUTHBEARER":
        return settings
    return {**settings, "sasl_plain_username": login.user, "sasl_plain_password": login.password}


class Probe:
    """A process that takes cases on its standard input, one per line."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip

    def ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Probes:
    """The clients' processes; started when first needed. `environment` is what they live in (Kerberos)."""

    def __init__(self, folder: Path, environment: Mapping[str, str] = {}) -> None:
        self.folder = folder
        self.environment = dict(environment)
        #: The file from which Java may read its token.
        self.token_file = folder / "token.jwt"
        self._open: dict[str, Probe] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for probe in self._open.values():
            probe.close()

    def _probe(self, name: str, command: list[str], **environment: str) -> Probe:
        if name not in self._open:
            self._open[name] = Probe(command, {**self.environment, **environment})
        return self._open[name]

    def login(self, client: str, login: Login) -> str:
        """Let a client log in; returns "ok" or what it says."""
        return {
            "java": self._java, "kcat": self._kcat, "franz-go": self._franz,
            "kafka-python": self._python, "aiokafka": self._python, "confluent": self._python,
        }[client](client, login)  # fmt: skip

    def _java(self, client: str, login: Login) -> str:
        options = [
            "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xmx256m",
            f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={self.token_file.as_uri()}",
        ]  # fmt: skip
        if "KRB5_CONFIG" in self.environment:
            options.append(f"-Djava.security.krb5.conf={self.environment['KRB5_CONFIG']}")
        command = ["java", *options, "-cp", class_path(jars("kafka", KAFKA)), str(JAVA_SOURCE)]
        text = "".join(f"{name}={value}\n" for name, value in java_properties(login).items()).replace("\\", "\\\\")
        return self._probe("java", command).ask(f"{login.hold_ms} {base64.b64encode(text.encode()).decode()}")

    def _python(self, client: str, login: Login) -> str:
        settings = librdkafka_settings(login) if client == "confluent" else python_settings(login)
        case: dict[str, Any] = {
            "library": client, "settings": settings, "hold_ms": login.hold_ms, "patience_s": login.patience_s,
        }  # fmt: skip
        if login.mechanism == "OAUTHBEARER" and login.token:
            case["token"] = login.token
        # Kerberos' libraries take the keytab from the environment: a process for each.
        keytab = {}
        if login.cache:
            keytab = {"KRB5_CLIENT_KTNAME": "FILE:/nonexistent", "KRB5CCNAME": f"FILE:{login.cache}"}
        elif login.keytab:
            keytab = {"KRB5_CLIENT_KTNAME": login.keytab, "KRB5CCNAME": "MEMORY:"}
        command = [sys.executable, str(DRIVERS / "python.py")]
        return self._probe(f"{client} {login.keytab}{login.cache}", command, **keytab).ask(json.dumps(case))

    def _kcat(self, client: str, login: Login) -> str:
        settings = librdkafka_settings(login)
        environment = {**os.environ, **self.environment}
        if login.mechanism == "GSSAPI":
            cache = login.cache or self.folder / f"kcat-{Path(login.keytab).name}.ccache"
            environment["KRB5CCNAME"] = f"FILE:{cache}"
        arguments = [part for name, value in settings.items() for part in ("-X", f"{name}={value}")]
        command = ["kcat", *arguments, "-m", f"{max(login.patience_s, 1):.0f}"]
        done = subprocess.run(
            [*command, "-L"], capture_output=True, text=True, env=environment, check=False,
            stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip
        if done.returncode == 0 and login.hold_ms:
            done = self._kcat_produces(command, login.hold_ms / 1000, environment)
        return "ok" if done.returncode == 0 else f"{done.stdout}{done.stderr}".replace("\n", " ")

    def _kcat_produces(
        self, command: list[str], seconds: float, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """Give kcat lines to produce; it ends with 0 when all were acknowledged."""
        with (self.folder / "kcat.out").open("w+") as out:
            process = subprocess.Popen(
                [*command, "-P", "-t", "load"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env=environment,
                text=True,
            )
            assert process.stdin is not None
            until = time.monotonic() + seconds
            while time.monotonic() < until and process.poll() is None:
                process.stdin.write("x\n")
                process.stdin.flush()
                time.sleep(0.01)
            process.stdin.close()
            code = process.wait(30)
            out.seek(0)
            return subprocess.CompletedProcess(command, code, out.read(), "")

    def _franz(self, client: str, login: Login) -> str:
        case = {
            "bootstrap": login.bootstrap, "mechanism": login.mechanism, "user": login.user, "password": login.password,
            "principal": login.principal, "keytab": login.keytab, "cache": login.cache, "service": login.service,
            "token": login.token, "byToken": login.by_token, "holdMs": login.hold_ms,
            "patienceMs": int(login.patience_s * 1000),
        }  # fmt: skip
        return self._probe("franz-go", [str(_franz_program())]).ask(json.dumps(case))


def _franz_program() -> Path:
    """Build franz-go's probe, once for each version of it."""
    source = DRIVERS / "franz"

    def make(work: Path) -> None:
        shutil.copytree(source, work / "logins")
        registry._run([registry._need("go"), "build", "-o", str(work / "program"), "."], cwd=work / "logins")

    made = registry._made_once(registry.CACHE / f"go-{registry._digest(source / 'main.go', source / 'go.sum')}", make)
    return made / "program"
