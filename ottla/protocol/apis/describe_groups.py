"""DescribeGroups (key 15): state, protocol and members of classic groups.

Answered by each group's coordinator. Metadata and assignments of members are those of the clients, passed through;
they are there in the Stable state only.
v3 adds authorized operations (KIP-430), v4 static members (KIP-345), v5 is flexible. From v6 an unknown group is
GROUP_ID_NOT_FOUND where it was a group in state Dead before (KIP-1043).
"""

from ..schema import Request, Response, Struct, f, int16, int32, string


class DescribeGroupsRequest(Request, api_key=15, versions="0-6", flexible="5+"):
    groups: list[string]
    include_authorized_operations: bool = f("3+")


class DescribedGroupMember(Struct):
    member_id: string
    group_instance_id: string | None = f("4+", default=None, ignorable=True)
    client_id: string
    client_host: string
    member_metadata: bytes
    member_assignment: bytes


class DescribedGroup(Struct):
    error_code: int16
    error_message: string | None = f("6+", default=None)
    group_id: string
    group_state: string
    protocol_type: string
    protocol_data: string
    members: list[DescribedGroupMember]
    authorized_operations: int32 = f("3+", default=-2147483648)


class DescribeGroupsResponse(Response, api_key=15, versions="0-6", flexible="5+"):
    throttle_time_ms: int32 = f("1+", ignorable=True)
    groups: list[DescribedGroup]
