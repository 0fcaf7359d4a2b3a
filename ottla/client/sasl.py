"""Logging in: drives the client's side of a SASL mechanism over a connection (KIP-43, KIP-152, KIP-368).

    SaslHandshake ──►                  which mechanism
    SaslAuthenticate(bytes) ──►        what the mechanism's generator yields; the answer's bytes go back into it

What takes the CPU long (the thousands of HMACs of SCRAM) the generator yields as `Work`; it runs in a thread, so that no
other connection waits. A broker that asks for more iterations than `sasl.scram.iterations.max` is refused before any work.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..protocol.apis.sasl_authenticate import SaslAuthenticateRequest
from ..protocol.apis.sasl_handshake import SaslHandshakeRequest
from ..protocol.errors import ErrorCode
from .errors import AuthenticationError, ConfigError, error_code

if TYPE_CHECKING:
    from .config import Config
    from .net import Connection

#: No mechanism needs so many messages; a broker that goes on asking is no broker.
ROUNDS_MAX = 16
#: The share of the session's life after which a new connection takes over (KIP-368: 85 to 95 per cent).
SESSION_SHARE = 0.85
_ITERATIONS = re.compile(rb"(?:^|,)i=([0-9]+)")
_JAAS_OPTION = re.compile(r"""([\w.]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s;"']+))""")


def jaas_options(text: str | None) -> dict[str, str]:
    """The options of a line of JAAS configuration: `…LoginModule required username="a" password="b";`."""
    if not text:
        return {}
    found = {}
    for name, quoted, single, plain in _JAAS_OPTION.findall(text):
        found[name] = re.sub(r"\\(.)", r"\1", quoted) if quoted else single or plain
    return found


async def authenticate(connection: Connection, config: Config, timeout_s: float) -> None:
    """Log in on a fresh connection, or raise `AuthenticationError`."""
    # Loaded in a thread: what the mechanisms need is much to read from disk.
    await asyncio.get_running_loop().run_in_executor(None, import_module, "ottla.security.mechanisms")
    from ..security.mechanisms import MECHANISMS, AuthenticationFailed, ClientInputs, SaslConfigError

    name = config.sasl_mechanism
    if name is None or name not in MECHANISMS:
        raise ConfigError(f"sasl.mechanism={name}: the mechanisms are {', '.join(MECHANISMS)}")
    options = jaas_options(config.sasl_jaas_config)
    password = config.sasl_password or options.get("password", "")
    if name == "OAUTHBEARER":
        from . import oauth  # brings urllib, for who needs it

        password = await oauth.token(config) or password
    settings = {key: value for key, value in config.dotted().items() if key.startswith("sasl.")}
    inputs = ClientInputs(
        mechanism=name,
        now_ms=int(time.time() * 1000),
        random=secrets.token_bytes,
        host=connection.address.host,
        username=config.sasl_username or options.get("username", ""),
        password=password,
        options=options,
        settings=settings,
    )
    handshake = await connection.send(
        SaslHandshakeRequest(mechanism=name), connection.version(SaslHandshakeRequest, 1), timeout_s
    )
    if handshake.error_code:
        offered = ", ".join(handshake.mechanisms) or "none"
        raise AuthenticationError(
            f"the broker does not offer {name}", broker=connection.name, hint=f"it offers {offered}"
        )
    exchange = MECHANISMS[name].client(inputs)
    try:
        await _converse(connection, exchange, name, config.sasl_scram_iterations_max, timeout_s)
    except (AuthenticationFailed, SaslConfigError) as problem:
        raise AuthenticationError(f"{name}: {problem}", broker=connection.name) from problem
    finally:
        exchange.close()


async def _converse(connection: Connection, exchange: Any, name: str, iterations_max: int, timeout_s: float) -> None:
    from ..security.mechanisms import Work

    loop = asyncio.get_running_loop()
    version = connection.version(SaslAuthenticateRequest)
    received: Any = None
    answer: Any = None
    for _ in range(ROUNDS_MAX):
        try:
            step = exchange.send(received)
            while isinstance(step, Work):
                step = exchange.send(await loop.run_in_executor(None, step.function))
        except StopIteration:
            break
        answer = await connection.send(SaslAuthenticateRequest(auth_bytes=step), version, timeout_s)
        if answer.error_code:
            code = error_code(answer.error_code)
            said = answer.error_message or code.message
            raise AuthenticationError(
                f"{name}: {said}", broker=connection.name, retriable=code == ErrorCode.NETWORK_EXCEPTION
            )
        received = bytes(answer.auth_bytes)
        _check_iterations(name, received, iterations_max, connection.name)
    else:
        raise AuthenticationError(f"{name}: no end after {ROUNDS_MAX} messages", broker=connection.name)
    if answer is not None and answer.session_lifetime_ms > 0:
        connection.retire_at = loop.time() + answer.session_lifetime_ms / 1000 * SESSION_SHARE


def _check_iterations(name: str, message: bytes, limit: int, broker: str) -> None:
    if not name.startswith("SCRAM"):
        return
    found = _ITERATIONS.search(message)
    if found and (len(found[1]) > 10 or int(found[1]) > limit):
        raise AuthenticationError(
            f"{name}: the broker asks for {found[1][:20].decode()} iterations",
            broker=broker,
            hint=f"sasl.scram.iterations.max is {limit}",
        )
