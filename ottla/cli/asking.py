"""Runs what a command asks of a cluster, and tells what went wrong: cause and next step, as everywhere in the command line."""

from __future__ import annotations

import argparse
import asyncio
import difflib
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ..client.errors import AuthenticationError, BrokerError, ClientError, ConfigError, ConnectError, UnsupportedError
from ..protocol.errors import ErrorCode
from . import connection
from .trouble import FAILED, MISUSED, Trouble

if TYPE_CHECKING:
    from ..client.admin.admin import Admin
    from ..client.config import Config

T = TypeVar("T")
_STEPS = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: "ottla topic list shows the topics, ottla topic create NAME makes one",
    ErrorCode.TOPIC_ALREADY_EXISTS: "choose another name, or give --if-not-exists",
    ErrorCode.INVALID_TOPIC_EXCEPTION: "names have up to 249 letters, digits, '.', '_' and '-'",
    ErrorCode.GROUP_ID_NOT_FOUND: "ottla group list shows the groups",
    ErrorCode.NON_EMPTY_GROUP: "stop the group's members first: ottla group members NAME shows them",
    ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC: "stop the group's members first: ottla group members NAME shows them",
    ErrorCode.UNKNOWN_MEMBER_ID: "offsets change while the group has no members: stop them first",
    ErrorCode.SECURITY_DISABLED: "the broker has no authorizer: authorizer.class.name turns rules on",
    ErrorCode.TOPIC_AUTHORIZATION_FAILED: "ask for a rule: ottla acl create PRINCIPAL --allow OPERATION:topic:NAME",
    ErrorCode.GROUP_AUTHORIZATION_FAILED: "ask for a rule: ottla acl create PRINCIPAL --allow read:group:NAME",
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "log in as somebody who may: --profile, --config or -X",
    ErrorCode.INVALID_CONFIG: "ottla config get topic NAME --all --docs shows what there is",
    ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED: "the broker needs delegation.token.secret.key to have tokens",
    ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: "log in with SASL or a certificate (not with a token): --profile, --config or -X",
    ErrorCode.DELEGATION_TOKEN_NOT_FOUND: "ottla token list shows the tokens that one may see",
    ErrorCode.DELEGATION_TOKEN_EXPIRED: "make another: ottla token create",
    ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH: "only its owner and its renewers may do that",
    ErrorCode.LOG_DIR_NOT_FOUND: "ottla cluster disks shows the log dirs of each broker",
    ErrorCode.BROKER_ID_NOT_REGISTERED: "ottla cluster describe shows the brokers",
    ErrorCode.FEATURE_UPDATE_FAILED: "ottla cluster features shows the levels; --downgrade safe lets one fall",
    ErrorCode.TRANSACTIONAL_ID_NOT_FOUND: "ottla txn list shows the transactional ids",
}


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it to its end; a client's error becomes `Trouble`."""
    return telling(lambda: asyncio.run(coroutine))


def telling(call: Callable[[], T]) -> T:
    """Call it; a client's error becomes `Trouble`."""
    try:
        return call()
    except ClientError as error:
        raise explain(error) from error
    except ExceptionGroup as group:
        known, others = group.split(ClientError)
        if known is None or others is not None:
            raise
        raise _explain_group(known) from group


def with_admin(arguments: argparse.Namespace, ask: Callable[[Admin, argparse.Namespace], Awaitable[int]]) -> int:
    """Run one action on an admin client."""
    from ..client.admin.admin import Admin

    async def go() -> int:
        async with Admin(connection.config(arguments)) as admin:
            return await ask(admin, arguments)

    return run(go())


def topics(config: Config) -> list[str]:
    """The names of the cluster's topics."""
    from ..client.admin.admin import Admin

    async def ask() -> list[str]:
        async with Admin(config) as admin:
            return await admin.topics.list()

    return run(ask())


def explain(error: ClientError) -> Trouble:
    """What an error of the client means to a person."""
    hint, error.hint = error.hint, None
    cause = str(error)
    if isinstance(error, AuthenticationError):
        return Trouble(cause, hint or "check name, password and sasl.mechanism: -X sasl.username=..., --config FILE")
    if isinstance(error, ConnectError):
        return Trouble(cause, "check -b HOST:PORT or --profile; ottla start starts a broker on this machine")
    if isinstance(error, ConfigError):
        return Trouble(cause, hint or "docs/client.md tells the client's settings", MISUSED)
    if isinstance(error, UnsupportedError):
        return Trouble(cause, hint or "this broker is too old for it; ottla cluster features shows what it has")
    if isinstance(error, BrokerError) and error.code in _STEPS:
        return Trouble(cause, _STEPS[error.code])
    return Trouble(cause, hint or ("try again" if error.retriable else "docs/cli.md"), FAILED)


def _explain_group(group: ExceptionGroup[Any]) -> Trouble:
    flat: list[ClientError] = []

    def walk(node: ExceptionGroup[Any]) -> None:
        for each in node.exceptions:
            if isinstance(each, ExceptionGroup):
                walk(each)
            else:
                flat.append(each)

    walk(group)
    told = [explain(each) for each in flat]
    shown = [each.cause for each in told[:10]] + ([f"and {len(told) - 10} more"] if len(told) > 10 else [])
    return Trouble("\n  ".join([f"{len(told)} failed:", *shown]), told[0].next_step)


def no_topic(name: str, known: list[str]) -> Trouble:
    """There is no such topic; perhaps another one was meant."""
    near = difflib.get_close_matches(name, known, 1)
    return Trouble(
        f"there is no topic {name}" + (f": did you mean {near[0]}?" if near else ""),
        f"ottla topic list shows the topics, ottla topic create {name} makes it",
    )
