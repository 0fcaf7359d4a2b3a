"""Share groups (KIP-932): members that read the same partitions together, record by record.

group       members, target assignment, and which share partitions have state (initializing, initialized, deleting)
assignor    who reads which partitions
members     heartbeats: joining, staying, leaving
offsets     where the group goes on: altering, deleting, deleting the group
kind        the door to the shard: replay, timers, metadata
records     records 10 to 15 of `__consumer_offsets`

What is delivered and acknowledged lies with the leaders of the partitions and the share coordinator
(`coordinator/share_state`); the group coordinator only has state initialized before a partition is assigned.
"""
