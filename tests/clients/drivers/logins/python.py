"""Logs in to brokers with a Python client: each line of input is a case as JSON, each line of output is how it went.

A case has `library` (kafka-python, aiokafka, confluent) and the client's own `settings`; `token` stands for a provider of it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

DEADLINE_S = 10.0


def kafka_python(settings: dict[str, Any], token: str | None) -> None:
    from kafka import KafkaAdminClient
    from kafka.net.sasl.oauth import AbstractTokenProvider

    class Provider(AbstractTokenProvider):
        def token(self) -> str:
            return token or ""

    if token is not None:
        settings["sasl_oauth_token_provider"] = Provider()
    client = KafkaAdminClient(**settings, request_timeout_ms=5000, bootstrap_timeout_ms=1500)
    try:
        client.list_topics()
    finally:
        client.close()


async def aiokafka(settings: dict[str, Any], token: str | None) -> None:
    from aiokafka.abc import AbstractTokenProvider
    from aiokafka.client import AIOKafkaClient

    class Provider(AbstractTokenProvider):
        async def token(self) -> str:
            return token or ""

    if token is not None:
        settings["sasl_oauth_token_provider"] = Provider()
    client = AIOKafkaClient(**settings, request_timeout_ms=5000)
    try:
        await client.bootstrap()
        await client.fetch_all_metadata()
    finally:
        await client.close()


def confluent(settings: dict[str, Any], token: str | None) -> None:
    import time

    from confluent_kafka.admin import AdminClient

    errors: list[str] = []
    more: dict[str, Any] = {"error_cb": lambda problem: errors.append(str(problem))}
    if token is not None:
        more["oauth_cb"] = lambda _: (token, time.time() + 3600)
    client = AdminClient({**settings, **more})
    client.poll(0.2)
    try:
        client.list_topics(timeout=1.5)
    except Exception as problem:
        client.poll(0)
        raise RuntimeError(f"{problem} {errors}") from None


def login(case: dict[str, Any]) -> str:
    settings, token = case["settings"], case.get("token")
    try:
        if case["library"] == "aiokafka":
            asyncio.run(asyncio.wait_for(aiokafka(settings, token), DEADLINE_S))
        else:
            {"kafka-python": kafka_python, "confluent": confluent}[case["library"]](settings, token)
    except BaseException as problem:
        return f"{type(problem).__name__}: {problem}".replace("\n", " ")
    return "ok"


def main() -> None:
    logging.basicConfig(level=logging.CRITICAL)
    for line in sys.stdin:
        print(login(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
