"""Writes docs/monitoring.md: its text from here, its table from ottla/broker/monitoring/families.py."""

from __future__ import annotations

from pathlib import Path

from ottla.broker.monitoring.families import COUNTER, FAMILIES

TARGET = Path(__file__).parent.parent / "docs" / "monitoring.md"

HEAD = """# Monitoring

Made by `make docs`; do not edit.

    ottla start --set ottla.metrics.listener=9404        # or HOST:PORT; without it nothing is served

| path | answers |
|---|---|
| `/metrics` | Prometheus' text format, or OpenMetrics if asked for |
| `/healthz` | 200 while the event loop answers within 5 s: for a liveness probe |
| `/readyz` | 200 once clients are served and groups, transactions and share state are loaded: for a readiness probe |

It listens on 127.0.0.1 unless a host is given, and asks nobody who they are: keep it where only your monitoring reaches it.

`ops/grafana-dashboard.json` is a dashboard for Grafana 10 or later (*Dashboards, New, Import*), `ops/prometheus-rules.yml` has alerts for
Prometheus; a test runs both against a broker. Dashboards made for Kafka under Strimzi (`strimzi-kafka`, `strimzi-kafka-exporter`,
`strimzi-kraft`) find the names they ask for, but for those of a JVM and of the Raft channel, which do not exist here.

```yaml
scrape_configs:
  - job_name: ottla
    static_configs: [{targets: ["127.0.0.1:9404"]}]
```

The lag of a group is told by the broker that coordinates it, for partitions that the same broker leads. What clients push about themselves
([KIP-714](client-metrics.md)) appears with `ottla_client_` before its name. The broker's own log goes to stderr, as lines for people or, with
`--set ottla.log.format=json`, as a JSON object per line.

## Metrics

Besides these, `process_*` says what the process uses.

| metric | labels | |
|---|---|---|
"""
GROUPS = """| `kafka_consumergroup_current_offset` | consumergroup, topic, partition | Committed offset. |
| `kafka_consumergroup_lag` | consumergroup, topic, partition | Records not yet committed. |
| `kafka_consumergroup_lag_sum` | consumergroup, topic | The same over a topic. |
| `kafka_consumergroup_members` | consumergroup, state | Members. |
"""


def text() -> str:
    """The page."""
    rows = [
        f"| `{f.name}{'_total' if f.kind == COUNTER else ''}` | {', '.join(f.labels)} | {f.help} |\n" for f in FAMILIES
    ]
    return HEAD + "".join(rows) + GROUPS


if __name__ == "__main__":
    TARGET.write_text(text())
