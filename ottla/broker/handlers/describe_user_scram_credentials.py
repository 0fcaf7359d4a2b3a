"""DescribeUserScramCredentials (key 50): which users have SCRAM credentials of which mechanism (KIP-554)."""

from __future__ import annotations

from ...controller.scram import describe_user_scram_credentials as find
from ...protocol.apis.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
)
from ..dispatch import Context, handler


@handler(DescribeUserScramCredentialsRequest)
def describe_user_scram_credentials(
    context: Context, request: DescribeUserScramCredentialsRequest
) -> DescribeUserScramCredentialsResponse:
    """List credentials without anything that would help to guess a password."""
    return DescribeUserScramCredentialsResponse(results=find(context.broker.image, request))
