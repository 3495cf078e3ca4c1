"""Restore process-wide state that a model's code may change: torch's settings, random states, signals, streams.

Changes inside other modules and to the environment are not restored; the engine's process can be replaced instead.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

SIGNALS = tuple(signal.valid_signals())


@contextmanager
def kept() -> Iterator[None]:
    """Restore the state after the block. This costs a third of a millisecond, so it is used for users' code only."""
    before = _now()
    try:
        yield
    finally:
        _put_back(before)


def _now() -> dict[str, Any]:
    return {
        "dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "random": (random.getstate(), np.random.get_state(), torch.get_rng_state()),
        "errors": np.geterr(),
        "folder": _folder(),
        "path": (sys.path, list(sys.path)),
        "filters": (warnings.filters, list(warnings.filters)),
        "streams": (sys.stdout, sys.stderr),
        "recursion": sys.getrecursionlimit(),
        "alarm": _alarm(),
        "handlers": {number: signal.getsignal(number) for number in SIGNALS},
    }


def _put_back(before: dict[str, Any]) -> None:
    torch.set_default_dtype(before["dtype"])
    torch.set_grad_enabled(before["grad"])
    if torch.get_num_threads() != before["threads"]:
        torch.set_num_threads(before["threads"])
    python, numpy, own = before["random"]
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(own)
    np.seterr(**before["errors"])
    if before["folder"] and _folder() != before["folder"]:
        with contextlib.suppress(OSError):
            os.chdir(before["folder"])
    sys.path, sys.path[:] = before["path"]
    filters, entries = before["filters"]
    if warnings.filters is not filters or list(filters) != entries:
        warnings.filters = filters  # type: ignore[assignment]
        warnings.filters[:] = entries  # type: ignore[index]
        getattr(warnings, "_filters_mutated", lambda: None)()
    sys.stdout, sys.stderr = before["streams"]
    if sys.getrecursionlimit() != before["recursion"]:
        sys.setrecursionlimit(before["recursion"])
    if _alarm() and not before["alarm"]:
        signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before["handlers"].items():
        if signal.getsignal(number) is not handler and handler is not None:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, handler)


def _alarm() -> bool:
    """Return whether a timer is set that will send a signal."""
    return hasattr(signal, "getitimer") and signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # the folder was deleted
        return ""
