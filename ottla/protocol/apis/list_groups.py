"""ListGroups (key 16): the groups that this broker coordinates.

Every broker must be asked to see all. v3 is flexible, v4 filters by state (KIP-518), v5 by type of group (KIP-848).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class ListGroupsRequest(Request, api_key=16, versions="0-5", flexible="3+"):
    states_filter: list[string] = f("4+")
    types_filter: list[string] = f("5+")


class ListedGroup(Struct):
    group_id: string
    protocol_type: string
    group_state: string = f("4+", ignorable=True)
    group_type: string = f("5+", ignorable=True)


class ListGroupsResponse(Response, api_key=16, versions="0-5", flexible="3+"):
    throttle_time_ms: int32 = f("1+", ignorable=True)
    error_code: int16
    groups: list[ListedGroup]
