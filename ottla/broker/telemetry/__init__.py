"""Client telemetry (KIP-714): who is asked for which metrics, and what came. Pure: time comes in as `now_ms`."""
