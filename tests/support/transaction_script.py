"""Reads and runs the conversations of `tests/scripts/txn_*.txt`, in the form of `script_text`.

    init A                         what a producer says; it goes on as whoever it was last told to be
    ----
    stored: A Empty 1000/0 timeout=60000
    A: 1000/0

`WriteMarkers` is printed when the coordinator asks for markers; `markers A` says that they are written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ottla.coordinator import Decision, StoredRecord
from ottla.coordinator.transactions.config import TransactionCoordinatorConfig
from ottla.coordinator.transactions.listing import Filters
from ottla.coordinator.transactions.producers import NeedsProducerIdError, ProducerIdAndEpoch
from ottla.coordinator.transactions.records import parse
from ottla.coordinator.transactions.shard import EndedTransaction, TransactionShard, WriteMarkers
from ottla.coordinator.transactions.state import TopicPartition
from ottla.protocol.errors import ErrorCode, KafkaError

from .script_text import read_steps, write_steps

FIRST_PRODUCER_ID = 1000


class TransactionDriver:
    """A shard with its shell played by a list: what is decided is committed at once, or when `release` says so."""

    def __init__(self, version: int = 2, **config: int) -> None:
        self.config = TransactionCoordinatorConfig(**config)
        self.version = version
        self.now_ms = 1_000_000
        self.log: list[StoredRecord] = []
        self.lines: list[str] = []
        self.markers: dict[str, WriteMarkers] = {}
        self.next_producer_id = FIRST_PRODUCER_ID
        self.holding = False
        self._held: list[tuple[str, Decision]] = []
        self.restart()

    def restart(self) -> None:
        """Forget everything but the log."""
        self.shard = TransactionShard(self.config, self.version)
        self.markers.clear()
        self._held.clear()
        for offset, record in enumerate(self.log):
            self.shard.replay(record, offset, self.now_ms)
        self.carry_out("", self.shard.finish_loading(self.now_ms))

    def carry_out(self, who: str, decision: Decision) -> None:
        """Do what a decision says."""
        self.lines += [f"note: {note}" for note in decision.notes]
        for effect in decision.effects:
            assert isinstance(effect, WriteMarkers)
            self.markers[effect.transactional_id] = effect
            self.lines.append(show_markers(effect))
        for record in decision.records:
            self.shard.replay(record, len(self.log), self.now_ms)
            self.log.append(record)
            self.lines.append("stored: " + show_record(record))
        if decision.records and self.holding:
            self._held.append((who, decision))
        else:
            self._finish(who, decision, ErrorCode.NONE)

    def release(self, error: ErrorCode = ErrorCode.NONE) -> None:
        """Let what was held be committed."""
        held, self._held, self.holding = self._held, [], False
        for who, decision in held:
            self._finish(who, decision, error)

    def _finish(self, who: str, decision: Decision, error: ErrorCode) -> None:
        if decision.response is not None:
            self.lines.append(f"{who}: {show_response(error or decision.response)}")
        if decision.completion is not None:
            self.carry_out(who, self.shard.on_appended(decision.completion, error, self.now_ms))

    def ask(self, who: str, decide: Any) -> Any:
        """Let the shard decide, with a new producer id if it needs one; returns the response or the error."""
        new_id = None
        while True:
            try:
                decision = decide(new_id)
            except NeedsProducerIdError:
                new_id, self.next_producer_id = self.next_producer_id, self.next_producer_id + 1
                continue
            except KafkaError as error:
                self.lines.append(f"{who}: {error.code.name}")
                return error.code
            self.carry_out(who, decision)
            return decision.response

    def init(self, who: str, timeout_ms: int = 60_000, expected: ProducerIdAndEpoch | None = None) -> Any:
        return self.ask(who, lambda new_id: self.shard.init_producer_id(who, timeout_ms, expected, new_id, self.now_ms))

    def add(self, who: str, producer: ProducerIdAndEpoch, *partitions: TopicPartition, version: int = 2) -> Any:
        return self.ask(who, lambda _: self.shard.add_partitions(who, *producer, partitions, version, self.now_ms))

    def end(self, who: str, producer: ProducerIdAndEpoch, commit: bool, version: int = 2) -> Any:
        return self.ask(who, lambda new_id: self.shard.end(who, *producer, commit, version, new_id, self.now_ms))

    def write_markers(self, who: str) -> None:
        self.carry_out("", self.shard.markers_written(self.markers.pop(who), self.now_ms))

    def take_lines(self) -> list[str]:
        lines, self.lines = self.lines, []
        return lines


def show_record(record: StoredRecord) -> str:
    """Print a record of `__transaction_state` on one line."""
    parsed = parse(record)
    assert parsed is not None
    name, found = parsed
    if found is None:
        return f"{name} deleted"
    words = [name, found.state.title, f"{found.producer_id}/{found.producer_epoch}"]
    words += [f"{topic}-{index}" for topic, index in sorted(found.partitions)]
    if found.previous_producer_id >= 0:
        words.append(f"previous={found.previous_producer_id}")
    if found.next_producer_id >= 0:
        words.append(f"next={found.next_producer_id}")
    return " ".join([*words, f"v{found.client_version}"])


def show_markers(effect: WriteMarkers) -> str:
    places = " ".join(f"{topic}-{index}" for topic, index in sorted(effect.partitions))
    what = "commit" if effect.committed else "abort"
    return (
        f"markers: {what} {effect.producer_id}/{effect.producer_epoch} v{effect.transaction_version} {places}".rstrip()
    )


def show_response(response: Any) -> str:
    if isinstance(response, ProducerIdAndEpoch | EndedTransaction):
        return f"{response[0]}/{response[1]}"
    return ErrorCode(response).name


class Script:
    """Runs commands against a `TransactionDriver` and prints what happened."""

    def __init__(self) -> None:
        self.driver = TransactionDriver()
        self.producers: dict[str, ProducerIdAndEpoch] = {}

    def run(self, command: str) -> list[str]:
        words = command.split()
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        names = [word for word in words[1:] if "=" not in word]
        lines: list[str] = getattr(self, "do_" + words[0].replace("-", "_"))(names, options) or []
        return self.driver.take_lines() + lines

    def _producer(self, names: list[str], options: dict[str, str]) -> ProducerIdAndEpoch:
        if "as" not in options:
            return self.producers.get(names[0], ProducerIdAndEpoch(-1, -1))
        number, _, epoch = options["as"].partition("/")
        return ProducerIdAndEpoch(int(number), int(epoch))

    def _learn(self, who: str, response: Any, options: dict[str, str]) -> None:
        if isinstance(response, ProducerIdAndEpoch | EndedTransaction) and "lost" not in options:
            self.producers[who] = ProducerIdAndEpoch(*response)

    def do_config(self, names: list[str], options: dict[str, str]) -> None:
        version = int(options.pop("version", 2))
        changes = {name.replace("-", "_"): int(value) for name, value in options.items()}
        self.driver = TransactionDriver(version, **changes)

    def do_init(self, names: list[str], options: dict[str, str]) -> None:
        expected = self._producer(names, options) if "as" in options or "expects" in names else None
        response = self.driver.init(names[0], int(options.get("timeout", 60_000)), expected)
        self._learn(names[0], response, options)

    def do_add(self, names: list[str], options: dict[str, str]) -> None:
        places = [(word.rpartition("-")[0], int(word.rpartition("-")[2])) for word in names[1:]]
        version = int(options.get("version", 2))
        self.driver.add(names[0], self._producer(names, options), *places, version=version)

    def do_verify(self, names: list[str], options: dict[str, str]) -> list[str]:
        places = [(word.rpartition("-")[0], int(word.rpartition("-")[2])) for word in names[1:]]
        try:
            missing = self.driver.shard.check_partitions(names[0], *self._producer(names, options), places)
        except KafkaError as error:
            return [error.code.name]
        return ["missing: " + " ".join(f"{topic}-{index}" for topic, index in missing)]

    def do_commit(self, names: list[str], options: dict[str, str]) -> None:
        self._end(names, options, commit=True)

    def do_abort(self, names: list[str], options: dict[str, str]) -> None:
        self._end(names, options, commit=False)

    def _end(self, names: list[str], options: dict[str, str], *, commit: bool) -> None:
        version = int(options.get("version", 2))
        response = self.driver.end(names[0], self._producer(names, options), commit, version)
        if version >= 2:
            self._learn(names[0], response, options)

    def do_markers(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.write_markers(names[0])

    def do_epoch(self, names: list[str], options: dict[str, str]) -> None:
        """Give a transactional id an epoch that would take long to reach."""
        import dataclasses

        from ottla.coordinator.transactions.records import transaction_record

        found = parse(self.driver.log[-1])
        assert found is not None
        assert found[1] is not None
        changed = dataclasses.replace(found[1], producer_epoch=int(names[1]))
        self.driver.carry_out("", Decision(records=[transaction_record(changed, 1)]))
        self.producers[names[0]] = ProducerIdAndEpoch(changed.producer_id, changed.producer_epoch)

    def do_tick(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.now_ms += int(names[0])

    def do_sweep(self, names: list[str], options: dict[str, str]) -> None:
        for decision in self.driver.shard.abort_timed_out(self.driver.now_ms):
            self.driver.carry_out("", decision)

    def do_clean_up(self, names: list[str], options: dict[str, str]) -> None:
        for decision in self.driver.shard.clean_up(self.driver.now_ms):
            self.driver.carry_out("", decision)

    def do_restart(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.restart()

    def do_hold_appends(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.holding = True

    def do_release_appends(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.release()

    def do_fail_appends(self, names: list[str], options: dict[str, str]) -> None:
        self.driver.release(ErrorCode[names[0]])

    def do_describe(self, names: list[str], options: dict[str, str]) -> list[str]:
        found = self.driver.shard.describe(names[0])
        if found.error_code:
            return [ErrorCode(found.error_code).name]
        places = " ".join(f"{topic.topic}-{index}" for topic in found.topics for index in topic.partitions)
        return [f"{found.transaction_state} {found.producer_id}/{found.producer_epoch} {places}".rstrip()]

    def do_list(self, names: list[str], options: dict[str, str]) -> list[str]:
        filters = Filters(
            states=frozenset(names), duration_ms=int(options.get("longer", -1)),
            producer_ids=frozenset(int(x) for x in options.get("ids", "").split(",") if x),
        )  # fmt: skip
        found = self.driver.shard.listed(filters, self.driver.now_ms)
        return [f"{each.transactional_id} {each.transaction_state} {each.producer_id}" for each in found]


def run_script(path: Path) -> tuple[str, str]:
    """Run a script; returns it as written, and as it goes."""
    written = path.read_text()
    script = Script()
    steps = read_steps(written)
    for step in steps:
        if step.command:
            step.expected = script.run(step.command)
    return written, write_steps(steps)
