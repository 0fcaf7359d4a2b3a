"""The error table and the exceptions. That the table is Kafka's: tests/oracle."""

from __future__ import annotations

import pytest

from ottla.protocol.errors import ErrorCode, KafkaError, LocalProtocolError, ProtocolError, RemoteProtocolError
from ottla.protocol.wire import STRING_BYTES_MAX


def test_code_is_a_number_with_a_sentence() -> None:
    code = ErrorCode(3)
    assert (code, code.name, code.retriable) == (3, "UNKNOWN_TOPIC_OR_PARTITION", True)
    assert code.message == "This broker has no such topic or partition."


@pytest.mark.parametrize("code", list(ErrorCode), ids=lambda code: code.name)
def test_every_code_has_a_sentence_of_its_own(code: ErrorCode) -> None:
    assert code.message.endswith(".")
    assert [other.name for other in ErrorCode if other.message == code.message] == [code.name]


def test_kafka_error_says_code_and_sentence() -> None:
    assert (
        str(KafkaError(ErrorCode.REQUEST_TIMED_OUT))
        == "REQUEST_TIMED_OUT: The request was not finished within its time."
    )
    assert KafkaError(ErrorCode.INVALID_CONFIG, "no such key").message == "no such key"


def test_a_sentence_that_quotes_a_client_at_length_still_is_a_string_of_the_protocol() -> None:
    error = KafkaError(ErrorCode.STREAMS_INVALID_TOPOLOGY, "Topic names " + "\N{GRINNING FACE}" * 50_000)
    assert error.message.endswith("…")
    assert len(error.message.encode()) <= STRING_BYTES_MAX


def test_our_mistakes_and_the_peers_are_told_apart() -> None:
    assert issubclass(LocalProtocolError, ProtocolError)
    assert issubclass(RemoteProtocolError, ProtocolError)
    assert issubclass(LocalProtocolError, ValueError)
    assert not issubclass(RemoteProtocolError, ValueError)
