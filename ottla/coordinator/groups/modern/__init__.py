"""What the newer kinds of group (consumer, share, streams) share: epochs, target assignments, the hash of the topics.

metadata_hash   one number for all that a group's assignment depends on: topics, partitions, racks
assignment      partitions by topic id, in memory and in records
assignor        what an assignor is told and may not touch
group           members with epochs, the group epoch, the target assignment
hash_order      the orders in which Java walks its hash maps, which decide between equals in Kafka's assignors
"""
