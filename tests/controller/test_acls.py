"""Decisions about ACLs: what is made, what goes, and that nothing else does."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.controller.acls import RECORDS_MAX, create_acls, delete_acls
from ottla.metadata.image import MetadataImage
from ottla.protocol.apis.create_acls import AclCreation, CreateAclsRequest
from ottla.protocol.errors import ErrorCode
from ottla.security import acl as a
from ottla.security.acl import Acl, AclFilter, acl_of_record
from ottla.security.authorizer import Authorizer

NAMES, PRINCIPALS, HOSTS = ["t", "te", "test", "*"], ["User:a", "User:b", "User:*"], ["*", "10.0.0.1"]
RULES = st.builds(
    Acl, st.sampled_from([a.TOPIC, a.GROUP]), st.sampled_from(NAMES), st.sampled_from([a.LITERAL, a.PREFIXED]),
    st.sampled_from(PRINCIPALS), st.sampled_from(HOSTS), st.sampled_from([a.ALL, a.READ, a.WRITE]),
    st.sampled_from([a.ALLOW, a.DENY]),
)  # fmt: skip
FILTERS = st.builds(
    AclFilter, st.sampled_from([a.ANY, a.TOPIC, a.GROUP]), st.sampled_from([None, *NAMES]),
    st.sampled_from([a.ANY, a.MATCH, a.LITERAL, a.PREFIXED]), st.sampled_from([None, *PRINCIPALS]),
    st.sampled_from([None, *HOSTS]), st.sampled_from([a.ANY, a.READ, a.ALL]), st.sampled_from([a.ANY, a.ALLOW, a.DENY]),
)  # fmt: skip


def request(*rules: Acl) -> CreateAclsRequest:
    return CreateAclsRequest(
        creations=[
            AclCreation(
                resource_type=each.resource_type, resource_name=each.resource_name, principal=each.principal,
                resource_pattern_type=each.pattern_type, host=each.host, operation=each.operation,
                permission_type=each.permission,
            )
            for each in rules
        ]
    )  # fmt: skip


def rules_of(image: MetadataImage) -> list[Acl]:
    return [acl_of_record(record) for record in image.acls.values()]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.lists(RULES, max_size=6), st.lists(FILTERS, min_size=1, max_size=3).map(tuple)), max_size=12)
)
def test_cve_2024_27309_edits_are_those_of_a_set(edits: list[list[Acl] | tuple[AclFilter, ...]]) -> None:
    chance = random.Random(1)
    image, model = MetadataImage.empty(), set[Acl]()
    authorizer = Authorizer()
    for edit in edits:
        if isinstance(edit, list):
            decision = create_acls(image, request(*edit), random=chance)
            model |= set(edit)
        else:
            found = [{rule for rule in model if wanted.matches(rule)} for wanted in edit]
            decided = delete_acls(image, list(edit))
            told = [
                {(each.resource_name, each.principal) for each in row.matching_acls}
                for row in decided.response.filter_results
            ]
            assert told == [{(rule.resource_name, rule.principal) for rule in rules} for rules in found]
            model -= set().union(*found)
            decision = decided  # type: ignore[assignment]
        image = image.apply(decision.records)
        assert len(image.acls) == len(model), "none twice"
        assert set(rules_of(image)) == model
        authorizer.update(image.acls)
        about = {rule for kind in (a.TOPIC, a.GROUP) for rule in authorizer.index.of_type(kind)}
        assert about == model
    assert set(rules_of(MetadataImage.empty().apply(image.records()))) == model, "and after a restart"


def test_what_no_rule_can_be_is_refused() -> None:
    good = Acl(a.TOPIC, "t", a.LITERAL, "User:a", "*", a.READ, a.ALLOW)
    refused = [
        (good._replace(resource_type=99), "Invalid resourceType UNKNOWN"),
        (good._replace(resource_type=a.ANY), "Invalid resourceType ANY"),
        (good._replace(pattern_type=a.MATCH), "Invalid patternType MATCH"),
        (good._replace(operation=99), "Invalid operation UNKNOWN"),
        (good._replace(permission=a.ANY), "Invalid permissionType ANY"),
        (good._replace(resource_type=a.CLUSTER), "The only valid name for the CLUSTER resource is kafka-cluster"),
    ]
    decision = create_acls(
        MetadataImage.empty(), request(*(rule for rule, _ in refused), good), random=random.Random(1)
    )
    rows = decision.response.results
    assert [(row.error_code, row.error_message) for row in rows[:-1]] == [
        (ErrorCode.INVALID_REQUEST, why) for _, why in refused
    ]
    assert rows[-1].error_code == ErrorCode.NONE
    assert len(decision.records) == 1


def test_a_request_changes_so_many_rules_at_most() -> None:
    many = [Acl(a.TOPIC, f"t{i}", a.LITERAL, "User:a", "*", a.READ, a.ALLOW) for i in range(RECORDS_MAX + 1)]
    chance = random.Random(1)
    decision = create_acls(MetadataImage.empty(), request(*many), random=chance)
    assert decision.records == []
    assert {row.error_code for row in decision.response.results} == {ErrorCode.POLICY_VIOLATION}
    image = MetadataImage.empty()
    for part in (many[:-1], many[-1:]):
        image = image.apply(create_acls(image, request(*part), random=chance).records)
    refused = delete_acls(image, [AclFilter()])
    assert refused.records == []
    (row,) = refused.response.filter_results
    assert (row.error_code, row.error_message) == (
        ErrorCode.INVALID_REQUEST, "Cannot remove more than 10000 acls in a single delete operation."
    )  # fmt: skip


def test_an_unknown_filter_is_refused_alone() -> None:
    rows = delete_acls(
        MetadataImage.empty(), [AclFilter(resource_type=a.UNKNOWN), AclFilter(operation=a.UNKNOWN), AclFilter()]
    ).response.filter_results
    assert [(row.error_code, row.error_message) for row in rows] == [
        (ErrorCode.INVALID_REQUEST, "Unknown patternFilter."), (ErrorCode.INVALID_REQUEST, "Unknown entryFilter."), (0, None)
    ]  # fmt: skip
