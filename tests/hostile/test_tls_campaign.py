"""A listener with TLS and SCRAM under attack, in short: `tests.hostile.tls_campaign` has the long form."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.tls_campaign import check, run

#: Deadlines that can be waited for, and a bound that 300 connections reach.
CONSTANTS = {"HANDSHAKE_DEADLINE_S": 2, "AUTHENTICATION_DEADLINE_S": 4, "NEWCOMERS_MAX": 100}


@pytest.mark.slow
def test_nobody_who_has_not_logged_in_does_harm(tmp_path: Path) -> None:
    """Slow, stormy, guessing and bombing: caps exact, all reaped, memory bounded, honest clients served."""
    found = run(tmp_path, 300, 1.0, CONSTANTS)
    print(found)
    check(found, calm=False)
    assert found.sockets_max >= CONSTANTS["NEWCOMERS_MAX"] * 0.9, "the bound was never reached"
