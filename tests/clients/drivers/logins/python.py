"""Logs in to brokers with a Python client: each line of input is a case as JSON, each line of output is how it went.

A case has `library` (kafka-python, aiokafka, confluent) and the client's own `settings`; `token` stands for a provider of it.
With `hold_ms` it produces for so long, and every record must arrive. `patience_s` is how long who should get in may take.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any

PAUSE_S = 0.005
TOPIC = "load"


class Lost(Exception):
    """Records that did not arrive."""


def check(failed: int, sent: int) -> None:
    if failed or not sent:
        raise Lost(f"{failed} records of {sent} lost")


def kafka_python(settings: dict[str, Any], token: str | None, patience_s: float, hold_s: float) -> None:
    from kafka import KafkaAdminClient, KafkaProducer
    from kafka.net.sasl.oauth import AbstractTokenProvider

    class Provider(AbstractTokenProvider):
        def token(self) -> str:
            return token or ""

    if token is not None:
        settings["sasl_oauth_token_provider"] = Provider()
    client = KafkaAdminClient(**settings, request_timeout_ms=5000, bootstrap_timeout_ms=int(patience_s * 1000))
    try:
        client.list_topics()
    finally:
        client.close()
    if not hold_s:
        return
    producer, futures, until = KafkaProducer(**settings), [], time.monotonic() + hold_s
    while time.monotonic() < until:
        futures.append(producer.send(TOPIC, b"%d" % len(futures)))
        time.sleep(PAUSE_S)
    producer.flush(20)
    failed = sum(not future.succeeded() for future in futures)
    producer.close()
    check(failed, len(futures))


async def aiokafka(settings: dict[str, Any], token: str | None, hold_s: float) -> None:
    from aiokafka import AIOKafkaProducer
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
    if not hold_s:
        return
    producer = AIOKafkaProducer(**settings)
    await producer.start()
    try:
        futures, until = [], time.monotonic() + hold_s
        while time.monotonic() < until:
            futures.append(await producer.send(TOPIC, b"%d" % len(futures)))
            await asyncio.sleep(PAUSE_S)
        results = await asyncio.gather(*futures, return_exceptions=True)
    finally:
        await producer.stop()
    check(sum(isinstance(result, BaseException) for result in results), len(results))


def confluent(settings: dict[str, Any], token: str | None, patience_s: float, hold_s: float) -> None:
    from confluent_kafka import Producer

    errors: list[str] = []
    more: dict[str, Any] = {"error_cb": lambda problem: errors.append(str(problem)), "linger.ms": 0}
    if token is not None:
        more["oauth_cb"] = lambda _: (token, time.time() + 3600)
    client = Producer({**settings, **more})
    client.poll(0.2)
    try:
        client.list_topics(timeout=patience_s)
    except Exception as problem:
        client.poll(0)
        raise RuntimeError(f"{problem} {errors}") from None
    if not hold_s:
        return
    counts, until = [0, 0], time.monotonic() + hold_s

    def delivered(problem: Any, _: Any) -> None:
        counts[problem is not None] += 1

    while time.monotonic() < until:
        client.produce(TOPIC, b"x", on_delivery=delivered)
        client.poll(PAUSE_S)
    left = client.flush(20)
    check(counts[1] + left, counts[0])


def login(case: dict[str, Any]) -> str:
    settings, token = case["settings"], case.get("token")
    patience_s, hold_s = case["patience_s"], case["hold_ms"] / 1000
    try:
        if case["library"] == "aiokafka":
            asyncio.run(asyncio.wait_for(aiokafka(settings, token, hold_s), patience_s + 3 * hold_s + 5))
        else:
            {"kafka-python": kafka_python, "confluent": confluent}[case["library"]](settings, token, patience_s, hold_s)
    except BaseException as problem:
        return f"{type(problem).__name__}: {problem}".replace("\n", " ")
    return "ok"


def main() -> None:
    logging.basicConfig(level=logging.CRITICAL)
    for line in sys.stdin:
        print(login(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
