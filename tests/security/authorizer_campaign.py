"""Random rules and requests: the authorizer must say what the model says.

    python -m tests.security.authorizer_campaign [--pairs 1000000] [--seed 1]

Names, principals, hosts and operations are drawn from few, so that rules overlap all the time. One set of rules answers
some requests, is changed by a few rules, and answers others: so what was kept from before a change would show.
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from ottla.protocol.stored.metadata import AccessControlEntryRecord
from ottla.security import acl as a
from ottla.security.acl import Acl, acl_of_record
from ottla.security.authorizer import Authorizer
from ottla.security.principal import Principal

from . import acl_model

NAMES = ["a", "ab", "abc", "abcd", "b", "ba", "hardcode", "hard", "*", "!", "a*", "ä", "kafka-cluster"]
PRINCIPALS = ["User:alice", "User:bob", "User:*", "Group:alice", "User:al"]
ASKING = ["User:alice", "User:bob", "Group:alice", "User:eve", "User:root"]
HOSTS = ["10.0.0.1", "10.0.0.2", "*", "0:0:0:0:0:0:0:1"]
ASKED_FROM = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "0:0:0:0:0:0:0:1"]
KINDS = [a.TOPIC, a.TOPIC, a.GROUP, a.CLUSTER, a.TRANSACTIONAL_ID, a.DELEGATION_TOKEN, a.USER]
OPERATIONS = list(range(a.ALL, a.TWO_PHASE_COMMIT + 1))


def record(chance: Random, identity: bytes) -> AccessControlEntryRecord:
    """Make a random rule."""
    return AccessControlEntryRecord(
        id=identity,
        resource_type=chance.choice(KINDS),
        resource_name=chance.choice(NAMES),
        pattern_type=chance.choice([a.LITERAL, a.PREFIXED]),
        principal=chance.choice(PRINCIPALS),
        host=chance.choice(HOSTS),
        operation=chance.choice(OPERATIONS),
        permission_type=chance.choice([a.ALLOW, a.ALLOW, a.DENY]),
    )


def run(pairs: int, seed: int) -> list[str]:
    """Compare so many times; returns what differed."""
    chance = Random(seed)
    found: list[str] = []
    done = 0
    while done < pairs:
        supers = ["User:root"] if chance.random() < 0.7 else []
        is_open = chance.random() < 0.3
        authorizer = Authorizer(supers, allow_if_no_acl=is_open)
        records: dict[bytes, AccessControlEntryRecord] = {}
        for _ in range(chance.randrange(6)):
            for _ in range(chance.randrange(8)):
                identity = chance.randbytes(16)
                records[identity] = record(chance, identity)
            for gone in chance.sample(sorted(records), min(len(records), chance.randrange(4))):
                del records[gone]
            authorizer.update(dict(records))
            acls = [acl_of_record(each) for each in records.values()]
            for _ in range(60):
                done += 1
                _compare(chance, authorizer, acls, supers, is_open, found)
    return found


def _compare(
    chance: Random, authorizer: Authorizer, acls: list[Acl], supers: list[str], is_open: bool, found: list[str]
) -> None:
    who, host, kind = chance.choice(ASKING), chance.choice(ASKED_FROM), chance.choice(KINDS)
    operation = chance.choice(OPERATIONS)
    access = authorizer.access(Principal.parse(who), host)
    if chance.random() < 0.1:
        expected = acl_model.may_somewhere(acls, supers, is_open, who, host, operation, kind)
        got, name = access.may_somewhere(operation, kind), "(any)"
    else:
        name = chance.choice([*NAMES, "abx", "c", "ab*"])
        expected = acl_model.may(acls, supers, is_open, who, host, operation, kind, name)
        got = access.may(operation, kind, name)
    if got != expected:
        found.append(f"{who} from {host}, {a.OPERATIONS[operation]} {a.RESOURCE_TYPES[kind]} {name}: {got}, {acls}")


def main(arguments: list[str]) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.authorizer_campaign")
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    found = run(options.pairs, options.seed)
    print(f"{options.pairs} pairs of rules and request, {len(found)} differences, {time.monotonic() - began:.0f} s")
    for line in found[:10]:
        print(line)
    return min(len(found), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
