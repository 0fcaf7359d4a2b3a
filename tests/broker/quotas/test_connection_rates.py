"""Connections a second, in virtual time."""

from __future__ import annotations

from ottla.broker.quotas.connection_rates import ADDRESSES_MAX, ADMITTED, ConnectionRates
from ottla.broker.quotas.rates import Windows

IP_DEFAULT = ((("ip", None),), {"connection_creation_rate": 1.0})


def rates(*quotas: tuple[tuple[tuple[str, str | None], ...], dict[str, float]]) -> ConnectionRates:
    made = ConnectionRates(Windows())
    made.update_addresses(dict(quotas), {"host.example": "10.0.0.9"})
    return made


def test_without_quotas_nobody_is_looked_at() -> None:
    made = rates()
    assert not made.active
    made.update_listeners(5, {})
    assert made.active
    made.update_listeners(None, {})
    assert not made.active


def test_an_address_has_its_own_rate_or_the_default_one() -> None:
    made = rates(IP_DEFAULT, ((("ip", "10.0.0.1"),), {"connection_creation_rate": 2.0}))
    held = {address: [made.admit("L", address, 0).hold_ms for _ in range(12)] for address in ("10.0.0.1", "10.0.0.2")}
    assert held["10.0.0.1"] == [0] * 12
    assert held["10.0.0.2"] == [0] * 10 + [1000, 2000]


def test_a_host_name_stands_for_its_address() -> None:
    made = rates(((("ip", "host.example"),), {"connection_creation_rate": 1.0}))
    assert [made.admit("L", "10.0.0.9", 0).hold_ms for _ in range(11)][-1] == 1000
    assert made.admit("L", "10.0.0.1", 0) == ADMITTED


def test_far_too_many_are_refused_and_do_not_count() -> None:
    made = rates(IP_DEFAULT)
    admissions = [made.admit("L", "10.0.0.1", 0) for _ in range(100)]
    assert [a.refused for a in admissions] == [False] * 20 + [True] * 80
    assert admissions[19].hold_ms == 10_000
    assert admissions[20].hold_ms == 1000


def test_listener_and_broker_have_rates_of_their_own() -> None:
    made = rates()
    made.update_listeners(3, {"L": 1})
    assert [made.admit("L", "a", 0).hold_ms for _ in range(11)][-1] == 1000
    assert [made.admit("M", "a", 0).hold_ms for _ in range(20)][-1] == 333, "31 connections where 30 may be"


def test_who_comes_at_the_bound_is_admitted_at_the_bound() -> None:
    made, admitted = rates(IP_DEFAULT), 0
    for now_ms in range(0, 120_000, 50):
        admission = made.admit("L", "10.0.0.1", now_ms)
        admitted += not admission.refused and now_ms + admission.hold_ms < 120_000
    assert 110 <= admitted <= 132


def test_addresses_do_not_fill_the_memory() -> None:
    made = rates(IP_DEFAULT)
    for number in range(ADDRESSES_MAX + 5):
        made.admit("L", str(number), 0)
    assert len(made._queues) == ADDRESSES_MAX
