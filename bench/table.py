"""The table of scenarios, by the names that `--only` takes."""

from __future__ import annotations

from bench import client_consume, client_latency, clients, coordination, scenarios
from bench.scenarios import Scenario

SCENARIOS: dict[str, Scenario] = {
    "start": scenarios.start,
    "small": scenarios.small_requests,
    "batch": scenarios.batches,
    "tls": scenarios.tls,
    "java-producer": scenarios.java_producer,
    "consumers": scenarios.consumers,
    "end-to-end": scenarios.end_to_end,
    "partitions": scenarios.many_partitions,
    "transactions": coordination.transactions,
    "groups": coordination.group_operations,
    "fleet": coordination.fleet,
    "compaction": coordination.compacting,
    "client": clients.produce,
    "client-consume": client_consume.client_consume,
    "client-latency": client_latency.round_trips,
    "client-import": client_latency.imports,
}
