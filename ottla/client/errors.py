"""What can go wrong for a client, and what a program needs to know about it.

Every error says in attributes what a handler asks, and in its text what a person asks:

    retriable       the same call may well succeed later; the client itself has tried for as long as it was told
    fatal           this client object cannot go on: make a new one
    api             the request it came from ("Produce"), if any
    broker          the broker, "2 (host:9092)"
    topic_partition (topic, partition)
    hint            what to look at
    code            Kafka's error code, where a broker answered with one (`BrokerError`)

    ClientError
      ├── ConfigError              a setting is wrong (also a ValueError)
      ├── ConnectError             no connection; `stage` is dns, tcp, tls, versions or sasl
      ├── ConnectionLostError      the connection ended before the answer came
      ├── ClientTimeoutError       too slow (also a TimeoutError)
      ├── BadResponseError         the broker sent what is no answer
      ├── UnsupportedError         no common version, or the broker lacks the API
      ├── BrokerError              an answer with an error code
      ├── BufferFullError          `try_enqueue` found no room
      ├── RecordTooLargeError      above max.request.size or buffer.memory
      ├── FencedError              a newer producer has this transactional.id
      ├── TransactionError         the transaction cannot go on: abort it
      ├── DeliveryError            records were not delivered; `failures` says which
      └── ClosedError              the client was closed
"""

from __future__ import annotations

from typing import Any

from ..protocol.errors import ErrorCode


class ClientError(Exception):
    """Anything a client raises on its own account."""

    retriable = False
    fatal = False

    def __init__(
        self,
        message: str,
        *,
        retriable: bool | None = None,
        fatal: bool | None = None,
        api: str | None = None,
        broker: str | None = None,
        topic_partition: tuple[str, int] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if retriable is not None:
            self.retriable = retriable
        if fatal is not None:
            self.fatal = fatal
        self.api = api
        self.broker = broker
        self.topic_partition = topic_partition
        self.hint = hint

    def __str__(self) -> str:
        about = []
        if self.api:
            about.append(self.api)
        if self.topic_partition is not None:
            about.append(f"{self.topic_partition[0]}-{self.topic_partition[1]}")
        if self.broker:
            about.append(f"broker {self.broker}")
        text = f"{', '.join(about)}: {self.message}" if about else self.message
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(ClientError, ValueError):
    """A setting does not exist or has no such value."""


class ConnectError(ClientError):
    """A connection could not be made. `stage`: dns, tcp, tls, versions (ApiVersions) or sasl."""

    retriable = True

    def __init__(self, message: str, *, stage: str, **more: Any) -> None:
        super().__init__(message, **more)
        self.stage = stage


class AuthenticationError(ConnectError):
    """The broker refused the credentials, or did not prove its own."""

    retriable = False

    def __init__(self, message: str, **more: Any) -> None:
        super().__init__(message, stage="sasl", **more)


class NoBrokerError(ConnectError):
    """No broker could be reached; `causes` holds the error of each address."""

    def __init__(self, message: str, causes: list[ClientError], **more: Any) -> None:
        super().__init__(message, stage=getattr(causes[-1], "stage", "tcp") if causes else "tcp", **more)
        self.causes = causes


class ConnectionLostError(ClientError):
    """The connection ended before the answer came: what was asked may or may not have been done."""

    retriable = True


class ClientTimeoutError(ClientError, TimeoutError):
    """It took longer than it may."""

    retriable = True


class BadResponseError(ClientError):
    """The broker sent bytes that are no answer to what was asked."""


class UnsupportedError(ClientError):
    """The broker lacks the API, or every version of it that can say what was asked."""


class BrokerError(ClientError):
    """A broker answered with an error code."""

    def __init__(self, code: ErrorCode, message: str | None = None, **more: Any) -> None:
        more.setdefault("retriable", code.retriable)
        super().__init__(f"{code.name}: {message or code.message}", **more)
        self.code = code


class BufferFullError(ClientError):
    """buffer.memory is used up by records that are not delivered yet."""

    retriable = True


class RecordTooLargeError(ClientError):
    """A record is larger than max.request.size or buffer.memory allows."""


class SerializationError(ClientError):
    """A key or a value could not be turned into bytes, or bytes into it."""


class FencedError(BrokerError):
    """A newer producer uses this transactional.id, or the broker gave this one up; make a new producer."""

    fatal = True


class TransactionError(ClientError):
    """The transaction cannot go on; abort it and begin another."""


class ClosedError(ClientError):
    """The client was closed."""

    fatal = True


class DeliveryError(ClientError):
    """Records were not delivered. `failures` counts and describes them by partition."""

    def __init__(self, message: str, failures: list[Any], **more: Any) -> None:
        super().__init__(message, **more)
        self.failures = failures


def error_code(number: int) -> ErrorCode:
    """The code for a number off the wire; one that we do not know counts as UNKNOWN_SERVER_ERROR."""
    try:
        return ErrorCode(number)
    except ValueError:
        return ErrorCode.UNKNOWN_SERVER_ERROR


#: Codes that mean that this producer, member or client is over.
_FENCED = {ErrorCode.PRODUCER_FENCED, ErrorCode.FENCED_INSTANCE_ID}


def broker_error(number: int | ErrorCode, message: str | None = None, **more: Any) -> BrokerError:
    """Make the error for a code that a broker answered with."""
    code = error_code(number)
    if code == ErrorCode.UNKNOWN_SERVER_ERROR and number != -1:
        message = f"the broker answered with the unknown error code {int(number)}"
    kind = FencedError if code in _FENCED else BrokerError
    return kind(code, message, **more)
