"""Hooks that are attached while a network runs and always removed: cancellation checks, and recording of calls.

A trace lists the *calls* of modules, not the modules: one that is called twice appears twice, one that is never called
does not appear. The hooks are PyTorch's global ones, so the modules themselves are not changed. Values are cloned
inside the hook, because the next operation may modify them in place.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from models.runtime.forward_passes import repetition
from models.tracing.tensor_layout import Layout, layout_of

CALL_BYTES = 1024
GRIDS = 6  # recent maps whose grids are tried for sequences of tokens
# Per network, for token sequences (by length) with tokens that have no position: how many of those come first.
BEFORE: weakref.WeakKeyDictionary[nn.Module, dict[int, int]] = weakref.WeakKeyDictionary()


@contextmanager
def interruptible(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` before every module call inside the block; it may raise to cancel the pass."""

    def before(module: nn.Module, inputs: Any) -> None:
        check()

    hook = nn.modules.module.register_module_forward_pre_hook(before)
    try:
        yield
    finally:
        hook.remove()


@dataclass(frozen=True)
class Call:
    """One tensor returned by one call of a module.

    `id` is unique: the module's path, "#2" for its second call, ":key" if it returned several tensors. `module` is the
    path, `kind` the class name, and this is the call `number` of `of` calls of the module. `same` is the id of an
    earlier call that returned this same tensor, such as the last child of a container, or "". `depth` is the nesting
    depth of the module.
    """

    id: str
    module: str
    kind: str
    number: int
    of: int
    shape: tuple[int, ...]
    layout: Layout
    same: str
    depth: int


@dataclass
class Trace:
    """The calls of one pass, in order of return; `silent` are modules with parameters that were never called."""

    calls: list[Call] = field(default_factory=list)
    silent: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Approximate size in bytes."""
        return CALL_BYTES * len(self.calls)

    def __getitem__(self, name: str) -> Call:
        return next(call for call in self.calls if call.id == name)

    def __contains__(self, name: object) -> bool:
        return any(call.id == name for call in self.calls)


See = Callable[[Call, Tensor], Tensor | None]


@contextmanager
def traced(net: nn.Module, *, size: tuple[int, int] | None, see: See | None = None) -> Iterator[Trace]:
    """Record the calls made inside the block in the Trace yielded, which is complete at the end of the block.

    `size` (h, w) is the size of the network's input, from which layouts are derived; None takes that of the first
    picture (N, C, h, w) that one of its modules is given. `see` is called with each call and
    its value in the network's own precision, which it must read at once: later operations may modify it in place. A
    tensor returned by `see` replaces the value. If several passes are averaged, only the first is listed, but `see` is
    called for all.
    """
    names = _names(net)
    trace, counts = Trace(), Numbers()
    grids: list[tuple[int, int]] = []
    first = BEFORE.get(net, {})
    owners: dict[int, tuple[weakref.ref[Tensor], int, str]] = {}

    listed: dict[str, Call] = {}
    sizes = [size] if size is not None else []

    def before(module: nn.Module, inputs: Any) -> None:
        first = inputs[0] if inputs else None
        if not sizes and id(module) in names and isinstance(first, Tensor) and first.ndim == 4:
            sizes.append((int(first.shape[-2]), int(first.shape[-1])))

    def after(module: nn.Module, inputs: Any, output: Any) -> Any:
        path = names.get(id(module))
        if not path:
            return None
        number = counts.next(path)
        replaced = {}
        for key, value in tensors_in(output):
            name = call_id(path, number, key)
            if not repetition():
                shape, last = tuple(value.shape), isinstance(module, nn.LayerNorm | nn.Linear)
                before = first.get(shape[1]) if len(shape) == 3 else None
                layout = layout_of(
                    shape, sizes[0] if sizes else (1, 1), channels_last=last, grids=tuple(grids), before=before
                )
                if layout.spatial and not layout.before + layout.after and layout.grid not in grids:
                    grids[:] = [*grids[1 - GRIDS :], layout.grid]
                same, kind, depth = _owner(owners, value, name), type(module).__name__, path.count(".") + 1
                listed[name] = Call(name, path, kind, number, 1, shape, layout, same, depth)
                trace.calls.append(listed[name])
            call = listed.get(name)
            if see is not None and call is not None and (put := see(call, value)) is not None:
                replaced[key] = put
                _owner(owners, put, call.same or name)
        return _replaced(output, replaced) if replaced else None

    hooks = [nn.modules.module.register_module_forward_hook(after)]
    if size is None:
        hooks.append(nn.modules.module.register_module_forward_pre_hook(before))
    try:
        yield trace
    finally:
        for hook in hooks:
            hook.remove()
    last = {call.module: call.number for call in trace.calls}
    called = set(counts.seen)
    holders = {name.rpartition(".")[0] for name, _ in net.named_parameters()}
    trace.silent = tuple(sorted(holders - called - {""}))
    for row, call in enumerate(trace.calls):
        if (of := last[call.module]) > 1:
            trace.calls[row] = replace(call, of=of)


@contextmanager
def recorded(net: nn.Module, ids: Collection[str], *, leaf: bool = False) -> Iterator[dict[str, Tensor]]:
    """Record clones of the outputs of some calls made inside the block, in the dictionary yielded.

    Each value stays part of the autograd graph, and the network continues with a copy, so that an in-place operation
    cannot change the recorded one. With `leaf` the value is detached and requires gradients: the graph then starts at
    this value. If several passes are averaged, so are the values.
    """
    names = _names(net)
    wanted, counts = set(ids), Numbers()
    kept: dict[str, Tensor] = {}

    def after(module: nn.Module, inputs: Any, output: Any) -> Any:
        path = names.get(id(module))
        if not path:
            return None
        number = counts.next(path)
        replaced = {}
        for key, value in tensors_in(output):
            name = call_id(path, number, key)
            if name in wanted and leaf:
                replaced[key] = leaf_of(kept, name, value)
            elif name in wanted and repetition() and name in kept:
                _meant(kept[name], value)
            elif name in wanted:
                # NumPy has no equivalent of bfloat16: convert to float32.
                kept[name] = value.float().clone()
                replaced[key] = kept[name].clone()
        return _replaced(output, replaced) if replaced else None

    hook = nn.modules.module.register_module_forward_hook(after)
    try:
        yield kept
    finally:
        hook.remove()


@contextmanager
def changed(net: nn.Module, change: Mapping[str, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Replace the outputs of some calls inside the block by `change[id](value)`."""
    names = _names(net)
    counts: dict[str, int] = {}

    def after(module: nn.Module, inputs: Any, output: Any) -> Any:
        path = names.get(id(module))
        if not path:
            return None
        counts[path] = number = counts.get(path, 0) + 1
        found = [(key, value, change.get(call_id(path, number, key))) for key, value in tensors_in(output)]
        replaced = {key: make(value.float()) for key, value, make in found if make is not None}
        return _replaced(output, replaced) if replaced else None

    hook = nn.modules.module.register_module_forward_hook(after)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def gradients() -> Iterator[None]:
    """Enable gradients inside the block, even if the caller is in inference mode."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def call_id(path: str, number: int, key: str) -> str:
    """Return the id of a call: the module's path, the number from the second call on, the key if there are several
    tensors.
    """
    return f"{path}{f'#{number}' if number > 1 else ''}{f':{key}' if key else ''}"


def tensors_in(output: Any) -> list[tuple[str, Tensor]]:
    """Return the floating-point tensors in a module's output with their keys; a single one has the key ""."""
    match output:
        case Tensor():
            found = [("", output)]
        case Mapping():
            found = [(str(k), v) for k, v in output.items() if isinstance(v, Tensor)]
        case list() | tuple():
            found = [(str(k), v) for k, v in enumerate(output) if isinstance(v, Tensor)]
        case _:
            found = []
    found = [(key, value) for key, value in found if value.is_floating_point()]
    # Attention returns (output, None): a single tensor needs no key.
    alone = len(found) == 1 and not isinstance(output, Mapping)
    return [("", found[0][1])] if alone else found


