"""kafka.net: only what programs import of it."""
