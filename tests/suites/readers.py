"""The Java client's new groups: KIP-848 consumers and a share group (KIP-932); members come and go, the broker is killed.

consumer: three members, one leaves, one is killed -9, the broker is killed -9. Every value is read; what a member was told is
          committed is not read again.
share:    three members accept, release (once) and reject by rule, see tests/java/Reader.java. Every value is seen and settled,
          and what the broker confirmed as settled is settled once. Settled is what a member was told is settled, or all that
          the broker's start offsets say is: a member that is killed may have had no time to say what it was told.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from tests.support.jars import CLIENTS, KAFKA_VERSION

from .client import Feeder, create
from .java import Java, libraries, program
from .suite import Outcome, Suite, Trial, until

RECORDS, RECORDS_SHORT = 20_000, 1_000
PARTITIONS = 6
MEMBERS = 3
SETTLE_S = 240.0


def prepare() -> str:
    return program("Reader", libraries("clients", CLIENTS))


class Crew:
    """The members, started in turn, and what they said together."""

    def __init__(self, trial: Trial, kind: str, stack: ExitStack) -> None:
        self.trial, self.kind, self.stack = trial, kind, stack
        self.members: list[Java] = []

    def join(self) -> Java:
        name = f"{self.kind}-{len(self.members)}"
        words = [self.trial.bootstrap, self.kind, f"readers-{self.kind}", "values"]
        member = Java(prepare(), "Reader", words, self.trial.log(name))
        self.members.append(self.stack.enter_context(member))
        return member

    def said(self, *verbs: str) -> list[list[str]]:
        """Whole lines with one of these verbs, split, member by member."""
        lines = []
        for member in self.members:
            text = member.log.read_text(errors="replace")
            whole = text[: text.rfind("\n") + 1].splitlines()
            lines += [line.split() for line in whole if line.split(" ", 1)[0] in verbs]
        return lines


def _play(trial: Trial, kind: str, crew: Crew, count: int, progress: str, finished: object) -> None:
    """Half the values, three members; one leaves, the broker is killed, a member joins, the rest, one is killed."""
    feeder = Feeder(trial.bootstrap)
    for number in range(count // 2):
        feeder.send("values", str(number))
    feeder.flush()
    for _ in range(MEMBERS):
        crew.join()
    until(lambda: len(crew.said(progress)) > count // 10, SETTLE_S, f"{kind}: the first tenth")
    crew.members[0].stop()
    trial.kill_and_restart()
    crew.join()
    for number in range(count // 2, count):
        feeder.send("values", str(number))
    feeder.flush()
    crew.members[1].kill()
    until(finished, SETTLE_S, f"{kind}: every value")  # type: ignore[arg-type]


def consumer(trial: Trial) -> list[Outcome]:
    """KIP-848."""
    count, began = RECORDS if trial.full else RECORDS_SHORT, time.monotonic()
    create(trial.bootstrap, PARTITIONS, "values")
    with ExitStack() as stack:
        crew = Crew(trial, "consumer", stack)
        wanted = {str(n) for n in range(count)}

        def all_read() -> bool:
            return wanted <= {words[3] for words in crew.said("read")}

        try:
            _play(trial, "consumer", crew, count, "read", all_read)
            said = again_after_commit(crew)
        except (AssertionError, TimeoutError, RuntimeError) as error:
            got = {words[3] for words in crew.said("read")}
            said = f"{error}; {len(wanted - got)} of {count} values not read"
    return [Outcome("KIP-848 consumers, every value, none after its commit", "fail" if said else "pass", said[:400], time.monotonic() - began)]  # fmt: skip


def again_after_commit(crew: Crew) -> str:
    """What one member read after the same member had been told that it is committed; empty if nothing."""
    for member in crew.members:
        committed: dict[str, int] = {}
        for line in member.said():
            words = line.split()
            if words[:1] == ["done"] and len(words) == 3:
                committed[words[1]] = int(words[2])
            elif words[:1] == ["read"] and len(words) == 4 and int(words[2]) < committed.get(words[1], 0):
                return f"{member.log.stem} read {words[1]}@{words[2]} after it had committed {committed[words[1]]}"
    return ""


def share(trial: Trial) -> list[Outcome]:
    """KIP-932."""
    count, began = RECORDS if trial.full else RECORDS_SHORT, time.monotonic()
    create(trial.bootstrap, PARTITIONS, "values")
    _earliest(trial, "readers-share")
    with ExitStack() as stack:
        crew = Crew(trial, "share", stack)

        def settled() -> Counter[tuple[str, str]]:
            return Counter((words[1], words[2]) for words in crew.said("done"))

        words = [trial.bootstrap, "offsets", "readers-share"]
        watcher = stack.enter_context(Java(prepare(), "Reader", words, trial.log("offsets")))

        def all_settled() -> bool:
            return len(settled()) >= count or f"settled {count}" in watcher.said()

        try:
            _play(trial, "share", crew, count, "done", all_settled)
            said = problems(settled(), crew.said("got"), count)
        except (AssertionError, TimeoutError, RuntimeError) as error:
            said = f"{error}; {count - len(settled())} of {count} values not settled"
    return [Outcome("share group, every value settled once", "fail" if said else "pass", said[:400], time.monotonic() - began)]  # fmt: skip


def problems(settled: Counter[tuple[str, str]], got: Sequence[Sequence[str]], count: int) -> str:
    """What is wrong with a share group's work."""
    twice = [place for place, times in settled.items() if times > 1]
    if twice:
        return f"{len(twice)} records were confirmed as settled twice, first {'@'.join(twice[0])}"
    values = {words[4] for words in got}
    return "" if len(values) == count else f"{len(values)} values seen of {count}"


def _earliest(trial: Trial, group: str) -> None:
    """share.auto.offset.reset=earliest, a config of the group."""
    from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    entry = ConfigEntry("share.auto.offset.reset", "earliest", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": trial.bootstrap})
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(60)


_TITLE = f"Java client {KAFKA_VERSION}"
SUITES = (
    Suite("java-consumer", _TITLE, "KIP-848 consumers; members leave and die, broker killed", consumer, prepare),
    Suite("java-share", _TITLE, "a share group that accepts, releases, rejects; members leave and die, broker killed", share, prepare),
)  # fmt: skip
