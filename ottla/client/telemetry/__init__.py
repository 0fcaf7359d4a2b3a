"""Client telemetry (KIP-714): the cluster asks for metrics of this client, and the client pushes them."""
