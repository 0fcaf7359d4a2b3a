"""Rates and buckets are Apache Kafka's: its own classes are given the same events."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from ottla.broker.quotas.rates import SampledRate, TokenBucket, Windows
from tests.support.jars import KAFKA, class_path, jars
from tests.support.requires import requires

PROGRAM = Path(__file__).resolve().parents[2] / "java" / "Rates.java"
EVENTS = 3000
BOUND = 1000.0


@pytest.mark.java
@pytest.mark.slow
def test_the_same_events_make_the_same_rates_windows_and_tokens() -> None:
    requires("java", "mvn")
    chance = random.Random(20261121)
    now_ms, events = 1_700_000_000_000, []
    for _ in range(EVENTS):
        now_ms += chance.choice([0, 1, 17, 400, 999, 1000, 1001, 2500, chance.randrange(40_000)])
        events.append((now_ms, chance.choice([0, 1, 500, 3000, chance.randrange(30_000)])))
    command = ["java", "-cp", class_path(jars("kafka", KAFKA)), str(PROGRAM), "11", "1000", str(BOUND)]
    done = subprocess.run(
        command, input="".join(f"{at} {value}\n" for at, value in events), capture_output=True, text=True, check=True
    )
    rate, bucket = SampledRate(Windows()), TokenBucket(Windows())
    for (at, value), line in zip(events, done.stdout.splitlines(), strict=True):
        rate.record(value, at)
        bucket.take(value, BOUND, at)
        theirs = [float(word) for word in line.split()]
        assert [rate.rate(at), rate.window_ms(at), bucket.tokens(BOUND, at)] == pytest.approx(theirs)
