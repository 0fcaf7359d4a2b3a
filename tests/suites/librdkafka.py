"""librdkafka's own tests, from the npm package that carries librdkafka's source with its tests.

The package is `@confluentinc/kafka-javascript`, of whose `deps/librdkafka` this module takes what it needs: it is packed
from the registry, unpacked into the cache, configured without downloads and built once. Of some 230 tests about 130 need a broker
(`-L` leaves the others out); each number of them is a process of its own, so that a crash costs one verdict.

Both brokers are a single node, and some tests ask for three replicas; `one_replica.c`, preloaded, asks for the default instead. A test
that failed beside others is run once more, alone: the tests wait seconds for things, and verdicts shall not be about how busy
the machine is, nor about topics that another left. The second verdict counts, for both brokers alike.

`KAFKA_PATH` points at a folder of shims that run Apache Kafka's console tools from Maven's jars, for the tests that alter
topics with them.

Rows: as it comes; with every producer idempotent (`-P`); with the consumer protocol of KIP-848; and the four tests that want
a broker which does not create topics by itself (scenario `noautocreate`). The two modes leave out the share consumers' tests and those
of librdkafka's mock broker, on which they have no bearing and which take half of the time.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from confluent_kafka.admin import AdminClient

from tests.support.jars import CACHE, KAFKA, KAFKA_VERSION, class_path, jars

from .suite import Outcome, Suite, Trial, Unavailable, Verdict, build, call

PACKAGE = "@confluentinc/kafka-javascript"
PACKAGE_VERSION = "1.10.1"
VERSION = "2.15.1"
#: For CI: produce, consume, groups, admin, transactions, each a few seconds.
SHORT = ("0001", "0012", "0019", "0030", "0070", "0073", "0099", "0103")
#: They wait more than they work.
AT_ONCE = 6
TEST_TIMEOUT_S = 1200  # 0113 walks through 22 rebalances, and on Apache Kafka takes over 600 s too
#: What lib and tests need of Debian to be built with zstd and every test.
DEBIAN = "gcc g++ make libssl-dev zlib1g-dev libzstd-dev rapidjson-dev"
_TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}
_FAILURE = re.compile(r'### Test "(\d{4}_\w+)(.*?)" failed at .*?###\n(.*)')
_LINE = re.compile(
    r"^\|[ \t]*(\d{4}_\w+)[ \t]*\|[ \t]*([A-Z ]+?)[ \t]*\|[ \t]*([0-9.]+)s[ \t]*\|[ \t]*(.*)$", re.MULTILINE
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_VERDICTS: dict[str, Verdict] = {"PASSED": "pass", "FAILED": "fail", "RUNNING": "fail", "SKIPPED": "skip"}


def prepare() -> Path:
    """The folder of the built tests."""
    for program in ("npm", "gcc", "g++", "make"):
        if shutil.which(program) is None:
            raise Unavailable(f"{program} is not installed; it takes {DEBIAN}, and npm")
    folder = CACHE / f"librdkafka-{hashlib.sha256(f'{PACKAGE}@{PACKAGE_VERSION}'.encode()).hexdigest()[:12]}"
    tests = folder / "package" / "deps" / "librdkafka" / "tests"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        packed = build(["npm", "pack", "--silent", f"{PACKAGE}@{PACKAGE_VERSION}"], folder).strip().splitlines()[-1]
        with tarfile.open(folder / packed) as archive:
            archive.extractall(folder, [m for m in archive if "/deps/librdkafka/" in m.name], filter="data")
        root = tests.parent
        for script in (root / "configure", root / "lds-gen.py"):
            script.chmod(0o755)
        jobs = f"-j{os.cpu_count() or 1}"
        build(["./configure", "--disable-lz4-ext", "--no-download"], root)
        build(["make", jobs, "libs"], root)
        build(["make", jobs, "-C", "tests", "build"], root)
        (folder / "ready").touch()
    return tests


def one_replica() -> Path:
    """The preloaded library, compiled."""
    source = Path(__file__).with_name("one_replica.c")
    library = CACHE / f"one-replica-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}.so"
    if not library.exists():
        build(["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"], CACHE)
    return library


def shims(folder: Path) -> Path:
    """A KAFKA_PATH: `bin/kafka-topics.sh` and its like, and the jars."""
    libs = class_path(jars("kafka", KAFKA))
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    if not (folder / "libs").exists():
        (folder / "libs").symlink_to(jars("kafka", KAFKA))
    for name, main in _TOOLS.items():
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp "{libs}" {main} "$@"\n')
        script.chmod(0o755)
    run_class = folder / "bin" / "kafka-run-class.sh"
    run_class.write_text(f'#!/bin/sh\nexec java -XX:TieredStopAtLevel=1 -cp "$CLASSPATH:{libs}" "$@"\n')
    run_class.chmod(0o755)
    return folder


def numbers(source: str, scenario: str) -> list[str]:
    """The four-digit numbers of the tests that need a broker in this scenario, from the table in test.c."""
    found: dict[str, None] = {}
    table = source.split("struct test tests[] = {", 1)[1].split("{NULL}", 1)[0]
    for entry in re.findall(r"_TEST\((.*?)\),?\n(?=\s*(?:_TEST|#|/\*|\n|$))", table + "\n", re.DOTALL):
        name = entry[:4]
        if "TEST_F_LOCAL" in entry or "TEST_F_MANUAL" in entry:
            continue
        wanted = re.search(r'\.scenario\s*=\s*"([^"]*)"', entry)
        if scenario in (wanted.group(1).split(",") if wanted else ["default"]):
            found[name] = None
    return sorted(found)


def outcomes(number: str, code: int | None, output: str) -> list[Outcome]:
    """The verdicts of one process, from the summary it prints at its end."""
    text = _COLOUR.sub("", output)
    found = []
    for name, word, seconds, why in _LINE.findall(text):
        left_out = word == "SKIPPED" and ("negative test flags" in why or not why.strip())  # not for this run at all
        if name.startswith(number) and word in _VERDICTS and not left_out:
            found.append(Outcome(name, _VERDICTS[word], " ".join(why.split())[:300], float(seconds)))
    if not found and (failures := _FAILURE.findall(text)):
        found = [Outcome(name, "fail", f"{where.strip()} {why}".strip()[:300]) for name, where, why in failures[:1]]
    if not found and code != 0:
        end = "was ended after too long" if code is None else f"ended with code {code} and no summary"
        said = [line for line in text.splitlines() if line.strip()][-1:]
        found = [Outcome(number, "fail", f"{end}: {' '.join(said)[:240]}")]
    return found


def concerned(source: str, wanted: Sequence[str]) -> list[str]:
    """Those without the tests of share consumers and of the mock broker."""
    of_brokers = set(re.findall(r"_TEST\((\d{4})_(?!share_consumer|\w+_(?:mock|local)\b)", source))
    return [number for number in wanted if number in of_brokers]


def tidy(bootstrap: str) -> None:
    """Deletes what a failed test left behind: 0033's expressions match the topics of its last run."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    left = [name for name in admin.list_topics(timeout=60).topics if name.startswith("rdkafkatest")]
    for deleted in admin.delete_topics(left, request_timeout=60).values() if left else ():
        deleted.exception(90)


