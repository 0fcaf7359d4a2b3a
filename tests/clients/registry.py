"""The clients of the matrix: which library, which line, and how its driver is made ready and called.

Each client is one program behind one command line (drivers/python/driver.py describes it). `prepare()` makes it runnable once
and keeps what it made in ~/.cache/ottla-tests: a virtual environment for an old Python client, compiled Java classes, a Go
program, an installed package-lock. It returns the command; a missing compiler or registry raises `Missing` with the reason,
and the matrix shows that client as not run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.jars import CACHE, CLIENTS, CLIENTS_OLD, KAFKA, class_path, jars

DRIVERS = Path(__file__).parent / "drivers"
ALL_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
BUILD_TIMEOUT_S = 600


class Missing(Exception):
    """What a client needs to be built is not on this machine."""


_making = threading.Lock()


@dataclass
class Command:
    """How a driver is started."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.env}


@dataclass(frozen=True)
class Client:
    """One column of docs/clients.md."""

    name: str
    library: str
    line: str
    prepare: Callable[[], Command]
    codecs: tuple[str, ...] = ALL_CODECS
    batched: bool = True  # one process can work through many topics; the wrappers start a tool for each anyway
    tells_assignment: bool = True
    mixes: bool = True  # can share a group with members of other libraries
    admin: str = "create, describe, alter, grow, list groups, delete"


def _need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise Missing(f"{program} is not installed")
    return found


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise Missing(f"{' '.join(command[:4])} failed: {(done.stderr or done.stdout).strip()[-300:]}")


def _digest(*parts: Path | str) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part.read_bytes() if isinstance(part, Path) else part.encode())
    return found.hexdigest()[:12]


def _made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, made by `make` in a temporary place and moved there, unless it exists."""
    with _making:
        if folder.exists():
            return folder
        work = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            make(work)
            work.rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _python(driver: str) -> Callable[[], Command]:
    return lambda: Command([sys.executable, str(DRIVERS / "python" / driver)], {"PYTHONWARNINGS": "ignore"})


def _interpreter(*versions: str) -> str:
    """A Python of one of these versions: from the path, pyenv or uv."""
    for version in versions:
        candidates = [shutil.which(f"python{version}")]
        candidates += [str(p) for p in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
        for candidate in filter(None, candidates):
            if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
                return candidate
    raise Missing(f"needs Python {' or '.join(versions)}")


def _old_python(driver: str, versions: tuple[str, ...], *packages: str) -> Callable[[], Command]:
    def prepare() -> Command:
        python = _interpreter(*versions)
        folder = CACHE / f"venv-{_digest(python, *packages)}"
        if not (folder / "ready").exists():  # a virtual environment cannot be moved, so it is made in place
            shutil.rmtree(folder, ignore_errors=True)
            _run([python, "-m", "venv", str(folder)])
            _run([str(folder / "bin" / "pip"), "install", "--quiet", "--only-binary", "confluent-kafka", *packages])
            (folder / "ready").touch()
        return Command([str(folder / "bin" / "python"), str(DRIVERS / "python" / driver)], {"PYTHONWARNINGS": "ignore"})

    return prepare


def _kcat() -> Command:
    _need("kcat")
    return Command([sys.executable, str(DRIVERS / "python" / "kcat.py")])


def _console() -> Command:
    _need("java")
    _need("mvn")
    return Command([sys.executable, str(DRIVERS / "python" / "console.py")], {"OTTLA_JARS": str(jars("kafka", KAFKA))})


def _java(name: str, coordinates: tuple[str, ...]) -> Callable[[], Command]:
    def prepare() -> Command:
        javac = _need("javac")
        _need("mvn")
        libs = class_path(jars(name, coordinates))
        source = DRIVERS / "java" / "Driver.java"
        compile_it = [javac, "-nowarn", "-cp", libs, str(source)]
        folder = CACHE / f"java-{_digest(source, *coordinates)}"
        _made_once(folder, lambda work: _run([*compile_it, "-d", str(work)]))
        return Command(["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}:{libs}", "Driver"])

    return prepare


def _go(name: str, modfile: str = "go.mod") -> Callable[[], Command]:
    def prepare() -> Command:
        go = _need("go")
        source = DRIVERS / "go" / name
        program = source / "main.go" if (source / "main.go").exists() else DRIVERS / "go" / "sarama" / "main.go"
        shared = DRIVERS / "go" / "driver"

        def make(work: Path) -> None:
            shutil.copytree(shared, work / "driver")
            shutil.copytree(source, work / name)
            if name == "sarama-old":  # the same program, with the path the library had before IBM kept it
                text = program.read_text().replace("github.com/IBM/sarama", "github.com/Shopify/sarama")
                (work / name / "main.go").write_text(text)
            _run([go, "build", f"-modfile={modfile}", "-o", str(work / "program"), "."], cwd=work / name)

        made = _made_once(CACHE / f"go-{_digest(program, shared / 'driver.go', source / modfile)}", make)
        return Command([str(made / "program")])

    return prepare


def _node(package: str) -> Callable[[], Command]:
    def prepare() -> Command:
        node, npm = _need("node"), _need("npm")
        source = DRIVERS / "node"

        def make(work: Path) -> None:
            for item in ("package.json", "package-lock.json"):
                shutil.copy(source / item, work)
            # Not `npm ci`: it demands the binaries of every other platform in the lock file too.
            _run([npm, "install", "--no-audit", "--no-fund"], cwd=work)

        made = _made_once(CACHE / f"node-{_digest(source / 'package-lock.json')}", make)
        # The driver is copied beside the modules because Node looks for those from the file's own folder upwards.
        driver = made / f"driver-{_digest(source / 'driver.js')}.js"
        shutil.copy(source / "driver.js", driver)
        return Command([node, str(driver)], {"KAFKAJS": package, "KAFKAJS_NO_PARTITIONER_WARNING": "1"})

    return prepare


CLIENT_TABLE: tuple[Client, ...] = (
    Client("kcat", "kcat", "Debian 12", _kcat, batched=False, admin="list"),
    Client("console", "Java console tools", "newest", _console, batched=False, tells_assignment=False, mixes=False),
    Client("java", "Java kafka-clients", "newest", _java("clients", CLIENTS)),
    Client("java-old", "Java kafka-clients", "old", _java("clients-old", CLIENTS_OLD)),
    Client("confluent", "confluent-kafka-python", "newest", _python("confluent.py")),
    Client(
        "confluent-old",
        "confluent-kafka-python",
        "old",
        _old_python("confluent.py", ("3.10", "3.9", "3.8"), "confluent-kafka==1.9.2"),
    ),
    Client("kafka-python", "kafka-python", "newest", _python("kafka_python.py")),
    Client(
        "kafka-python-old",
        "kafka-python",
        "old",
        _old_python(
            "kafka_python.py", ("3.11", "3.10", "3.9"), "kafka-python==2.0.2", "python-snappy", "lz4", "zstandard"
        ),
    ),
    Client("aiokafka", "aiokafka", "newest", _python("aiokafka_.py")),
    Client("franz-go", "franz-go", "newest", _go("franz")),
    Client("franz-go-old", "franz-go", "old", _go("franz", "old.mod")),
    Client("sarama", "sarama", "newest", _go("sarama")),
    # As leader the old line cannot read what newer libraries send in JoinGroup ("invalid length"), on Apache Kafka too.
    Client("sarama-old", "sarama", "old", _go("sarama-old"), mixes=False),
    Client("kafkajs", "kafkajs", "newest", _node("kafkajs")),
    Client("kafkajs-old", "kafkajs", "old", _node("kafkajs-old")),
)
