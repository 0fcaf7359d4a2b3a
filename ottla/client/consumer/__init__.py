"""The consumer: groups, fetching, records."""
