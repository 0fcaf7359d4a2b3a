"""DescribeClientQuotas (key 48): the quotas of users, client ids and addresses that match a filter (KIP-546)."""

from __future__ import annotations

from ...controller.client_quotas import describe_client_quotas as find
from ...protocol.apis.describe_client_quotas import DescribeClientQuotasRequest, DescribeClientQuotasResponse
from ...protocol.errors import ErrorCode, KafkaError
from ..dispatch import Context, handler


@handler(DescribeClientQuotasRequest)
def describe_client_quotas(context: Context, request: DescribeClientQuotasRequest) -> DescribeClientQuotasResponse:
    """List quotas; a filter that makes no sense has no entries."""
    try:
        entries = find(context.broker.image, request)
    except KafkaError as error:
        return DescribeClientQuotasResponse(error_code=error.code, error_message=error.message, entries=None)
    return DescribeClientQuotasResponse(error_code=ErrorCode.NONE, error_message="", entries=entries)
