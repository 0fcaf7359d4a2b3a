"""Listeners that are added, removed and changed while a broker runs: the same requests to Ottla and to Apache Kafka.

What a broker answers is written down as text; ports, which differ, by the names of their listeners.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

from ottla.protocol.apis.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from ottla.protocol.apis.metadata import MetadataRequest
from ottla.protocol.errors import ErrorCode
from tests.support.kafka_jvm import answers
from tests.support.sasl_talk import Talk

BROKER = 4
SET, DELETE = 0, 1
#: How long a listener may take to open or close after the answer.
PATIENCE_S = 20.0

Change = tuple[str, str | None]


async def alter(talk: Talk, *changes: Change, validate: bool = False) -> str:
    """Change configs of broker 1; a change to None takes one away. Returns what the broker says."""
    configs = [
        AlterableConfig(name=name, config_operation=DELETE if value is None else SET, value=value)
        for name, value in changes
    ]
    resource = AlterConfigsResource(resource_type=BROKER, resource_name="1", configs=configs)
    answer = await talk.call(IncrementalAlterConfigsRequest(resources=[resource], validate_only=validate), 1)
    (found,) = answer.responses
    return f"{ErrorCode(found.error_code).name} {found.error_message or ''}".strip()


async def opens(port: int) -> bool:
    """Whether somebody serves on a port within a while."""
    for _ in range(int(PATIENCE_S * 20)):
        if await asyncio.to_thread(answers, port):
            return True
        await asyncio.sleep(0.05)
    return False


async def closes(port: int) -> bool:
    for _ in range(int(PATIENCE_S * 20)):
        if not await asyncio.to_thread(answers, port):
            return True
        await asyncio.sleep(0.05)
    return False


def conversation(own: str, extra: int, other: int, mapping: str) -> Iterator[tuple[str, tuple[Change, ...]]]:
    """List what is asked. `own` is the value of listeners as the broker was started with, `mapping` its map."""
    more = f"{own},EXTRA://127.0.0.1:{extra}"
    mapped = f"{mapping},EXTRA:PLAINTEXT"
    yield "a listener without a protocol", (("listeners", more),)
    yield "a limit of a listener that is not there yet", (("listener.name.extra.max.connections", "7"),)
    yield "a listener and its protocol", (("listeners", more), ("listener.security.protocol.map", mapped))
    yield "OPEN", ()
    yield "another port of a listener", (("listeners", f"{own},EXTRA://127.0.0.1:{other}"),)
    yield "another protocol of a listener", (("listener.security.protocol.map", f"{mapping},EXTRA:SSL"),)
    yield "advertised.listeners", (("advertised.listeners", more),)
    yield "a setting of a listener that is there", (("listener.name.extra.ssl.client.auth", "required"),)
    yield "the limit of a listener that is there", (("listener.name.extra.max.connections", "9"),)
    yield "a listener twice", (("listeners", f"{more},EXTRA://127.0.0.1:{other}"),)
    yield "two listeners on one port", (("listeners", f"{more},MORE://127.0.0.1:{extra}"),)
    yield "no listener", (("listeners", ""),)
    yield "what is no listener", (("listeners", "hello"),)
    rest = [part for part in own.split(",") if not part.startswith("PLAINTEXT")]
    yield "without the one that is advertised", (("listeners", ",".join([*rest, f"EXTRA://127.0.0.1:{extra}"])),)
    yield "without it again", (("listeners", own),)
    yield "CLOSED", ()
    yield "as at the start", (("listeners", None), ("listener.security.protocol.map", None))


async def transcript(port: int, own: str, extra: int, other: int, mapping: str) -> list[str]:
    """Hold the conversation."""
    lines = []
    async with Talk(port) as talk:
        for name, changes in conversation(own, extra, other, mapping):
            if name == "OPEN":
                lines.append(f"the new listener is open: {await opens(extra)}")
                async with Talk(extra) as there:
                    answer = await there.call(MetadataRequest(topics=[]), 8)
                    lines.append(f"it is told of {len(answer.brokers)} brokers")
            elif name == "CLOSED":
                lines.append(f"it is closed: {await closes(extra)}")
            else:
                lines.append(f"{name}: {_masked(await alter(talk, *changes), extra, other, own)}")
                await talk.pause(0.3)
    return lines


def _masked(text: str, extra: int, other: int, own: str) -> str:
    for port, name in ((extra, "EXTRA"), (other, "OTHER")):
        text = text.replace(str(port), name)
    for name, port in re.findall(r"(\w+)://[^:]*:(\d+)", own):
        text = text.replace(port, name)
    return text
