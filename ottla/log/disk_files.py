"""Files on a disk, with a bounded number of open descriptors.

Ten thousand partitions have more files than a process may open, and most are idle. A `DiskFile` therefore is a name and
a size; its descriptor is opened on first use and may be closed again at any time. Who is closed is decided by a clock
hand (second chance): each use sets a flag, the hand clears flags and closes the first file that was not used since its
last round. That costs the hot path one attribute store, where an LRU list would cost a reordering.

A sync runs in another thread while the hand may move in this one. `pin` therefore duplicates the descriptor: the
duplicate shares the kernel's open file, so it sees the same write-back errors, and nobody else closes it.

`os.write` may write a part (a full disk, a signal): `append` writes on until all is written or an error says why not,
and always at the position it means, so that what a failed append left behind is never skipped over.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections import deque
from collections.abc import Callable
from pathlib import Path

from ottla.log.errors import LockedError

#: Descriptors kept open at once. Linux gives a process 1024 by default and sockets need most of them.
OPEN_FILES_MAX = 256
WORKER_OPEN_FILES_MAX = 8  # a worker reads one file and writes another
FALLOC_FL_KEEP_SIZE = 1

Buffer = bytes | bytearray | memoryview

#: A POSIX lock (which Kafka takes too) belongs to the process and falls when *any* descriptor of the file is closed: a
#: second broker in this process must find out without opening the file.
_LOCKED_HERE: set[str] = set()


class DiskFile:
    """A file that opens its descriptor when it needs one."""

    __slots__ = ("_fd", "_owner", "_used", "path", "size")

    def __init__(self, owner: DiskFiles, path: str, size: int) -> None:
        self._owner = owner
        self._fd = -1
        self._used = False
        self.path = path
        self.size = size

    def append(self, data: Buffer) -> None:
        fd = self._fd
        if fd < 0:
            fd = self._owner.open_descriptor(self)
        self._used = True
        size = self.size
        written = os.pwrite(fd, data, size)
        if written != len(data):
            self._append_rest(fd, data, written)
        self.size = size + len(data)

    def _append_rest(self, fd: int, data: Buffer, written: int) -> None:
        view = memoryview(data)
        while written < len(view):
            more = os.pwrite(fd, view[written:], self.size + written)
            if more == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
            written += more

    def pread(self, size: int, position: int) -> bytes:
        fd = self._fd
        if fd < 0:
            fd = self._owner.open_descriptor(self)
        self._used = True
        data = os.pread(fd, size, position)
        if len(data) < size and position + len(data) < self.size:
            parts = [data]
            got = len(data)
            while got < size and position + got < self.size:
                data = os.pread(fd, size - got, position + got)
                if not data:
                    break
                parts.append(data)
                got += len(data)
            return b"".join(parts)
        return data

    def truncate(self, size: int) -> None:
        fd = self._fd
        if fd < 0:
            fd = self._owner.open_descriptor(self)
        os.ftruncate(fd, size)
        self.size = size

    def reserve(self, size: int) -> None:
        fd = self._fd
        if fd < 0:
            fd = self._owner.open_descriptor(self)
        _keep_room(fd, size, self.path)

    def sync(self) -> None:
        self.pin()()

    def pin(self) -> Callable[[], None]:
        fd = self._fd
        if fd < 0:
            fd = self._owner.open_descriptor(self)
        return _PinnedSync(os.dup(fd))

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._owner.closed(self)
            os.close(fd)


def _keep_room(fd: int, size: int, path: str) -> None:
    """Linux' fallocate, which leaves the size of the file as it is: nobody ever has to tell zeros from records.

    Kafka makes a sparse file of the full size, which takes no room and so never fails; what a medium refuses for want of
    room, or because it can not, is no failure here either.
    """
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if fallocate is None:  # not Linux
        return
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size) != 0:
        code = ctypes.get_errno()
        if code not in (errno.EOPNOTSUPP, errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise OSError(code, os.strerror(code), path)


class _PinnedSync:
    """An fdatasync of one duplicated descriptor, once."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __call__(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.fdatasync(fd)
            finally:
                os.close(fd)

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


class DiskFiles:
    """The file system of this machine."""

    def __init__(self, open_files_max: int = OPEN_FILES_MAX) -> None:
        self._open_files_max = open_files_max
        self._open: deque[DiskFile] = deque()

    @property
    def open_count(self) -> int:
        return len(self._open)

    def open_descriptor(self, file: DiskFile) -> int:
        """Open a file's descriptor, closing the one that the clock hand finds when there are too many."""
        while len(self._open) >= self._open_files_max:
            candidate = self._open.popleft()
            if candidate._used:
                candidate._used = False
                self._open.append(candidate)
            else:
                fd, candidate._fd = candidate._fd, -1
                os.close(fd)
        file._fd = os.open(file.path, os.O_RDWR | os.O_CLOEXEC)
        file._used = True
        self._open.append(file)
        return file._fd

    def closed(self, file: DiskFile) -> None:
        self._open.remove(file)

    def open(self, path: str, *, size: int | None = None, create: bool = False) -> DiskFile:
        if create:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644))
            size = 0
        elif size is None:
            size = Path(path).stat().st_size
        return DiskFile(self, path, size)

    def list(self, directory: str) -> dict[str, int]:
        with os.scandir(directory) as entries:
            return {entry.name: -1 if entry.is_dir() else entry.stat().st_size for entry in entries}

    def exists(self, path: str) -> bool:
        return os.path.exists(path)  # noqa: PTH110  a Path costs more than the system call

    def size(self, path: str) -> int:
        return Path(path).stat().st_size

    def modified_ms(self, path: str) -> int:
        return Path(path).stat().st_mtime_ns // 1_000_000

    def set_modified(self, path: str, modified_ms: int) -> None:
        os.utime(path, ns=(modified_ms * 1_000_000, modified_ms * 1_000_000))

    def for_worker(self) -> DiskFiles:
        return DiskFiles(WORKER_OPEN_FILES_MAX)

    def mkdir(self, path: str) -> None:
        Path(path).mkdir(parents=True, exist_ok=True)

    def rename(self, source: str, target: str) -> None:
        Path(source).replace(target)

    def remove(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)

    def remove_tree(self, path: str) -> None:
        shutil.rmtree(path)

    def sync_directory(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def sync_everything(self, path: str) -> None:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:  # not Linux: slower, and the same promise
            os.sync()
            return
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if syncfs(fd) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), path)
        finally:
            os.close(fd)

    def read_all(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            parts = []
            while part := os.read(fd, 1 << 20):
                parts.append(part)
            return parts[0] if len(parts) == 1 else b"".join(parts)
        finally:
            os.close(fd)

    def replace(self, path: str, data: Buffer, *, durable: bool = True) -> None:
        temporary = path + ".tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            view = memoryview(data)
            written = 0
            while written < len(view):
                written += os.write(fd, view[written:])
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        Path(temporary).replace(path)
        if durable:
            self.sync_directory(path.rpartition("/")[0] or ".")

    def lock(self, path: str) -> Callable[[], None]:
        real = os.path.realpath(path)
        if real in _LOCKED_HERE:
            raise LockedError(path, os.getpid())
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            os.close(fd)
            if error.errno in (errno.EACCES, errno.EAGAIN):
                raise LockedError(path, int(owner) if owner.isdigit() else None) from None
            raise
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        _LOCKED_HERE.add(real)

        def release() -> None:
            _LOCKED_HERE.discard(real)
            os.close(fd)

        return release

    def free_bytes(self, path: str) -> tuple[int, int]:
        usage = shutil.disk_usage(path)
        return usage.total, usage.free