def _replaced(output: Any, replaced: Mapping[str, Tensor]) -> Any:
    """Return a copy of an output with some tensors replaced, by key; the key "" stands for its only tensor."""
    lone = replaced.get("")
    kind: Any = type(output)
    match output:
        case Tensor():
            return lone
        case Mapping():
            return kind((k, replaced.get(str(k), v)) for k, v in output.items())
        case _:
            values = [
                (lone if lone is not None and isinstance(v, Tensor) else replaced.get(str(k), v))
                for k, v in enumerate(output)
            ]
            return kind(*values) if hasattr(output, "_fields") else kind(values)


def leaf_of(kept: dict[str, Tensor], name: str, value: Tensor) -> Tensor:
    """Return a copy of the value that starts a new graph at a leaf, which is stored in `kept` under `name`.

    If several passes are averaged there is a single leaf: its value is their mean, and its gradient that of the mean.
    """
    value = value.detach().float()
    if repetition() and name in kept:
        _meant(kept[name], value)
        return value + (kept[name] - kept[name].detach())
    kept[name] = value.clone().requires_grad_()
    # Later operations may modify the value in place: return a copy.
    return kept[name].clone()


def _meant(kept: Tensor, value: Tensor) -> None:
    """Update `kept` to the mean of the passes so far, including this one."""
    mean = kept.data
    mean += (value.detach().float() - mean) / (repetition() + 1)


class Numbers:
    """Numbers the calls of each module by path, starting anew for each averaged pass. `seen` are all paths called."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._counts: dict[str, int] = {}
        self._pass = 0

    def next(self, path: str) -> int:
        """Return the number of this call."""
        if repetition() != self._pass:
            self._counts.clear()
            self._pass = repetition()
        self.seen.add(path)
        self._counts[path] = number = self._counts.get(path, 0) + 1
        return number


def _owner(owners: dict[int, tuple[weakref.ref[Tensor], int, str]], value: Tensor, name: str) -> str:
    """Return the id of the earlier call that returned this same tensor unmodified.

    "" if there is none, and then remember it.
    """
    version = 0 if value.is_inference() else value._version
    known = owners.get(id(value))
    if known is not None and known[0]() is value and known[1] == version:
        return known[2]
    owners[id(value)] = (weakref.ref(value), version, name)
    return ""


def _names(net: nn.Module) -> dict[int, str]:
    """Return the path of each module by its `id`; a module registered twice has its first path."""
    return {id(module): name for name, module in net.named_modules()}
