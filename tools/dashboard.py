"""Writes ops/grafana-dashboard.json from the table below: `python tools/dashboard.py`. A test holds the file against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

TARGET = Path(__file__).parent.parent / "ops" / "grafana-dashboard.json"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, STAT_HEIGHT, PLOT_HEIGHT = 24, 4, 8


class Panel(NamedTuple):
    """One picture: queries by legend; `{job}` is put in by `_query`."""

    title: str
    unit: str
    queries: dict[str, str]
    kind: str = "timeseries"


PANELS = (
    Panel("Brokers", "short", {"": "count(kafka_server_replicamanager_leadercount{job=~\"$job\"})"}, "stat"),
    Panel("Active controllers", "short", {"": "sum(kafka_controller_kafkacontroller_activecontrollercount{job=~\"$job\"})"}, "stat"),
    Panel("Partitions without a leader", "short",
          {"": "max(kafka_controller_kafkacontroller_offlinepartitionscount{job=~\"$job\"})"}, "stat"),
    Panel("Under-replicated partitions", "short",
          {"": "sum(kafka_server_replicamanager_underreplicatedpartitions{job=~\"$job\"})"}, "stat"),
    Panel("Replicas out of service", "short",
          {"": "sum(kafka_server_replicamanager_offlinereplicacount{job=~\"$job\"})"}, "stat"),
    Panel("Uncaught exceptions", "short", {"": "sum(ottla_uncaught_exceptions_total{job=~\"$job\"})"}, "stat"),
    Panel("Records in", "cps",
          {"{{topic}}": "sum by (topic) (rate(kafka_server_brokertopicmetrics_messagesin_total{job=~\"$job\",topic!=\"\"}[$__rate_interval]))"}),
    Panel("Bytes in and out", "Bps", {
        "in": "sum(rate(kafka_server_brokertopicmetrics_bytesin_total{job=~\"$job\",topic=\"\"}[$__rate_interval]))",
        "out": "sum(rate(kafka_server_brokertopicmetrics_bytesout_total{job=~\"$job\",topic=\"\"}[$__rate_interval]))",
    }),
    Panel("Consumer group lag", "short",
          {"{{consumergroup}} {{topic}}": "sum by (consumergroup, topic) (kafka_consumergroup_lag{job=~\"$job\"})"}),
    Panel("Consumer group members", "short",
          {"{{consumergroup}} {{state}}": "sum by (consumergroup, state) (kafka_consumergroup_members{job=~\"$job\"})"}),
    Panel("Requests", "reqps",
          {"{{request}}": "sum by (request) (rate(kafka_network_requestmetrics_requests_total{job=~\"$job\"}[$__rate_interval]))"}),
    Panel("Refused", "cps", {
        "produce": "sum(rate(kafka_server_brokertopicmetrics_failedproducerequests_total{job=~\"$job\",topic=\"\"}[$__rate_interval]))",
        "fetch": "sum(rate(kafka_server_brokertopicmetrics_failedfetchrequests_total{job=~\"$job\",topic=\"\"}[$__rate_interval]))",
        "connections": "sum(rate(ottla_connections_refused_total{job=~\"$job\"}[$__rate_interval]))",
        "frames": "sum(rate(ottla_invalid_requests_total{job=~\"$job\"}[$__rate_interval]))",
    }),
    Panel("Idle", "percentunit",
          {"{{instance}}": "kafka_network_socketserver_networkprocessoravgidle_percent{job=~\"$job\"}"}),
    Panel("CPU", "short", {"{{instance}}": "rate(process_cpu_seconds_total{job=~\"$job\"}[$__rate_interval])"}),
    Panel("Memory", "bytes", {"{{instance}}": "process_resident_memory_bytes{job=~\"$job\"}"}),
    Panel("Connections", "short",
          {"{{instance}} {{listener}}": "kafka_server_socket_server_metrics_connection_count{job=~\"$job\"}"}),
    Panel("Open files", "short", {"{{instance}}": "process_open_fds{job=~\"$job\"}"}),
    Panel("Log size", "bytes", {"{{topic}}": "sum by (topic) (kafka_log_log_size{job=~\"$job\"})"}),
)  # fmt: skip


def queries() -> list[str]:
    """Every query of the dashboard."""
    return [query for panel in PANELS for query in panel.queries.values()]


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana (10 or later) imports it."""
    panels = []
    x = y = 0
    for number, panel in enumerate(PANELS, 1):
        width, height = (4, STAT_HEIGHT) if panel.kind == "stat" else (12, PLOT_HEIGHT)
        if x + width > WIDTH:
            x, y = 0, y + (STAT_HEIGHT if PANELS[number - 2].kind == "stat" else PLOT_HEIGHT)
        panels.append({
            "id": number, "type": panel.kind, "title": panel.title, "datasource": DATASOURCE,
            "gridPos": {"x": x, "y": y, "w": width, "h": height},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "targets": [
                {"refId": chr(ord("A") + i), "expr": query, "legendFormat": legend, "datasource": DATASOURCE}
                for i, (legend, query) in enumerate(panel.queries.items())
            ],
        })  # fmt: skip
        x += width
    variable = {
        "name": "job",
        "type": "query",
        "datasource": DATASOURCE,
        "includeAll": True,
        "multi": True,
        "refresh": 2,
    }
    query = "label_values(kafka_server_replicamanager_leadercount, job)"
    return {
        "title": "Ottla", "uid": "ottla", "tags": ["kafka", "ottla"], "timezone": "browser", "schemaVersion": 38,
        "refresh": "10s", "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": "prometheus"},
            {**variable, "query": query, "definition": query},
        ]},
        "panels": panels,
    }  # fmt: skip


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
