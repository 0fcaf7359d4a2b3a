"""Broker configs: metrics, telemetry and quotas."""

from __future__ import annotations

from .definition import CLUSTER_WIDE, LOW, define
from .validators import at_least, list_of
from .values import CLASS, INT, LIST, LONG, STRING

_NO_JVM = "Java classes cannot be loaded"
_NO_QUOTA = "replication is not throttled so far"

METRICS = [
    define("metrics.num.samples", INT, 2, at_least(1), LOW,
        "How many samples a metric looks back on.", no_effect=_NO_JVM),
    define("metrics.sample.window.ms", LONG, 30000, at_least(1), LOW,
        "How long a sample of a metric is.", no_effect=_NO_JVM),
    define("metric.reporters", LIST, ("org.apache.kafka.common.metrics.JmxReporter",), list_of(), LOW,
        "Plug-ins that are told of metrics.", update=CLUSTER_WIDE, no_effect=_NO_JVM),
    define("metrics.recording.level", STRING, "INFO", None, LOW,
        "How detailed the recorded metrics are.", no_effect=_NO_JVM),
    define("kafka.metrics.reporters", LIST, (), list_of(), LOW,
        "Plug-ins that are told of the broker's Yammer metrics.", no_effect=_NO_JVM),
    define("kafka.metrics.polling.interval.secs", INT, 10, at_least(1), LOW,
        "How often those plug-ins look.", no_effect=_NO_JVM),
    define("telemetry.max.bytes", INT, 1048576, at_least(1), LOW,
        "The most bytes of metrics a client may push at once."),
    define("quota.window.num", INT, 11, at_least(1), LOW,
        "How many samples client quotas look back on."),
    define("replication.quota.window.num", INT, 11, at_least(1), LOW,
        "How many samples replication quotas look back on.", no_effect=_NO_QUOTA),
    define("alter.log.dirs.replication.quota.window.num", INT, 11, at_least(1), LOW,
        "How many samples the quota of moves between log directories looks back on.", no_effect=_NO_QUOTA),
    define("controller.quota.window.num", INT, 11, at_least(1), LOW,
        "How many samples the controller's mutation quota looks back on."),
    define("quota.window.size.seconds", INT, 1, at_least(1), LOW,
        "How long a sample of client quotas is."),
    define("replication.quota.window.size.seconds", INT, 1, at_least(1), LOW,
        "How long a sample of replication quotas is.", no_effect=_NO_QUOTA),
    define("alter.log.dirs.replication.quota.window.size.seconds", INT, 1, at_least(1), LOW,
        "How long a sample of the quota of moves between log directories is.", no_effect=_NO_QUOTA),
    define("controller.quota.window.size.seconds", INT, 1, at_least(1), LOW,
        "How long a sample of the controller's mutation quota is."),
    define("client.quota.callback.class", CLASS, None, None, LOW,
        "The plug-in that decides the quota of a client.", no_effect=_NO_JVM),
]  # fmt: skip
