"""Which cluster a command talks to: flags, a file of client properties, a profile, or the broker of this machine.

    -X key=value  >  -b  >  --config client.properties  >  the profile  >  127.0.0.1:9092

Profiles stand in ~/.config/ottla/config.toml (or $OTTLA_CONFIG); the one is taken that --profile or $OTTLA_PROFILE names, else
`default`:

    default = "local"

    [profiles.local]
    bootstrap.servers = "localhost:9092"

    [profiles.prod]
    config = "/etc/ottla/client-java.properties"      # a file of client properties; what stands beside it wins
    client.id = "me"
"""

from __future__ import annotations

import argparse
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .trouble import MISUSED, Trouble

if TYPE_CHECKING:
    from ..client.config import Config

DEFAULT_BOOTSTRAP = "127.0.0.1:9092"
#: As long as a person waits for a cluster that is not there; -X default.api.timeout.ms=... waits longer.
PATIENCE_MS = 15_000


def profiles_file() -> Path:
    """Where the profiles stand."""
    named = os.environ.get("OTTLA_CONFIG")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "ottla" / "config.toml"


def profiles() -> tuple[dict[str, dict[str, Any]], str | None]:
    """Name -> profile, and the name of the default one."""
    path = profiles_file()
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Trouble(f"{path} is not TOML: {error}", "docs/cli.md shows how profiles are written", MISUSED) from error
    except OSError as error:
        raise Trouble(f"cannot read {path}: {error.strerror}", "check that this user may read it", MISUSED) from error
    found = tree.get("profiles", {})
    if not isinstance(found, dict) or not all(isinstance(each, dict) for each in found.values()):
        raise Trouble(f"{path}: profiles is no table of tables", "docs/cli.md shows how profiles are written", MISUSED)
    return found, tree.get("default")


def settings(arguments: argparse.Namespace) -> dict[str, str]:
    """The client's settings by Kafka's names."""
    found = _profile(getattr(arguments, "profile", None))
    path = getattr(arguments, "command_config", None)
    if path is not None:
        found.update(_file(Path(path)))
    bootstrap = getattr(arguments, "bootstrap", None)
    if bootstrap is not None:
        found.pop("metadata.broker.list", None)
        found["bootstrap.servers"] = bootstrap
    found.update([*getattr(arguments, "root_settings", ()), *getattr(arguments, "settings", ())])
    if "metadata.broker.list" not in found:
        found.setdefault("bootstrap.servers", DEFAULT_BOOTSTRAP)
    return found


def config(arguments: argparse.Namespace, **more: Any) -> Config:
    """The client's configuration. `more` wins where it is not None."""
    from ..client.config import Config

    found = settings(arguments)
    found.setdefault("client.id", "ottla-cli")
    found.setdefault("default.api.timeout.ms", str(PATIENCE_MS))
    return Config.from_dict(found, **{name: value for name, value in more.items() if value is not None})


def _profile(name: str | None) -> dict[str, str]:
    wanted = name or os.environ.get("OTTLA_PROFILE")
    known, default = profiles()
    chosen = wanted or default
    if chosen is None:
        return {}
    if chosen not in known:
        raise Trouble(
            f"there is no profile {chosen!r} in {profiles_file()}",
            f"there are: {', '.join(known)}" if known else "write one: docs/cli.md shows how",
            MISUSED,
        )
    flat = _flat(known[chosen])
    path = flat.pop("config", None)
    return {**(_file(profiles_file().parent / Path(path).expanduser()) if path else {}), **flat}


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted names of a TOML table, however it is nested."""
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{key}."))
        elif isinstance(value, bool):
            found[prefix + key] = "true" if value else "false"
        else:
            found[prefix + key] = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return found


def _file(path: Path) -> dict[str, str]:
    from ..broker.config import ConfigError, read_file

    try:
        return read_file(path)
    except ConfigError as error:
        raise Trouble(
            str(error),
            "ottla secure init writes such files: client-java.properties, client-librdkafka.properties",
            MISUSED,
        ) from error
