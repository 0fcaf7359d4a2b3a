"""kafka-python's own integration tests, from its source distribution on PyPI: admin, consumer and producer.

They find the broker in KAFKA_URI and leave out what needs a broker they start themselves (TLS, SASL). One wants rules to be kept,
so the broker has an authorizer under which nobody is refused.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.support.jars import CACHE

from .suite import Outcome, Suite, Trial, Unavailable, Verdict, build, call

VERSION = "3.0.12"
#: And what its tests of compression need.
PACKAGES = (
    "pytest==8.4.2",
    "pytest-mock==3.15.1",
    "pytest-timeout==2.4.0",
    "py==1.11.0",
    "lz4",
    "zstandard",
    "python-snappy",
)
FULL, SHORT = ("admin", "consumer", "producer"), ("producer",)
TIMEOUT_S, TEST_S = 1800, 240
AUTHORIZED = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "allow.everyone.if.no.acl.found": "true",
}
SERVICE = """class ExternalService:
    def __init__(self, host, port):
        pass

    def open(self):
        pass

    start = stop = dump_logs = open

    def wait_for(self, pattern, timeout=None):
        return True


class SpawnedService(ExternalService):
    pass
"""
_LINE = re.compile(r"^test/integration/(\w+)\.py::(\S.*?) (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)", re.MULTILINE)
_VERDICTS: dict[str, Verdict] = {"PASSED": "pass", "XPASS": "pass", "SKIPPED": "skip", "XFAIL": "skip"}


def prepare() -> tuple[Path, Path]:
    """The Python to run them with, and the folder of the sources."""
    folder = CACHE / f"kafka-python-{VERSION}"
    python = folder / "venv" / "bin" / "python"
    if not folder.exists():
        made = folder.with_name(f"{folder.name}.new")
        subprocess.run(["rm", "-rf", str(made)], check=True)
        made.mkdir(parents=True)
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
        ]
        build([*pip, f"kafka-python=={VERSION}", "-d", str(made)], made)
        with tarfile.open(next(made.glob("*.tar.gz"))) as archive:
            archive.extractall(made, filter="data")
        made.rename(folder)
    if not python.exists():
        build([sys.executable, "-m", "venv", str(folder / "venv")], folder)
        build([str(python), "-m", "pip", "install", "-q", *PACKAGES], folder)
    sources = next((at for at in folder.glob("kafka_python-*") if at.is_dir()), None)
    if sources is None:
        raise Unavailable("the source distribution of kafka-python holds no sources")
    # The archive lacks both: without the first `test` is Python's own package of that name, the second starts brokers.
    (sources / "test" / "__init__.py").touch()
    (sources / "test" / "service.py").write_text(SERVICE)
    return python, sources


def run(trial: Trial) -> list[Outcome]:
    """One run of what concerns a broker that is there."""
    python, sources = prepare()
    kafka_root = trial.folder / "no-kafka-here"  # a folder it looks for, though it starts nothing out of it
    kafka_root.mkdir(exist_ok=True)
    tests = [f"test/integration/test_{name}_integration.py" for name in (FULL if trial.full else SHORT)]
    only = ["-k", trial.only] if trial.only else []
    command = [
        str(python), "-m", "pytest", *tests, "-v", "--tb=short", "-p", "no:cacheprovider", "--color=no", f"--timeout={TEST_S}", *only,
    ]  # fmt: skip
    env = {
        "KAFKA_URI": f"kafka://{trial.bootstrap}",
        "KAFKA_VERSION": "4.2.0",
        "KAFKA_ROOT": str(kafka_root),
        "PYTHONPATH": str(sources),
    }
    _, output = call(command, trial.log("kafka-python"), TIMEOUT_S, sources, env)
    return outcomes(output)


def outcomes(output: str) -> list[Outcome]:
    """The verdicts in what `pytest -v` printed; an error before or after a test is a failure of it."""
    found: dict[str, Outcome] = {}
    for module, test, word in _LINE.findall(output):
        name = f"{module.removeprefix('test_').removesuffix('_integration')}: {test}"
        verdict = _VERDICTS.get(word, "fail")
        if name not in found or verdict == "fail":
            found[name] = Outcome(name, verdict, _why(output, test) if verdict == "fail" else "")
    return list(found.values()) or [Outcome("(the whole run)", "fail", output.strip()[-300:])]


def _why(output: str, test: str) -> str:
    """The line of pytest's summary that says what was wrong."""
    said = re.search(rf"^(?:FAILED|ERROR) \S+::{re.escape(test)} - (.*)$", output, re.MULTILINE)
    return said.group(1)[:300] if said else ""


SUITES = (
    Suite(
        "kafka-python",
        f"kafka-python {VERSION}",
        "its integration tests: admin, consumer, producer",
        run,
        prepare,
        {**AUTHORIZED, "num.partitions": "4", "group.min.session.timeout.ms": "1000"},
    ),
)
