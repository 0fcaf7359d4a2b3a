"""Bytes from peers that mean harm, against a live broker (docs/hostile-input.md)."""
