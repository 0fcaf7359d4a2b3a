"""Foreign client libraries against the broker: drivers, and the matrix that runs them (`python -m tests.clients.matrix`)."""
