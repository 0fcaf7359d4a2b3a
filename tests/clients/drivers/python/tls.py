"""A Python client connects with TLS: each line of input is a case, each line of output what came of it (tests/clients/tls).

python tls.py confluent | kafka-python | aiokafka
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import ssl
import sys
import time
from typing import Any

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def context(case: dict[str, Any]) -> ssl.SSLContext:
    found = ssl.create_default_context(cafile=case["ca"])
    if case["shown"]:
        found.load_cert_chain(case["shown"])
    if case["version"]:
        found.minimum_version = found.maximum_version = VERSIONS[case["version"]]
    return found


def confluent(case: dict[str, Any]) -> None:
    from confluent_kafka import KafkaError, Producer

    settings = {"bootstrap.servers": case["bootstrap"], "security.protocol": case["protocol"], "log_level": 0}
    if case["protocol"] == "SSL":
        settings["ssl.ca.location"] = case["ca"]
        if case["shown"]:
            settings |= {"ssl.certificate.location": case["shown"], "ssl.key.location": case["shown"]}
    problems: list[Any] = []
    producer = Producer({**settings, "error_cb": problems.append})
    end = time.monotonic() + case["seconds"]
    while True:
        try:
            producer.list_topics(timeout=0.5)
            return
        except Exception as problem:
            producer.poll(0)
            refused = any(each.code() == KafkaError._SSL for each in problems)
            if refused or time.monotonic() > end:
                raise RuntimeError(f"{problem} {[each.str() for each in problems[:2]]}") from problem


def kafka_python(case: dict[str, Any]) -> None:
    from kafka import KafkaAdminClient

    more = {"ssl_context": context(case)} if case["protocol"] == "SSL" else {}
    client = KafkaAdminClient(
        bootstrap_servers=case["bootstrap"], security_protocol=case["protocol"],
        request_timeout_ms=int(case["seconds"] * 1000), bootstrap_timeout_ms=int(case["seconds"] * 1000), **more,
    )  # fmt: skip
    client.describe_cluster()
    client.close()


def aiokafka(case: dict[str, Any]) -> None:
    from aiokafka import AIOKafkaProducer

    async def run() -> None:
        more = {"ssl_context": context(case)} if case["protocol"] == "SSL" else {}
        producer = AIOKafkaProducer(
            bootstrap_servers=case["bootstrap"],
            security_protocol=case["protocol"],
            request_timeout_ms=int(case["seconds"] * 1000),
            **more,
        )
        try:
            await producer.start()
        finally:
            await producer.stop()

    asyncio.run(run())


def give_up(*_: Any) -> None:
    raise TimeoutError("no answer")


def main() -> None:
    signal.signal(signal.SIGALRM, give_up)
    logging.disable(logging.CRITICAL)
    library = {"confluent": confluent, "kafka-python": kafka_python, "aiokafka": aiokafka}[sys.argv[1]]
    for line in sys.stdin:
        case = json.loads(line)
        signal.alarm(int(case["seconds"]) + 3)  # some go on trying for ever
        try:
            library(case)
            signal.alarm(0)
            print("ok", flush=True)
        except Exception as problem:
            print(f"{type(problem).__name__}: {problem}".replace("\n", " ")[:300], flush=True)


main()
