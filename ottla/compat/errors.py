# ruff: noqa: N818 - their names
"""The errors of kafka-python and aiokafka: a class for each of the broker's codes, and theirs beside.

They name a code in words of their own where that is old; `for_error` finds the class for an error of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..client import errors as ours
from ..protocol.errors import ErrorCode


class KafkaError(RuntimeError):
    """Any error of the client."""

    retriable = False
    invalid_metadata = False

    def __str__(self) -> str:
        return f"{type(self).__name__}: {super().__str__()}" if self.args else type(self).__name__


class NoError(KafkaError):
    """What stands where a class of error is told and there is none."""

    errno = 0
    message = "NO_ERROR"


class Cancelled(KafkaError):
    retriable = True


class CommitFailedError(KafkaError):
    pass


class ConsumerTimeout(KafkaError):
    pass


class IllegalStateError(KafkaError):
    pass


class IllegalArgumentError(KafkaError):
    pass


class IllegalOperation(KafkaError):
    pass


class IllegalGeneration(KafkaError):
    pass


class ConsumerStoppedError(Exception):
    pass


class KafkaConfigurationError(KafkaError):
    pass


class KafkaConnectionError(KafkaError):
    retriable = True


class NodeNotReadyError(KafkaConnectionError):
    pass


class NoBrokersAvailable(KafkaConnectionError):
    pass


class KafkaTimeoutError(KafkaError):
    retriable = True


class KafkaProtocolError(KafkaError):
    pass


class KafkaUnavailableError(KafkaConnectionError):
    pass


class NoOffsetForPartitionError(KafkaError):
    pass


class ProducerClosed(KafkaError):
    pass


class RecordTooLargeError(KafkaError):
    pass


class UnknownTopic(KafkaError):
    pass


class UnsupportedCodecError(KafkaError):
    pass


class UnsupportedVersionError(KafkaError):
    pass


class AuthenticationFailedError(KafkaError):
    pass


class BrokerResponseError(KafkaError):
    """A broker answered with an error code."""

    errno: int = -1
    message = ""
    description = ""

    def __str__(self) -> str:
        return f"[Error {self.errno}] {type(self).__name__}: {RuntimeError.__str__(self)}"


#: Where their class is not called as the code.
_WORDS = {
    "UNKNOWN_SERVER_ERROR": "UnknownError", "UNKNOWN_TOPIC_OR_PARTITION": "UnknownTopicOrPartitionError",
    "NOT_LEADER_OR_FOLLOWER": "NotLeaderForPartitionError", "REQUEST_TIMED_OUT": "RequestTimedOutError",
    "MESSAGE_TOO_LARGE": "MessageSizeTooLargeError", "COORDINATOR_NOT_AVAILABLE": "GroupCoordinatorNotAvailableError",
    "NOT_COORDINATOR": "NotCoordinatorForGroupError", "COORDINATOR_LOAD_IN_PROGRESS": "GroupLoadInProgressError",
    "INVALID_TOPIC_EXCEPTION": "InvalidTopicError", "SASL_AUTHENTICATION_FAILED": "SaslAuthenticationFailed",
    "TOPIC_ALREADY_EXISTS": "TopicAlreadyExistsError", "PRODUCER_FENCED": "ProducerFenced",
    "CONCURRENT_TRANSACTIONS": "ConcurrentTransactions", "INVALID_TXN_STATE": "InvalidTxnState",
    "UNKNOWN_MEMBER_ID": "UnknownMemberIdError", "INVALID_PRODUCER_EPOCH": "InvalidProducerEpoch",
    "OUT_OF_ORDER_SEQUENCE_NUMBER": "OutOfOrderSequenceNumber", "DUPLICATE_SEQUENCE_NUMBER": "DuplicateSequenceNumber",
    "CORRUPT_MESSAGE": "CorruptRecordError",
}  # fmt: skip


def _class_name(code: ErrorCode) -> str:
    if code.name in _WORDS:
        return _WORDS[code.name]
    words = "".join(word.capitalize() for word in code.name.split("_"))
    return words if words.endswith("Error") else f"{words}Error"


#: Other names of the same classes.
_ALIASES = {
    "INVALID_FETCH_SIZE": ["InvalidFetchRequestError"], "COORDINATOR_LOAD_IN_PROGRESS": ["CoordinatorLoadInProgressError"],
    "COORDINATOR_NOT_AVAILABLE": ["CoordinatorNotAvailableError"], "NOT_COORDINATOR": ["NotCoordinatorError"],
    "UNSUPPORTED_VERSION": ["IncompatibleBrokerVersion"], "INVALID_CONFIG": ["InvalidConfigurationError"],
    "INVALID_REPLICA_ASSIGNMENT": ["InvalidReplicationAssignmentError"],
    "CORRUPT_MESSAGE": ["CorruptRecordException", "InvalidMessageError"],
    "NETWORK_EXCEPTION": ["StaleLeaderEpochCodeError"],
}  # fmt: skip

BY_CODE: dict[int, type[BrokerResponseError]] = {}
for _code in ErrorCode:
    if _code:
        _name = _class_name(_code)
        _fields = {
            "errno": int(_code), "message": _code.name, "description": _code.message, "retriable": _code.retriable,
            "__module__": __name__,
        }  # fmt: skip
        BY_CODE[int(_code)] = _kind = type(_name, (BrokerResponseError,), _fields)
        _bare = _name.removesuffix("Error")
        for _alias in (_name, _bare, f"{_bare}Error", *_ALIASES.get(_code.name, ())):
            globals().setdefault(_alias, _kind)


def for_code(code: int) -> type[KafkaError]:
    """The class of a code."""
    return NoError if code == 0 else BY_CODE.get(code, BY_CODE[-1])


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def for_error(problem: BaseException) -> BaseException:
    """Their error for one of ours; any other as it is."""
    if isinstance(problem, ExceptionGroup):
        problem = problem.exceptions[0]
    if isinstance(problem, ours.BrokerError):
        fenced = (ErrorCode.ILLEGAL_GENERATION, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.REBALANCE_IN_PROGRESS)
        if problem.api == "OffsetCommit" and problem.code in fenced:
            return CommitFailedError(str(problem))
        return BY_CODE[int(problem.code)](str(problem))
    table: tuple[tuple[type[BaseException], type[KafkaError]], ...] = (
        (ours.ConfigError, KafkaConfigurationError), (ours.AuthenticationError, AuthenticationFailedError),
        (ours.ConnectError, KafkaConnectionError), (ours.ConnectionLostError, KafkaConnectionError),
        (ours.ClientTimeoutError, KafkaTimeoutError), (ours.RecordTooLargeError, BY_CODE[10]),
        (ours.BufferFullError, KafkaTimeoutError), (ours.ClosedError, ProducerClosed),
        (ours.UnsupportedError, UnsupportedVersionError), (ours.TransactionError, IllegalStateError),
    )  # fmt: skip
    for kind, theirs in table:
        if isinstance(problem, kind):
            return theirs(str(problem))
    return KafkaError(str(problem)) if isinstance(problem, ours.ClientError) else problem


def for_read_error(
    problem: BaseException, fetch_offset: Callable[[tuple[str, int]], int], partition: Callable[[str, int], Any]
) -> BaseException:
    """As `for_error`; where there is no offset to read from, with what programs look for in it: partition -> offset."""
    if (
        isinstance(problem, ours.BrokerError)
        and problem.code is ErrorCode.OFFSET_OUT_OF_RANGE
        and problem.topic_partition
    ):
        offset = fetch_offset(problem.topic_partition)
        where = partition(*problem.topic_partition)
        return NoOffsetForPartitionError(where) if offset < 0 else BY_CODE[int(problem.code)]({where: offset})
    return for_error(problem)
