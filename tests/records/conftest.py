"""Every test of this room that asks for `form` runs twice: on the compiled modules and on their source."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

import pytest

from ottla import _extensions
from ottla.records import _batch_cy, _records_cy, batch


class Form(NamedTuple):
    """One form of the hot modules; `batch` uses it while the test runs."""

    name: str
    batch_cy: ModuleType
    records_cy: ModuleType


@pytest.fixture(scope="session")
def forms() -> dict[str, Form]:
    """The compiled form, where it was built, and the source."""
    source = [_extensions.load_source(f"ottla.records.{name}") for name in ("_batch_cy", "_records_cy")]
    found = {"source": Form("source", *source)}
    if _batch_cy.is_compiled() and _records_cy.is_compiled():
        found["compiled"] = Form("compiled", _batch_cy, _records_cy)
    return found


@pytest.fixture(params=["compiled", "source"])
def form(request: pytest.FixtureRequest, forms: dict[str, Form], monkeypatch: pytest.MonkeyPatch) -> Iterator[Form]:
    """Makes `ottla.records.batch` run on one form."""
    if request.param not in forms:
        pytest.skip("the hot modules are not compiled here: python setup.py build_ext --inplace")
    chosen = forms[request.param]
    monkeypatch.setattr(batch, "_batch_cy", chosen.batch_cy)
    monkeypatch.setattr(batch, "_records_cy", chosen.records_cy)
    yield chosen
