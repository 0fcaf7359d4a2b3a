"""Decisions about SCRAM credentials: AlterUserScramCredentials, and what DescribeUserScramCredentials tells (KIP-554).

What arrives is the salted password; what is stored are the two keys made of it, which verify a password and do not let
anybody log in. Each user of a request stands or falls alone, and may be named once. Checks are Kafka's, in its order and
words (`ScramControlManager`, `ScramImage`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..metadata.image import MetadataImage
from ..protocol.apis import alter_user_scram_credentials as alter
from ..protocol.apis import describe_user_scram_credentials as describe
from ..protocol.errors import ErrorCode, KafkaError
from ..protocol.schema import Data
from ..protocol.stored.metadata import RemoveUserScramCredentialRecord, UserScramCredentialRecord
from ..security.mechanisms import scram_keys
from .decision import Decision

#: Kafka's numbers of SCRAM mechanisms.
MECHANISM_NUMBERS = {"SCRAM-SHA-256": 1, "SCRAM-SHA-512": 2}
_NAMES = {number: name for name, number in MECHANISM_NUMBERS.items()}


_Change = alter.ScramCredentialDeletion | alter.ScramCredentialUpsertion


def alter_user_scram_credentials(
    image: MetadataImage, request: alter.AlterUserScramCredentialsRequest
) -> Decision[alter.AlterUserScramCredentialsResponse]:
    """Decide AlterUserScramCredentials."""
    errors: dict[str, KafkaError] = {}
    changes: dict[str, Data] = {}
    asked: list[_Change] = [*request.deletions, *request.upsertions]
    for change in asked:
        user = change.name
        if user in errors:
            continue
        if changes.pop(user, None) is not None:
            text = "A user credential cannot be altered twice in the same request"
            errors[user] = KafkaError(ErrorCode.DUPLICATE_RESOURCE, text)
            continue
        try:
            changes[user] = (
                _delete(image, change) if isinstance(change, alter.ScramCredentialDeletion) else _put(change)
            )
        except KafkaError as error:
            errors[user] = error
    results = [
        alter.AlterUserScramCredentialsResult(user=user, error_code=ErrorCode.NONE, error_message=None)
        for user in changes
    ]
    results += [
        alter.AlterUserScramCredentialsResult(user=user, error_code=error.code, error_message=error.message)
        for user, error in errors.items()
    ]
    return Decision(alter.AlterUserScramCredentialsResponse(results=results), list(changes.values()))


def _delete(image: MetadataImage, deletion: alter.ScramCredentialDeletion) -> Data:
    _check(deletion.name, deletion.mechanism)
    if (deletion.name, deletion.mechanism) not in image.scram_credentials:
        raise KafkaError(ErrorCode.RESOURCE_NOT_FOUND, "Attempt to delete a user credential that does not exist")
    return RemoveUserScramCredentialRecord(name=deletion.name, mechanism=deletion.mechanism)


def _put(upsertion: alter.ScramCredentialUpsertion) -> Data:
    _check(upsertion.name, upsertion.mechanism)
    if upsertion.iterations < scram_keys.ITERATIONS_MIN:
        raise KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Too few iterations")
    if upsertion.iterations > scram_keys.ITERATIONS_MAX:
        raise KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Too many iterations")
    salt, salted = bytes(upsertion.salt), bytes(upsertion.salted_password)
    kept = scram_keys.credential_of(_NAMES[upsertion.mechanism], salted, salt, upsertion.iterations)
    return UserScramCredentialRecord(
        name=upsertion.name, mechanism=upsertion.mechanism, salt=salt, stored_key=kept.stored_key,
        server_key=kept.server_key, iterations=kept.iterations,
    )  # fmt: skip


def _check(user: str, mechanism: int) -> None:
    if not user:
        raise KafkaError(ErrorCode.UNACCEPTABLE_CREDENTIAL, "Username must not be empty")
    if mechanism not in _NAMES:
        raise KafkaError(ErrorCode.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism")


def describe_user_scram_credentials(
    image: MetadataImage, request: describe.DescribeUserScramCredentialsRequest
) -> list[describe.DescribeUserScramCredentialsResult]:
    """List mechanisms and iterations of users; of all if none is named."""
    named = Counter(user.name for user in request.users or ())
    users: Iterable[str] = dict.fromkeys(named or (user for user, _ in image.scram_credentials))
    results = []
    for user in users:
        infos = [
            describe.CredentialInfo(mechanism=number, iterations=record.iterations)  # type: ignore[attr-defined]
            for number in _NAMES
            if (record := image.scram_credentials.get((user, number))) is not None
        ]
        code, message = ErrorCode.NONE, ""
        if named[user] > 1:
            code, infos = ErrorCode.DUPLICATE_RESOURCE, []
            message = f"Cannot describe SCRAM credentials for the same user twice in a single request: {user}"
        elif not infos:
            code = ErrorCode.RESOURCE_NOT_FOUND
            message = f"Attempt to describe a user credential that does not exist: {user}"
        results.append(
            describe.DescribeUserScramCredentialsResult(
                user=user, error_code=code, error_message=message, credential_infos=infos
            )
        )
    return results
