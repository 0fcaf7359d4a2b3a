"""OpenTelemetry for the client (the extra `ottla[otel]`): spans, context in headers, metrics, as the messaging conventions name them.

    tracing = Tracing()                                   the global providers, or tracer_provider=, meter_provider=
    producer = tracing.instrument(Producer(...))          before it is used; asynchronous or of ottla.sync
    async for record in tracing.records(consumer): ...    a span "process <topic>" around each loop body
    await consumer.run(tracing.handler(handle))           the same around a handler, of records or of batches
    with tracing.process(record): ...                     the same by hand

    send orders ──► headers: traceparent, tracestate ──► process orders
    (from the call to the acknowledgement)                child of the sender's span; a link to it where another span is current

Nothing here is imported by the client: who does not ask for it pays nothing. `send_many` and batches get one span each: a batch of
records is one step of work, and `send_many` takes no headers to put a context in. Metrics cost nothing per record that is sent: they come from the producer's
hooks, batch by batch.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from .. import __version__

T = TypeVar("T")

#: Senders that a batch's span links to; a span has room for a bounded number.
LINKS_MAX = 128
_SYSTEM = {"messaging.system": "kafka"}


class Tracing:
    """See the head of the module. One for a program is enough."""

    def __init__(self, *, tracer_provider: Any = None, meter_provider: Any = None) -> None:
        self._tracer = trace.get_tracer("ottla", __version__, tracer_provider)
        meter = metrics.get_meter("ottla", __version__, meter_provider)
        self._sent = meter.create_counter("messaging.client.sent.messages", "{message}", "Messages that were sent.")
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages", "{message}", "Messages that were handed to the program."
        )
        self._operation = meter.create_histogram(
            "messaging.client.operation.duration", "s", "How long a batch took to be acknowledged."
        )
        self._process = meter.create_histogram("messaging.process.duration", "s", "How long processing took.")

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────

    def instrument(self, producer: T) -> T:
        """Have a producer's sends traced and counted; returns it."""
        it: Any = producer
        it.metrics.add_hooks(_Counting(self, it.config.client_id))
        attributes = {**_SYSTEM, "messaging.operation.name": "send", "messaging.operation.type": "send"}
        if it.config.client_id:
            attributes["messaging.client.id"] = it.config.client_id
        plain, plain_try, plain_many = it.enqueue, it.try_enqueue, it.send_many

        def begin(topic: str, value: Any, key: Any, headers: Any) -> tuple[Span, list[tuple[str, Any]]]:
            more: dict[str, Any] = {"messaging.destination.name": topic}
            if key is not None:
                more["messaging.kafka.message.key"] = _text(key)
            if value is None:
                more["messaging.kafka.message.tombstone"] = True
            span = self._tracer.start_span(f"send {topic}", kind=SpanKind.PRODUCER, attributes={**attributes, **more})
            return span, with_context(headers, span)

        async def enqueue(topic: str, value: Any, key: Any = None, *, headers: Any = None, **more: Any) -> Any:
            span, headers = begin(topic, value, key, headers)
            with _ending_on_error(span):
                ack = await plain(topic, value, key, headers=headers, **more)
            ack.add_done_callback(lambda done: _acknowledged(span, done))
            return ack

        def now(plainly: Callable[..., Any]) -> Callable[..., Any]:
            def enqueue(topic: str, value: Any, key: Any = None, *, headers: Any = None, **more: Any) -> Any:
                span, headers = begin(topic, value, key, headers)
                with _ending_on_error(span):
                    ack = plainly(topic, value, key, headers=headers, **more)
                ack.add_done_callback(lambda done: _acknowledged(span, done))
                return ack

            return enqueue

        def many(topic: str) -> Any:
            more = {**attributes, "messaging.destination.name": topic}
            return self._tracer.start_as_current_span(f"send {topic}", kind=SpanKind.CLIENT, attributes=more)

        async def send_many(topic: str, records: Any, **options: Any) -> Any:
            with many(topic) as span:
                report = await plain_many(topic, records, **options)
                span.set_attribute("messaging.batch.message_count", report.records)
                return report

        def send_many_now(topic: str, records: Any, **options: Any) -> Any:
            with many(topic) as span:
                report = plain_many(topic, records, **options)
                span.set_attribute("messaging.batch.message_count", report.records)
                return report

        is_async = iscoroutinefunction(plain)
        it.enqueue, it.try_enqueue = (enqueue if is_async else now(plain)), now(plain_try)
        it.send_many = send_many if is_async else send_many_now
        return producer

    # ── processing ──────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def process(self, what: Any, *, group: str | None = None) -> Iterator[Span]:
        """A span around the processing of a record or a batch; an exception becomes its status."""
        records = [what] if hasattr(what, "offset") else list(what)
        if not records:
            yield trace.INVALID_SPAN
            return
        first = records[0]
        attributes: dict[str, Any] = {
            **_SYSTEM, "messaging.operation.name": "process", "messaging.operation.type": "process",
            "messaging.destination.name": first.topic,
        }  # fmt: skip
        if group:
            attributes["messaging.consumer.group.name"] = group
        labels = dict(attributes)
        if records[0] is what:
            attributes["messaging.destination.partition.id"] = str(first.partition)
            attributes["messaging.kafka.offset"] = first.offset
            if first.key is not None:
                attributes["messaging.kafka.message.key"] = _text(first.key)
        else:
            attributes["messaging.batch.message_count"] = len(records)
        senders = [each for each in map(sender_of, records[:LINKS_MAX]) if each is not None]
        # A sender is the parent of what processes its record, unless the program has a span of its own around that.
        alone = records[0] is what and not trace.get_current_span().get_span_context().is_valid
        parent = trace.set_span_in_context(trace.NonRecordingSpan(senders[0])) if alone and senders else None
        links = [Link(each) for each in senders] if parent is None else []
        began = time.perf_counter()
        self._consumed.add(len(records), labels)
        try:
            with self._tracer.start_as_current_span(
                f"process {first.topic}", parent, kind=SpanKind.CONSUMER, attributes=attributes, links=links
            ) as span:
                yield span
        except BaseException as error:
            labels["error.type"] = type(error).__name__
            raise
        finally:
            self._process.record(time.perf_counter() - began, labels)

    async def records(self, consumer: Any) -> AsyncIterator[Any]:
        """The records of a consumer, each loop body in a span of its own.

        The span is current in the body, and ends when the loop comes back. A body that raises ends the loop, and its span without an error: use
        `process` or `handler` where errors matter.
        """
        async for record in consumer:
            with self.process(record, group=consumer.group):
                yield record

    def handler(
        self, handle: Callable[[Any], Awaitable[Any]], *, group: str | None = None
    ) -> Callable[[Any], Awaitable[Any]]:
        """A handler for `consumer.run` that does its work in a span."""

        async def traced(what: Any) -> Any:
            with self.process(what, group=group):
                return await handle(what)

        return traced


