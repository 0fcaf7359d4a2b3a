"""Jars from Maven Central, for the tests that use Apache Kafka's own classes as oracle, peer or client.

`jars("kafka", KAFKA)` gives the folder that holds the named artifacts and all they need. Maven resolves them once into
`~/.cache/ottla-tests/jars-NAME-HASH` (the hash is that of the artifacts, so another version is another folder); every later
call is one look at a marker file. Nothing is ever downloaded by hand: `mvn dependency:copy-dependencies` with a pom that is
written here, so that mirrors and proxies of the user's Maven settings apply.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("OTTLA_TESTS_CACHE") or Path.home() / ".cache" / "ottla-tests")
KAFKA_VERSION = "4.2.1"
KAFKA_OLD_VERSION = "2.8.2"
LOG4J = "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"

#: The broker, the console tools and the clients of Apache Kafka.
KAFKA = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}", LOG4J)


def kafka_of(version: str) -> tuple[str, ...]:
    """The broker of another version of Apache Kafka; its own logging is among what it needs."""
    if version == KAFKA_VERSION:
        return KAFKA
    tools = (f"org.apache.kafka:kafka-tools:{version}",) if int(version.split(".")[0]) >= 3 else ()
    return (f"org.apache.kafka:kafka_2.13:{version}", *tools)


#: The Java client alone: the newest line, and the oldest that Kafka 4 itself still speaks with.
CLIENTS = (f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}", "org.slf4j:slf4j-nop:1.7.36")
CLIENTS_OLD = (f"org.apache.kafka:kafka-clients:{KAFKA_OLD_VERSION}", "org.slf4j:slf4j-nop:1.7.36")

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>ottla.tests</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
{dependencies}
</dependencies></project>
"""


def _dependency(coordinate: str) -> str:
    group, artifact, version, *classifier = coordinate.split(":")
    extra = f"<classifier>{classifier[0]}</classifier>" if classifier else ""
    return (
        f" <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version>{extra}</dependency>"
    )


def jars(name: str, coordinates: tuple[str, ...]) -> Path:
    """The folder with the runtime jars of `coordinates` (group:artifact:version[:classifier])."""
    digest = hashlib.sha256("\n".join(coordinates).encode()).hexdigest()[:12]
    folder = CACHE / f"jars-{name}-{digest}"
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"jars-{name}-", dir=CACHE))
    try:
        pom = work / "pom.xml"
        pom.write_text(_POM.format(name=name, dependencies="\n".join(map(_dependency, coordinates))))
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
        made = subprocess.run(
            [*command, f"-DoutputDirectory={work / 'libs'}"], capture_output=True, text=True, check=False
        )
        if made.returncode:
            raise RuntimeError(
                f"Maven could not fetch {', '.join(coordinates)}:\n{made.stdout[-2000:]}{made.stderr[-2000:]}"
            )
        try:
            (work / "libs").rename(folder)  # in one step: a second process that resolves meanwhile sees all or nothing
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


def class_path(folder: Path) -> str:
    """`folder` as Java's -cp argument."""
    return f"{folder}/*"
