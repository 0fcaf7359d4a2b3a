"""Rates and buckets, in virtual time."""

from __future__ import annotations

from ottla.broker.quotas.rates import SampledRate, TokenBucket, Windows

WINDOWS = Windows(samples=11, window_ms=1000)


def test_who_begins_may_send_at_once_what_it_may_in_ten_seconds() -> None:
    rate = SampledRate(WINDOWS)
    rate.record(10_000, 0)
    assert rate.throttle_ms(1000, 0) == 0
    rate.record(1, 0)
    assert rate.throttle_ms(1000, 0) == 1


def test_the_wait_is_what_brings_the_rate_down_to_the_bound() -> None:
    rate = SampledRate(WINDOWS)
    rate.record(15_000, 0)
    assert rate.throttle_ms(1000, 0) == 5000
    assert rate.rate(5000) == 1500, "the window is ten seconds until there is more to look back on"


def test_what_is_longer_ago_than_all_samples_is_forgotten() -> None:
    rate = SampledRate(WINDOWS)
    rate.record(15_000, 0)
    assert rate.rate(10_999) > 0
    assert rate.rate(11_000) == 0


def test_what_is_taken_back_does_not_count() -> None:
    rate = SampledRate(WINDOWS)
    rate.record(15_000, 0)
    rate.record(-15_000, 0)
    assert rate.throttle_ms(1000, 0) == 0


def test_a_client_that_keeps_to_its_waits_goes_at_its_bound() -> None:
    rate, now_ms, sent = SampledRate(WINDOWS), 0.0, 0
    while now_ms < 120_000:
        rate.record(700, now_ms)
        sent += 700
        now_ms += 1 + rate.throttle_ms(1000, now_ms)
    assert 0.95 < sent / 120_000 < 1.1


def test_a_full_bucket_lets_a_burst_through_and_then_its_bound() -> None:
    bucket = TokenBucket(WINDOWS)
    bucket.take(55, 5, 0)
    assert bucket.throttle_ms(5, 0) == 0
    bucket.take(10, 5, 0)
    assert bucket.throttle_ms(5, 0) == 2000
    assert bucket.throttle_ms(5, 2000) == 0
    assert bucket.tokens(5, 60_000) == 55, "it holds no more than all samples"
