"""The client matrix in its short form: no client library may fail against Ottla (`docs/clients.md` is the long form)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.matrix import arguments, run
from tests.support.requires import in_ci, requires

# Clients whose absence CI forgives: librdkafka 1.9 has no wheel for the Python of a bare Debian.
OPTIONAL = {"confluent-old"}

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.java]


def test_every_client_produces_reads_groups_and_administers() -> None:
    """A small corpus by every client with every codec, each read by three others; groups; admin calls."""
    requires("kcat", "go", "node", "npm", "javac", "confluent_kafka", "kafka", "aiokafka")
    matrix = run(arguments(["--broker", "ottla", "--corpus-mb", "0.1", "--readers", "3"]))
    assert matrix.failures() == []
    missing = {r.client.name: r.missing for r in matrix.results if r.missing}
    if in_ci():
        assert set(missing) <= OPTIONAL, missing


def test_a_broken_broker_is_noticed(tmp_path: Path) -> None:
    """What a reader got is compared with the corpus: a changed, a lost and a doubled line are failures."""
    from tests.clients.matrix import CLIENT_TABLE, Matrix

    text = tmp_path / "corpus"
    text.write_bytes(b"one\ntwo\nthree\n")
    matrix = Matrix("nowhere:1", CLIENT_TABLE[:1], text, arguments([]), tmp_path)
    for content, wanted in (
        (b"one\ntwo\nthree\n", None),
        (b"one\ntwo\n", "2 lines"),
        (b"one\ntwx\nthree\n", "line 2 is b'twx"),
    ):
        got = tmp_path / "got"
        got.write_bytes(content)
        failure = matrix.compare(got)
        assert failure is None if wanted is None else failure is not None and wanted in failure
