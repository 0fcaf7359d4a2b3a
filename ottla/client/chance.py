"""The client's own chance: who seeds Python's shared generator neither disturbs us, nor is disturbed, nor makes all clients wait alike."""

from __future__ import annotations

from random import Random

chance = Random()
