"""Secrets are planted everywhere a broker takes them, and then looked for everywhere it leaves something: 0 hits.

Planted: passwords of the JAAS entry, a SCRAM user's password, a wrong password, passwords in malformed messages and in
configs that are refused, and the secret of `ottla user create`. Looked at: the log at its loudest, metrics, DescribeConfigs,
errors that clients get, the process's arguments and environment, and every file of the data folder.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import urllib.request
from pathlib import Path

import pytest

from ottla.cli.main import main
from ottla.protocol.apis.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.security.mechanisms import scram_keys
from tests.support.kafka_jvm import free_port
from tests.support.process import OttlaProcess
from tests.support.sasl_talk import SCRAM_256, SCRAM_512, Talk, upsertion

PLANTED = {
    name: f"canary-{name}-7f3a9c"
    for name in ("jaas", "scram", "wrong", "malformed", "config", "broker")
}  # fmt: skip
LISTENER = "listener.name.sasl"


def properties(port: int, sasl: int, metrics: int) -> str:
    jaas = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'username="broker" password="{PLANTED["broker"]}" user_alice="{PLANTED["jaas"]}";'
    )
    return f"""
node.id=1
listeners=ADMIN://127.0.0.1:{port},SASL://127.0.0.1:{sasl}
listener.security.protocol.map=ADMIN:PLAINTEXT,SASL:SASL_PLAINTEXT
{LISTENER}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
{LISTENER}.plain.sasl.jaas.config={jaas}
{LISTENER}.connections.max.reauth.ms=60000
connection.failed.authentication.delay.ms=0
ottla.metrics.listener=127.0.0.1:{metrics}
"""


async def use(port: int, sasl: int) -> list[str]:
    """Do all that may go right and wrong; returns what clients were told."""
    told: list[str] = []
    async with Talk(port) as admin:
        loudest = AlterableConfig(name="root", config_operation=0, value="DEBUG")
        logger = AlterConfigsResource(resource_type=8, resource_name="1", configs=[loudest])
        answer = await admin.call(IncrementalAlterConfigsRequest(resources=[logger]), 1)
        assert not answer.responses[0].error_code, answer
        await admin.credentials(upsertion("bob", PLANTED["scram"], SCRAM_256))
        told.append(repr(await admin.credentials(upsertion("bob", PLANTED["scram"], SCRAM_256, iterations=99999))))
        for key in (
            f"{LISTENER}.plain.sasl.jaas.config",
            "listener.name.new.plain.sasl.jaas.config",
            "ssl.key.password",
        ):
            for value in (f'x required password="{PLANTED["config"]}"', f'x.y required a="{PLANTED["config"]}";'):
                change = AlterableConfig(name=key, config_operation=0, value=value)
                resource = AlterConfigsResource(resource_type=4, resource_name="1", configs=[change])
                told.append(repr(await admin.call(IncrementalAlterConfigsRequest(resources=[resource]), 1)))
    logins = [
        ("PLAIN", "alice", PLANTED["jaas"]), ("PLAIN", "alice", PLANTED["wrong"]), ("PLAIN", "bob", PLANTED["scram"]),
        (SCRAM_256, "bob", PLANTED["scram"]), (SCRAM_256, "bob", PLANTED["wrong"]), (SCRAM_512, "bob", PLANTED["scram"]),
        ("PLAIN", PLANTED["wrong"], PLANTED["wrong"]),
    ]  # fmt: skip
    for mechanism, user, password in logins:
        async with Talk(sasl) as talk:
            await talk.handshake(mechanism)
            await talk.login(mechanism, user, password)
            await talk.metadata()
            told += talk.lines
    secret = PLANTED["malformed"].encode()
    for mechanism in ("PLAIN", SCRAM_256):
        for message in (
            secret,
            b"\0" + secret,
            b"\0a\0" + secret + b"\0b",
            b"n,,n=" + secret + b",r=" + secret + b",\xff",
        ):
            async with Talk(sasl) as talk:
                await talk.handshake(mechanism)
                await talk.authenticate(message)
                told += talk.lines
    async with Talk(sasl) as talk:
        await talk.handshake(PLANTED["malformed"])
        told += talk.lines
    async with Talk(sasl) as talk:
        await talk.handshake("PLAIN", 0)
        talk.write(b"\xff\xff" + secret)
        await talk.ended()
        told += talk.lines
    return told


async def described(port: int) -> str:
    async with Talk(port) as admin:
        wanted = [DescribeConfigsResource(resource_type=4, resource_name=name) for name in ("1", "")]
        request = DescribeConfigsRequest(resources=wanted, include_synonyms=True, include_documentation=True)
        return repr(await admin.call(request, 4))


def forms(secret: str) -> list[bytes]:
    """A secret as it may be written: plain, in base64, in hex."""
    raw = secret.encode()
    return [raw, base64.b64encode(raw).rstrip(b"=")[:-1], raw.hex().encode()]


@pytest.mark.slow
def test_no_planted_secret_is_found_anywhere(tmp_path: Path) -> None:
    port, sasl, metrics = free_port(), free_port(), free_port()
    config = tmp_path / "server.properties"
    config.write_text(properties(port, sasl, metrics))
    data = tmp_path / "data"
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["user", "create", "carol", "--data-dir", str(data), "--json"]) == 0
    planted = {**PLANTED, "created": json.loads(out.getvalue())["secret"]}

    seen: dict[str, bytes] = {}
    with OttlaProcess(data, "--config", str(config), listen=None) as broker:
        broker.wait_ready()
        seen["what clients are told"] = "\n".join(asyncio.run(use(port, sasl))).encode()
        seen["DescribeConfigs"] = asyncio.run(described(port)).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10) as answer:
            seen["metrics"] = answer.read()
        for name in ("cmdline", "environ"):
            seen[name] = Path(f"/proc/{broker.pid}/{name}").read_bytes()
        _, stdout, stderr = broker.end()
    seen["log"] = (stdout + stderr).encode()
    seen |= {str(path.relative_to(tmp_path)): path.read_bytes() for path in data.rglob("*") if path.is_file()}

    assert b"failed authentication" in seen["log"]
    assert b"successful_authentication" in seen["metrics"]
    assert b"sasl.jaas.config" in seen["DescribeConfigs"]
    hits = [
        f"{name} in {where}"
        for where, text in seen.items() for name, secret in planted.items() for form in forms(secret) if form in text
    ]  # fmt: skip
    assert hits == []


def test_what_is_stored_is_not_what_travels(tmp_path: Path) -> None:
    """Not even the salted password, which is enough to log in, is in the files."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["user", "create", "dave", "--data-dir", str(tmp_path), "--json"]) == 0
    secret = json.loads(out.getvalue())["secret"]
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    from ottla.metadata.image import MetadataImage
    from ottla.metadata.log import load_image
    from ottla.metadata.sqlite import SqliteMetadataLog

    async def image() -> MetadataImage:
        log = SqliteMetadataLog(tmp_path / "ottla-metadata.db")
        found = await load_image(log, await log.open(""))
        await log.close()
        return found

    (record,) = asyncio.run(image()).scram_credentials.values()
    salted = scram_keys.salted_password(SCRAM_512, secret, record.salt, record.iterations)
    assert record.stored_key in stored
    assert secret.encode() not in stored
    assert salted not in stored
    assert scram_keys.client_key(SCRAM_512, salted) not in stored
