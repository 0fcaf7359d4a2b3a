"""Kafka's own message schemas, read from its jars: what our classes are compared with."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ottla.protocol.schema import Versions
from tests.support.jars import KAFKA, jars

#: The release before the old versions of many APIs were removed (KIP-896).
KAFKA_3_9 = (
    "org.apache.kafka:kafka-clients:3.9.1",
    "com.fasterxml.jackson.core:jackson-databind:2.16.2",
    "com.fasterxml.jackson.datatype:jackson-datatype-jdk8:2.16.2",
    "org.slf4j:slf4j-nop:1.7.36",
)


def kafka_4_2_jars() -> Path:
    """The folder with Apache Kafka 4.2.1."""
    return jars("kafka", KAFKA)


def kafka_3_9_jars() -> Path:
    """The folder with the clients of Apache Kafka 3.9.1 and what their JSON converters need."""
    return jars("kafka-3.9", KAFKA_3_9)


@dataclass(frozen=True)
class Theirs:
    """One schema: the JSON, and the Java package that the class made from it lives in."""

    json: dict[str, Any]
    package: str

    @property
    def name(self) -> str:
        return str(self.json["name"])

    @property
    def versions(self) -> Versions:
        return Versions.parse(self.json["validVersions"])

    @property
    def flexible(self) -> Versions:
        return Versions.parse(self.json.get("flexibleVersions", "none"))

    @property
    def java_class(self) -> str:
        """The Java class; messages and headers are called …Data there."""
        suffix = "Data" if self.json["type"] in ("request", "response", "header") else ""
        return f"{self.package}.{self.name}{suffix}"

    def struct(self, name: str) -> list[dict[str, Any]] | None:
        """The fields of a struct that the schema declares for several of its fields."""
        for common in self.json.get("commonStructs", ()):
            if common["name"] == name:
                return list(common["fields"])
        return None


#: Jar (beginning of its name) -> Java package of the classes generated from its schemas.
PACKAGES = {
    "kafka-clients": "org.apache.kafka.common.message",
    "kafka-metadata": "org.apache.kafka.common.metadata",
    "kafka-group-coordinator": "org.apache.kafka.coordinator.group.generated",
    "kafka-transaction-coordinator": "org.apache.kafka.coordinator.transaction.generated",
    "kafka-share-coordinator": "org.apache.kafka.coordinator.share.generated",
}


@cache
def schemas(folder: Path) -> dict[str, Theirs]:
    """Every schema in a folder of jars, by its name."""
    found = {}
    for jar in sorted(folder.glob("kafka-*.jar")):
        package = PACKAGES.get(re.sub(r"-\d.*", "", jar.name))
        if package is None:
            continue
        with zipfile.ZipFile(jar) as archive:
            for member in archive.namelist():
                if re.fullmatch(r"common/(message|metadata)/\w+\.json", member):
                    text = archive.read(member).decode()
                    schema = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
                    found[schema["name"]] = Theirs(schema, package)
    return found
