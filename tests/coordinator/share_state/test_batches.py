"""State batches laid over each other: offset by offset the one that was delivered more often, then the higher state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ottla.coordinator.share_state.batches import StateBatch, combine, lay_over, prune


def batch(first: int, length: int, state: int, count: int) -> StateBatch:
    return StateBatch(first, first + length - 1, state, count)


BATCHES = st.lists(
    st.builds(batch, st.integers(0, 40), st.integers(1, 12), st.sampled_from([0, 2, 4]), st.integers(1, 3)), max_size=12
)


def by_offset(batches: list[StateBatch]) -> dict[int, tuple[int, int]]:
    """Delivery count and state of each offset, the highest of all batches that name it."""
    found: dict[int, tuple[int, int]] = {}
    for one in batches:
        for offset in range(one.first_offset, one.last_offset + 1):
            found[offset] = max(found.get(offset, (-1, -1)), (one.delivery_count, one.delivery_state))
    return found


@given(BATCHES, BATCHES, st.integers(-1, 50))
def test_the_highest_count_and_state_hold_and_nothing_overlaps(
    stored: list[StateBatch], written: list[StateBatch], start_offset: int
) -> None:
    batches = combine(stored, -1)
    lay_over(batches, written)
    prune(batches, start_offset)
    expected = {offset: what for offset, what in by_offset([*stored, *written]).items() if offset >= start_offset}
    assert by_offset(batches) == expected
    for left, right in zip(batches, batches[1:], strict=False):
        assert left.last_offset < right.first_offset
        assert left.last_offset + 1 < right.first_offset or left[2:] != right[2:], (
            "neighbours of the same state are one"
        )
    assert combine([*stored, *written], start_offset) == batches


def test_a_write_in_the_middle_cuts_a_batch_in_three() -> None:
    batches = [StateBatch(0, 9, 0, 1)]
    lay_over(batches, [StateBatch(3, 5, 2, 1)])
    assert batches == [StateBatch(0, 2, 0, 1), StateBatch(3, 5, 2, 1), StateBatch(6, 9, 0, 1)]


def test_a_batch_that_ends_before_it_begins_is_nothing() -> None:
    assert combine([StateBatch(5, 4, 0, 1)], -1) == []
