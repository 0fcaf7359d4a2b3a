"""The API table and the modules it names."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pkgutil import iter_modules

import pytest

from ottla.protocol import apis
from ottla.protocol.apis import API_KEYS, request_class, response_class


def test_table_and_folder_name_the_same_modules() -> None:
    assert {api.module for api in API_KEYS.values()} == {module.name for module in iter_modules(apis.__path__)}


@pytest.mark.parametrize("key", API_KEYS)
def test_module_declares_what_the_table_says(key: int) -> None:
    request, response = request_class(key), response_class(key)
    assert request.API_KEY == response.API_KEY == key
    assert (request.VERSIONS, request.FLEXIBLE) == (response.VERSIONS, response.FLEXIBLE)
    doc = import_module(request.__module__).__doc__
    assert doc is not None
    assert doc.startswith(f"{API_KEYS[key].name} (key {key}): ")


def test_unknown_key_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        request_class(4)


@pytest.mark.slow
def test_table_is_read_without_importing_an_api() -> None:
    code = "import sys, ottla.protocol.apis, ottla.protocol.framing; print(sum('protocol.apis.' in m for m in sys.modules))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "0"
