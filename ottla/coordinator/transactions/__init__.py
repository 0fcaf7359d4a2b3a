"""The transaction coordinator's machine: one partition of `__transaction_state`, pure (`shard`)."""
