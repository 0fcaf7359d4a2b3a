"""Quotas: how fast clients may go (KIP-13, 124, 219, 599, 612). Pure: time comes in as `now_ms`."""
