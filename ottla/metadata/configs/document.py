"""Writes docs/configuration.md from the tables: `python -m ottla.metadata.configs.document`.

The page is checked in because people read it; a test fails when it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from . import (
    broker_groups,
    broker_log,
    broker_metrics,
    broker_network,
    broker_replication,
    broker_security,
    broker_server,
    broker_tiered,
    broker_transactions,
)
from .broker import DYNAMIC_ONLY, OTTLA
from .client_metrics import CLIENT_METRICS
from .definition import ConfigDefinition
from .group import GROUP
from .topic import TOPIC
from .values import INT_MAX, LONG_MAX

PAGE = Path("docs/configuration.md")

_HEAD = """\
<!-- python -m ottla.metadata.configs.document -->
# Configuration

Every key is Apache Kafka 4.2's, with its type, default and meaning, so that a `server.properties` of Kafka starts Ottla.
Keys that begin with `ottla.` are Ottla's own.

## Where values come from

The first source that has a key wins:

| source | example |
|---|---|
| `--set` (and `--listen`, `--data-dir`) | `ottla start --set log.retention.ms=60000` |
| environment, `OTTLA_` | `OTTLA_LOG_RETENTION_MS=60000`, `OTTLA_DURABILITY=fsync` |
| environment, `KAFKA_` | `KAFKA_LOG_RETENTION_MS=60000`, as in Kafka's container images |
| file (`--config`) | `log.retention.ms=60000` in `server.properties` syntax; or TOML, if its name ends in `.toml` |
| default | the tables below |

A variable is the key in capitals with `_` for `.` (`__` stands for `_`, `___` for `-`). An unknown key, or an unknown
`OTTLA_` variable, is an error that names the nearest known one; an unknown `KAFKA_` variable is left alone, because other
programs have such variables too.

In TOML a key may be written dotted or nested:

```toml
node.id = 1
listeners = ["PLAINTEXT://127.0.0.1:9092"]

[log.retention]
ms = 60000
```

Where Kafka demands a value, Ottla has one: `node.id` is 1, `listeners` is `PLAINTEXT://127.0.0.1:9092`, and the command line
chooses a data folder for `log.dirs`. Listeners named in `controller.listener.names` are those of Kafka's quorum and are left out.

## Changing values while the broker runs

With `kafka-configs`, or IncrementalAlterConfigs of any Admin client. *Changeable* below says where: `per-broker` for one
broker, `cluster-wide` for one or for all (`--entity-default`); other keys need a restart. What is set there wins over the
sources above. Topics, groups and client-metrics subscriptions have tables of their own; [quotas](quotas.md) and
[metrics of clients](client-metrics.md) have pages.

A key with ⦸ is accepted and checked, and changes nothing; the reason stands beside it.
"""


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD]
    parts += _section("Ottla's own keys", OTTLA.values())
    parts += _section(
        "Topics", TOPIC.values(), "What a topic may set; where it does not, the broker config beside it counts."
    )
    parts += _section("Brokers: the node and its cluster", broker_server.SERVER)
    parts += _section("Brokers: listeners, connections, requests", broker_network.NETWORK)
    parts += _section("Brokers: logs, and defaults of topics", broker_log.LOG)
    parts += _section("Brokers: groups and offsets", broker_groups.GROUPS)
    parts += _section("Brokers: transactions", broker_transactions.TRANSACTIONS)
    parts += _section("Brokers: replication", broker_replication.REPLICATION)
    parts += _section("Brokers: metrics and quotas", broker_metrics.METRICS)
    parts += _section("Brokers: security", broker_security.SECURITY)
    parts += _section("Brokers: tiered storage", broker_tiered.TIERED)
    parts += _section("Brokers: only while they run", DYNAMIC_ONLY.values())
    parts += _section("Groups", GROUP.values(), "What a group may set (`kafka-configs --entity-type groups`).")
    parts += _section(
        "Client metrics", CLIENT_METRICS.values(), "What a subscription sets (`--entity-type client-metrics`)."
    )
    return "\n".join(parts) + "\n"


def _section(title: str, rows: Iterable[ConfigDefinition], text: str = "") -> list[str]:
    lines = [f"\n## {title}\n"]
    if text:
        lines.append(f"{text}\n")
    lines += ["| key | type | default | valid | changeable | meaning |", "|---|---|---|---|---|---|"]
    return lines + [
        _row(row) for row in sorted(rows, key=lambda row: row.name) if not row.internal or row.name in DYNAMIC_ONLY
    ]


def _row(row: ConfigDefinition) -> str:
    meaning = row.doc
    if row.synonyms:
        meaning += f" Broker: {', '.join(f'`{name}`' for name in row.synonyms)}."
    if row.no_effect:
        meaning += f" ⦸ {row.no_effect[0].upper()}{row.no_effect[1:]}."
    cells = (
        f"`{row.name}`", row.type.name.lower(), _default(row), str(row.validator or "").replace("|", "\\|"),
        "" if row.update_mode == "read-only" else row.update_mode, meaning,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _default(row: ConfigDefinition) -> str:
    if row.default in (LONG_MAX, INT_MAX):
        return "no limit"
    text = row.default_string
    if text is None:
        return ""
    return f"`{text}`" if text else "empty"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{PAGE}\n")
