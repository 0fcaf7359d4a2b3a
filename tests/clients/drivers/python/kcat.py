"""kcat (librdkafka 2.0.2 in Debian 12), wrapped into the drivers' command line. It has no admin calls but the listing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading

import driver


def version():
    said = subprocess.run(["kcat", "-V"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout.decode()
    return "%s (librdkafka %s)" % re.search(r"Version (\S+).*librdkafka ([\d.]+)", said, re.S).groups()


def run(command, **options):
    done = subprocess.run(["kcat", *command], stderr=subprocess.PIPE, check=False, **options)
    if done.returncode:
        raise RuntimeError("kcat ended with %d: %s" % (done.returncode, done.stderr.decode(errors="replace")[-500:]))
    return done


def produce(bootstrap, topic, codec, path):
    with open(path, "rb") as source:
        run(["-P", "-b", bootstrap, "-t", topic, "-z", codec, "-X", "enable.idempotence=true"], stdin=source)


def consume(bootstrap, topic, count, sink):
    sink.flush()
    run(
        ["-C", "-q", "-b", bootstrap, "-t", topic, "-p", "0", "-o", "beginning", "-c", str(count)],
        stdout=sink,
        timeout=600,
    )


def group(bootstrap, topic, group_id, assignor="range"):
    options = [
        "session.timeout.ms=%d" % driver.SESSION_TIMEOUT_MS,
        "heartbeat.interval.ms=500",
        "auto.offset.reset=earliest",
    ]
    options += ["partition.assignment.strategy=" + assignor, "auto.commit.interval.ms=200"]
    command = ["kcat", "-b", bootstrap, "-G", group_id, "-f", '{"record": [%p, %o]}\n', "-u"]
    for option in options:
        command += ["-X", option]
    child = subprocess.Popen([*command, topic], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def events():
        for line in child.stdout:
            driver.event(**json.loads(line))

    def rebalances():
        for line in child.stderr:
            found = re.search(r"assigned:(.*)", line.decode())
            if found:
                driver.event(assigned=[int(p) for p in re.findall(r"\[(\d+)\]", found.group(1))])
            else:
                sys.stderr.write(line.decode())

    threads = [threading.Thread(target=reader) for reader in (events, rebalances)]
    for thread in threads:
        thread.start()
    sys.stdin.readline()
    child.terminate()  # kcat commits and leaves on SIGTERM
    child.wait(30)
    for thread in threads:
        thread.join()
    driver.event(closed=True)


def admin(bootstrap, topic):
    """Only what kcat has: the listing."""

    def describe():
        said = run(["-L", "-J", "-b", bootstrap], stdout=subprocess.PIPE).stdout
        driver.expect("brokers", len(json.loads(said)["brokers"]), 1)

    driver.steps(("describe", describe))


if __name__ == "__main__":
    driver.main(sys.modules[__name__])
