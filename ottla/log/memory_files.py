"""Files that live in memory: for the pytest fixture, and with faults for the tests of what a crash leaves.

`FaultyFiles` models a disk as a careful reader of the fsync papers would fear it:

    write      → the content everyone sees               (page cache)
    sync       → the content that survives `crash()`     (medium)
    names      → survive once their folder was synced; a file's own fsync does not make its name durable

At `crash()` each file keeps its synced bytes and of the rest a random prefix, perhaps with a torn (zeroed) stretch;
each name that was not synced is there or not, by chance (of a rename, the old name or the new). `fail_after(n)` makes the n-th mutating call fail once with an
errno, `fail_syncs` every sync from now on, and a failed write may have written a part.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from typing import Any

from ottla.log.errors import LockedError

Buffer = bytes | bytearray | memoryview


_MISSING: Any = object()


class _Inode:
    """The bytes of one file, apart from its name."""

    __slots__ = ("data", "modified_ms", "synced")

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced = b""
        self.modified_ms = 0


class MemoryFile:
    """One open file of a MemoryFiles."""

    __slots__ = ("_files", "_inode", "path", "size")

    def __init__(self, files: MemoryFiles, path: str, inode: _Inode) -> None:
        self._files = files
        self._inode = inode
        self.path = path
        self.size = len(inode.data)

    def append(self, data: Buffer) -> None:
        inode = self._inode
        if self._files.faults is not None:
            self._files.faults.on_append(inode.data, self.size, data)
        if len(inode.data) != self.size:
            del inode.data[self.size :]
        inode.data += data
        self.size += len(data)

    def pread(self, size: int, position: int) -> bytes:
        return bytes(self._inode.data[position : position + size])

    def truncate(self, size: int) -> None:
        self._files.touch()
        data = self._inode.data
        if size <= len(data):
            del data[size:]
        else:
            data.extend(bytes(size - len(data)))
        self.size = size

    def reserve(self, size: int) -> None:
        """Memory has no places that lie apart."""

    def sync(self) -> None:
        self._files.sync_inode(self._inode)

    def pin(self) -> Callable[[], None]:
        return self.sync

    def close(self) -> None:
        """Nothing is held open."""


class Faults:
    """When and how the medium misbehaves; see FaultyFiles."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.calls_until_failure = -1
        self.failure_errno = errno.EIO
        self.syncs_fail = False
        self.calls = 0

    def touch(self) -> None:
        self.calls += 1
        if self.calls_until_failure >= 0:
            self.calls_until_failure -= 1
            if self.calls_until_failure < 0:
                raise OSError(self.failure_errno, os.strerror(self.failure_errno))

    def on_append(self, content: bytearray, size: int, data: Buffer) -> None:
        try:
            self.touch()
        except OSError:
            content[size:] = bytes(data[: self.rng.randrange(len(data) + 1)])
            raise

    def on_sync(self) -> None:
        self.touch()
        if self.syncs_fail:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


class MemoryFiles:
    """A file system in a dictionary."""

    faults: Faults | None = None

    def __init__(self) -> None:
        self._names: dict[str, _Inode | None] = {}  # None: a folder
        self._locks: set[str] = set()
        self._clock = 0

    def touch(self) -> None:
        if self.faults is not None:
            self.faults.touch()

    def sync_inode(self, inode: _Inode) -> None:
        """Memory is as durable as it gets."""

    def _inode(self, path: str) -> _Inode:
        inode = self._names.get(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return inode

    def _create(self, path: str) -> _Inode:
        self.touch()
        inode = _Inode()
        self._names[path] = inode
        return inode

    def open(self, path: str, *, size: int | None = None, create: bool = False) -> MemoryFile:
        return MemoryFile(self, path, self._create(path) if create else self._inode(path))

    def list(self, directory: str) -> dict[str, int]:
        if directory not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), directory)
        prefix = directory.rstrip("/") + "/"
        found = {}
        for path, inode in self._names.items():
            if path.startswith(prefix):
                name, _, below = path[len(prefix) :].partition("/")
                if not below:
                    found[name] = -1 if inode is None else len(inode.data)
        return found

    def exists(self, path: str) -> bool:
        return path in self._names

    def size(self, path: str) -> int:
        return len(self._inode(path).data)

    def modified_ms(self, path: str) -> int:
        return self._inode(path).modified_ms

    def set_modified(self, path: str, modified_ms: int) -> None:
        self._inode(path).modified_ms = modified_ms

    def for_worker(self) -> MemoryFiles:
        return self

    def mkdir(self, path: str) -> None:
        parts = path.split("/")
        for end in range(1, len(parts) + 1):
            folder = "/".join(parts[:end])
            if folder and folder not in self._names:
                self.touch()
                self._names[folder] = None

    def rename(self, source: str, target: str) -> None:
        self.touch()
        if source not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)
        prefix = source + "/"
        for path in [path for path in self._names if path == source or path.startswith(prefix)]:
            self._names[target + path[len(source) :]] = self._names.pop(path)

    def remove(self, path: str) -> None:
        self.touch()
        self._names.pop(path, None)

    def remove_tree(self, path: str) -> None:
        self.touch()
        prefix = path + "/"
        for name in [name for name in self._names if name == path or name.startswith(prefix)]:
            del self._names[name]

    def sync_directory(self, path: str) -> None:
        """Names in memory are durable."""

    def sync_everything(self, path: str) -> None:
        """Everything is."""

    def read_all(self, path: str) -> bytes:
        return bytes(self._inode(path).data)

    def replace(self, path: str, data: Buffer, *, durable: bool = True) -> None:
        temporary = path + ".tmp"
        file = self.open(temporary, create=True)
        file.append(data)
        if durable:
            file.sync()
        self.rename(temporary, path)
        if durable:
            self.sync_directory(path.rpartition("/")[0])

    def lock(self, path: str) -> Callable[[], None]:
        if path in self._locks:
            raise LockedError(path, os.getpid())
        self._locks.add(path)
        return lambda: self._locks.discard(path)

    def free_bytes(self, path: str) -> tuple[int, int]:
        return -1, -1


