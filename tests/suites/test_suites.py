"""The outside suites in their short forms against Ottla, and that the judges notice what they are there to notice."""

from __future__ import annotations

import contextlib
import re
import socket
from collections import Counter
from pathlib import Path

import pytest

from tests.support.kafka_jvm import free_port
from tests.support.requires import missing

from . import connect, kafka_python, kgo, librdkafka, readers, streams, streams_integration
from .__main__ import execute
from .client import Entry
from .exceptions import EXCEPTIONS
from .front import Front
from .report import PAGE, page
from .results import Result
from .suite import Outcome, Unavailable
from .table import BY_NAME, TABLE

#: In CI; the others of the table are commands: they take minutes, or a build of minutes.
SHORT_FORMS = ("kgo", "streams-count", "java-consumer")


@pytest.mark.clients
@pytest.mark.java
@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT_FORMS)
def test_a_suite_from_outside_passes_in_its_short_form(name: str, tmp_path: Path) -> None:
    """With the broker killed in the middle, where the suite does that."""
    try:
        result = execute(BY_NAME[name], "ottla", "short", "ci", tmp_path)
    except Unavailable as error:
        missing(str(error))
    assert result.unexplained() == []
    assert result.of("pass")


def test_the_report_card_names_every_suite() -> None:
    assert set(re.findall(r"^\| `([\w-]+)` \|", PAGE.read_text(), re.MULTILINE)) == set(BY_NAME)


def test_every_exception_is_one_of_a_suite_and_has_a_reason() -> None:
    assert set(EXCEPTIONS) <= set(BY_NAME)
    assert all(len(known.why) > 20 for tests in EXCEPTIONS.values() for known in tests.values())


def test_a_failure_without_a_reason_is_shown_as_such() -> None:
    suite = TABLE[0]
    failed = [Outcome("TestX", "fail", "broke | twice"), Outcome("TestY", "pass")]
    ottla, kafka = (
        Result(suite.name, "ottla", "full", "r", failed),
        Result(suite.name, "kafka", "full", "r", failed[1:]),
    )
    text = page([(suite, (ottla, kafka))])
    assert "| full | 1 pass, **1 fail** | 1 pass |" in text
    assert f"- `{suite.name}` `TestX` on Ottla: **not explained**: broke / twice" in text


def test_verdicts_of_go_are_read_panics_included() -> None:
    said = "=== RUN   TestA\n--- PASS: TestA (0.10s)\n--- FAIL: TestB (1.00s)\n    x_test.go:5: saw double offset\n--- SKIP: TestC (0.00s)\n"
    assert [(o.test, o.verdict, o.detail) for o in kgo.outcomes(said)] == [
        ("TestA", "pass", ""),
        ("TestB", "fail", "x_test.go:5: saw double offset"),
        ("TestC", "skip", ""),
    ]
    panic = "panic: test timed out after 1s\n\trunning tests:\n\t\tTestD (1s)\n"
    assert kgo.outcomes(panic) == [Outcome("TestD", "fail", "panic: test timed out after 1s")]
    assert kgo.outcomes("no such file")[0].verdict == "fail"


def test_one_bad_run_of_ten_is_a_failure() -> None:
    runs = [[Outcome("TestA", "pass")]] * 9 + [[Outcome("TestA", "fail", "lost")]]
    assert kgo.merged(runs) == [Outcome("TestA", "fail", "1 of 10 runs: lost")]


def test_verdicts_of_librdkafka_are_read_crashes_included() -> None:
    summary = (
        "|\x1b[32m 0001_multiobj            |     PASSED |   1.234s \x1b[0m|\n"
        "|\x1b[33m 0001_multiobj_local      |    SKIPPED |   0.000s \x1b[0m|\x1b[36m Filtered due to negative test flags\x1b[0m\n"
    )
    assert librdkafka.outcomes("0001", 0, summary) == [Outcome("0001_multiobj", "pass", "", 1.234)]
    crash = (
        '\x1b[31m### Test "0055_producer (acks)" failed at t.c:1:f() at Sat: ###\nslow\x1b[0m\nAssertion `0\' failed.\n'
    )
    assert librdkafka.outcomes("0055", -6, crash) == [Outcome("0055_producer", "fail", "(acks) slow")]
    assert librdkafka.outcomes("0099", None, "")[0].verdict == "fail"


