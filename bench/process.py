"""What the kernel knows of a process: CPU time, memory, open files. And of the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