def runner(
    arguments: Sequence[str] = (),
    scenario: str = "default",
    env: Mapping[str, str] | None = None,
    *,
    mode: bool = False,
) -> Callable[[Trial], list[Outcome]]:
    """A suite's `run`: the runner with these arguments."""

    def run(trial: Trial) -> list[Outcome]:
        tests = prepare()
        conf = trial.folder / "test.conf"
        conf.write_text(
            f"bootstrap.servers={trial.bootstrap}\nbroker.address.family=v4\n"
            "test.timeout.multiplier=3\ntest.topic.random=true\n"
        )
        source = (tests / "test.c").read_text()
        wanted = trial.only.split(",") if trial.only else numbers(source, scenario)
        if mode:
            wanted = concerned(source, wanted)
        if not trial.full and not trial.only:
            wanted = [n for n in wanted if n in SHORT]
        environment = {
            "RDKAFKA_TEST_CONF": str(conf),
            "TEST_KAFKA_VERSION": KAFKA_VERSION,
            "TEST_SCENARIO": scenario,
            "KAFKA_PATH": str(shims(trial.folder / "kafka")),
            "BROKERS": trial.bootstrap,
            "LD_LIBRARY_PATH": f"{tests.parent}/src:{tests.parent}/src-cpp",
            "LD_PRELOAD": str(one_replica()),
            "PATH": f"{trial.folder / 'kafka' / 'bin'}:{os.environ['PATH']}",
            **(env or {}),
        }

        def one(number: str) -> list[Outcome]:
            command = ["./test-runner", "-L", "-p1", *arguments, *(() if trial.full else ("-Q",))]
            code, output = call(
                command, trial.log(f"librdkafka-{number}"), TEST_TIMEOUT_S, tests, {**environment, "TESTS": number}
            )
            return outcomes(number, code, output)

        with ThreadPoolExecutor(AT_ONCE) as pool:
            last_first = wanted[::-1]  # the longest have the highest numbers
            found = dict(zip(last_first, pool.map(one, last_first), strict=True))
        for number in [n for n, said in found.items() if any(o.verdict == "fail" for o in said)]:
            tidy(trial.bootstrap)
            found[number] = one(number)
        return [outcome for number in wanted for outcome in found[number]]

    return run


#: Four partitions are what librdkafka's own clusters have; 0173 waits for locks of 3 s, below Kafka's default minimum; 0102 and
#: 0113 have two consumers join in a group's first rebalance, for which the broker has to wait, as Kafka does by default. 0081,
#: 0109, 0115 and 0119 add ACLs, and everybody else needs none.
_SETTINGS = {
    "num.partitions": "4",
    "group.share.min.record.lock.duration.ms": "1000",
    "group.initial.rebalance.delay.ms": "3000",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
_TITLE = f"librdkafka {VERSION}, `tests/`"
SUITES = (
    Suite("librdkafka", _TITLE, "all tests that need a broker", runner(), prepare, _SETTINGS),
    Suite(
        "librdkafka-idempotent", _TITLE, "the same with every producer idempotent (`-P`); without share consumers and mocks",
        runner(["-P"], mode=True), prepare, _SETTINGS,
    ),
    Suite(
        "librdkafka-consumer", _TITLE, "the same with `group.protocol=consumer` (KIP-848); without share consumers and mocks",
        runner(env={"TEST_CONSUMER_GROUP_PROTOCOL": "consumer"}, mode=True), prepare, _SETTINGS,
    ),
    Suite(
        "librdkafka-noautocreate", _TITLE, "those that want a broker which creates no topics by itself",
        runner(scenario="noautocreate"), prepare, {**_SETTINGS, "auto.create.topics.enable": "false"},
    ),
)  # fmt: skip
