"""One process of clients of the checker: python -m tests.checker.worker KIND NAME BOOTSTRAP EVENTS SEED

    writer       librdkafka producers (a thread each), each transaction writes to two or three partitions of `in`
    transformer  librdkafka: a member of the group `g`; reads `in`, writes `out`, sends the offsets to the transaction
    reader       librdkafka: reads both topics with isolation.level=read_committed, as they grow
    raw          requests of version 2 of transactions, which librdkafka does not speak (`raw`)

It may be killed or paused at any moment, and started again with the same name: then its transactional ids are taken over.
SIGTERM ends it after the transactions in hand.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from .history import ABORTED, COMMITTED, UNKNOWN, Recorder

PARTITIONS = 3
THREADS = 4
INPUTS_MAX = 20
ABORTED_SHARE = 0.15
#: Shorter than some of the pauses: then the coordinator aborts, and the producer is fenced when it wakes.
TRANSACTION_TIMEOUT_MS = 6000
SESSION_TIMEOUT_MS = 6000
CALL_S = 20.0

stop = threading.Event()


class StartAgainError(Exception):
    """This producer can do no more: a new one takes over."""


class Transactional:
    """A transactional producer of librdkafka that records what it does."""

    def __init__(self, bootstrap: str, transactional_id: str, recorder: Recorder) -> None:
        self.id = transactional_id
        self.recorder = recorder
        self.instance = f"{transactional_id}@{time.monotonic_ns()}"
        self.number = 0
        self.offsets: list[tuple[str, int]] = []
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "transactional.id": transactional_id, "linger.ms": 0,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS, "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "socket.timeout.ms": 4000, "retry.backoff.ms": 20, "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200, "log_level": 0, "error_cb": lambda error: None,
        })  # fmt: skip
        self._insist(self.producer.init_transactions)
        recorder.write({"e": "init", "id": self.id, "instance": self.instance, "at": time.monotonic_ns()})

    def _insist(self, call: Any, *arguments: Any) -> None:
        """Call until it is done, or cannot be."""
        while True:
            try:
                call(*arguments, CALL_S)
                return
            except KafkaException as problem:
                error = problem.args[0]
                if (
                    not error.retriable()
                    or error.fatal()
                    or (stop.is_set() and call == self.producer.init_transactions)
                ):
                    raise

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.offsets.append((str(message.value(), "ascii"), message.offset()))

    def run(self, sends: list[tuple[str, int, str]], takes: list[Any], positions: Any, *, commit: bool) -> str:
        """One transaction; returns what became of it. `positions` are (partitions, group metadata) or None."""
        self.number += 1
        name = f"{self.instance}.{self.number}"
        self.offsets.clear()
        event = {"e": "began", "txn": name, "id": self.id, "instance": self.instance, "at": time.monotonic_ns()}
        told = [(f"{topic}/{partition}", value) for topic, partition, value in sends]
        self.recorder.write({**event, "sends": told, "takes": takes})
        outcome = UNKNOWN
        try:
            self.producer.begin_transaction()
            for topic, partition, value in sends:
                self.producer.produce(topic, value, partition=partition, on_delivery=self._delivered)
            if positions is not None:
                self._insist(self.producer.send_offsets_to_transaction, *positions)
            self.producer.flush(CALL_S)
            self._ending(name, commit)
            self._insist(self.producer.commit_transaction if commit else self.producer.abort_transaction)
            outcome = COMMITTED if commit else ABORTED
        except KafkaException as problem:
            if not problem.args[0].txn_requires_abort():
                raise StartAgainError from problem
            try:
                self._insist(self.producer.abort_transaction)
            except KafkaException as second:
                raise StartAgainError from second
            outcome = ABORTED
        finally:
            self.recorder.write({"e": "ended", "txn": name, "outcome": outcome, "at": time.monotonic_ns()})
        return outcome

    def _ending(self, name: str, commit: bool) -> None:
        event = {"e": "ending", "txn": name, "commit": commit, "offsets": self.offsets, "at": time.monotonic_ns()}
        self.recorder.write(event)


def write(bootstrap: str, name: str, recorder: Recorder, seed: int) -> None:
    """One writing producer, and those that follow it."""
    rng = random.Random(seed)
    while not stop.is_set():
        try:
            producer = Transactional(bootstrap, name, recorder)
            while not stop.is_set():
                at = f"{producer.instance}.{producer.number + 1}"
                partitions = rng.sample(range(PARTITIONS), rng.randint(2, PARTITIONS))
                sends = [("in", p, f"{at}.{i}") for i, p in enumerate(partitions * rng.randint(1, 2))]
                producer.run(sends, [], None, commit=rng.random() >= ABORTED_SHARE)
        except (StartAgainError, KafkaException):
            stop.wait(0.05)


class Member:
    """A member of the group: what it has read of the assignment that it has now."""

    def __init__(self, bootstrap: str) -> None:
        self.batch: list[Message] = []
        self.metadata: Any = None
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": "g", "isolation.level": "read_committed",
            "enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 50, "reconnect.backoff.ms": 20,
            "reconnect.backoff.max.ms": 200, "log_level": 0, "error_cb": lambda error: None,
        })  # fmt: skip
        self.consumer.subscribe(["in"], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)

    def _assigned(self, consumer: Consumer, _: object) -> None:
        # Now, not when offsets are committed: after a pause the consumer may be a member of another generation, or
        # of none, and what it read before would be committed in that name.
        self.metadata = consumer.consumer_group_metadata()
        self.batch.clear()

    def _revoked(self, _: Consumer, __: object) -> None:
        self.metadata = None
        self.batch.clear()

    def read(self) -> list[Message]:
        """Up to INPUTS_MAX records of the present assignment."""
        self.batch.clear()
        while len(self.batch) < INPUTS_MAX:
            message = self.consumer.poll(0 if self.batch else 0.3)
            if message is None:
                break
            if message.error() is None:
                self.batch.append(message)
        return list(self.batch)


def transform(bootstrap: str, name: str, recorder: Recorder, seed: int) -> None:
    """Consume, transform, produce; whatever fails is begun anew by another consumer and another producer."""
    rng = random.Random(seed)
    while not stop.is_set():
        member = Member(bootstrap)
        try:
            producer = Transactional(bootstrap, name, recorder)
            while not stop.is_set():
                if not (batch := member.read()):
                    continue
                commit = rng.random() >= ABORTED_SHARE
                if _transform(producer, member, batch, commit) is not COMMITTED and not _back(member, batch):
                    break
        except (StartAgainError, KafkaException):
            stop.wait(0.05)
        finally:
            member.consumer.close()


def _transform(producer: Transactional, member: Member, batch: list[Message], commit: bool) -> str:
    at = f"{producer.instance}.{producer.number + 1}"
    sends = [("out", message.partition(), f"{at}.{i}") for i, message in enumerate(batch)]
    inputs: dict[int, list[tuple[int, str]]] = {}
    for message in batch:
        inputs.setdefault(message.partition(), []).append((message.offset(), str(message.value(), "ascii")))
    takes = [("g", f"in/{p}", records, records[-1][0] + 1) for p, records in inputs.items()]
    positions = [TopicPartition("in", p, records[-1][0] + 1) for p, records in inputs.items()]
    return producer.run(sends, takes, (positions, member.metadata), commit=commit)


def _back(member: Member, batch: list[Message]) -> bool:
    """Read what an aborted transaction had taken again; False if that needs a new consumer."""
    first: dict[int, int] = {}
    for message in batch:
        first.setdefault(message.partition(), message.offset())
    try:
        for partition, offset in first.items():
            member.consumer.seek(TopicPartition("in", partition, offset))
    except KafkaException:
        return False
    return True


def read(bootstrap: str, name: str, recorder: Recorder, _: int) -> None:
    """Read all partitions from where they end now."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": f"reader-{name}", "isolation.level": "read_committed",
        "enable.auto.commit": False, "fetch.wait.max.ms": 50, "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 200, "log_level": 0, "error_cb": lambda error: None,
    })  # fmt: skip
    session = f"{name}@{time.monotonic_ns()}"
    consumer.assign([TopicPartition(topic, p, OFFSET_END) for topic in ("in", "out") for p in range(PARTITIONS)])
    while not stop.is_set():
        messages = [message for message in consumer.consume(500, 0.3) if message.error() is None]
        if messages:
            found = [(f"{m.topic()}/{m.partition()}", m.offset(), str(m.value(), "ascii")) for m in messages]
            recorder.write({"e": "read", "session": session, "at": time.monotonic_ns(), "records": found})
    consumer.close()


def leave_with(parent: int) -> None:
    """End this process when whoever started it is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    """Do one kind of work until SIGTERM, or until whoever started this is gone."""
    kind, name, bootstrap, events, seed = sys.argv[1:]
    recorder = Recorder(Path(events))
    faulthandler.register(signal.SIGUSR1)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=leave_with, args=(os.getppid(),), daemon=True).start()
    if kind == "raw":
        from .raw import work

        asyncio.run(work(int(bootstrap.rpartition(":")[2]), name, recorder, int(seed), stop))
        return
    count, target = {"writer": (THREADS, write), "transformer": (1, transform), "reader": (1, read)}[kind]
    arguments = [(bootstrap, f"{kind}-{name}-{i}", recorder, int(seed) + i) for i in range(count)]
    threads = [threading.Thread(target=target, args=each, daemon=True) for each in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.5)  # not for ever: a signal's handler runs between


if __name__ == "__main__":
    main()
