"""kafka.net.sasl: only what programs import of it."""
