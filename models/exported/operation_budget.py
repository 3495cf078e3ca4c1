"""Limits on memory and computation of a program's first run, checked before each operation.

A file of a few bytes can ask for gigabytes. During the first run of an unknown program every operation is first
performed on shapes only (PyTorch's meta tensors), and refused if it exceeds the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

from models.exported import known_shapes
from models.types import Cancelled, Refusal

LIVE_BYTES = 768 * 2**20  # live memory allowed for every program
PER_BYTE = 4  # further live memory per byte of the file, for large networks
MOST_NUMBERS = 2**30  # elements of one tensor, even of a view, which takes no memory
MOST_WRITTEN_BYTES = 2**39
MOST_FLOPS = 5e13
MOST_OPERATIONS = 300_000  # a large network takes some thousands
INDEX_BYTES, LEAST_BYTES = 8, 4
UNMEASURED = (NotImplementedError, RuntimeError, TypeError, ValueError, IndexError, AssertionError)


_active: list[Budget] = []


@contextmanager
def after_first_run() -> Iterator[None]:
    """Within the block only look whether the work is cancelled, before each module: a run on inputs of the same shape
    was measured.
    """
    paused = [budget for budget in _active if not budget.paused]
    if not paused:
        yield
        return

    def look(module: nn.Module, inputs: Any) -> None:
        for budget in paused:
            budget.check()

    hook = nn.modules.module.register_module_forward_pre_hook(look)
    for budget in paused:
        budget.paused = True
    try:
        with _disable_current_modes():  # seeing each operation would take longer than many a network
            yield
    finally:
        hook.remove()
        for budget in paused:
            budget.paused = False


class Budget(TorchDispatchMode):
    """While active, refuse operations that exceed the budget; call `check` before each, which may cancel.

    `size` is the size of the program's file in bytes.
    """

    def __init__(self, size: int, *, name: str, check: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._name, self.check = name, check or (lambda: None)
        self._most = LIVE_BYTES + PER_BYTE * size
        self._storages: list[tuple[StorageWeakRef, int]] = []
        self._live = self._written = self._operations = 0
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
        self.check()
        given = kwargs or {}
        if self.paused:
            return func(*args, **given)
        self._measure(func, args, given)
        found = func(*args, **given)
        for one in tree_leaves(found):
            if isinstance(one, Tensor) and one.layout == torch.strided:
                self._count_storage(func, one)
        return found

    def _measure(self, func: Any, args: Any, kwargs: Any) -> None:
        """Raise Refusal for an operation whose results are too large, or take too much computation."""
        self._operations += 1
        if self._operations > MOST_OPERATIONS:
            raise self._refusal(f"more than {MOST_OPERATIONS:,} operations for one picture", func)
        if (known := known_shapes.of(func, args)) is not None:
            numbers, flops = known
            size = max(LEAST_BYTES, *(one.element_size() for one in args if isinstance(one, Tensor)))
            self._count(func, [numbers], 0 if _aliases(func) else numbers * size, flops)
            return
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
        except UNMEASURED:  # the shape depends on the data (nonzero, ...): a result for each number at most
            given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
            results, flops = [], 0.0
            places = "nonzero" in str(func)  # one index for each dimension
            fresh = sum(one.numel() * INDEX_BYTES * (max(1, one.ndim) if places else 1) for one in given)
        else:
            fresh = 0 if _aliases(func) else sum(one.numel() * one.element_size() for one in results)
        self._count(func, [one.numel() for one in results], fresh, flops)

    def _count(self, func: Any, results: list[int], fresh: int, flops: float = 0.0) -> None:
        """Raise Refusal if results of so many numbers, `fresh` bytes in all, or `flops` more are too much."""
        for numbers in results:
            if numbers > MOST_NUMBERS:
                raise self._refusal(f"a tensor of {numbers:,} numbers", func)
        if fresh + self._live > self._most:
            self._storages = [(ref, size) for ref, size in self._storages if not ref.expired()]
            self._live = sum(size for _, size in self._storages)
            if fresh + self._live > self._most:
                raise self._refusal(f"{(fresh + self._live) / 1e9:,.1f} GB at once", func)
        self._written += fresh if results else 0
        self._flops += flops
        if self._written > MOST_WRITTEN_BYTES or self._flops > MOST_FLOPS:
            raise self._refusal(f"{self._flops / 1e12:,.0f} trillion operations for one picture", func)

    def _count_storage(self, func: Any, tensor: Tensor) -> None:
        if not _aliases(func):
            size = tensor.untyped_storage().nbytes()
            self._storages.append((StorageWeakRef(tensor.untyped_storage()), size))
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
