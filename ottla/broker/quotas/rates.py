"""How fast something goes: the sampled rate and the token bucket that Kafka measures quotas with.

A `SampledRate` keeps a sum per `window_ms` and looks back on `samples` of them. Its window is as long as the samples
kept are old, and never shorter than `samples - 1` windows, so that a client that begins may send at once what it may send
in that time, and then has to wait:

    samples   |  s0  |  s1  |  s2  | … | s9  | s10 (fills)       window = now - start of s0
                                                   ▲ now         rate   = sum / window

    wait      until the same sum, over a longer window, is the bound:  (rate - bound) / bound * window

The defaults, 11 samples of 1 s, look back on 10 to 11 seconds. A `TokenBucket` fills with `bound` tokens a second up to
`samples` windows' worth; what is taken may bring it below zero, and who finds it there waits until it is not.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Windows(NamedTuple):
    """How many samples a quota looks back on, and how long each is (`quota.window.*`)."""

    samples: int = 11
    window_ms: float = 1000.0

    @property
    def lookback_ms(self) -> float:
        """The shortest time a rate is taken over."""
        return max((self.samples - 1) * self.window_ms, 1.0)


class _Sample:
    __slots__ = ("last_ms", "start_ms", "total")

    def __init__(self, now_ms: float) -> None:
        self.start_ms = now_ms
        self.last_ms = now_ms
        self.total = 0.0


class SampledRate:
    """Something per second, over the last samples."""

    __slots__ = ("_samples", "_windows")

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._samples: deque[_Sample] = deque()

    def record(self, value: float, now_ms: float) -> None:
        """Count `value` as having happened now."""
        samples = self._samples
        if not samples or now_ms - samples[-1].start_ms >= self._windows.window_ms:
            samples.append(_Sample(now_ms))
            if len(samples) > self._windows.samples + 1:
                samples.popleft()
        current = samples[-1]
        current.total += value
        current.last_ms = now_ms

    def _forget(self, now_ms: float) -> None:
        """Drop samples in which nothing happened within the time looked back on."""
        samples = self._samples
        age_ms = self._windows.samples * self._windows.window_ms
        while samples and now_ms - samples[0].last_ms >= age_ms:
            samples.popleft()

    def window_ms(self, now_ms: float) -> float:
        """Return the length of time that `rate` is taken over."""
        self._forget(now_ms)
        length, least = self._windows.window_ms, self._windows.samples - 1
        elapsed = now_ms - self._samples[0].start_ms if self._samples else 0.0
        full = int(elapsed / length)
        if full < least:
            elapsed += (least - full) * length
        return max(elapsed, 1.0)

    def rate(self, now_ms: float) -> float:
        """Return how much per second."""
        window_ms = self.window_ms(now_ms)
        return sum(sample.total for sample in self._samples) / window_ms * 1000

    def throttle_ms(self, bound: float, now_ms: float) -> int:
        """Return how long to wait until the rate is within `bound`; 0 if it is."""
        rate = self.rate(now_ms)
        if rate <= bound:
            return 0
        return round((rate - bound) / bound * self.window_ms(now_ms))


class TokenBucket:
    """Tokens that come with time; who takes more than there are, leaves a debt (KIP-599)."""

    __slots__ = ("_last_ms", "_tokens", "_windows")

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._tokens: float | None = None
        self._last_ms = 0.0

    def tokens(self, bound: float, now_ms: float) -> float:
        """Return what is there, after the bucket was filled for the time that passed."""
        burst = self._windows.samples * self._windows.window_ms / 1000 * bound
        before = burst if self._tokens is None else self._tokens
        self._tokens = min(burst, before + bound * (now_ms - self._last_ms) / 1000)
        self._last_ms = now_ms
        return self._tokens

    def take(self, value: float, bound: float, now_ms: float) -> None:
        """Take tokens, be they there or not; a negative value gives some back."""
        self._tokens = self.tokens(bound, now_ms) - value

    def throttle_ms(self, bound: float, now_ms: float) -> int:
        """Return how long to wait until there is no debt; 0 if there is none."""
        tokens = self.tokens(bound, now_ms)
        return round(-tokens / bound * 1000) if tokens < 0 else 0
