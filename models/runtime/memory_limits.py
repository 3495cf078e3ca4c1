"""What the engine's process may take of the machine: memory. It is also the first to go, and alone in its group.

On Linux the kernel refuses what goes over the limit (`RLIMIT_DATA`), which torch tells as an exception: the engine
lives on. The window watches too, for what the limit does not see, and the kernel takes from the engine first. Other
systems have no such limit that holds.
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
DRIVERS = ("/dev/nvidiactl", "/dev/kfd")  # they map more than they use: there the window watches instead
SCORE = "1000"  # the kernel ends the process with the highest score first


def keep() -> None:
    """Set the limits of this process, which only answers requests, wherever the system allows."""
    if hasattr(os, "setsid"):
        with contextlib.suppress(OSError):
            os.setsid()  # so that what a model starts can be ended with the engine
    if sys.platform != "linux":
        return
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before
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
    """Return how much memory an engine that starts now may have, 0 where nothing is known of the machine."""
    available = available_bytes()
    return _wished() or (max(LEAST_BYTES, int(SHARE * available)) if available else 0)


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has now, 0 for unknown."""
    fields = "".join(_lines(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _wished() -> int:
    """Return the limit that the user has set for this run, 0 for none."""
    try:
        return max(0, int(float(os.environ.get(VARIABLE, "0")) * 1e9))
    except (ValueError, OverflowError):
        return 0


def limit_bytes() -> int:
    """Return how much memory this process may have, 0 where it has no limit."""
    if sys.platform != "linux":
        return 0
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return 0 if soft == resource.RLIM_INFINITY else soft


def available_bytes() -> int:
    """Return the memory that can be had without swapping, of the machine or the group this runs in; 0 for unknown."""
    found = [value for value in (_machine(), _group()) if value]
    return min(found, default=0)


def _machine() -> int:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _group() -> int:
    """Return what the control group has left, 0 where it has no limit."""
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
