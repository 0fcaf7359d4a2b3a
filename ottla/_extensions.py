"""The modules that run compiled, and whether they may and do.

A hot module is a `_*_cy.py`: typed Python that Cython compiles where there is a compiler, and that runs as it is where
there is none. `HOT_MODULES` is the one list: setup.py builds it, `ottla doctor` shows it, the tests run each module in
both forms. To add one, add its line here.

The danger of two forms is to be fooled about which one runs, because an import prefers the compiled file. So
`guard()`, called when the package is imported, sees to it that the source runs

- for all modules when the environment says OTTLA_NO_EXTENSIONS=1, and
- for a module whose source is newer than its compiled form, with a line on stderr. That is looked at in a work tree
  only (setup.py lies beside the package): an installed wheel has both from one build, and no meaningful times.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

#: Module -> what it does. Order is that of `ottla doctor`.
HOT_MODULES: dict[str, str] = {
    "ottla.protocol._codec_cy": "messages: read and write",
    "ottla.protocol._produce_cy": "Produce of one batch: read and answer",
    "ottla.records._batch_cy": "record batches: checksum and check",
    "ottla.records._records_cy": "record batches: read and build",
    "ottla.client.consumer._columns_cy": "consumer: records as columns",
    "ottla.client.consumer._runs_cy": "consumer: Fetch answers into columns",
    "ottla.client.producer._append_cy": "producer: records into batches",
    "ottla.client.serde._prefixes_cy": "consumer: which schemas records have",
    "ottla.client.serde.columns._builders_cy": "consumer: Avro into columns",
    "ottla.log.cleaner._keys_cy": "compaction: the map of keys",
    "ottla.log.cleaner._rewrite_cy": "compaction: batches anew",
}

PACKAGE = Path(__file__).parent
BUILD_COMMAND = "python setup.py build_ext --inplace"


def forbidden() -> bool:
    """Whether OTTLA_NO_EXTENSIONS forbids the compiled forms."""
    return os.environ.get("OTTLA_NO_EXTENSIONS", "") not in ("", "0")


def source(name: str) -> Path:
    """The source file of a hot module."""
    return PACKAGE.parent.joinpath(*name.split(".")).with_suffix(".py")


def compiled_file(name: str) -> Path | None:
    """The compiled form that an import would find, or None."""
    for suffix in EXTENSION_SUFFIXES:
        path = source(name).with_suffix(suffix)
        if path.exists():
            return path
    return None


def stale() -> list[str]:
    """The hot modules of a work tree whose source was changed after it was compiled."""
    if not (PACKAGE.parent / "setup.py").exists():
        return []
    return [name for name in HOT_MODULES if _is_stale(name)]


def _is_stale(name: str) -> bool:
    compiled = compiled_file(name)
    return compiled is not None and compiled.stat().st_mtime < source(name).stat().st_mtime


def live() -> dict[str, bool]:
    """Hot module -> whether it runs compiled; imports each."""
    return {name: bool(importlib.import_module(name).is_compiled()) for name in HOT_MODULES}


def guard() -> None:
    """Make the source run where the compiled form must not; nothing is done where all is well."""
    names = list(HOT_MODULES) if forbidden() else stale()
    if not names:
        return
    sys.meta_path.insert(0, _SourceFinder(names))
    if not forbidden():
        sys.stderr.write(
            f"ottla: {', '.join(names)}: newer than compiled, so run as source. Rebuild: {BUILD_COMMAND}\n"
        )


class _SourceFinder:
    """Finds the source of the named modules before anything else finds their compiled form."""

    def __init__(self, names: list[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._names:
            return None
        return _source_spec(fullname, fullname)


def _source_spec(name: str, of: str) -> ModuleSpec:
    from importlib.util import spec_from_file_location

    spec = spec_from_file_location(name, source(of))
    assert spec is not None
    return spec


def load_source(name: str) -> ModuleType:
    """A second copy of a hot module that runs as source, whatever `name` itself runs as: for tests and benchmarks."""
    from importlib.util import module_from_spec

    spec = _source_spec(f"{name}_source", name)
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
