"""`ottla user`: API keys for people and programs: a name and a secret, shown once, and what they may do.

    create NAME    a secret (SCRAM credentials) and rules
    rotate NAME    a new secret; the rules stay
    revoke NAME    neither secret nor rules any more
    list           who there is

The secret is made here, from the system's randomness, and only its verifier leaves the process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import string
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..controller.scram import MECHANISM_NUMBERS
from ..protocol.apis.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ..protocol.apis.create_acls import AclCreation, CreateAclsRequest
from ..protocol.apis.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from ..protocol.apis.describe_user_scram_credentials import DescribeUserScramCredentialsRequest, UserName
from ..protocol.errors import ErrorCode
from ..security import acl
from ..security.mechanisms import scram_keys
from .trouble import FAILED, MISUSED, Trouble

if TYPE_CHECKING:
    from .doors import Door

#: 40 letters and digits: 238 bits, and nothing that a shell or a properties file reads otherwise.
SECRET_LETTERS = 40
#: Kafka's own tools take the same number; the secret is random, so more would only cost time.
ITERATIONS = 4096
_ALPHABET = string.ascii_letters + string.digits
_NAMES = {number: name for name, number in MECHANISM_NUMBERS.items()}
_TYPES = {name.lower().replace("_", "-"): number for number, name in acl.RESOURCE_TYPES.items() if number > acl.ANY}
_OPERATIONS = {name.lower().replace("_", "-"): number for number, name in acl.OPERATIONS.items() if number > acl.ANY}


class Rule(NamedTuple):
    """What a user may do: one `--acl`."""

    operations: tuple[int, ...]
    resource_type: int
    pattern_type: int
    name: str


def rule(text: str) -> Rule:
    """OPERATION[,OPERATION]:TYPE:NAME; a NAME that ends in * is a prefix, * alone is every name."""
    operations, _, rest = text.partition(":")
    kind, _, name = rest.partition(":")
    unknown = [word for word in operations.split(",") if word.lower() not in _OPERATIONS]
    if not name or kind.lower() not in _TYPES or unknown:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not OPERATION[,OPERATION]:TYPE:NAME, such as read,describe:topic:orders; operations are "
            f"{', '.join(_OPERATIONS)}; types are {', '.join(_TYPES)}"
        )
    pattern = acl.PREFIXED if name.endswith("*") and name != acl.WILDCARD else acl.LITERAL
    return Rule(
        tuple(_OPERATIONS[word.lower()] for word in operations.split(",")),
        _TYPES[kind.lower()],
        pattern,
        name.removesuffix("*") if pattern == acl.PREFIXED else name,
    )


def run(arguments: argparse.Namespace) -> int:
    """Do one of the four."""
    from ..broker.config import ConfigError
    from ..broker.takeover import TakeoverError
    from ..client.errors import ClientError
    from ..metadata.log import MetadataLogError

    try:
        return asyncio.run(_run(arguments))
    except ClientError as error:
        hint = "--bootstrap says where the broker is, --command-config how to log in there, --data-dir works without"
        raise Trouble(str(error), hint, FAILED) from error
    except (MetadataLogError, ConfigError, TakeoverError) as error:
        raise Trouble(str(error), "check --data-dir, or --config", FAILED) from error


async def _run(arguments: argparse.Namespace) -> int:
    action = {"create": _create, "rotate": _rotate, "revoke": _revoke, "list": _list}[arguments.action]
    async with _door(arguments) as door:
        return await action(door, arguments)


def _door(arguments: argparse.Namespace) -> Door:
    from .doors import Folder, Network

    if arguments.data_dir is not None or arguments.config is not None:
        from ..broker.config import BrokerConfig

        if hasattr(arguments, "bootstrap") or hasattr(arguments, "command_config"):
            raise Trouble("--data-dir and --bootstrap exclude each other", "give the one that you mean", MISUSED)
        sets = {} if arguments.data_dir is None else {"log.dirs": str(arguments.data_dir)}
        config = BrokerConfig.load(arguments.config, sets=sets)
        Path(config.log_dirs[0]).mkdir(parents=True, exist_ok=True)
        return Folder(config)
    from . import connection

    return Network(connection.config(arguments))


# -- what it does --------------------------------------------------------------------------------------------------


async def _create(door: Door, arguments: argparse.Namespace) -> int:
    name = arguments.name
    if await _mechanisms(door, name):
        raise Trouble(f"user {name} exists", f"ottla user rotate {name} makes a new secret", FAILED)
    mechanisms = arguments.mechanism or ["SCRAM-SHA-512"]
    secret = await _set_secret(door, name, mechanisms)
    try:
        await _allow(door, name, arguments.acl)
    except Trouble:
        await _forget_secrets(door, name, mechanisms)
        raise
    _show(arguments, name, secret, mechanisms)
    return 0


async def _rotate(door: Door, arguments: argparse.Namespace) -> int:
    mechanisms = await _mechanisms(door, arguments.name)
    if not mechanisms:
        raise _nobody(arguments.name)
    secret = await _set_secret(door, arguments.name, arguments.mechanism or list(mechanisms))
    _show(arguments, arguments.name, secret, arguments.mechanism or list(mechanisms))
    return 0


async def _revoke(door: Door, arguments: argparse.Namespace) -> int:
    name = arguments.name
    mechanisms = await _mechanisms(door, name)
    if not mechanisms:
        raise _nobody(name)
    await _forget_secrets(door, name, list(mechanisms))
    everything = DeleteAclsFilter(
        resource_type_filter=acl.ANY, resource_name_filter=None, pattern_type_filter=acl.ANY,
        principal_filter=f"User:{name}", host_filter=None, operation=acl.ANY, permission_type=acl.ANY,
    )  # fmt: skip
    answer = await door.ask(DeleteAclsRequest(filters=[everything]))
    (result,) = answer.filter_results
    if result.error_code not in (ErrorCode.NONE, ErrorCode.SECURITY_DISABLED):
        raise _refused("delete its rules", result)
    print(f"user {name} is gone: {len(mechanisms)} credential(s), {len(result.matching_acls)} rule(s)")
    print("connections it has open stay until they authenticate again (connections.max.reauth.ms)", file=sys.stderr)
    return 0


async def _list(door: Door, arguments: argparse.Namespace) -> int:
    answer = await door.ask(DescribeUserScramCredentialsRequest(users=None))
    if answer.error_code:
        raise _refused("list users", answer)
    users = {
        result.user: {_NAMES.get(i.mechanism, str(i.mechanism)): i.iterations for i in result.credential_infos}
        for result in sorted(answer.results, key=lambda result: result.user)
    }
    if arguments.json:
        print(json.dumps(users, indent=2))
    else:
        width = max(map(len, users), default=0)
        for name, mechanisms in users.items():
            print(f"{name:{width}}  {', '.join(mechanisms)}")
    return 0


# -- requests ------------------------------------------------------------------------------------------------------


async def _mechanisms(door: Door, name: str) -> dict[str, int]:
    """Return the mechanisms of a user with their iterations; none if there is no such user."""
    answer = await door.ask(DescribeUserScramCredentialsRequest(users=[UserName(name=name)]))
    if answer.error_code:
        raise _refused("look at users", answer)
    (result,) = answer.results
    if result.error_code not in (ErrorCode.NONE, ErrorCode.RESOURCE_NOT_FOUND):
        raise _refused("look at the user", result)
    return {_NAMES.get(info.mechanism, str(info.mechanism)): info.iterations for info in result.credential_infos}


async def _set_secret(door: Door, name: str, mechanisms: list[str]) -> str:
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_LETTERS))
    for mechanism in mechanisms:  # Kafka refuses a user that is named twice in one request
        salt = scram_keys.new_salt(secrets.token_bytes)
        salted = scram_keys.salted_password(mechanism, secret, salt, ITERATIONS)
        change = ScramCredentialUpsertion(
            name=name, mechanism=MECHANISM_NUMBERS[mechanism], iterations=ITERATIONS, salt=salt, salted_password=salted
        )
        answer = await door.ask(AlterUserScramCredentialsRequest(upsertions=[change]))
        _check(answer.results, "set the secret")
    return secret


async def _forget_secrets(door: Door, name: str, mechanisms: list[str]) -> None:
    for mechanism in mechanisms:
        deletion = ScramCredentialDeletion(name=name, mechanism=MECHANISM_NUMBERS[mechanism])
        answer = await door.ask(AlterUserScramCredentialsRequest(deletions=[deletion]))
        _check(answer.results, "delete the credential")


async def _allow(door: Door, name: str, rules: list[Rule]) -> None:
    creations = [
        AclCreation(
            resource_type=each.resource_type, resource_name=each.name, resource_pattern_type=each.pattern_type,
            principal=f"User:{name}", host=acl.WILDCARD, operation=operation, permission_type=acl.ALLOW,
        )
        for each in rules for operation in each.operations
    ]  # fmt: skip
    if creations:
        answer = await door.ask(CreateAclsRequest(creations=creations))
        _check(answer.results, "create its rules")


def _check(results: list[Any], what: str) -> None:
    for result in results:
        if result.error_code:
            raise _refused(what, result)


def _refused(what: str, result: Any) -> Trouble:
    code = ErrorCode(result.error_code)
    hints = {
        ErrorCode.SECURITY_DISABLED: "authorizer.class.name turns rules on; without it leave --acl out",
        ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "only who may Alter the cluster, or a super user, makes users",
    }
    text = getattr(result, "error_message", None) or code.name
    return Trouble(f"the broker did not {what}: {text}", hints.get(code, "docs/security.md"), FAILED)


def _nobody(name: str) -> Trouble:
    return Trouble(f"there is no user {name}", "ottla user list", FAILED)


def _show(arguments: argparse.Namespace, name: str, secret: str, mechanisms: list[str]) -> None:
    if arguments.json:
        print(json.dumps({"name": name, "secret": secret, "mechanisms": mechanisms}))
        return
    print(f"name       {name}")
    print(f"secret     {secret}")
    print(f"mechanism  {', '.join(mechanisms)}")
    print("The secret is not shown again, and cannot be read from the cluster.", file=sys.stderr)
