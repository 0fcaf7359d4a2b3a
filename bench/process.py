"""What the kernel knows of a process: CPU time, memory, open files. And of the machine, and how it is made ready."""

from __future__ import annotations

import mmap
import os
import platform
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: How far `memory_at_hand` is ahead of the writer, in which pieces (huge pages), and how often it looks.
AHEAD_BYTES, PIECE_BYTES, GIVE_S = 96 << 20, 2 << 20, 0.01
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of all its threads so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory in MB (10^6)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@contextmanager
def memory_at_hand(pid: int, size: int) -> Iterator[None]:
    """Keep memory that the machine really has ready for what a process writes to files, up to `size` bytes.

    A hypervisor takes back what its guest has not used for some seconds, and gives it again page by page when it is
    touched. Whoever touches it pays, up to 2 ms per MB where the write itself takes 0.6, and that may be either broker. So
    this process holds memory, and gives it back piece by piece just before the other takes it.
    """
    held = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
    over = threading.Event()
    began = written(pid)

    def give_back() -> None:
        given = 0
        while given < size and not over.wait(GIVE_S):
            wanted = min(size, (written(pid) - began + AHEAD_BYTES) // PIECE_BYTES * PIECE_BYTES)
            if wanted > given:
                held.madvise(mmap.MADV_DONTNEED, given, wanted - given)
                given = wanted

    giver = threading.Thread(target=give_back)
    giver.start()
    try:
        yield
    finally:
        over.set()
        giver.join()
        held.close()


def written(pid: int) -> int:
    """Bytes a process has written so far, to files and sockets."""
    text = Path(f"/proc/{pid}/io").read_text()
    return int(text.split("wchar:")[1].split()[0])


@contextmanager
def on_one_cpu(pid: int) -> Iterator[None]:
    """A process, and what this one starts meanwhile, share a CPU.

    With one request in flight the two take turns anyway. Left alone the scheduler runs them side by side in one second
    and together in the next, and waking the other CPU takes longer than all the broker does.
    """
    before = os.sched_getaffinity(0)
    one = {min(before)}

    def put(cpus: set[int]) -> None:
        os.sched_setaffinity(0, cpus)
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cpus)

    put(one)
    try:
        yield
    finally:
        put(before)


def machine() -> dict[str, str]:
    """The machine the figures are from."""
    cpu = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "?",
    )
    memory = next(
        line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    java = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr.splitlines()[:1]
    return {
        "cpu": f"{os.cpu_count()} × {cpu}",
        "memory": f"{int(memory) / 1e6:.0f} GB",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "java": java[0] if java else "?",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }
