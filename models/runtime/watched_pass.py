"""Observe a pass: whether it draws random numbers, and which numbers it reads out of tensors."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


def random_state() -> tuple[Any, ...]:
    """Return the state of all random number generators: Python, numpy, torch on the CPU and on CUDA."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    drawn = torch.get_rng_state().numpy().tobytes()
    devices = [torch.cuda.get_rng_state(n).numpy().tobytes() for n in _cuda()]
    return random.getstate(), (kind, np.asarray(keys).tobytes(), *rest), drawn, devices


def put_random_state(state: tuple[Any, ...]) -> None:
    """Restore the state of all random number generators."""
    python, (kind, keys, *rest), drawn, devices = state
    random.setstate(python)
    np.random.set_state((kind, np.frombuffer(keys, np.uint32), *rest))
    torch.set_rng_state(torch.frombuffer(bytearray(drawn), dtype=torch.uint8))
    for number, saved in zip(_cuda(), devices, strict=True):
        torch.cuda.set_rng_state(torch.frombuffer(bytearray(saved), dtype=torch.uint8), number)


def _cuda() -> range:
    return range(torch.cuda.device_count() if torch.cuda.is_available() and torch.cuda.is_initialized() else 0)


class Reading:
    """Records the numbers that a pass reads out of tensors, in order: Python code could branch on them."""

    def __init__(self) -> None:
        self.read: list[Any] = []

    @contextmanager
    def modes(self) -> Iterator[None]:
        """Record what runs inside the block."""
        with _Functions(self.read), _Kernels(self.read):
            yield


class _Functions(TorchFunctionMode):
    """Records whole tensors converted to numpy arrays or lists."""

    def __init__(self, read: list[Any]) -> None:
        super().__init__()
        self._read = read

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in ("numpy", "tolist", "__array__"):
            self._read.append(np.asarray(made).tobytes())
        return made


class _Kernels(TorchDispatchMode):
    """Records single numbers, read by Python or by TorchScript."""

    def __init__(self, read: list[Any]) -> None:
        super().__init__()
        self._read = read

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._local_scalar_dense.default:
            self._read.append(made)
        return made
