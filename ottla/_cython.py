"""Stands in for `import cython` where Cython is not installed, so that a `_*_cy.py` module runs as it is.

Such a module is ordinary typed Python in Cython's pure mode: types are annotations, and the few names it takes
from `cython` mean nothing to an interpreter. This file gives them that meaning, to mypy too: types are the Python
types they behave like, decorators return what they decorate, `cast` and `declare` return their value. It has only
the names that the hot modules use; `tests/records/test_extensions.py` compares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

compiled: bool = False

schar: TypeAlias = int
uchar: TypeAlias = int
short: TypeAlias = int
int: TypeAlias = int
uint: TypeAlias = int
longlong: TypeAlias = int
ulonglong: TypeAlias = int
Py_ssize_t: TypeAlias = int
bint: TypeAlias = bool
p_uchar: TypeAlias = memoryview
p_uint: TypeAlias = memoryview
p_int: TypeAlias = memoryview
p_longlong: TypeAlias = memoryview
p_ulonglong: TypeAlias = memoryview
double: TypeAlias = float
float: TypeAlias = float
void: TypeAlias = None
NULL: Any = None


def cast(_kind: Any, value: Any) -> Any:
    return value


def declare(_kind: Any, value: Any = None, visibility: str = "") -> Any:
    return value


def address(value: T) -> T:
    return value


def _unchanged(thing: T) -> T:
    return thing


cfunc = ccall = inline = cclass = final = no_gc = _unchanged


def exceptval(check: bool | int) -> Callable[[T], T]:
    return _unchanged


freelist = exceptval


class _NoGil:
    """`cython.nogil`: a block, or a decorator, that runs without the interpreter's lock once compiled."""

    def __enter__(self) -> None:
        """Nothing to release here."""

    def __exit__(self, *_: object) -> None:
        """Nothing to take back."""

    def __call__(self, thing: T) -> T:
        return thing


nogil = _NoGil()
