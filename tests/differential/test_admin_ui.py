"""What web consoles (kafbat-ui, AKHQ, Redpanda Console) ask through Kafka's admin client, and what their buttons do.

`tests/java/AdminUi.java` plays one session of such a console on each broker and prints a line per thing it was told. The lines must
be the same, but for what a broker invents (ids, ports, folders), for texts in our own words, and for the few in `ON_PURPOSE`.

    python -m tests.differential.test_admin_ui          starts both, prints what differs
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.support.jars import KAFKA, class_path, jars

from .test_kafka import new_kafka, new_ottla

SOURCE = Path(__file__).resolve().parent.parent / "java" / "AdminUi.java"
LINES_MIN = 1000
SESSION_S = 600
_MASKS = (
    (r"127\.0\.0\.1:\d+", "HOST"),
    (r"/tmp/[^,;) \]]*", "FOLDER"),
    (r"ui-reader-[0-9a-f-]{36}", "MEMBER"),
    (r"memberId=[\w-]{22}\b", "memberId=MEMBER"),
    (r", documentation=.*", ""),
    (r"TimeoutException: .*", "TimeoutException"),
    (r"(\w+Exception): .*?([})]|$)", r"\1\2"),  # texts are in our words
)
#: Lines that may stand on one side alone, and why.
ON_PURPOSE = (
    (r"ConfigEntry\(name=ottla\.", "Ottla's own settings"),
    (r"ConfigEntry\(name=(listeners|advertised\.listeners|controller\.\w+\.\w+|inter\.broker\.\w+\.\w+|process\.roles|log\.dirs?|node\.id),", "what each was started with"),
    (r"ConfigEntry\(name=errors\.deadletterqueue\.", "KIP-1191 is newer than 4.2"),
    (r"ConfigEntry\(name=streams\.initial\.rebalance\.delay\.ms", "known.py: a group shows what its broker sets"),
    (r"^config: loggers", "each has its own root level"),
)  # fmt: skip


def session(bootstrap: str) -> Counter[str]:
    """The masked lines of one session, as a set: tools print out of hash maps."""
    libs = class_path(jars("kafka", KAFKA))
    with tempfile.TemporaryDirectory(prefix="ottla-ui-") as folder:
        subprocess.run(["javac", "-nowarn", "-Xlint:none", "-cp", libs, "-d", folder, str(SOURCE)], check=True, capture_output=True)  # fmt: skip
        command = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}:{libs}", "AdminUi", bootstrap]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SESSION_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if not re.match(r"\d\d:\d\d:\d\d", line)]  # the client's own log
    return Counter(map(masked, lines))


def masked(line: str) -> str:
    """The line without what differs from broker to broker; lists that come in any order are sorted."""
    for pattern, text in _MASKS:
        line = re.sub(pattern, text, line)
    line = re.sub(r"ui-orders-\d(?:,ui-orders-\d)+", lambda found: ",".join(sorted(found[0].split(","))), line)
    return re.sub(
        r"authorizedOperations=\[([^]]*)\]", lambda found: f"ops={', '.join(sorted(found[1].split(', ')))}", line
    )


def differences(kafka: Counter[str], ottla: Counter[str]) -> list[str]:
    """Lines of one side alone that are not on purpose."""
    alone = [f"Apache Kafka: {line}" for line in kafka - ottla] + [f"Ottla: {line}" for line in ottla - kafka]
    return [line for line in alone if not any(re.search(known, line.split(": ", 1)[1]) for known, _ in ON_PURPOSE)]


def play(folder: Path) -> tuple[list[str], int]:
    """Both sessions: what differs, and how many lines Kafka's had."""
    with new_ottla(folder / "ottla") as ottla:
        ottla.wait_ready()
        of_ottla = session(ottla.bootstrap)
    with new_kafka(folder / "kafka") as kafka:
        of_kafka = session(kafka.bootstrap)
    return differences(of_kafka, of_ottla), of_kafka.total()


@pytest.mark.java
@pytest.mark.slow
def test_a_web_console_is_told_the_same(tmp_path: Path) -> None:
    found, lines = play(tmp_path)
    assert found == []
    assert lines >= LINES_MIN


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="ottla-ui-") as work:
        print("\n".join(play(Path(work))[0]))
    sys.exit(0)
