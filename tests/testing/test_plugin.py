"""A failing test shows what its broker was asked."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

FAILING = """
    from ottla.protocol.apis.list_groups import ListGroupsRequest
    from ottla.testing.wire import Wire

    class Client(Wire):
        client_id = "app"

    def test_that_fails(kafka):
        client = Client(kafka.host, kafka.port)
        for number in range(45):
            for _ in range(2):
                client.call(ListGroupsRequest(states_filter=[str(number)]), 4)
        client.close()
        assert False
"""


@pytest.mark.slow
def test_the_last_requests_are_shown(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(FAILING)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*the last of 91 requests to <Kafka 127.0.0.1:*>*",
            "… 6 lines before",
            "ListGroups v4 from app, 2 times: states_filter=['5']",
            "*",
            "ListGroups v4 from app, 2 times: states_filter=['44']",
        ]
    )


MISSPELT = """
import pytest

@pytest.mark.kafka(confg={"num.partitions": "3"})
def test_marker(kafka): ...

@pytest.mark.kafka(config={"num.partitons": "3"})
def test_config(kafka): ...
"""


@pytest.mark.slow
def test_a_mistake_in_the_marker_is_told_in_the_words_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(MISSPELT)
    said = pytester.runpytest_inprocess("-p", "no:cacheprovider").stdout.str()
    assert "takes config={...}, settings of the broker, and nothing else" in said
    assert "the fixture's config: there is no config 'num.partitons' (did you mean 'num.partitions'?)" in said
