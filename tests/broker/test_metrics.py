"""Counters: one place for every API key, and nothing computed where it happens."""

from __future__ import annotations

from ottla.broker.metrics import Metrics
from ottla.protocol.apis import API_KEYS


def test_there_is_a_place_for_every_api_key() -> None:
    metrics = Metrics()
    for key in API_KEYS:
        metrics.requests_by_key[key] += 1
    assert metrics.requests == len(API_KEYS)


def test_brokers_do_not_share_their_counters() -> None:
    one, two = Metrics(), Metrics()
    one.requests_by_key[0] += 1
    assert two.requests == 0
