"""DescribeUserScramCredentials (key 50): which users have SCRAM credentials of which mechanism (KIP-554).

Answered by any broker; never says anything that helps to guess a password. Null users ask for all.
"""

from ..schema import Request, Response, Struct, int8, int16, int32, string


class UserName(Struct):
    name: string


class DescribeUserScramCredentialsRequest(Request, api_key=50, versions="0", flexible="0+"):
    users: list[UserName] | None


class CredentialInfo(Struct):
    mechanism: int8
    iterations: int32


class DescribeUserScramCredentialsResult(Struct):
    user: string
    error_code: int16
    error_message: string | None
    credential_infos: list[CredentialInfo]


class DescribeUserScramCredentialsResponse(Response, api_key=50, versions="0", flexible="0+"):
    throttle_time_ms: int32
    error_code: int16
    error_message: string | None
    results: list[DescribeUserScramCredentialsResult]
