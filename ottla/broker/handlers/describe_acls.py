"""DescribeAcls (key 29): list the rules that a filter finds.

Without an authorizer there are none to speak of: SECURITY_DISABLED. A filter with a code that this version does not know
is refused. v1 has patterns of names (KIP-290); before, every pattern is literal. v3 knows users as resources (KIP-373).
"""

from __future__ import annotations

from typing import Any

from ...protocol.apis.describe_acls import (
    AclDescription,
    DescribeAclsRequest,
    DescribeAclsResource,
    DescribeAclsResponse,
)
from ...protocol.errors import ErrorCode, KafkaError
from ...security import acl
from ...security.acl import AclFilter, acl_of_record
from ..dispatch import Context, handler

_PATTERNS_SINCE = 1


def read_filter(asked: Any, version: int) -> AclFilter:
    """Read a filter of a request. What it does not know raises, as Kafka refuses the request as a whole."""
    pattern_type = asked.pattern_type_filter if version >= _PATTERNS_SINCE else acl.LITERAL
    tables = (
        (asked.resource_type_filter, acl.RESOURCE_TYPES),
        (pattern_type, acl.PATTERN_TYPES),
        (asked.operation, acl.OPERATIONS),
        (asked.permission_type, acl.PERMISSIONS),
    )
    codes = [code if code in names else acl.UNKNOWN for code, names in tables]
    if any(code == acl.UNKNOWN for code, _ in tables):
        raise KafkaError(ErrorCode.INVALID_REQUEST, "The filter contains UNKNOWN elements")
    kind, pattern, operation, permission = codes
    return AclFilter(
        kind, asked.resource_name_filter, pattern, asked.principal_filter, asked.host_filter, operation, permission
    )


@handler(DescribeAclsRequest)
def describe_acls(context: Context, request: DescribeAclsRequest) -> DescribeAclsResponse:
    """List rules by the resource they are about."""
    wanted = read_filter(request, context.version)
    if context.broker.authorization is None:
        return DescribeAclsResponse(
            error_code=ErrorCode.SECURITY_DISABLED, error_message="No Authorizer is configured on the broker"
        )
    resources: dict[tuple[int, str, int], DescribeAclsResource] = {}
    for record in context.broker.image.acls.values():
        rule = acl_of_record(record)
        if not wanted.matches(rule):
            continue
        key = rule.resource_type, rule.resource_name, rule.pattern_type
        resource = resources.get(key)
        if resource is None:
            resource = resources[key] = DescribeAclsResource(
                resource_type=rule.resource_type, resource_name=rule.resource_name, pattern_type=rule.pattern_type
            )
        resource.acls.append(
            AclDescription(
                principal=rule.principal, host=rule.host, operation=rule.operation, permission_type=rule.permission
            )
        )
    return DescribeAclsResponse(resources=list(resources.values()))
