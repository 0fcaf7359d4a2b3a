"""AlterUserScramCredentials (key 51): create, change and delete SCRAM credentials of users (KIP-554).

Answered by the controller. The password stays with the client: what travels is salt, iterations and salted password.
"""

from ..schema import Request, Response, Struct, int8, int16, int32, string


class ScramCredentialDeletion(Struct):
    name: string
    mechanism: int8


class ScramCredentialUpsertion(Struct):
    name: string
    mechanism: int8
    iterations: int32
    salt: bytes
    salted_password: bytes


class AlterUserScramCredentialsRequest(Request, api_key=51, versions="0", flexible="0+"):
    deletions: list[ScramCredentialDeletion]
    upsertions: list[ScramCredentialUpsertion]


class AlterUserScramCredentialsResult(Struct):
    user: string
    error_code: int16
    error_message: string | None


class AlterUserScramCredentialsResponse(Response, api_key=51, versions="0", flexible="0+"):
    throttle_time_ms: int32
    results: list[AlterUserScramCredentialsResult]
