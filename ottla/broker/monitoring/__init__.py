"""What the broker tells of itself over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz`.

`families` is the one table of metrics, `group_lag` adds what consumer groups have still to read, `endpoint` serves them. All of it
is off until `ottla.metrics.listener` names an address, and costs nothing then but integers that are counted anyway.
"""
