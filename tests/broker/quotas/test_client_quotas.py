"""Whose quota holds, and what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.broker.quotas.client_quotas import RATES_MAX, ClientQuotas, QuotaKind
from ottla.broker.quotas.entities import Limit, QuotaTable
from ottla.broker.quotas.rates import Windows
from ottla.protocol.errors import ErrorCode, KafkaError

KEY = "producer_byte_rate"
USER_CLIENT = (("client-id", "c"), ("user", "u"))
#: All that can be said about client c of user u, the strongest first: entity and who shares it.
ORDER = [
    ((("client-id", "c"), ("user", "u")), ("u", "c")),
    ((("client-id", None), ("user", "u")), ("u", "c")),
    ((("user", "u"),), ("u", "")),
    ((("client-id", "c"), ("user", None)), ("u", "c")),
    ((("client-id", None), ("user", None)), ("u", "c")),
    ((("user", None),), ("u", "")),
    ((("client-id", "c"),), ("", "c")),
    ((("client-id", None),), ("", "c")),
]


@given(st.sets(st.integers(0, len(ORDER) - 1)))
def test_the_most_exact_quota_holds(which: set[int]) -> None:
    table = QuotaTable(KEY, {ORDER[index][0]: {KEY: float(index + 1)} for index in which})
    expected = None if not which else Limit(min(which) + 1.0, ORDER[min(which)][1])
    assert table.find("u", "c") == expected
    assert bool(table) == bool(which)


def test_others_are_not_limited_by_it() -> None:
    table = QuotaTable(KEY, {USER_CLIENT: {KEY: 1.0}, (("client-id", "d"),): {KEY: 2.0}})
    assert table.find("u", "x") is None
    assert table.find("x", "c") is None
    assert table.find("x", "d") == Limit(2.0, ("", "d"))


def test_a_client_without_id_has_only_the_quotas_of_its_user() -> None:
    table = QuotaTable(KEY, {(("client-id", None),): {KEY: 1.0}, (("user", None),): {KEY: 2.0}})
    assert table.find("u", "") == Limit(2.0, ("u", ""))
    assert QuotaTable(KEY, {(("client-id", None),): {KEY: 1.0}}).find("u", "") is None


def quotas(**values: float) -> ClientQuotas:
    made = ClientQuotas(Windows(), Windows())
    made.update({(("client-id", None),): values})
    return made


def test_nothing_is_active_without_quotas_and_what_was_removed_is_forgotten() -> None:
    made = quotas(producer_byte_rate=10)
    assert made.active
    assert made.record(QuotaKind.PRODUCE, "u", "c", 1000, 0) == 90_000
    made.update({})
    assert not made.active
    assert made.record(QuotaKind.PRODUCE, "u", "c", 1000, 0) == 0
    assert list(made.usage(0)) == []


def test_a_new_bound_holds_at_once_for_what_was_done_before() -> None:
    made = quotas(producer_byte_rate=100)
    made.record(QuotaKind.PRODUCE, "u", "c", 1000, 0)
    made.update({(("client-id", "c"),): {"producer_byte_rate": 50.0}})
    assert made.record(QuotaKind.PRODUCE, "u", "c", 0, 0) == 10_000


def test_users_of_one_quota_share_it_and_other_kinds_do_not() -> None:
    made = ClientQuotas(Windows(), Windows())
    made.update({(("user", "u"),): {"producer_byte_rate": 100.0, "consumer_byte_rate": 100.0}})
    assert made.record(QuotaKind.PRODUCE, "u", "one", 1000, 0) == 0
    assert made.record(QuotaKind.PRODUCE, "u", "two", 1000, 0) == 10_000
    assert made.record(QuotaKind.FETCH, "u", "two", 1000, 0) == 0
    assert made.most_at_once(QuotaKind.FETCH, "u", "two") == 1000
    assert made.most_at_once(QuotaKind.REQUEST, "u", "two") is None


def test_request_time_never_makes_wait_longer_than_a_sample() -> None:
    assert quotas(request_percentage=1).record(QuotaKind.REQUEST, "u", "c", 1000, 0) == 1000


def test_new_client_ids_do_not_fill_the_memory() -> None:
    made = quotas(producer_byte_rate=10)
    for number in range(RATES_MAX + 10):
        made.record(QuotaKind.PRODUCE, "u", f"c{number}", 1, 0)
    usage = list(made.usage(0))
    assert len(usage) == RATES_MAX
    assert usage[-1].client_id == f"c{RATES_MAX + 9}"


def test_a_strict_change_is_refused_when_the_quota_is_used_up_and_says_how_long() -> None:
    made = quotas(controller_mutation_rate=1)
    first = made.mutation("u", "c", strict=True)
    first.take(21, 0)  # there were 11
    assert first.throttle_ms == 0
    second = made.mutation("u", "c", strict=True)
    with pytest.raises(KafkaError) as refused:
        second.take(1, 0)
    assert refused.value.code == ErrorCode.THROTTLING_QUOTA_EXCEEDED
    assert second.throttle_ms == 10_000


def test_an_old_client_is_only_slowed_down() -> None:
    made = quotas(controller_mutation_rate=1)
    mutation = made.mutation("u", "c", strict=False)
    mutation.take(12, 0)
    mutation.take(12, 0)
    assert mutation.throttle_ms == 13_000


def test_a_decision_that_is_made_again_is_not_paid_twice() -> None:
    made = quotas(controller_mutation_rate=1)
    mutation = made.mutation("u", "c", strict=True)
    for _ in range(5):
        mutation.give_back(0)
        mutation.take(11, 0)
    assert mutation.throttle_ms == 0