def test_verdicts_of_pytest_are_read_errors_included() -> None:
    said = (
        "test/integration/test_admin_integration.py::test_a PASSED [ 1%]\n"
        "test/integration/test_producer_integration.py::test_b[lz4] FAILED [ 2%]\n"
        "test/integration/test_producer_integration.py::test_c SKIPPED (no) [ 3%]\n"
        "test/integration/test_admin_integration.py::test_a ERROR [ 1%]\n"
        "FAILED test/integration/test_producer_integration.py::test_b[lz4] - lost one\n"
    )
    assert [(o.test, o.verdict, o.detail) for o in kafka_python.outcomes(said)] == [
        ("admin: test_a", "fail", ""),
        ("producer: test_b[lz4]", "fail", "lost one"),
        ("producer: test_c", "skip", ""),
    ]
    assert kafka_python.outcomes("no such file")[0].verdict == "fail"


def test_verdicts_of_junit_are_read(tmp_path: Path) -> None:
    report = tmp_path / "TEST-junit-jupiter.xml"
    report.write_text(
        '<testsuite><testcase name="shouldA()" time="1.5"/>'
        '<testcase name="shouldB()" time="2"><failure message="lost one"/></testcase></testsuite>'
    )
    found = streams_integration.outcomes("EosIntegrationTest", report)
    assert [(o.test, o.verdict, o.detail) for o in found] == [
        ("Eos: shouldA", "pass", ""),
        ("Eos: shouldB", "fail", "lost one"),
    ]
    assert streams_integration.outcomes("EosIntegrationTest", tmp_path / "none.xml") == []


def test_librdkafkas_table_of_tests_is_read() -> None:
    source = (
        "struct test tests[] = {\n    _TEST(0001_a, 0),\n    _TEST(0002_b, TEST_F_LOCAL),\n    _TEST(0003_c, 0, TEST_BRKVER(0, 9, 0, 0)),\n"
        '    _TEST(0004_d,\n          0,\n          .scenario = "noautocreate"),\n    _TEST(8000_e, TEST_F_MANUAL),\n\n    {NULL}};\n'
    )
    assert librdkafka.numbers(source, "default") == ["0001", "0003"]
    assert librdkafka.numbers(source, "noautocreate") == ["0004"]
    left_out = "_TEST(0005_share_consumer_x, 0),\n_TEST(0006_y_mock, 0),\n_TEST(0007_z, 0),\n_TEST(0007_z_mock, 0),\n"
    assert librdkafka.concerned(left_out, ["0005", "0006", "0007"]) == ["0007"]


def test_a_lost_and_a_doubled_word_are_noticed() -> None:
    expected = Counter({"a": 3})

    def output(*values: str) -> list[Entry]:
        return [Entry(0, i, "a", value) for i, value in enumerate(values)]

    assert streams.counts_are_right(output("1", "2", "3"), expected) == ""
    assert streams.counts_are_right(output("1", "2"), expected) == "a: 2 counts instead of 3; number 3 is []"
    assert (
        streams.counts_are_right(output("1", "2", "2", "3"), expected) == "a: 4 counts instead of 3; number 3 is ['2']"
    )
    assert "nobody sent" in streams.counts_are_right([*output("1", "2", "3"), Entry(0, 9, "b", "1")], expected)


def test_lost_doubled_and_reordered_lines_are_noticed() -> None:
    assert connect.once_and_in_order(["a", "b"], ["a", "b"]) == ""
    assert connect.once_and_in_order(["a"], ["a", "b"]) == "1 of 2 lost, 0 too many, first 'b'"
    assert connect.once_and_in_order(["a", "b", "b"], ["a", "b"]) == "0 of 2 lost, 1 too many, first 'b'"
    assert connect.once_and_in_order(["b", "a"], ["a", "b"]) == "the order is another"


def test_a_record_settled_twice_is_noticed() -> None:
    got = [["got", "0", "0", "1", "v0"], ["got", "0", "1", "1", "v1"]]
    assert readers.problems(Counter({("0", "0"): 1, ("0", "1"): 1}), got, 2) == ""
    assert "settled twice, first 0@1" in readers.problems(Counter({("0", "0"): 1, ("0", "1"): 2}), got, 2)
    assert readers.problems(Counter({("0", "0"): 1}), got[:1], 2) == "1 values seen of 2"


def test_who_comes_to_the_front_while_the_broker_is_down_waits_for_it() -> None:
    port = free_port()
    with Front(port) as front, socket.create_connection(("127.0.0.1", front.port), 10) as client:
        client.sendall(b"hello")
        with socket.create_server(("127.0.0.1", port)) as broker:
            served, _ = broker.accept()
            with served:
                assert served.recv(10) == b"hello"
                served.sendall(b"here")
                assert client.recv(10) == b"here"
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(10) == b""
