"""How a process ended, in words. It ends none, and knows nothing of what it did."""

from __future__ import annotations

import signal

OVER_MEMORY = -1000  # what stands for an exit code where the window ended it for that
WINDOWS = {
    0xC0000005: "it crashed (access violation)",
    0xC00000FD: "it crashed (stack overflow)",
    0xC0000409: "it crashed (damaged stack)",
    0xC000001D: "it crashed (illegal instruction)",
    0xC0000017: "it had not enough memory",
}
SIGNALS = {
    "SIGKILL": "it was ended by the system, probably for want of memory",
    "SIGSEGV": "it crashed (segmentation fault)",
    "SIGBUS": "it crashed (bus error)",
    "SIGILL": "it crashed (illegal instruction)",
    "SIGFPE": "it crashed (arithmetic error)",
    "SIGABRT": "it crashed (aborted)",
    "SIGTERM": "it was ended by another program",
    "SIGXCPU": "it used up the processor time it may have",
}


def words(code: int | None) -> str:
    """Return how a process ended by its exit code, minus the signal on POSIX, as part of a sentence."""
    if code == OVER_MEMORY:
        return "it took more memory than this machine can spare"
    if code is None:
        return "it no longer answers"
    if code & 0xFFFFFFFF in WINDOWS:
        return WINDOWS[code & 0xFFFFFFFF]
    if code == 1:
        return "it ended with an error (exit code 1)"
    if code >= 0:
        return f"something in it called exit (exit code {code})"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return SIGNALS.get(name, f"it was ended by {name}")
