"""What the Python drivers share: the command line and the events. Runs on any Python >= 3.8, in the venv of an old client.

    produce BOOTSTRAP FILE CODEC TOPIC [CODEC TOPIC]...    every line of FILE is the value of one record, in order
    consume BOOTSTRAP TOPIC COUNT FILE [TOPIC COUNT FILE]...   reads COUNT records of partition 0, writes value and newline
    group BOOTSTRAP TOPIC GROUP    joins; tells events on stdout as JSON lines until a line arrives on stdin; commits, leaves
    admin BOOTSTRAP TOPIC          create, describe, alter, grow, delete; one JSON line a step
    version

The same command line is spoken by the drivers in Java, Go and JavaScript beside this folder. Events of `group`:
{"assigned": [0, 2]} (the whole present assignment), {"record": [partition, offset]}, {"committed": true}, {"closed": true}.
"""

from __future__ import annotations

import json
import select
import sys
import time

SESSION_TIMEOUT_MS = 10_000
DEADLINE_S = 20.0  # how long a driver waits for what must come


def lines(path):
    """The lines of a file without their newlines, one at a time."""
    with open(path, "rb") as source:
        for line in source:
            yield line.rstrip(b"\n")


def event(**fields):
    """One JSON line on stdout, at once."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def asked_to_stop():
    """Whether the matrix wrote a line, or is gone."""
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)


class Late(Exception):
    """What must come did not come."""


class Deadline:
    """Fails when nothing has moved for DEADLINE_S."""

    def __init__(self):
        self.last = time.monotonic()

    def moved(self):
        self.last = time.monotonic()

    def check(self, what):
        if time.monotonic() - self.last > DEADLINE_S:
            raise Late("nothing for %d s: %s" % (DEADLINE_S, what))


def until(what, condition, seconds=15.0):
    """Polls until the condition holds: metadata of a new or deleted topic reaches a client a moment later."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Late(what)
        time.sleep(0.1)


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError("%s: got %r, wanted %r" % (what, got, wanted))


def steps(*named):
    """Runs the admin steps in order; the first failure ends them."""
    for name, step in named:
        try:
            step()
        except Exception as error:
            event(step=name, error="%s: %s" % (type(error).__name__, error))
            sys.exit(1)
        event(step=name)


def main(client):
    """`client` is a module with version, produce, consume, group, admin."""
    command, *rest = sys.argv[1:]
    if command == "version":
        print(client.version())
    elif command == "produce":
        bootstrap, path, *pairs = rest
        for codec, topic in zip(pairs[::2], pairs[1::2]):
            client.produce(bootstrap, topic, codec, path)
            event(produced=topic)
    elif command == "consume":
        bootstrap, *triples = rest
        for topic, count, path in zip(triples[::3], triples[1::3], triples[2::3]):
            with open(path, "wb", buffering=1 << 20) as sink:
                client.consume(bootstrap, topic, int(count), sink)
            event(consumed=topic)
    elif command == "group":
        client.group(*rest)
    elif command == "admin":
        client.admin(*rest)
    else:
        sys.exit("unknown command " + command)
