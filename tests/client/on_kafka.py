"""The client's tests against another version of Apache Kafka: `python -m tests.client.on_kafka --version 3.9.1` (or 2.8.2).

The same tests that CI runs against the newest Kafka; its jars come from Maven Central, and before 3.3 it is started with its ZooKeeper. What a
version cannot do is left out by name, with the reason; `--all` runs that too. `-- WORDS` go to pytest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tests.support.kafka_jvm import VERSION_VARIABLE

FILES = ["tests/client/test_against_kafka.py", "tests/client/consumer/test_on_kafka.py"]
#: First version that can -> (words in the names of tests, why).
NEEDS: dict[tuple[int, int], list[tuple[str, str]]] = {
    (3, 3): [
        ("a_topic_made_anew", "with ZooKeeper a deleted topic is gone a while after the answer says so"),
        ("admin_sees_what_there_is", "DescribeQuorum is of KRaft"),
        ("restart_in_the_middle_of_a_group", "a killed broker's id stays taken in ZooKeeper until its session ends"),
    ],
    (3, 6): [("errors_are_kafkas_own", "message.timestamp.after.max.ms, which the test sets, is from 3.6")],
    (4, 0): [
        ("kip-848", "KIP-848 groups are switched on from 4.0"),
        ("transactions[2]", "transaction.version 2 (KIP-890) is from 4.0"),
    ],
    (4, 1): [("a_share_group", "share groups (KIP-932) are for use from 4.2")],
}


def left_out(version: str) -> list[tuple[str, str]]:
    """What this version cannot do."""
    ours = tuple(map(int, version.split(".")[:2]))
    return [each for first, rows in NEEDS.items() if ours < first for each in rows]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", required=True, help="such as 3.9.1 or 2.8.2")
    parser.add_argument("--all", action="store_true", help="what this version cannot do, too")
    parser.add_argument("words", nargs="*", help="for pytest")
    arguments = parser.parse_args()
    chosen = []
    for word, why in () if arguments.all else left_out(arguments.version):
        print(f"left out: {word!r} ({why})")
        chosen.append(word)
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--collect-only", *FILES], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    names = [line for line in collected if "::" in line and not any(word in line for word in chosen)]
    environment = {**os.environ, VERSION_VARIABLE: arguments.version}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments.words, *names], env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
