"""What consumers put into JoinGroup and SyncGroup, in bytes that the coordinator passes through.

Each value stands behind a version of two bytes. A reader that meets a newer version reads what it knows of it.
v1 of the subscription adds owned partitions, for cooperative rebalancing (KIP-429), v2 the generation they were owned in
(KIP-792), v3 the rack (KIP-881). The assignment never changed.
"""

from .schema import Data, Struct, f, int32, string


class TopicPartition(Struct):
    topic: string = f("1+")
    partitions: list[int32] = f("1+")


class ConsumerProtocolSubscription(Data, versions="0-3"):
    topics: list[string]
    user_data: bytes | None = f(default=None)
    owned_partitions: list[TopicPartition] = f("1+", ignorable=True)
    generation_id: int32 = f("2+", default=-1, ignorable=True)
    rack_id: string | None = f("3+", default=None, ignorable=True)


class ConsumerProtocolAssignmentTopicPartition(Struct):
    topic: string
    partitions: list[int32]


class ConsumerProtocolAssignment(Data, versions="0-3"):
    assigned_partitions: list[ConsumerProtocolAssignmentTopicPartition]
    user_data: bytes | None = f(default=None)
