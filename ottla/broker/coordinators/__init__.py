"""The shells of the coordinators: one service per internal topic, one host per partition of it."""
