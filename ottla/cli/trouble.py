"""Trouble told to a person: what is wrong, why, and what to do next.

A command raises `Trouble` where it knows the cause; `explain` turns the errors of the operating system and of the
rooms below into one. `main` prints it on two lines and ends with its exit code. Anything that `explain` does not know
is a bug of ours and keeps its traceback, because then the traceback is what helps.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

#: Exit codes: 1 the machine or the data says no, 2 the command line or the configuration is wrong (argparse's own).
FAILED, MISUSED = 1, 2
#: A disk with less than this takes no further segment, index or page of the metadata log.
FREE_BYTES_MIN = 64 * 1024
_CAUSE_AND_STEP = re.compile(
    r"(.*?)(?:; |: )((?:start|stop|free|look|restore|give|another process|the f)\w* .*)", re.DOTALL
)


class Trouble(Exception):  # noqa: N818 - the word a person would use
    """Something a person can do something about."""

    def __init__(self, cause: str, next_step: str, exit_code: int = FAILED) -> None:
        super().__init__(cause)
        self.cause = cause
        self.next_step = next_step
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.cause}\n  next: {self.next_step}"


def explain(error: BaseException, folder: Path, host: str, port: int) -> Trouble | None:
    """What an error of the broker's start means to a person; None if only a traceback can tell."""
    from ..broker.config import ConfigError
    from ..broker.identity import IdentityError
    from ..broker.takeover import TakeoverError
    from ..log.errors import LockedError
    from ..metadata.log import MetadataLogError
    from ..security.tls_stores import StoreError

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConfigError):
            return Trouble(str(seen), "docs/configuration.md lists every setting, docs/security.md shows how", MISUSED)
        if isinstance(seen, LockedError):
            owner = f"process {seen.pid}" if seen.pid else "another process"
            return Trouble(
                f"the data folder {folder} is in use: {owner} has locked it",
                "stop that broker, or give this one a folder of its own: --data-dir",
            )
        if isinstance(seen, StoreError | ConfigError):
            return Trouble(
                str(seen), "docs/security.md shows a config that works; ottla secure init writes one", MISUSED
            )
        if isinstance(seen, MetadataLogError) and is_full(folder):
            return explain_disk(OSError(errno.ENOSPC, "disk full"), folder)
        if isinstance(seen, MetadataLogError | IdentityError | TakeoverError):
            return _told(str(seen))
        if isinstance(seen, OSError):
            found = explain_disk(seen, folder) if seen.filename or _is_disk(seen) else explain_listen(seen, host, port)
            if found is not None:
                return found
        seen = seen.__cause__ or seen.__context__
    return None


def _told(text: str) -> Trouble:
    """Errors of the rooms below that name cause and next step in one sentence."""
    match = _CAUSE_AND_STEP.fullmatch(text)
    if match is None:
        return Trouble(text, "look at the data folder, or give this broker one of its own: --data-dir")
    return Trouble(match[1], match[2])


def _is_disk(error: OSError) -> bool:
    return error.errno in (
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENOTDIR,
    )  # fmt: skip


def explain_listen(error: OSError, host: str, port: int) -> Trouble:
    """Why the broker cannot listen on host:port."""
    where = f"cannot listen on {host}:{port}"
    if error.errno == errno.EADDRINUSE:
        from . import ports

        owner = ports.owner_of(port)
        return Trouble(
            f"{where}: the port is taken by {owner or 'another process'}",
            f"stop it, or choose another port: ottla start --listen {host}:{port + 1}",
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Trouble(
            f"{where}: ports below 1024 belong to root",
            f"choose a port from 1024 up (Kafka's is 9092): ottla start --listen {host}:9092",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return Trouble(
            f"{where}: this machine has no address {host}",
            "listen on 127.0.0.1 (this machine only) or 0.0.0.0 (every interface)",
        )
    return Trouble(
        f"{where}: {error.strerror or error}",
        "give a host name or address of this machine and a port: --listen 127.0.0.1:9092",
    )


def explain_reading(error: OSError) -> Trouble | None:
    """Why a command cannot look at a file, or None if the error names no file."""
    if not isinstance(error.filename, str):
        return None
    return Trouble(
        f"cannot read {error.filename}: {(error.strerror or str(error)).lower()}",
        "check the path, and that this user may read it",
    )


def existing(path: Path) -> Path:
    """Return the path, or the nearest of its parents that is there."""
    while path != path.parent and not os.path.lexists(path):
        path = path.parent
    return path


def is_full(folder: Path) -> bool:
    """Whether nothing can be written where the folder is: SQLite says only "I/O error" of a full disk."""
    try:
        return shutil.disk_usage(existing(folder)).free < FREE_BYTES_MIN
    except OSError:
        return False


def explain_disk(error: OSError, folder: Path) -> Trouble | None:
    """Why the data folder cannot be used, or None if the error is not the disk's."""
    place = Path(error.filename) if isinstance(error.filename, str) and error.filename else folder
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Trouble(
            f"no space left for the data folder {folder}",
            "free some space, lower retention.ms or retention.bytes, or use another disk: --data-dir",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        why = "the file system is read-only" if error.errno == errno.EROFS else "permission denied"
        return Trouble(
            f"cannot write to {place}: {why}",
            f"give this user the folder (chown -R $USER {existing(folder)}), or choose another: --data-dir",
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        file = existing(place)
        return Trouble(
            f"{file if file.is_file() else place} is a file, not a folder",
            "name a folder (it is made if it is not there): --data-dir",
        )
    if error.errno == errno.EIO:
        return Trouble(
            f"the disk under {folder} reports an I/O error",
            "look at the kernel's log (dmesg); move the data to a healthy disk before you start again",
        )
    if error.errno == errno.EFBIG:
        return Trouble(
            f"a file under {folder} may not grow any further",
            "look at the limit of this user or service (ulimit -f unlimited; LimitFSIZE= of systemd) and start again",
        )
    if error.errno == errno.EMFILE:
        return Trouble("too many open files for this process", "raise the limit (ulimit -n 100000) and start again")
    if error.filename is None:
        return None
    return Trouble(f"cannot use {place}: {error.strerror}", "check the path, or choose another folder: --data-dir")
