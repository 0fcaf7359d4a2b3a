"""The HTTP side: a small server in threads of its own, which asks the event loop for the numbers.

    GET /metrics   the families, group lag, what clients push (KIP-714), the process     text or OpenMetrics, gzip if wanted
    GET /healthz   200 while the event loop answers within HEALTH_DEADLINE_S              for a liveness probe
    GET /readyz    200 once clients are served and every coordinator has loaded           for a readiness probe

Written with prometheus_client over the standard library's server: a few looks a minute by one's own monitoring. So what a
stranger can do is bounded and little else: `OPEN_MAX` connections, of which one more ends the oldest, for an honest look is over in a
moment; so a probe gets its answer however many peers trickle their bytes. A thread that waits for a busy loop outlives its
connection, so `THREADS_MAX` bounds those. Numbers are read on the loop in one go: they belong to one moment, and need no locks.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from .families import COUNTER, FAMILIES
from .group_lag import committed_offsets, members

if TYPE_CHECKING:
    from ..server import Broker

log = logging.getLogger("ottla.broker.monitoring")

DEFAULT_HOST = "127.0.0.1"
#: How long a look may wait for the event loop, and when a broker that does not answer is no longer healthy.
COLLECT_DEADLINE_S = 10.0
HEALTH_DEADLINE_S = 5.0
SOCKET_TIMEOUT_S = 10.0
OPEN_MAX = 8
THREADS_MAX = 32

#: Before the names that clients choose, so that none can pass for one of the broker's.
CLIENT_PREFIX = "ottla_client_"
_UNFIT = re.compile("[^a-zA-Z0-9_]")

StartResponse = Callable[..., Any]


def parse_address(text: str) -> tuple[str, int]:
    """Read `PORT` or `HOST:PORT`; raises ValueError."""
    host, _, port = text.rpartition(":")
    number = int(port)
    if not 0 <= number <= 65535:
        raise ValueError(f"{number} is no port")
    return host.strip("[]") or DEFAULT_HOST, number


class BrokerCollector:
    """All families of one broker, for prometheus_client."""

    def __init__(self, broker: Broker, loop: asyncio.AbstractEventLoop) -> None:
        self._broker = broker
        self._loop = loop

    def collect(self) -> Iterable[Metric]:
        """Read everything on the loop; called in a thread of the server."""
        metrics: list[Metric] = _on_loop(self._loop, lambda: list(self._read()), COLLECT_DEADLINE_S)
        return metrics

    def _read(self) -> Iterator[Metric]:
        broker = self._broker
        for family in FAMILIES:
            kind = CounterMetricFamily if family.kind == COUNTER else GaugeMetricFamily
            metric = kind(family.name, family.help, labels=family.labels)
            for labels, value in family.read(broker):
                metric.add_metric(labels, float(value))
            yield metric
        yield from self._groups()
        yield from self._clients()

    def _groups(self) -> Iterator[Metric]:
        labels = ("consumergroup", "topic", "partition")
        offsets = GaugeMetricFamily("kafka_consumergroup_current_offset", "Committed offset.", labels=labels)
        lags = GaugeMetricFamily("kafka_consumergroup_lag", "Records not yet committed.", labels=labels)
        sums: dict[tuple[str, str], int] = {}
        for found in committed_offsets(self._broker):
            place = (found.group, found.topic, str(found.partition))
            offsets.add_metric(place, found.offset)
            if found.lag is not None:
                lags.add_metric(place, found.lag)
                sums[found.group, found.topic] = sums.get((found.group, found.topic), 0) + found.lag
        total = GaugeMetricFamily("kafka_consumergroup_lag_sum", "The same over a topic.", labels=labels[:2])
        for topic, lag in sums.items():
            total.add_metric(topic, lag)
        size = GaugeMetricFamily("kafka_consumergroup_members", "Members.", labels=("consumergroup", "state"))
        for group, count in members(self._broker).items():
            size.add_metric(group, count)
        yield from (offsets, lags, total, size)

    def _clients(self) -> Iterator[Metric]:
        """What clients push about themselves; names keep their words, with underscores for dots."""
        metrics: dict[str, Metric] = {}
        for sample in self._broker.client_telemetry.samples():
            name = CLIENT_PREFIX + _UNFIT.sub("_", sample.name)
            metric = metrics.get(name)
            if metric is None:
                kind = "counter" if sample.counter else "gauge"
                metric = metrics[name] = Metric(name, sample.description or "Pushed by clients (KIP-714).", kind)
            suffix = "_total" if metric.type == "counter" else ""
            labels = {_UNFIT.sub("_", key): value for key, value in sample.labels}
            metric.add_sample(name + suffix, labels, sample.value)
        yield from metrics.values()


def _on_loop(loop: asyncio.AbstractEventLoop, work: Callable[[], Any], deadline_s: float) -> Any:
    """Run `work` on the loop and wait; raises TimeoutError."""
    answer: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run() -> None:
        if answer.set_running_or_notify_cancel():
            try:
                answer.set_result(work())
            except Exception as problem:  # noqa: BLE001 - raised again in the thread that asked
                answer.set_exception(problem)

    loop.call_soon_threadsafe(run)
    return answer.result(deadline_s)


class _Handler(WSGIRequestHandler):
    """Quiet, and not for ever."""

    timeout = SOCKET_TIMEOUT_S

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - its name there
        log.debug(format, *arguments)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._room = threading.BoundedSemaphore(THREADS_MAX)
        #: Oldest first; each belongs to a thread.
        self._open: dict[socket.socket, None] = {}
        self._lock = threading.Lock()
        super().__init__(*arguments, **more)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[request] = None
            oldest = next(iter(self._open)) if len(self._open) > OPEN_MAX else None
            if oldest is not None:
                del self._open[oldest]
                with contextlib.suppress(OSError):  # its peer was faster
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread closes it
        self._room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.info("a request from %s for metrics ended early", client_address, exc_info=True)


class MonitoringEndpoint:
    """The server of one broker: `start`, and `stop` at the end."""

    def __init__(self, broker: Broker, address: str) -> None:
        """`address` is the value of `ottla.metrics.listener`; raises ValueError."""
        self._broker = broker
        self._host, self._port = parse_address(address)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port as it is bound."""
        return self._port if self._server is None else int(self._server.server_port)

    def start(self) -> None:
        """Bind and serve, from the event loop whose broker is shown; raises OSError."""
        loop = asyncio.get_running_loop()
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(BrokerCollector(self._broker, loop))
        metrics = make_wsgi_app(registry)

        def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
            path = environ.get("PATH_INFO", "")
            if path == "/metrics":
                answer: Iterable[bytes] = metrics(environ, start_response)
                return answer
            if path in ("/healthz", "/readyz"):
                return self._probe(path, loop, start_response)
            return _plain(start_response, "404 Not Found", "there are /metrics, /healthz and /readyz here")

        self._server = make_server(self._host, self._port, app, server_class=_Server, handler_class=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()
        log.info("metrics at http://%s:%d/metrics", self._host, self.port)

    def _probe(self, path: str, loop: asyncio.AbstractEventLoop, start_response: StartResponse) -> Iterable[bytes]:
        check = self._unready if path == "/readyz" else lambda: None
        try:
            problem = _on_loop(loop, check, HEALTH_DEADLINE_S)
        except TimeoutError:
            problem = f"the event loop did not answer within {HEALTH_DEADLINE_S:.0f} s"
        if problem is None:
            return _plain(start_response, "200 OK", "ok")
        return _plain(start_response, "503 Service Unavailable", problem)

    def _unready(self) -> str | None:
        broker = self._broker
        if broker.failed.is_set():
            return "the broker has failed and is going down"
        for service in (broker.groups, broker.transactions, broker.share_state):
            if not service.has_loaded:
                return f"{service.TOPIC} is still being loaded"
        return None

    def stop(self) -> None:
        """Close the port; requests under way end with their threads."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _plain(start_response: StartResponse, status: str, text: str) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]
