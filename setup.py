"""Builds the hot modules with Cython where there is a compiler; without one the package installs and runs all the same.

Which modules: `HOT_MODULES` in ottla/_extensions.py, the one list. OTTLA_NO_EXTENSIONS=1 builds none.
In the work tree: `.venv/bin/python setup.py build_ext --inplace`.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

from setuptools import Extension, setup

HERE = Path(__file__).parent
HOT_MODULES: dict[str, str] = runpy.run_path(str(HERE / "ottla" / "_extensions.py"))["HOT_MODULES"]


def extensions() -> list[Any]:
    """One optional extension per hot module: if it cannot be compiled, the plain module is used."""
    if os.environ.get("OTTLA_NO_EXTENSIONS", "") not in ("", "0"):
        return []
    try:
        from Cython.Build import cythonize
    except ImportError:
        return []
    modules = [
        Extension(
            name, [name.replace(".", "/") + ".py"], optional=True, extra_compile_args=[] if os.name == "nt" else ["-O3"]
        )
        for name in HOT_MODULES
    ]
    directives = {
        "language_level": "3", "boundscheck": False, "wraparound": False, "cdivision": True, "initializedcheck": False,
        "annotation_typing": True, "embedsignature": True,
    }  # fmt: skip
    built: list[Any] = cythonize(modules, compiler_directives=directives, quiet=True)
    for extension in built:
        extension.optional = True  # cythonize forgets it
    return built


setup(ext_modules=extensions())
