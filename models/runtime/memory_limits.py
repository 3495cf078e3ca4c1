"""Limits of the engine's process: its memory, its priority when memory runs out, and its process group.

On Linux the kernel refuses allocations over the limit (`RLIMIT_DATA`), which torch raises as an exception, so the
engine survives. The window also watches the engine's memory, because the limit does not cover all of it, and when
memory runs out the kernel ends the engine first. Other systems have no comparable limit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

VARIABLE = "VITRINE_MEMORY_GB"
SHARE = 0.8  # of the memory that is available when the engine starts
LEAST_BYTES = 2 << 30
PR_SET_PDEATHSIG = 1  # as in sys/prctl.h
DRIVERS = ("/dev/nvidiactl", "/dev/kfd")  # they reserve more address space than they use; the window watches instead
SCORE = "1000"  # the kernel's out-of-memory killer ends the process with the highest score first


def keep(*, own_group: bool = True) -> None:
    """Apply the limits to this process, which must be one that only answers requests, as far as the system supports.

    Without `own_group` it stays in the process group of the engine that started it, and ends with that.
    """
    if own_group and hasattr(os, "setsid"):
        with contextlib.suppress(OSError):
            os.setsid()  # so that processes started by a model can be ended together with the engine
    if sys.platform != "linux":
        return
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before prctl took effect
            os.kill(os.getpid(), signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(SCORE)
    _limit()


def _limit() -> None:
    import resource

    wanted = allowed_bytes()
    if not wanted or any(Path(path).exists() for path in DRIVERS):
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def allowed_bytes() -> int:
    """Return the memory that an engine started now may use, 0 if the machine's memory is unknown."""
    available = available_bytes()
    return _limit_from_environment() or (max(LEAST_BYTES, int(SHARE * available)) if available else 0)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 if unknown."""
    fields = "".join(_lines(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _limit_from_environment() -> int:
    """Return the limit that the user set in the environment, 0 for none."""
    try:
        return max(0, int(float(os.environ.get(VARIABLE, "0")) * 1e9))
    except (ValueError, OverflowError):
        return 0


def limit_bytes() -> int:
    """Return the memory limit of this process, 0 if it has none."""
    if sys.platform != "linux":
        return 0
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return 0 if soft == resource.RLIM_INFINITY else soft


def available_bytes() -> int:
    """Return the memory available without swapping, in the machine or its control group; 0 if unknown."""
    found = [value for value in (_machine(), _group()) if value]
    return min(found, default=0)


def _machine() -> int:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _group() -> int:
    """Return the memory left in the control group, 0 if it has no limit."""
    for most, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        limit, now = "".join(_lines(most)), "".join(_lines(used))
        if limit.isdigit() and now.isdigit() and int(limit) < 1 << 60:
            return max(1, int(limit) - int(now))
    return 0


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
