"""Apache Kafka's console tools (kafka-tools), wrapped into the drivers' command line. OTTLA_JARS names the folder of jars."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading

import driver

TOOLS = {
    "producer": "org.apache.kafka.tools.ConsoleProducer",
    "consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
}


def version():
    return re.search(r"kafka-tools-([\d.]+)\.jar", " ".join(os.listdir(os.environ["OTTLA_JARS"]))).group(1)


def java(tool, *arguments):
    return [
        "java",
        "-Xmx512m",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        os.environ["OTTLA_JARS"] + "/*",
        TOOLS[tool],
        *arguments,
    ]


def run(tool, *arguments, **options):
    options.setdefault("stdout", subprocess.PIPE)
    done = subprocess.run(java(tool, *arguments), stderr=subprocess.PIPE, check=False, timeout=1800, **options)
    said = (done.stdout or b"").decode(errors="replace")
    complaint = done.stderr.decode(errors="replace")
    if done.returncode or "Error while executing" in said or "ERROR" in complaint:
        raise RuntimeError("%s ended with %d: %s%s" % (tool, done.returncode, said[-300:], complaint[-500:]))
    return said


def produce(bootstrap, topic, codec, path):
    with open(path, "rb") as source:
        run("producer", "--bootstrap-server", bootstrap, "--topic", topic, "--compression-codec", codec, stdin=source)


def consume(bootstrap, topic, count, sink):
    sink.flush()
    where = [
        "--topic",
        topic,
        "--partition",
        "0",
        "--offset",
        "earliest",
        "--max-messages",
        str(count),
        "--timeout-ms",
        "60000",
    ]
    run("consumer", "--bootstrap-server", bootstrap, *where, stdout=sink)


def group(bootstrap, topic, group_id, assignor="range"):
    """The consumer says which records it got, not which partitions it was assigned."""
    command = java(
        "consumer", "--bootstrap-server", bootstrap, "--topic", topic, "--group", group_id, "--from-beginning"
    )
    for option in ("print.partition=true", "print.offset=true", "print.value=false"):
        command += ["--formatter-property", option]
    strategy = {"range": "RangeAssignor", "roundrobin": "RoundRobinAssignor"}[assignor]
    for option in (
        "partition.assignment.strategy=org.apache.kafka.clients.consumer." + strategy,
        "session.timeout.ms=%d" % driver.SESSION_TIMEOUT_MS,
        "heartbeat.interval.ms=500",
        "auto.commit.interval.ms=200",
    ):
        command += ["--command-property", option]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)

    def records():
        for line in child.stdout:
            found = re.match(rb"Partition:(\d+)\s+Offset:(\d+)", line)
            if found:
                driver.event(record=[int(found.group(1)), int(found.group(2))])

    reader = threading.Thread(target=records)
    reader.start()
    sys.stdin.readline()
    child.send_signal(signal.SIGTERM)  # its shutdown hook closes the consumer, which commits and leaves
    child.wait(30)
    reader.join()
    driver.event(closed=True)


def admin(bootstrap, topic):
    server = ("--bootstrap-server", bootstrap)
    one = (*server, "--entity-type", "topics", "--entity-name", topic)

    def described(wanted):
        return "PartitionCount: %d" % wanted in run("topics", *server, "--describe", "--topic", topic)

    def create():
        run("topics", *server, "--create", "--topic", topic, "--partitions", "3", "--config", "retention.ms=3600000")

    def describe():
        driver.until("3 partitions", lambda: described(3))
        driver.expect("retention.ms", "retention.ms=3600000" in run("configs", *one, "--describe"), True)

    def alter():
        run("configs", *one, "--alter", "--add-config", "retention.ms=7200000")
        driver.until("retention.ms=7200000", lambda: "retention.ms=7200000" in run("configs", *one, "--describe"))

    def grow():
        run("topics", *server, "--alter", "--topic", topic, "--partitions", "5")
        driver.until("5 partitions", lambda: described(5))

    def groups():
        run("groups", *server, "--list")

    def delete():
        run("topics", *server, "--delete", "--topic", topic)
        driver.until("gone", lambda: topic not in run("topics", *server, "--list").split())

    driver.steps(
        ("create", create),
        ("describe", describe),
        ("alter", alter),
        ("grow", grow),
        ("groups", groups),
        ("delete", delete),
    )


if __name__ == "__main__":
    driver.main(sys.modules[__name__])
