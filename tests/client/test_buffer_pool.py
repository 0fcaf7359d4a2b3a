"""Buffers that are used again: never while somebody refers to them, and not without a bound."""

from __future__ import annotations

from ottla.client.memory import POOLED_BYTES_MIN, Pool

SIZE = 4 * POOLED_BYTES_MIN


def test_a_buffer_is_given_again_when_its_user_let_go() -> None:
    pool = Pool()
    one = pool.take(SIZE)
    place = id(one)
    del one
    assert id(pool.take(SIZE)) == place
    assert id(pool.take(SIZE - 100)) == place  # a little less is wanted


def test_a_buffer_in_use_is_given_to_nobody_else() -> None:
    pool = Pool()
    one = pool.take(SIZE)
    window = memoryview(one)[10:20]
    place = id(one)
    del one
    other = pool.take(SIZE)
    assert id(other) != place
    window.release()
    assert id(pool.take(SIZE)) == place


def test_what_is_held_has_a_bound_and_what_is_not_wanted_any_more_goes() -> None:
    pool = Pool(10 * SIZE)
    users = [pool.take(SIZE) for _ in range(40)]
    assert pool.held_bytes <= 10 * SIZE
    assert len({id(user) for user in users}) == 40
    del users
    for _ in range(10):
        large = pool.take(4 * SIZE)  # another kind of answer: the small ones give way
    assert len(large) >= 4 * SIZE
    assert pool.held_bytes <= 10 * SIZE
    place = id(large)
    del large
    assert id(pool.take(4 * SIZE)) == place


def test_small_and_huge_buffers_are_not_kept() -> None:
    pool = Pool(10 * SIZE)
    assert len(pool.take(100)) == 100
    assert len(pool.take(100 * SIZE)) >= 100 * SIZE
    assert pool.held_bytes == 0