class FaultyFiles(MemoryFiles):
    """A memory disk with a page cache that can be lost, and calls that can fail; repeatable by its seed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.faults: Faults = Faults(random.Random(seed))
        self._durable_names: dict[str, _Inode | None] = {}
        self._moved_folders: list[tuple[str, str]] = []  # renamed, not synced: what is in them goes with them or stays

    def rename(self, source: str, target: str) -> None:
        folder = self._names.get(source, _MISSING) is None
        super().rename(source, target)
        if folder:
            self._moved_folders.append((source, target))

    def fail_after(self, calls: int, error: int = errno.EIO) -> None:
        """Let `calls` changes succeed, then fail one with the errno `error`."""
        self.faults.calls_until_failure = calls
        self.faults.failure_errno = error

    def fail_syncs(self, fail: bool = True) -> None:
        self.faults.syncs_fail = fail

    def sync_inode(self, inode: _Inode) -> None:
        self.faults.on_sync()
        inode.synced = bytes(inode.data)

    def sync_directory(self, path: str) -> None:
        self.faults.on_sync()
        parent = path.rstrip("/")
        for moved in [moved for moved in self._moved_folders if parent in {name.rpartition("/")[0] for name in moved}]:
            self._moved_folders.remove(moved)
            _move(self._durable_names, *moved)
        for known in (self._names, self._durable_names):
            for name in [name for name in known if name.rpartition("/")[0] == parent]:
                if name in self._names:
                    self._durable_names[name] = self._names[name]
                else:
                    self._drop_durable(name)

    def _drop_durable(self, name: str) -> None:
        prefix = name + "/"
        for known in [known for known in self._durable_names if known == name or known.startswith(prefix)]:
            del self._durable_names[known]

    def sync_everything(self, path: str) -> None:
        self.faults.on_sync()
        for inode in self._names.values():
            if inode is not None:
                inode.synced = bytes(inode.data)
        self._durable_names = dict(self._names)
        self._moved_folders.clear()

    def crash(self) -> None:
        """Power fails: what was not synced is kept, torn or lost by chance; open files and locks are gone."""
        rng = self.faults.rng
        for source, target in reversed(self._moved_folders):
            if rng.random() < 0.5:
                _move(self._durable_names, source, target)
            else:
                _move(self._names, target, source)
                _move(self._durable_names, target, source)
        self._moved_folders.clear()
        survivors = dict(self._durable_names)
        for name in sorted({*self._names, *self._durable_names}):
            if self._names.get(name, 0) is not self._durable_names.get(name, 0) and rng.random() < 0.5:
                if name in self._names:
                    survivors[name] = self._names[name]
                else:
                    survivors.pop(name, None)
        self._keep_renamed(survivors)
        for inode in {id(inode): inode for inode in survivors.values() if inode is not None}.values():
            _lose_unsynced(inode, rng)
        folders = {name for name, inode in survivors.items() if inode is None}
        self._names = {name: inode for name, inode in survivors.items() if _has_parents(name, folders)}
        self._durable_names = dict(self._names)
        self._locks.clear()
        self.faults.calls_until_failure = -1
        self.faults.syncs_fail = False

    def _keep_renamed(self, survivors: dict[str, _Inode | None]) -> None:
        """A rename happened or it did not: a file that had a name before and has one now does not lose both."""
        now, before, left = _by_inode(self._names), _by_inode(self._durable_names), _by_inode(survivors)
        for number, name in before.items():
            if number in now and number not in left:
                kept = name if survivors.get(name) is None else now[number]
                survivors[kept] = self._durable_names[name]


def _move(names: dict[str, _Inode | None], source: str, target: str) -> None:
    """A folder has another name, and so has everything in it."""
    for name in [name for name in names if name == source or name.startswith(source + "/")]:
        names[target + name[len(source) :]] = names.pop(name)


def _by_inode(names: dict[str, _Inode | None]) -> dict[int, str]:
    return {id(inode): name for name, inode in names.items() if inode is not None}


def _has_parents(name: str, folders: set[str]) -> bool:
    parent = name.rpartition("/")[0]
    return not parent or (parent in folders and _has_parents(parent, folders))


def _lose_unsynced(inode: _Inode, rng: random.Random) -> None:
    """Keep what was synced, and of the change since then a random part."""
    synced, data = inode.synced, inode.data
    if bytes(data) != synced:
        if data.startswith(synced):  # an append: a prefix of the new bytes, perhaps with a hole
            tail = bytearray(data[len(synced) : len(synced) + rng.randrange(len(data) - len(synced) + 1)])
            if tail and rng.random() < 0.3:
                start = rng.randrange(len(tail))
                end = min(len(tail), start + rng.randrange(1, 4097))
                tail[start:end] = bytes(end - start)
            inode.data = bytearray(synced) + tail
        elif rng.random() < 0.5:  # a truncation or overwrite: it happened or it did not
            inode.data = bytearray(synced)
    inode.synced = bytes(inode.data)
