"""SASL GSSAPI (RFC 4752): a client shows a Kerberos ticket for the broker's service.

    client                                            server (keytab)
    initial token (ticket, authenticator)     ──►     accept
                                              ◄──     token of mutual authentication, if the client wants it
    (empty)                                   ──►
                                              ◄──     wrapped: layers offered = none, largest message 0
    wrapped: layer chosen = none, authzid     ──►
                                              ◄──     (empty: done)

No security layer is offered; TLS is there for that. The authorization id is ignored, as Kafka ignores it: the client acts as
the principal of its ticket, shortened by `sasl.kerberos.principal.to.local.rules`.

Steps of GSSAPI read files (keytab, replay cache) and may ask the KDC, so they are `Work`. Module `gssapi` (the extra
`ottla[kerberos]`) is loaded where the mechanism is offered and nowhere else.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from ..kerberos_names import KerberosName, NoUserName, ShortNamer
from ..principal import USER, Principal
from .base import (
    Authenticated,
    AuthenticationFailed,
    ClientExchange,
    ClientInputs,
    SaslConfigError,
    ServerExchange,
    ServerInputs,
    Work,
)

NAME = "GSSAPI"
LOGIN_MODULES = ("com.sun.security.auth.module.Krb5LoginModule", "com.ibm.security.auth.module.Krb5LoginModule")
#: Bit mask of "no security layer", and the largest message of such a one.
_NO_LAYER = 1
_OFFER = bytes([_NO_LAYER, 0, 0, 0])
#: Tokens of one exchange; Kerberos needs one or two.
_STEPS_MAX = 8


class Acceptor(NamedTuple):
    """What a listener needs to accept tickets."""

    credentials: Any
    rules: ShortNamer


def _library() -> Any:
    try:
        import gssapi
    except ImportError as problem:
        raise SaslConfigError(
            "GSSAPI needs MIT Kerberos and its Python module: apt install libkrb5-dev krb5-config gcc, then "
            f"pip install 'ottla[kerberos]' ({problem})"
        ) from None
    return gssapi


# -- the server ----------------------------------------------------------------------------------------------------


def prepare(jaas: Mapping[str, str] | None, setting: Callable[[str], Any]) -> Acceptor:
    """Read keytab and rules; refuses what could accept nobody."""
    if jaas is None:
        raise SaslConfigError(
            "GSSAPI needs a JAAS entry: com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true "
            'storeKey=true keyTab="/etc/kafka.keytab" principal="kafka/host.example@REALM";'
        )
    library = _library()
    _check_service(jaas, setting("sasl.kerberos.service.name"))
    principal, keytab = jaas.get("principal", ""), jaas.get("keyTab", "")
    if jaas.get("useKeyTab", "true").lower() != "true":
        raise SaslConfigError("the JAAS entry says useKeyTab=false; a broker has its key from a keytab")
    if not principal:
        raise SaslConfigError('the JAAS entry lacks principal="service/host@REALM" (or "*" for any of the keytab)')
    path = keytab.removeprefix("FILE:")
    if path and not os.access(path, os.R_OK):
        raise SaslConfigError(f"the keytab {path} cannot be read")
    try:
        name = None if principal == "*" else library.Name(principal, library.NameType.kerberos_principal)
        store = {"keytab": keytab} if keytab else None
        credentials = library.Credentials(name=name, usage="accept", store=store)
        realm = default_realm()
    except library.exceptions.GSSError as problem:
        raise SaslConfigError(f"no key for {principal} in the keytab {keytab or 'of the system'}: {problem}") from None
    try:
        rules = ShortNamer(realm, setting("sasl.kerberos.principal.to.local.rules") or ["DEFAULT"])
    except ValueError as problem:
        raise SaslConfigError(f"sasl.kerberos.principal.to.local.rules: {problem}") from None
    return Acceptor(credentials, rules)


def _check_service(jaas: Mapping[str, str], configured: str | None) -> None:
    own = jaas.get("serviceName")
    if own and configured and own != configured:
        raise SaslConfigError(
            f"Conflicting serviceName values found in JAAS and Kafka configs value in JAAS {own}, value in Kafka "
            f"config {configured}"
        )


def default_realm() -> str:
    """Return the realm of principals without one, "" if the machine has none."""
    library = _library()
    try:
        name = library.Name("nobody", library.NameType.kerberos_principal).canonicalize(library.MechType.kerberos)
    except library.exceptions.GSSError:
        return ""
    return str(name).rpartition("@")[2]


def server(inputs: ServerInputs) -> ServerExchange:
    """Accept a ticket."""
    message: bytes = yield None
    if not isinstance(inputs.prepared, Acceptor):
        raise AuthenticationFailed(reason="GSSAPI was not prepared: no ticket is accepted")
    library = _library()
    context = library.SecurityContext(creds=inputs.prepared.credentials, usage="accept")
    for _ in range(_STEPS_MAX):
        if not message:
            raise AuthenticationFailed(reason="an empty message in place of a Kerberos token")
        step = yield Work(partial(_step, library, context, message))
        if isinstance(step, AuthenticationFailed):
            raise step
        answer, complete = step
        if complete:
            break
        message = yield answer
    else:
        raise AuthenticationFailed(reason="the exchange of Kerberos tokens does not end")
    if answer and (yield answer):
        raise AuthenticationFailed(reason="the client goes on though the ticket was accepted")
    choice = yield context.wrap(_OFFER, False).message
    _check_choice(library, context, choice)
    return Authenticated(Principal(USER, _user_name(context, inputs.prepared.rules)))


def _step(library: Any, context: Any, message: bytes) -> Any:
    """Hand over one token, in a thread; a refusal is returned, for it says something about the client and not about us."""
    try:
        # The module may keep a refusal back until the context is looked at, to hand out an error token first.
        answer = context.step(message)
        return answer or b"", context.complete
    except library.exceptions.GSSError as problem:
        return AuthenticationFailed(reason=f"Kerberos: {_text(problem)}")


def _text(problem: Any) -> str:
    """Tell what GSSAPI says, on one line, without the client's bytes."""
    return " ".join(str(problem).split())[:500]


