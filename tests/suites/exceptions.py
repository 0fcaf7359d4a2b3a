"""What a suite is known to fail, on which broker, and why. Anything that fails and does not stand here is a finding.

A reason says what in the suite or the machine makes it so, and how one can see that; "flaky" is no reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """One test that may fail."""

    why: str
    brokers: tuple[str, ...] = ("ottla", "kafka")


_ACLS = Known("needs an authorizer (it adds ACLs); neither broker of the comparison has one")
#: The same in every mode of librdkafka's tests.
_LIBRDKAFKA: Mapping[str, Known] = {
    "0081_admin": Known(
        "its ACL part needs an authorizer; the parts before it (topics, configs, records, partitions) pass"
    ),
    "0109_auto_create_topics": _ACLS,
    "0115_producer_auth": _ACLS,
    "0119_consumer_auth": _ACLS,
}

EXCEPTIONS: Mapping[str, Mapping[str, Known]] = {
    "librdkafka": _LIBRDKAFKA,
    "librdkafka-idempotent": _LIBRDKAFKA,
    "librdkafka-consumer": _LIBRDKAFKA,
}
