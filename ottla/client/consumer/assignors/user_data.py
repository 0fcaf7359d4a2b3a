"""What `sticky` says in its user data: what it owned, and since v1 in which generation. No version stands before it."""

from ....protocol.schema import Data, Struct, f, int32, string


class StickyTopic(Struct):
    topic: string
    partitions: list[int32]


class StickyUserData(Data, versions="0-1"):
    previous_assignment: list[StickyTopic]
    generation: int32 = f("1+", default=-1)
