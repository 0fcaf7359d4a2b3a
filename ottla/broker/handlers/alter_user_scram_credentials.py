"""AlterUserScramCredentials (key 51): create, change and delete SCRAM credentials of users (KIP-554)."""

from __future__ import annotations

from ...controller.scram import alter_user_scram_credentials as decide
from ...protocol.apis.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse,
)
from ..dispatch import Context, handler


@handler(AlterUserScramCredentialsRequest)
async def alter_user_scram_credentials(
    context: Context, request: AlterUserScramCredentialsRequest
) -> AlterUserScramCredentialsResponse:
    """Change credentials; each user has its own result."""
    return await context.broker.controller.submit(lambda image: decide(image, request))
