"""Deadlines fire once, in time, whatever was moved before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ottla.coordinator import Timer
from ottla.coordinator.deadlines import Deadlines

KEYS = [("heartbeat", "g", str(n)) for n in range(4)]


def test_a_moved_timer_fires_at_its_new_time_only() -> None:
    deadlines = Deadlines()
    deadlines.apply([Timer(KEYS[0], 10)], 0)
    deadlines.apply([Timer(KEYS[0], 10)], 5)
    assert deadlines.pop_due(14) is None
    assert deadlines.pop_due(15) == KEYS[0]
    assert deadlines.pop_due(99) is None


def test_a_stopped_timer_does_not_fire() -> None:
    deadlines = Deadlines()
    deadlines.apply([Timer(KEYS[0], 10), Timer(KEYS[0], None)], 0)
    assert deadlines.pop_due(99) is None


def test_a_heartbeat_costs_no_heap_entry() -> None:
    """A thousand members that beat for long leave the heap as large as they are."""
    deadlines = Deadlines()
    for now_ms in range(0, 9000, 10):
        deadlines.apply([Timer(("heartbeat", "g", str(n)), 10_000) for n in range(100)], now_ms)
    assert len(deadlines._heap) == 100


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.none() | st.integers(0, 50), st.integers(0, 20))))
def test_timers_fire_as_a_plain_table_would(steps: list[tuple[tuple[str, ...], int | None, int]]) -> None:
    deadlines, table, now_ms = Deadlines(), dict[tuple[str, ...], int](), 0
    for key, delay_ms, passed_ms in steps:
        deadlines.apply([Timer(key, delay_ms)], now_ms)
        table.pop(key, None)
        if delay_ms is not None:
            table[key] = now_ms + delay_ms
        now_ms += passed_ms
        fired = set()
        while (due := deadlines.pop_due(now_ms)) is not None:
            fired.add(due)
        assert fired == {key for key, due_ms in table.items() if due_ms <= now_ms}
        table = {key: due_ms for key, due_ms in table.items() if due_ms > now_ms}
        next_ms = deadlines.next_ms()
        assert not table or (next_ms is not None and next_ms <= min(table.values()))
