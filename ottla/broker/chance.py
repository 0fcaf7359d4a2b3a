"""Where the broker gets chance from."""

from __future__ import annotations

import random

#: Topic ids and cluster ids must not be guessable from earlier ones, so the system's source.
RANDOM = random.SystemRandom()
