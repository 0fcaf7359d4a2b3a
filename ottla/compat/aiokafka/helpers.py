"""aiokafka.helpers."""

from __future__ import annotations

import ssl
from typing import Any


def create_ssl_context(
    *, cafile: Any = None, capath: Any = None, cadata: Any = None, certfile: Any = None, keyfile: Any = None,
    password: Any = None, crlfile: Any = None,
) -> ssl.SSLContext:  # fmt: skip
    """A context that verifies brokers by `cafile`, and shows `certfile` to them."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=cafile, capath=capath, cadata=cadata)
    if crlfile:
        context.load_verify_locations(crlfile)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if certfile and keyfile:
        context.load_cert_chain(certfile, keyfile, password)
    return context
