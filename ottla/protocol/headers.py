"""What stands before every request and response.

Which version goes with which message is told in `framing`. The client id is the one string of the protocol whose length
stays two bytes in a flexible version, so that a broker can read the header of a request it does not know.
"""

from .schema import Header, f, int16, int32, string


class RequestHeader(Header, versions="1-2", flexible="2+"):
    request_api_key: int16
    request_api_version: int16
    correlation_id: int32
    client_id: string | None = f(flexible="none")


class ResponseHeader(Header, versions="0-1", flexible="1+"):
    correlation_id: int32
