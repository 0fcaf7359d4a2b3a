"""Who holds a TCP port, as far as /proc tells (Linux; elsewhere, or for another user's process, nobody knows)."""

from __future__ import annotations

import contextlib
from pathlib import Path

#: The state LISTEN in /proc/net/tcp.
_LISTEN = "0A"


def owner_of(port: int) -> str | None:
    """The process that listens on `port`, as "process 1234 (java)", or None where that cannot be seen."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's: then it is not for us to know
            for link in (folder / "fd").iterdir():
                if str(link.readlink()) in inodes:
                    return f"process {folder.name} ({(folder / 'comm').read_text().strip()})"
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    return inodes
