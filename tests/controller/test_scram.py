"""SCRAM credentials of users: each stands or falls alone, verifiers are stored and nothing else (differential rows: rows_users)."""

from __future__ import annotations

import pytest

from ottla.controller.scram import MECHANISM_NUMBERS, alter_user_scram_credentials, describe_user_scram_credentials
from ottla.metadata.image import MetadataImage
from ottla.protocol.apis.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ottla.protocol.apis.describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName
from ottla.protocol.errors import ErrorCode
from ottla.security.mechanisms import ScramCredential, scram_keys

SHA256, SHA512 = MECHANISM_NUMBERS.values()
SALTED = scram_keys.salted_password("SCRAM-SHA-256", "secret", b"salt", 4096)


def put(user: str, mechanism: int = SHA256, iterations: int = 4096) -> ScramCredentialUpsertion:
    return ScramCredentialUpsertion(
        name=user, mechanism=mechanism, iterations=iterations, salt=b"salt", salted_password=SALTED
    )


def decide(image: MetadataImage, *changes: ScramCredentialUpsertion | tuple[str, int]):
    """Decide changes; returns the new image and the error of each user."""
    deletions = [ScramCredentialDeletion(name=c[0], mechanism=c[1]) for c in changes if isinstance(c, tuple)]
    upsertions = [c for c in changes if not isinstance(c, tuple)]
    request = AlterUserScramCredentialsRequest(deletions=deletions, upsertions=upsertions)
    decision = alter_user_scram_credentials(image, request)
    return image.apply(decision.records), {r.user: ErrorCode(r.error_code) for r in decision.response.results}


EMPTY = MetadataImage.empty()


def test_what_is_stored_verifies_the_password_and_holds_nothing_to_log_in_with():
    image, errors = decide(EMPTY, put("alice"))
    assert errors == {"alice": ErrorCode.NONE}
    (record,) = image.scram_credentials.values()
    kept = ScramCredential(record.salt, record.stored_key, record.server_key, record.iterations)
    assert scram_keys.verifies("SCRAM-SHA-256", "secret", kept)
    assert SALTED not in (record.stored_key, record.server_key)
    assert scram_keys.client_key("SCRAM-SHA-256", SALTED) not in (record.stored_key, record.server_key)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (put("a", iterations=4095), ErrorCode.UNACCEPTABLE_CREDENTIAL),
        (put("a", iterations=16385), ErrorCode.UNACCEPTABLE_CREDENTIAL),
        (put("a", mechanism=0), ErrorCode.UNSUPPORTED_SASL_MECHANISM),
        (put("a", mechanism=3), ErrorCode.UNSUPPORTED_SASL_MECHANISM),
        (put(""), ErrorCode.UNACCEPTABLE_CREDENTIAL),
        (("a", SHA256), ErrorCode.RESOURCE_NOT_FOUND),
        (("a", 9), ErrorCode.UNSUPPORTED_SASL_MECHANISM),
    ],
)
def test_a_change_that_is_refused_harms_nobody_else(change, error):
    user = change[0] if isinstance(change, tuple) else change.name
    image, errors = decide(EMPTY, put("bob"), change)
    assert errors == {"bob": ErrorCode.NONE, user: error}
    assert image.scram_credentials.keys() == {("bob", SHA256)}


@pytest.mark.parametrize(
    "changes",
    [
        (put("a"), put("a")),
        (put("a"), put("a", SHA512)),
        (put("a"), ("a", SHA512)),
        (("a", SHA256), ("a", SHA512)),
        (put("a"), put("a"), put("a")),
    ],
)
def test_who_is_named_twice_stays_as_he_was(changes):
    before, _ = decide(decide(EMPTY, put("a"))[0], put("a", SHA512))
    image, errors = decide(before, *changes)
    assert errors == {"a": ErrorCode.DUPLICATE_RESOURCE}
    assert image.scram_credentials == before.scram_credentials


def test_credentials_survive_a_snapshot():
    image, _ = decide(EMPTY, put("alice"), put("bob", SHA512))
    assert EMPTY.apply(image.records()).scram_credentials == image.scram_credentials


def test_what_is_told_of_users():
    image, _ = decide(EMPTY, put("alice"), put("bob", SHA512, 8192))
    image, _ = decide(image, put("alice", SHA512))

    def told(*users: str):
        request = DescribeUserScramCredentialsRequest(users=[UserName(name=user) for user in users])
        return {
            r.user: ErrorCode(r.error_code) or [(i.mechanism, i.iterations) for i in r.credential_infos]
            for r in describe_user_scram_credentials(image, request)
        }

    alice, bob = [(SHA256, 4096), (SHA512, 4096)], [(SHA512, 8192)]
    assert told() == {"alice": alice, "bob": bob}
    assert told("bob", "carol") == {"bob": bob, "carol": ErrorCode.RESOURCE_NOT_FOUND}
    assert told("bob", "alice", "bob") == {"bob": ErrorCode.DUPLICATE_RESOURCE, "alice": alice}
