"""Limits on memory and computation of a program's first run, checked before each operation.

A file of a few bytes can ask for gigabytes. During the first run of an unknown program every operation is first
performed on shapes only (PyTorch's meta tensors), and refused if it exceeds the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

from models.types import Cancelled, Refusal

LIVE_BYTES = 768 * 2**20  # live memory allowed for every program
PER_BYTE = 4  # further live memory per byte of the file, for large networks
MOST_NUMBERS = 2**30  # elements of one tensor, even of a view, which takes no memory
MOST_WRITTEN_BYTES = 2**39
MOST_FLOPS = 5e13
UNMEASURED = (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, AssertionError)


_active: list[Budget] = []


@contextmanager
def after_first_run() -> Iterator[None]:
    """Within the block only look whether the work is cancelled: a run on inputs of the same shape was measured."""
    paused = [budget for budget in _active if not budget.paused]
    for budget in paused:
        budget.paused = True
    try:
        yield
    finally:
        for budget in paused:
            budget.paused = False


class Budget(TorchDispatchMode):
    """While active, refuse operations that exceed the budget; call `check` before each, which may cancel.

    `size` is the size of the program's file in bytes.
    """

    def __init__(self, size: int, *, name: str, check: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._name, self._check = name, check or (lambda: None)
        self._most = LIVE_BYTES + PER_BYTE * size
        self._held: list[tuple[StorageWeakRef, int]] = []
        self._live = self._written = 0
        self._flops = 0.0
        self.paused = False

    def __enter__(self) -> Budget:
        """Begin to check."""
        _active.append(self)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        """Check no more."""
        _active.remove(self)
        super().__exit__(*error)

    def __torch_dispatch__(self, func: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Check an operation against the budget, then run it."""
        self._check()
        given = kwargs or {}
        if self.paused:
            return func(*args, **given)
        self._measure(func, args, given)
        found = func(*args, **given)
        for one in tree_leaves(found):
            if isinstance(one, Tensor) and one.layout == torch.strided:
                self._hold(func, one)
        return found

    def _measure(self, func: Any, args: Any, kwargs: Any) -> None:
        """Raise Refusal for an operation whose results are too large, or take too much computation."""
        try:
            shaped = tree_map_only(Tensor, _shape, (args, kwargs))
            if "device" in shaped[1] or not any(isinstance(one, Tensor) for one in tree_leaves(shaped)):
                shaped[1]["device"] = torch.device("meta")
            made = func(*shaped[0], **shaped[1])
            results = [one for one in tree_leaves(made) if isinstance(one, Tensor)]
            count = flop_registry.get(getattr(func, "overloadpacket", None))
            flops = float(count(*shaped[0], **shaped[1], out_val=made)) if count else 0.0
        except (Cancelled, Refusal):
            raise
        except UNMEASURED:  # shape depends on the data (nonzero, ...): hardly larger than the input
            return
        for one in results:
            if one.numel() > MOST_NUMBERS:
                raise self._refusal(f"a tensor of {one.numel():,} numbers", func)
        fresh = 0 if _aliases(func) else sum(one.numel() * one.element_size() for one in results)
        if fresh + self._live > self._most:
            self._held = [(ref, size) for ref, size in self._held if not ref.expired()]
            self._live = sum(size for _, size in self._held)
            if fresh + self._live > self._most:
                raise self._refusal(f"{(fresh + self._live) / 1e9:,.1f} GB at once", func)
        self._written += fresh
        self._flops += flops
        if self._written > MOST_WRITTEN_BYTES or self._flops > MOST_FLOPS:
            raise self._refusal(f"{self._flops / 1e12:,.0f} trillion operations for one picture", func)

    def _hold(self, func: Any, tensor: Tensor) -> None:
        if not _aliases(func):
            size = tensor.untyped_storage().nbytes()
            self._held.append((StorageWeakRef(tensor.untyped_storage()), size))
            self._live += size

    def _refusal(self, what: str, func: Any) -> Refusal:
        operation = str(func).removeprefix("aten.").partition(".")[0]
        text = f"{self._name} would take {what} ({operation}), which no network of its size needs."
        return Refusal(text, advice="It was stopped before that. Export it again, for a smaller input.")


def _shape(tensor: Tensor) -> Tensor:
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise NotImplementedError
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")


def _aliases(func: Any) -> bool:
    """Return whether an operation returns its input or a view of it, which takes no new memory."""
    schema = getattr(func, "_schema", None)
    return schema is not None and any(result.alias_info is not None for result in schema.returns)
