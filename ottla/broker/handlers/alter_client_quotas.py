"""AlterClientQuotas (key 49): set or remove quotas of users, client ids and addresses (KIP-546).

An address may be given as a host name; whether there is such a host is asked here, because deciding does no I/O.
"""

from __future__ import annotations

from ...controller.client_quotas import IP
from ...controller.client_quotas import alter_client_quotas as decide
from ...protocol.apis.alter_client_quotas import AlterClientQuotasRequest, AlterClientQuotasResponse
from ..dispatch import Context, handler
from ..host_names import resolve

#: Host names looked up for one request; those beyond count as unknown.
HOST_NAMES_MAX = 100


@handler(AlterClientQuotasRequest)
async def alter_client_quotas(context: Context, request: AlterClientQuotasRequest) -> AlterClientQuotasResponse:
    """Change quotas; each entity has its own result."""
    parts = (part for entry in request.entries for part in entry.entity if part.entity_type == IP)
    names = dict.fromkeys(part.entity_name for part in parts if part.entity_name)
    known = await resolve(list(names)[:HOST_NAMES_MAX])
    unresolvable = names.keys() - known.keys()
    return await context.broker.controller.submit(lambda image: decide(image, request, unresolvable=unresolvable))
