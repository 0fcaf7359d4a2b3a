"""Share partitions: records in flight of share groups, and where their state is kept."""
