"""Where a model runs and in what precision: `NAME?device=cuda:0&precision=bfloat16`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from models.types import Refusal

DEVICE, PRECISION = "device", "precision"
FULL = "float32"
NARROW = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Runtime:
    """A model's device, by torch's name, and the precision its layers compute in."""

    device: str
    precision: str = FULL

    @property
    def about(self) -> dict[str, Any]:
        """The choices shown in the window, with the current ones."""
        return {"device": self.device, "precision": self.precision, "devices": devices(), "precisions": precisions()}


@cache
def devices() -> dict[str, str]:
    """Return this machine's devices by torch's names, with descriptions; the default one first."""
    found = {}
    for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        facts = torch.cuda.get_device_properties(number)
        found[f"cuda:{number}"] = f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple's graphics processor"
    count = torch.get_num_threads()
    return {**found, "cpu": f"{count} threads" if count != 1 else "1 thread"}


def precisions() -> dict[str, tuple[str, ...]]:
    """Return the precisions that each device supports well, the default first.

    Half precision (float16) is offered on graphics processors only: on a CPU its small exponent range brings no gain.
    """
    return {name: (FULL, "bfloat16") if name == "cpu" else (FULL, *NARROW) for name in devices()}


def take(given: Mapping[str, str]) -> tuple[Runtime, dict[str, str]]:
    """Return the device and precision in a model's name, and the other settings. Raises Refusal if unavailable."""
    rest = dict(given)
    known = devices()
    device = rest.pop(DEVICE, next(iter(known)))
    if device not in known:
        raise Refusal(f"There is no device {device!r} here.", advice=f"This machine has {', '.join(known)}.")
    precision = rest.pop(PRECISION, FULL)
    if precision not in precisions()[device]:
        names = ", ".join(precisions()[device])
        raise Refusal(f"{precision!r} does not run on {device}.", advice=f"It calculates in {names}.")
    return Runtime(device, precision), rest


def release() -> None:
    """Return unused cached memory of graphics processors to the system."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def used_bytes(place: Runtime) -> int:
    """Return the bytes allocated on a graphics processor, 0 for the CPU."""
    kind = torch.device(place.device).type
    if kind == "cuda":
        return torch.cuda.memory_allocated(place.device)
    return torch.mps.current_allocated_memory() if kind == "mps" else 0


def threads() -> int:
    """Return the number of compute threads: all usable cores but one, which keeps the window responsive."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return max(1, usable - 1)


@contextmanager
def calculating(runtime: Runtime) -> Iterator[None]:
    """Run layers in the model's precision inside the block (`torch.autocast`); its weights stay unchanged.

    Global hooks convert the output of each outermost module to float32, so that scores and boxes are computed as usual.
    """
    if runtime.precision == FULL:
        yield
        return
    depth = 0

    def before(module: nn.Module, inputs: Any) -> None:
        nonlocal depth
        depth += 1

    def after(module: nn.Module, inputs: Any, output: Any) -> Any:
        nonlocal depth
        depth -= 1
        return None if depth else widened(output)

    hooks = [
        nn.modules.module.register_module_forward_pre_hook(before),
        nn.modules.module.register_module_forward_hook(after, always_call=True),
    ]
    try:
        with torch.autocast(torch.device(runtime.device).type, NARROW[runtime.precision]):
            yield
    finally:
        for hook in hooks:
            hook.remove()


def widened(value: Any) -> Any:
    """Convert half-precision tensors of a module's output to float32, in containers of the same type."""
    match value:
        case torch.Tensor():
            return value.float() if value.dtype in NARROW.values() else value
        case Mapping():
            kind: Any = type(value)
            return kind((k, widened(v)) for k, v in value.items())
        case list() | tuple():
            kind = type(value)
            made = [widened(v) for v in value]
            return kind(*made) if hasattr(value, "_fields") else kind(made)
        case _:
            return value


def start_graphics() -> None:
    """Load the driver of the graphics processor, if there is one.

    NVIDIA's driver may load a kernel module and make device nodes through a setuid helper the first time, which a
    process that may gain no privileges cannot run.
    """
    if torch.cuda.is_available():
        torch.cuda.init()
