"""Large buffers are used again, and no more of them are kept than stated."""

from __future__ import annotations

from ottla.broker.spare_buffers import BUFFER_BYTES_MAX, BUFFER_BYTES_MIN, BUFFERS_MAX, SpareBuffers

SIZE = 1 << 20


def test_a_buffer_given_back_is_taken_again_for_a_frame_that_fits() -> None:
    spare = SpareBuffers()
    buffer = bytearray(SIZE)
    spare.give(buffer)
    assert spare.take(SIZE + 1) is None
    assert spare.take(SIZE - 5) is buffer
    assert spare.take(SIZE) is None


def test_the_most_recently_used_comes_first_and_the_oldest_goes() -> None:
    spare = SpareBuffers()
    buffers = [bytearray(SIZE) for _ in range(BUFFERS_MAX + 1)]
    for buffer in buffers:
        spare.give(buffer)
    taken = [spare.take(SIZE) for _ in range(BUFFERS_MAX)]
    assert all(mine is theirs for mine, theirs in zip(taken, reversed(buffers[1:]), strict=True))
    assert spare.take(SIZE) is None


def test_small_and_huge_buffers_are_not_kept() -> None:
    spare = SpareBuffers()
    for size in (BUFFER_BYTES_MIN - 1, BUFFER_BYTES_MAX + 1):
        spare.give(bytearray(size))
    assert spare.take(BUFFER_BYTES_MIN) is None
    assert spare.take(10) is None
