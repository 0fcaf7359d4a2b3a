"""Who may do what, by Kafka's rules; fast, and with bounded memory."""

from __future__ import annotations

import time
from itertools import count

from ottla.protocol.stored.metadata import AccessControlEntryRecord
from ottla.security import acl as a
from ottla.security.acl import AclFilter, acl_of_record, canonical_host
from ottla.security.authorizer import ANSWERS_MAX, Authorizer
from ottla.security.principal import Principal

from .authorizer_campaign import run

ALICE = Principal("User", "alice")
HERE = "127.0.0.1"
IDS = count(1)
US_PER_TOPIC_MAX = 5.0


def rule(name: str, operation: int, **fields: object) -> AccessControlEntryRecord:
    given = {
        "id": next(IDS).to_bytes(16, "big"), "resource_type": a.TOPIC, "resource_name": name, "pattern_type": a.LITERAL,
        "principal": "User:alice", "host": "*", "operation": operation, "permission_type": a.ALLOW, **fields,
    }  # fmt: skip
    return AccessControlEntryRecord(**given)  # type: ignore[arg-type]


def with_rules(*rules: AccessControlEntryRecord, **settings: bool) -> Authorizer:
    authorizer = Authorizer(["User:root"], **settings)
    authorizer.update({each.id: each for each in rules})
    return authorizer


def test_random_rules_and_requests_are_answered_as_by_the_model() -> None:
    assert run(20_000, seed=7) == []


def test_a_denial_wins_over_any_allowance_but_not_over_a_super_user() -> None:
    authorizer = with_rules(
        rule("orders", a.READ),
        rule("*", a.ALL, permission_type=a.DENY, principal="User:*"),
        rule("ord", a.ALL, pattern_type=a.PREFIXED),
    )
    assert not authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, "orders")
    assert str(authorizer.access(ALICE, HERE).rule(a.READ, a.TOPIC, "orders")) == (
        "MatchingAcl(acl=StandardAcl(resourceType=TOPIC, resourceName=*, patternType=LITERAL, principal=User:*, "
        "host=*, operation=ALL, permissionType=DENY))"
    )
    assert str(authorizer.access(Principal("User", "root"), HERE).rule(a.READ, a.TOPIC, "orders")) == "SuperUser"


def test_a_change_of_rules_shows_at_once() -> None:
    kept, gone = rule("a", a.READ), rule("b", a.READ)
    authorizer = with_rules(kept, gone)
    assert authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, "b")
    authorizer.update({kept.id: kept})
    assert not authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, "b")
    assert authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, "a")
    assert len(authorizer) == 1


def test_one_of_two_equal_rules_may_go() -> None:
    # A log of Kafka's has no two equal ones; if one had, the other would stay.
    one, two = rule("a", a.READ), rule("a", a.READ)
    authorizer = with_rules(one, two)
    authorizer.update({two.id: two})
    assert authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, "a")
    authorizer.update({})
    assert not authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, "a")


def test_addresses_are_the_same_however_they_are_written() -> None:
    authorizer = with_rules(rule("a", a.READ, host="0:0:0:0:0:0:0:1"), rule("b", a.READ, host="10.0.0.7"))
    assert authorizer.access(ALICE, "::1").may(a.READ, a.TOPIC, "a")
    assert authorizer.access(ALICE, "::ffff:10.0.0.7").may(a.READ, a.TOPIC, "b")
    assert not authorizer.access(ALICE, "10.0.0.8").may(a.READ, a.TOPIC, "b")
    assert canonical_host("fe80::1%eth0") == "fe80::1"
    assert canonical_host("no:address") == "no:address"


def test_no_rule_for_a_resource_may_mean_yes() -> None:
    authorizer = with_rules(rule("a", a.READ, principal="User:bob"), allow_if_no_acl=True)
    assert authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, "b")
    assert not authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, "a")
    assert str(authorizer.access(ALICE, HERE).rule(a.READ, a.TOPIC, "b")) == "DefaultAllow"
    assert str(authorizer.access(ALICE, HERE).rule(a.READ, a.TOPIC, "a")) == "DefaultDeny"


def test_a_cached_principal_costs_at_most_five_microseconds_per_topic_with_10000_rules() -> None:
    names = [f"topic-{number}" for number in range(1000)]
    rules = [
        rule(names[number % 1000], a.READ if number % 3 else a.WRITE, principal=f"User:u{number}", pattern_type=3 + number % 2)
        for number in range(9_000)
    ] + [rule(name, a.READ) for name in names]  # fmt: skip
    authorizer = with_rules(*rules)
    assert all(authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, name) for name in names)
    best = min(_time(authorizer, names) for _ in range(5))
    assert best <= US_PER_TOPIC_MAX, f"{best} µs"


def _time(authorizer: Authorizer, names: list[str]) -> float:
    began = time.perf_counter()
    for name in names:
        authorizer.access(ALICE, HERE).may(a.READ, a.TOPIC, name)
    return (time.perf_counter() - began) / len(names) * 1e6


def test_what_is_kept_is_bounded() -> None:
    authorizer = with_rules(rule("a", a.READ))
    for number in range(2 * ANSWERS_MAX + 10):
        authorizer.access(Principal("User", f"u{number % 1000}"), HERE).may(a.READ, a.TOPIC, f"t{number}")
    kept = sum(len(access._answers) for access in authorizer._accesses.values()) + len(authorizer._accesses)
    assert kept <= ANSWERS_MAX
    authorizer.access(ALICE, HERE).may(a.READ, a.GROUP, "x" * 30_000)
    assert not any(len(key[2]) > 255 for key in authorizer.access(ALICE, HERE)._answers)


def test_filters_find_what_kafkas_find() -> None:
    literal, prefixed = (
        acl_of_record(rule("orders", a.READ)),
        acl_of_record(rule("ord", a.READ, pattern_type=a.PREFIXED)),
    )
    wild = acl_of_record(rule("*", a.READ, principal="User:*"))
    rules = [literal, prefixed, wild]

    def found(**fields: object) -> list[object]:
        wanted = AclFilter(**fields)  # type: ignore[arg-type]
        return [each for each in rules if wanted.matches(each)]

    assert found() == rules
    assert found(resource_name="orders", pattern_type=a.MATCH) == rules
    assert found(resource_name="ord", pattern_type=a.MATCH) == [prefixed, wild]
    assert found(resource_name="ord", pattern_type=a.ANY) == [prefixed]
    assert found(resource_name="*", pattern_type=a.LITERAL) == [wild]
    assert found(pattern_type=a.PREFIXED) == [prefixed]
    assert found(principal="User:*") == [wild]
    assert found(permission=a.DENY) == []
    assert found(operation=a.WRITE) == []