def _check_choice(library: Any, context: Any, message: bytes) -> None:
    """Read the client's choice of a layer. Its authorization id, behind the four bytes, counts for nothing."""
    try:
        choice = context.unwrap(message).message
    except library.exceptions.GSSError as problem:
        raise AuthenticationFailed(reason=f"Kerberos: {_text(problem)}") from None
    if len(choice) < len(_OFFER):
        raise AuthenticationFailed(reason="the client's choice of a security layer is too short")
    if choice[0] != _NO_LAYER:
        raise AuthenticationFailed(reason=f"the client chose the security layer {choice[0]}, which was not offered")


def _user_name(context: Any, rules: ShortNamer) -> str:
    text = str(context.initiator_name)
    try:
        return rules.short_name(KerberosName.parse(text))
    except (NoUserName, ValueError) as problem:
        raise AuthenticationFailed(reason=str(problem)) from None


# -- the client ----------------------------------------------------------------------------------------------------


def client(inputs: ClientInputs) -> ClientExchange:
    """Show a ticket for the service on `host`: of the keytab and principal of the options, else of the ticket cache."""
    library = _library()
    service = inputs.options.get("serviceName") or inputs.settings.get("sasl.kerberos.service.name")
    if not service:
        raise AuthenticationFailed("GSSAPI needs sasl.kerberos.service.name, the name brokers have in the realm")
    context = yield Work(partial(_initiator, library, service, inputs.host, inputs.options))
    if isinstance(context, AuthenticationFailed):
        raise context
    message = b""
    for _ in range(_STEPS_MAX):
        step = yield Work(partial(_step, library, context, message))
        if isinstance(step, AuthenticationFailed):
            raise AuthenticationFailed(step.reason)
        answer, complete = step
        # Once mutual authentication is done, the answer is empty and asks for the server's offer.
        message = yield answer
        if complete:
            break
    yield _choose(library, context, message)


def _initiator(library: Any, service: str, host: str, options: Mapping[str, str]) -> Any:
    try:
        target = library.Name(f"{service}@{host}", library.NameType.hostbased_service)
        credentials, principal = None, options.get("principal")
        if options.get("useKeyTab", "false").lower() == "true":
            name = library.Name(principal, library.NameType.kerberos_principal) if principal else None
            keytab = options.get("keyTab", "")
            # Tickets are kept in memory, and apart by whose they are.
            whose = hashlib.sha256(f"{keytab}\0{principal}".encode()).hexdigest()
            store = {"ccache": f"MEMORY:ottla-{whose}", **({"client_keytab": keytab} if keytab else {})}
            credentials = library.Credentials(name=name, usage="initiate", store=store)
        flags = library.RequirementFlag.mutual_authentication | library.RequirementFlag.integrity
        return library.SecurityContext(
            name=target, creds=credentials, flags=flags, mech=library.MechType.kerberos, usage="initiate"
        )
    except library.exceptions.GSSError as problem:
        return AuthenticationFailed(f"Kerberos: {_text(problem)}")


def _choose(library: Any, context: Any, offer: bytes) -> bytes:
    """Answer the server's offer: no layer, and no other identity than the ticket's."""
    try:
        layers = context.unwrap(offer).message
        if len(layers) != len(_OFFER) or not layers[0] & _NO_LAYER:
            raise AuthenticationFailed("the server demands a security layer of GSSAPI; TLS is there for that")
        chosen: bytes = context.wrap(_OFFER, False).message
    except library.exceptions.GSSError as problem:
        raise AuthenticationFailed(f"Kerberos: {_text(problem)}") from None
    return chosen
