"""A Python client logs in: each line of input is a case, each line of output what came of it (tests/clients/sasl/drivers.py).

python sasl.py confluent | kafka-python | aiokafka
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from typing import Any

TIMEOUT_S = 15
Answer = dict[str, Any]


def answer(outcome: str, detail: object = "", sent: int = 0, failed: int = 0) -> Answer:
    return {"outcome": outcome, "detail": str(detail)[:500], "sent": sent, "failed": failed}


# -- librdkafka ----------------------------------------------------------------------------------------------------


def confluent(case: Answer) -> Answer:
    from confluent_kafka import KafkaError, Producer

    problems: list[Any] = []
    settings = {
        "bootstrap.servers": case["bootstrap"],
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": case["mechanism"],
        "error_cb": problems.append,
        "log_level": 0,
        "linger.ms": 0,
        **case.get("properties", {}),
    }
    if case["mechanism"] != "OAUTHBEARER":
        settings |= {"sasl.username": case["user"], "sasl.password": case["password"]}
    else:
        settings["oauth_cb"] = lambda _: (case["password"], time.time() + 300)
    producer = Producer(settings)
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            producer.list_topics(timeout=0.3)
            break
        except Exception as problem:
            producer.poll(0)
            refused = [p for p in problems if p.code() == KafkaError._AUTHENTICATION]
            if refused:
                text = refused[0].str()
                return answer("mechanism" if "mechanism handshake" in text.lower() else "refused", text)
            if time.monotonic() > end:
                return answer("other", f"{problem} {[p.str() for p in problems]}")
    counts = [0, 0]

    def delivered(problem: Any, _: Any) -> None:
        counts[problem is not None] += 1

    end = time.monotonic() + case["seconds"]
    number = 0
    while time.monotonic() < end:
        producer.produce(case["topic"], str(number).encode(), on_delivery=delivered)
        producer.poll(0.002)
        number += 1
    left = producer.flush(20)
    return answer("ok", "", counts[0], counts[1] + left)


# -- the others ----------------------------------------------------------------------------------------------------


def kafka_python(case: Answer) -> Answer:
    """Try twice: the library may miss an answer behind which the connection closes at once, and knows of no refusal then."""
    found = _kafka_python(case)
    return _kafka_python(case) if found["outcome"] == "other" else found


def _kafka_python(case: Answer) -> Answer:
    from kafka import KafkaAdminClient, KafkaProducer
    from kafka.errors import KafkaError

    settings = {
        "bootstrap_servers": case["bootstrap"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": case["mechanism"],
        "sasl_plain_username": case["user"],
        "sasl_plain_password": case["password"],
        "request_timeout_ms": 8000,
    }
    reasons = _Reasons()
    logging.getLogger("kafka").addHandler(reasons)
    try:
        admin = KafkaAdminClient(**settings, bootstrap_timeout_ms=2500)
        admin.describe_cluster()
        admin.close()
        if not case["seconds"]:
            return answer("ok")
        producer = KafkaProducer(**settings)
        end = time.monotonic() + case["seconds"]
        futures = []
        while time.monotonic() < end:
            futures.append(producer.send(case["topic"], str(len(futures)).encode()))
            time.sleep(0.002)
        producer.flush(20)
        failed = sum(not future.succeeded() for future in futures)
        producer.close()
        return answer("ok", "", len(futures) - failed, failed)
    except KafkaError as problem:
        return reasons.explain(problem)
    finally:
        logging.getLogger("kafka").removeHandler(reasons)


async def _aiokafka(case: Answer) -> Answer:
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    settings = {
        "bootstrap_servers": case["bootstrap"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": case["mechanism"],
        "sasl_plain_username": case["user"],
        "sasl_plain_password": case["password"],
        "request_timeout_ms": 8000,
    }
    producer = AIOKafkaProducer(**settings)
    reasons = _Reasons()
    logging.getLogger("aiokafka").addHandler(reasons)
    try:
        await producer.start()
        end = time.monotonic() + case["seconds"]
        futures = []
        while time.monotonic() < end:
            futures.append(await producer.send(case["topic"], str(len(futures)).encode()))
            await asyncio.sleep(0.002)
        results = await asyncio.gather(*futures, return_exceptions=True)
        failed = sum(isinstance(result, BaseException) for result in results)
        return answer("ok", "", len(futures) - failed, failed)
    except KafkaError as problem:
        return reasons.explain(problem)
    finally:
        logging.getLogger("aiokafka").removeHandler(reasons)
        await producer.stop()


class _Reasons(logging.Handler):
    """These libraries only log why a bootstrap connection failed."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def explain(self, problem: BaseException) -> Answer:
        text = f"{problem!r} {self.lines}"
        for word, kind in (("UnsupportedSaslMechanism", "mechanism"), ("AuthenticationFailed", "refused")):
            if word in text:
                return answer(kind, text)
        return answer("other", f"socket disconnected: {text}" if "socket disconnected" in text else text)


def aiokafka(case: Answer) -> Answer:
    return asyncio.run(_aiokafka(case))


def main() -> None:
    logging.lastResort = None
    run = {"confluent": confluent, "kafka-python": kafka_python, "aiokafka": aiokafka}[sys.argv[1]]
    for line in sys.stdin:
        try:
            found = run(json.loads(line))
        except Exception as problem:
            found = answer("other", repr(problem))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