class _Counting:
    """Hooks of a producer that count its messages."""

    def __init__(self, tracing: Tracing, client_id: str | None) -> None:
        self._tracing = tracing
        self._labels: dict[str, Any] = {**_SYSTEM, "messaging.operation.name": "send"}
        if client_id:
            self._labels["messaging.client.id"] = client_id

    def on_delivered(self, topic: str, partition: int, records: int, base_offset: int, seconds: float) -> None:
        labels = {
            **self._labels, "messaging.destination.name": topic, "messaging.destination.partition.id": str(partition),
        }  # fmt: skip
        self._tracing._sent.add(records, labels)
        self._tracing._operation.record(seconds, labels)

    def on_failed(self, topic: str, partition: int, records: int, error: Exception) -> None:
        labels = {**self._labels, "messaging.destination.name": topic, "error.type": type(error).__name__}
        self._tracing._sent.add(records, labels)


def with_context(headers: Any, span: Span) -> list[tuple[str, Any]]:
    """Headers with the span's context in them, in the way of the program's propagators."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier, trace.set_span_in_context(span))
    items: Iterable[Any] = headers.items() if isinstance(headers, Mapping) else headers or ()
    return [(name, value) for name, value in items if name not in carrier] + list(carrier.items())


def sender_of(record: Any) -> trace.SpanContext | None:
    """The span that sent a record, as its headers tell."""
    carrier = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
    found = trace.get_current_span(propagate.extract(carrier, context.Context())).get_span_context()
    return found if found.is_valid else None


@contextmanager
def _ending_on_error(span: Span) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        _fail(span, error)
        raise


def _acknowledged(span: Span, ack: Any) -> None:
    places: list[Any] = []
    ack.note(object(), places)
    batch, index, _ = places[0].span
    seen = batch.seen
    error = batch.error_of(index)
    batch.seen = seen  # that a span knows of it does not mean that the program does: `flush` still tells
    if error is not None:
        _fail(span, error)
        return
    metadata = batch.outcome(index)
    batch.seen = seen
    span.set_attribute("messaging.destination.partition.id", str(metadata.partition))
    if metadata.offset >= 0:
        span.set_attribute("messaging.kafka.offset", metadata.offset)
    span.end()


def _fail(span: Span, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(Status(StatusCode.ERROR, str(error)))
    span.end()


def _text(key: Any) -> str:
    return key.decode(errors="replace") if isinstance(key, bytes) else str(key)
