"""The metadata log in one SQLite file: a cluster of brokers on one machine, or a single one; or in memory, for tests.

How it works
------------
    log       version | records          one row per append; `version` counts up without gaps
    snapshot  version | records          at most one row; rows of `log` up to its version are gone
    counter   name | value               version, broker_epoch, controller_epoch, log_bytes, snapshot_bytes
    property  name | value               cluster_id

`append` is one transaction (BEGIN IMMEDIATE: a single writer on the machine) that compares `version`, inserts and
commits with an fsync (WAL, synchronous=FULL). It runs in a thread, because fsync blocks; a log in memory does not and
needs none. Reads go over a second connection on the event loop: they are short and WAL lets them run beside a writer.

Who waits for new versions learns of those of its own process at once. Those of other processes show in SQLite's
`PRAGMA data_version`, one read of shared memory, which `wait` looks at every `POLL_SECONDS`.

Whether a process lives is asked of the kernel: a session holds an flock on `<file>.broker-<id>`, the leader one on
`<file>.controller`, and the kernel lets go of both whatever way the process ends. No heartbeat can come late. The epochs
come from counters in the database, taken after the lock was won.

On disk: `metadata.db` beside its `-wal` and `-shm`; never on a network file system, where neither SQLite's nor our locks
hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ..protocol.errors import RemoteProtocolError
from ..protocol.schema import Data
from .framing import decode_records, encode_records
from .image import MetadataImage
from .log import Batch, BrokerIdInUse, Conflict, Fenced, Leadership, MetadataLogError, Update

T = TypeVar("T")

MEMORY = ":memory:"
#: Layout of the file; a file of a higher one was written by a newer release.
SCHEMA_VERSION = 1
#: How late another process's append may be noticed. Twenty looks a second cost 0.1 % of a core.
POLL_SECONDS = 0.05
#: How long a writer of another process may hold the file before we give up. A commit takes milliseconds.
BUSY_MS = 10_000
#: Somebody who asks whether a broker lives holds its lock for microseconds: a registration that meets him tries again.
REGISTER_ATTEMPTS = 3
#: A snapshot is due when the batches behind the last one have outgrown it, but not for less than this.
SNAPSHOT_MIN_BYTES = 1 << 20

_SCHEMA = """
CREATE TABLE log (version INTEGER PRIMARY KEY, records BLOB NOT NULL);
CREATE TABLE snapshot (version INTEGER PRIMARY KEY, records BLOB NOT NULL);
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE property (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO counter VALUES
    ('version', 0), ('broker_epoch', 0), ('controller_epoch', 0), ('log_bytes', 0), ('snapshot_bytes', 0);
"""


class _Held:
    """A lock with an epoch: a session or a leadership."""

    def __init__(self, name: str, broker_id: int, epoch: int, release: Callable[[str], None]):
        self.broker_id = broker_id
        self.epoch = epoch
        self._name = name
        self._release = release

    async def close(self) -> None:
        self._release(self._name)


class SqliteMetadataLog:
    """See the module. One object serves one process; in memory it may serve several brokers of one event loop."""

    def __init__(self, path: str | os.PathLike[str]):
        self._path = os.fspath(path)
        self._memory = self._path == MEMORY
        #: What a log in memory held when it was closed: as a file would, it is there when it is opened again.
        self._kept = b""
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        #: Lock name -> file descriptor, -1 in memory.
        self._locks: dict[str, int] = {}
        self._waiters: set[asyncio.Future[None]] = set()
        self._data_version = -1
        self._version = 0
        self._log_bytes = 0
        self._snapshot_bytes = 0

    # -- life ------------------------------------------------------------------------------------------------------

    async def open(self, cluster_id: str) -> str:
        """Open or create the file. Raises `MetadataLogError` with the cause if that cannot be."""
        with self._explained():
            if not self._memory:
                self._make_private()
            self._writer = self._connect()
            self._reader = self._writer if self._memory else self._connect()
            stored = self._initialize(self._writer, cluster_id)
            if not self._memory:
                self._thread = ThreadPoolExecutor(1, "metadata-log")
            self._refresh()
        return stored

    async def close(self) -> None:
        """Let go of locks and files. What waits is cancelled."""
        for name in list(self._locks):
            self._unlock(name)
        for waiter in self._waiters:
            waiter.cancel()
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        if self._memory and self._writer is not None:
            self._kept = self._writer.serialize()
        for connection in {id(c): c for c in (self._reader, self._writer) if c is not None}.values():
            connection.close()
        self._reader = self._writer = None

    def _make_private(self) -> None:
        """Let nobody else read the file: it holds what verifies passwords. SQLite gives its other files the same mode."""
        with contextlib.suppress(OSError):  # opening it says better what is wrong
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=32)
        if self._kept:
            connection.deserialize(self._kept)
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        if not self._memory:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _initialize(self, connection: sqlite3.Connection, cluster_id: str) -> str:
        with _transaction(connection):
            (schema_version,) = connection.execute("PRAGMA user_version").fetchone()
            if schema_version == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                connection.execute("INSERT INTO property VALUES ('cluster_id', ?)", (cluster_id,))
            elif schema_version > SCHEMA_VERSION:
                raise MetadataLogError(
                    f"{self._path} has layout {schema_version}, this release knows {SCHEMA_VERSION}: "
                    "it was written by a newer release of Ottla; start that one"
                )
            (stored,) = connection.execute("SELECT value FROM property WHERE name = 'cluster_id'").fetchone()
        return str(stored)

    # -- append and read -------------------------------------------------------------------------------------------

    async def append(self, records: Sequence[Data], expected_version: int, leadership: Leadership | None = None) -> int:
        """Append one batch durably; see `MetadataLog.append`."""
        data = encode_records(records)
        epoch = None if leadership is None else leadership.epoch
        version = await self._write(lambda connection: self._append(connection, data, expected_version, epoch))
        self._refresh()
        return version

    def _append(self, connection: sqlite3.Connection, data: bytes, expected_version: int, epoch: int | None) -> int:
        with _transaction(connection):
            counters = dict(connection.execute("SELECT name, value FROM counter"))
            if epoch is not None and counters["controller_epoch"] != epoch:
                raise Fenced(f"controller epoch is {counters['controller_epoch']}, not {epoch}")
            if counters["version"] != expected_version:
                raise Conflict(f"the log is at version {counters['version']}, not {expected_version}")
            version = expected_version + 1
            connection.execute("INSERT INTO log VALUES (?, ?)", (version, data))
            connection.execute("UPDATE counter SET value = ? WHERE name = 'version'", (version,))
            connection.execute("UPDATE counter SET value = value + ? WHERE name = 'log_bytes'", (len(data),))
        return version

    async def read(self, from_version: int) -> Update:
        """Read what came after `from_version`; -1 reads all."""
        connection = self._open_reader()
        with self._explained():
            with _transaction(connection, "DEFERRED"):
                snapshot = connection.execute(
                    "SELECT version, records FROM snapshot WHERE version > ?", (from_version,)
                ).fetchone()
                start = from_version if snapshot is None else snapshot[0]
                rows = connection.execute(
                    "SELECT version, records FROM log WHERE version > ? ORDER BY version", (start,)
                ).fetchall()
            batches = [Batch(version, decode_records(data)) for version, data in rows]
            return Update(None if snapshot is None else Batch(snapshot[0], decode_records(snapshot[1])), batches)

    async def wait(self, version: int) -> int:
        """Wait until the log is beyond `version`."""
        loop = asyncio.get_running_loop()
        while self._refresh() <= version:
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            timer = None if self._memory else loop.call_later(POLL_SECONDS, _wake, waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
                if timer is not None:
                    timer.cancel()
        return self._version

    def _refresh(self) -> int:
        """Look where the log is, and wake who waits if it has moved."""
        connection = self._open_reader()
        if not self._memory:
            (data_version,) = connection.execute("PRAGMA data_version").fetchone()
            if data_version == self._data_version:
                return self._version
            self._data_version = data_version
        counters = dict(connection.execute("SELECT name, value FROM counter"))
        self._version = counters["version"]
        self._log_bytes, self._snapshot_bytes = counters["log_bytes"], counters["snapshot_bytes"]
        for waiter in self._waiters:
            _wake(waiter)
        return self._version

    # -- snapshots -------------------------------------------------------------------------------------------------

    async def write_snapshot(self, image: MetadataImage) -> None:
        """Store `image` in place of the batches up to its version; an older one than the stored is not taken."""
        data = encode_records(image.records())
        await self._write(lambda connection: self._write_snapshot(connection, image.version, data))
        self._refresh()

    @staticmethod
    def _write_snapshot(connection: sqlite3.Connection, version: int, data: bytes) -> None:
        with _transaction(connection):
            row = connection.execute("SELECT version FROM snapshot").fetchone()
            if row is not None and row[0] >= version:
                return
            connection.execute("DELETE FROM snapshot")
            connection.execute("INSERT INTO snapshot VALUES (?, ?)", (version, data))
            connection.execute("DELETE FROM log WHERE version <= ?", (version,))
            (left,) = connection.execute("SELECT COALESCE(SUM(LENGTH(records)), 0) FROM log").fetchone()
            connection.execute("UPDATE counter SET value = ? WHERE name = 'log_bytes'", (left,))
            connection.execute("UPDATE counter SET value = ? WHERE name = 'snapshot_bytes'", (len(data),))

    @property
    def snapshot_due(self) -> bool:
        return self._log_bytes > max(SNAPSHOT_MIN_BYTES, self._snapshot_bytes)

    # -- sessions and leadership -----------------------------------------------------------------------------------

    async def register(self, broker_id: int) -> _Held:
        """Begin the life of a broker."""
        name = f"broker-{broker_id}"
        attempts = 1 if self._memory else REGISTER_ATTEMPTS
        while not self._lock(name):
            attempts -= 1
            if attempts:
                await asyncio.sleep(POLL_SECONDS)
                continue
            raise BrokerIdInUse(
                f"broker id {broker_id} is in use by a running process on {self._path}: "
                "stop that one, or give this one another node.id"
            )
        return _Held(name, broker_id, await self._write(lambda c: _next(c, "broker_epoch")), self._unlock)

    async def alive(self) -> frozenset[int]:
        """Tell which brokers have a session: a lock that we cannot take is held by a living process."""
        names = {name for name in self._locks if name.startswith("broker-")}
        if not self._memory:
            path = Path(self._path)
            prefix = f"{path.name}.broker-"
            for found in path.parent.glob(f"{prefix}*"):
                name = found.name[len(path.name) + 1 :]
                if name not in names and _is_locked(found):
                    names.add(name)
        return frozenset(int(name.removeprefix("broker-")) for name in names)

    async def campaign(self) -> _Held:
        """Wait until nobody leads, and lead."""
        while not self._lock("controller"):  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)  # the kernel tells nobody when another process lets go
        return _Held("controller", -1, await self._write(lambda c: _next(c, "controller_epoch")), self._unlock)

    def _lock(self, name: str) -> bool:
        if name in self._locks:
            return False
        if self._memory:
            self._locks[name] = -1
            return True
        with self._explained():
            fd = os.open(f"{self._path}.{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._locks[name] = fd
        return True

    def _unlock(self, name: str) -> None:
        fd = self._locks.pop(name, -1)
        if fd != -1:
            os.close(fd)

    # -- plumbing --------------------------------------------------------------------------------------------------

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run a transaction where fsync may block."""
        connection = self._writer
        if connection is None:
            raise MetadataLogError(f"the metadata log {self._path} is closed")
        with self._explained():
            if self._thread is None:
                return work(connection)
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, connection)

    def _open_reader(self) -> sqlite3.Connection:
        if self._reader is None:
            raise MetadataLogError(f"the metadata log {self._path} is closed")
        return self._reader

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of SQLite, of the system and of damaged records into one that names the file and the next step."""
        try:
            yield
        except sqlite3.Error as error:
            text = str(error)
            step = next((advice for word, advice in _ADVICE if word in text), "look at the file's disk and rights")
            raise MetadataLogError(f"cannot use the metadata log {self._path}: {text}; {step}") from error
        except RemoteProtocolError as error:
            raise MetadataLogError(
                f"the metadata log {self._path} is damaged, or was written by a newer release: {error}; "
                "restore it from a backup, or start that release"
            ) from error
        except OSError as error:
            step = "free some space" if error.errno == errno.ENOSPC else "look at the folder's rights"
            raise MetadataLogError(f"cannot use the metadata log {self._path}: {error.strerror}; {step}") from error


_ADVICE = (
    ("unable to open", "the folder must exist and be writable"),
    ("readonly", "the file and its folder must be writable"),
    ("full", "free some space"),
    ("not a database", "the file is damaged or not ours: restore it from a backup, or give another data folder"),
    ("malformed", "the file is damaged: restore it from a backup"),
    ("locked", "another process holds it for too long: look for one that hangs"),
)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _next(connection: sqlite3.Connection, counter: str) -> int:
    with _transaction(connection):
        connection.execute("UPDATE counter SET value = value + 1 WHERE name = ?", (counter,))
        (value,) = connection.execute("SELECT value FROM counter WHERE name = ?", (counter,)).fetchone()
    return int(value)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _is_locked(path: Path) -> bool:
    """Tell whether a process holds the lock; a shared lock is tried, so that two who ask do not meet each other."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
