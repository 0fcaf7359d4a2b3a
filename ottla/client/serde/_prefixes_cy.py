"""The different beginnings of keys or values of a run of records. Compiled by Cython where it can be.

Ordinary typed Python in pure mode (records/_batch_cy.py has the rules). Which schemas do the records have? Nearly always all have the
one that the record before had; so the loop compares in place and makes an object only where the beginning changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ... import _cython as cython
else:
    try:
        import cython  # the compiler needs this very line
    except ModuleNotFoundError:
        from ... import _cython as cython

if cython.compiled:
    from cython.cimports.cpython.buffer import (
        Py_buffer,
        PyBUF_SIMPLE,
        PyBuffer_Release,
        PyObject_GetBuffer,
    )  # fmt: skip
    from cython.cimports.libc.string import memcmp


def is_compiled() -> bool:
    """Whether this module runs as a C extension."""
    return bool(cython.compiled)


def heads(payload: Any, places: Any, sizes: Any, size: cython.Py_ssize_t) -> set[bytes]:
    """The first `size` bytes (or fewer, where there are no more) of each value, each once; nulls have none.

    `places` and `sizes` are int32 in the machine's order, as of `Columns.spots`; a null has the size -1.
    """
    if not cython.compiled:
        data = memoryview(payload)
        spots = zip(memoryview(places).cast("i"), memoryview(sizes).cast("i"), strict=True)
        return {bytes(data[place : place + min(long, size)]) for place, long in spots if long >= 0}
    a = cython.declare(Py_buffer)
    b = cython.declare(Py_buffer)
    c = cython.declare(Py_buffer)
    PyObject_GetBuffer(payload, cython.address(a), PyBUF_SIMPLE)
    PyObject_GetBuffer(places, cython.address(b), PyBUF_SIMPLE)
    PyObject_GetBuffer(sizes, cython.address(c), PyBUF_SIMPLE)
    try:
        if b.len != c.len:
            raise IndexError("as many places as sizes")
        return _heads(
            cython.cast(cython.p_uchar, a.buf), a.len, cython.cast(cython.p_int, b.buf),
            cython.cast(cython.p_int, c.buf), b.len // 4, size,
        )  # fmt: skip
    finally:
        PyBuffer_Release(cython.address(a))
        PyBuffer_Release(cython.address(b))
        PyBuffer_Release(cython.address(c))


@cython.cfunc
def _heads(
    p: cython.p_uchar, length: cython.Py_ssize_t, places: cython.p_int, sizes: cython.p_int,
    count: cython.Py_ssize_t, size: cython.Py_ssize_t,
) -> set:  # type: ignore[type-arg]  # fmt: skip
    found: set[bytes] = set()
    row: cython.Py_ssize_t
    place: cython.Py_ssize_t
    take: cython.Py_ssize_t
    last: cython.Py_ssize_t = 0
    last_take: cython.Py_ssize_t = -1
    for row in range(count):
        take = sizes[row]
        place = places[row]
        if take < 0:
            continue
        if take > size:
            take = size
        if place < 0 or place > length - take:
            raise IndexError("a place beyond the payload")
        if take == last_take and memcmp(cython.address(p[place]), cython.address(p[last]), take) == 0:
            continue
        last = place
        last_take = take
        found.add(p[place : place + take])  # type: ignore[arg-type]  # of a C pointer this makes bytes
    return found
