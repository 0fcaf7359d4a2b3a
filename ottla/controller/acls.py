"""Decisions about ACLs: CreateAcls and DeleteAcls. Checks are Kafka's, in its order and words (`AclApis`, `AclControlManager`).

Each rule and each filter of a request stands or falls alone, unless there are too many for one request. A rule that is
there already is not made again. What the records say is given its meaning in `security/authorizer`.
"""

from __future__ import annotations

from ..metadata.image import MetadataImage
from ..protocol.apis import create_acls as create
from ..protocol.apis import delete_acls as delete
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import Data
from ..protocol.stored.metadata import AccessControlEntryRecord, RemoveAccessControlEntryRecord
from ..security import acl
from ..security.acl import Acl, AclFilter, acl_of_record
from .decision import Decision, Randomness

#: Records that one request of a user may make.
RECORDS_MAX = 10_000
_ID_BYTES = 16


def create_acls(
    image: MetadataImage, request: create.CreateAclsRequest, *, random: Randomness
) -> Decision[create.CreateAclsResponse]:
    """Decide CreateAcls."""
    there = {acl_of_record(record) for record in image.acls.values()}
    records: list[Data] = []
    results = []
    for creation in request.creations:
        result = create.AclCreationResult()
        results.append(result)
        try:
            made = _checked(creation)
        except KafkaError as error:
            result.error_code, result.error_message = error.code, error.message
            continue
        if made not in there:
            there.add(made)
            records.append(_record(made, random.randbytes(_ID_BYTES)))
    if len(records) > RECORDS_MAX:
        why = "Unable to perform excessively large batch operation."
        results = [
            create.AclCreationResult(error_code=ErrorCode.POLICY_VIOLATION, error_message=why)
            for _ in request.creations
        ]
        records = []
    return Decision(create.CreateAclsResponse(results=results), records)


def _checked(creation: create.AclCreation) -> Acl:
    """Return the rule if it can be one."""
    name, kind = creation.resource_name, creation.resource_type
    if kind == acl.CLUSTER and name != acl.CLUSTER_NAME:
        raise _bad(f"The only valid name for the CLUSTER resource is {acl.CLUSTER_NAME}")
    if not name:
        raise _bad("Invalid empty resource name")
    for what, code, names, least in (
        ("resourceType", kind, acl.RESOURCE_TYPES, acl.TOPIC),
        ("patternType", creation.resource_pattern_type, acl.PATTERN_TYPES, acl.LITERAL),
        ("operation", creation.operation, acl.OPERATIONS, acl.ALL),
        ("permissionType", creation.permission_type, acl.PERMISSIONS, acl.DENY),
    ):
        if code < least or code not in names:
            raise _bad(f"Invalid {what} {names.get(code, names[acl.UNKNOWN])}")
    if ":" not in creation.principal:
        raise _bad(
            f"Could not parse principal from `{creation.principal}` (no colon is present separating the principal "
            "type from the principal name)"
        )
    return Acl(
        kind, name, creation.resource_pattern_type, creation.principal, creation.host, creation.operation,
        creation.permission_type,
    )  # fmt: skip


def _bad(why: str) -> KafkaError:
    return KafkaError(ErrorCode.INVALID_REQUEST, why)


def _record(made: Acl, identity: bytes) -> AccessControlEntryRecord:
    return AccessControlEntryRecord(
        id=identity,
        resource_type=made.resource_type,
        resource_name=made.resource_name,
        pattern_type=made.pattern_type,
        principal=made.principal,
        host=made.host,
        operation=made.operation,
        permission_type=made.permission,
    )


def delete_acls(
    image: MetadataImage, filters: list[AclFilter]
) -> Decision[delete.DeleteAclsResponse]:  # fmt: skip
    """Decide DeleteAcls. A rule that several filters find is told by each, and goes once."""
    acls = {identity: acl_of_record(record) for identity, record in image.acls.items()}
    gone: dict[bytes, None] = {}
    results = []
    for wanted in filters:
        result = delete.DeleteAclsFilterResult(error_message=None)
        results.append(result)
        if wanted.has_unknown_pattern or wanted.has_unknown_entry:
            what = "patternFilter" if wanted.has_unknown_pattern else "entryFilter"
            result.error_code, result.error_message = ErrorCode.INVALID_REQUEST, f"Unknown {what}."
            continue
        found = [identity for identity, rule in acls.items() if wanted.matches(rule)]
        gone.update(dict.fromkeys(found))
        result.matching_acls = [_told(acls[identity]) for identity in found]
    if len(gone) > RECORDS_MAX:
        why = f"Cannot remove more than {RECORDS_MAX} acls in a single delete operation."
        refused = [
            delete.DeleteAclsFilterResult(error_code=ErrorCode.INVALID_REQUEST, error_message=why) for _ in filters
        ]
        return Decision(delete.DeleteAclsResponse(filter_results=refused))
    records: list[Data] = [RemoveAccessControlEntryRecord(id=identity) for identity in gone]
    return Decision(delete.DeleteAclsResponse(filter_results=results), records)


def _told(rule: Acl) -> delete.DeleteAclsMatchingAcl:
    return delete.DeleteAclsMatchingAcl(
        error_code=ErrorCode.NONE,
        error_message=None,
        resource_type=rule.resource_type,
        resource_name=rule.resource_name,
        pattern_type=rule.pattern_type,
        principal=rule.principal,
        host=rule.host,
        operation=rule.operation,
        permission_type=rule.permission,
    )
