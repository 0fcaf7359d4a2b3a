"""One question to an identity provider over HTTP: for its keys (broker), or for a token (client).

Bounded in size and time, and no redirect is followed: whoever answers must not send us, or a secret, elsewhere
(CVE-2025-27817). Which addresses may be asked at all is decided before. Urllib comes with this module, so it is loaded when
there is something to ask.
"""

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

BYTES_MAX = 1 << 20
DEADLINE_S = 20.0
_SOCKET_TIMEOUT_S = 10.0
_CHUNK = 65536


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def ask(
    url: str, ca_file: str | None = None, data: bytes | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """Return the body of the answer; to be called in a thread. Raises OSError or ValueError.

    `data` makes it a POST; `ca_file` is PEM, without one the system's authorities are trusted.
    """
    context = ssl.create_default_context(cafile=ca_file)
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirect)
    request = urllib.request.Request(url, data, {"Accept": "application/json", **(headers or {})})  # noqa: S310 - callers check the address
    ends = time.monotonic() + DEADLINE_S
    try:
        with opener.open(request, timeout=_SOCKET_TIMEOUT_S) as answer:
            body = b""
            while chunk := answer.read1(_CHUNK):
                body += chunk
                if len(body) > BYTES_MAX:
                    raise ValueError(f"the answer has more than {BYTES_MAX} bytes")
                if time.monotonic() > ends:
                    raise TimeoutError(f"the answer takes more than {DEADLINE_S:.0f} s")
            return body
    except urllib.error.HTTPError as problem:
        problem.close()
        raise OSError(f"the answer is {problem.code} {problem.reason}") from None
    except HTTPException as problem:
        raise OSError(f"the answer is no HTTP: {type(problem).__name__}") from None
