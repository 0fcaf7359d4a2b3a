"""Users who exist from a broker's first start: a file of verifiers, one a line (`ottla.bootstrap.users`).

    name  mechanism  iterations  salt  stored key  server key        the last three in base64, no password anywhere

They become the first records of a new metadata log, as those of `kafka-storage format --add-scram` do with Kafka; a broker
that has started before does not look at the file.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from ..controller.scram import MECHANISM_NUMBERS
from ..protocol.stored.metadata import UserScramCredentialRecord
from ..security.mechanisms import ScramCredential
from .config import ConfigError

if TYPE_CHECKING:
    from ..metadata.image import MetadataImage

USERS = "ottla.bootstrap.users"


def line_of(name: str, mechanism: str, credential: ScramCredential) -> str:
    """Write one line."""
    parts = (credential.salt, credential.stored_key, credential.server_key)
    return " ".join([name, mechanism, str(credential.iterations), *(base64.b64encode(part).decode() for part in parts)])


def nobody_of(path: str | None, image: MetadataImage) -> bool:
    """Whether there is a file with users, and a broker that has started before has none of them."""
    if not path or not Path(path).expanduser().is_file():
        return False
    users = read_users(path)
    return bool(users) and not any((user.name, user.mechanism) in image.scram_credentials for user in users)


def read_users(path: str | None) -> list[UserScramCredentialRecord]:
    """Read the file; no path means no users. Raises `ConfigError` with the line that is wrong."""
    if not path:
        return []
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as problem:
        raise ConfigError(f"{USERS}: cannot read {path}: {problem}") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, mechanism, iterations, *parts = line.split()
            salt, stored_key, server_key = (base64.b64decode(part, validate=True) for part in parts)
            found.append(
                UserScramCredentialRecord(
                    name=name,
                    mechanism=MECHANISM_NUMBERS[mechanism],
                    salt=salt,
                    stored_key=stored_key,
                    server_key=server_key,
                    iterations=int(iterations),
                )
            )
        except (ValueError, KeyError):
            raise ConfigError(f"{USERS}: line {number} of {path} is no user") from None
    return found
