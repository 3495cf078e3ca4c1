"""Detect rectifiers, operations that compute max(x, 0), by their behaviour while a network runs.

A `TorchFunctionMode` intercepts every function, operator and method called on this thread inside its block. A call is a
rectifier if its result is max(x, 0) of its input, or of a tensor a few calls earlier: `F.relu`, `clamp(min=0)`,
`maximum(x, 0)`, `x * (x > 0)`, `x[x < 0] = 0` and `(x + x.abs()) / 2` all count. ReLU6 does not, because it changes
large values.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

Rule = Literal["guided", "deconvnet"]
STEPS = 4  # calls that may together form one rectifier
REMEMBERED = 24  # results of recent calls kept for this
FAR = 1e4
_COMPARISONS = {"gt", "ge", "lt", "le", "greater", "greater_equal", "less", "less_equal"}
_WRITERS = {"__setitem__", *(f"__i{name}__" for name in ("add", "sub", "mul", "truediv", "div", "pow", "and", "or"))}
_Known = tuple[Tensor, int]


@dataclass(frozen=True)
class _Call:
    """A function call: its arguments, all tensors among them, and those that require gradients (`live`)."""

    func: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    given: dict[str, Any]
    tensors: list[Tensor]
    live: list[Tensor]

    def on(self, x: Tensor, other: Tensor) -> Any:
        """Return the call's result with one tensor replaced by another."""
        return self.func(*_put(self.args, x, other), **_put(self.given, x, other))


class Rectified(TorchFunctionMode):
    """Give every rectifier called inside the backward pass of `rule`; if `rule` is None, only record their nodes.

    Operations that do not depend on the picture, and therefore need no gradient, are ignored, such as those that
    compute the position biases of Swin v2. `covered` counts rectifier calls. Nodes of the backward graph: `marks` are
    rectifiers, `within` the other nodes of rectifiers composed of several calls, and `gates` operations that are no
    rectifiers but select values by a comparison of the picture's own values.
    """

    def __init__(self, rule: Rule | None) -> None:
        super().__init__()
        self.rule = rule
        self.covered = 0
        self.marks: set[Any] = set()
        self.within: set[Any] = set()
        self.gates: set[Any] = set()
        # The inputs of recent results, step by step; and results that depend on the picture without a gradient
        # (comparisons).
        self._origins: OrderedDict[int, tuple[weakref.ref[Tensor], list[list[_Known]]]] = OrderedDict()
        self._cut: dict[int, tuple[weakref.ref[Tensor], weakref.ref[Tensor] | None]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`; if it is a rectifier, return a result with the backward pass of `rule`."""
        given = kwargs or {}
        tensors = list(_tensors((args, given)))
        live = [t for t in tensors if t.requires_grad and t.is_floating_point()] if torch.is_grad_enabled() else []
        if not live and not any(self._is_cut(t) for t in tensors):
            return func(*args, **given)
        name = getattr(func, "__name__", "").partition(".")[0]
        # PyTorch itself forbids writing into a leaf.
        if live and args and args[0] is live[0] and not live[0].is_leaf and _writes(func, name, args, given):
            return self._in_place(_Call(func, name, args, given, tensors, live))
        call, out = _Call(func, name, args, given, tensors, live), func(*args, **given)
        if isinstance(out, Tensor):
            return self._seen(call, out)
        if type(out) in (tuple, list) or hasattr(out, "n_sequence_fields"):
            made = [self._seen(call, o, alone=False) if isinstance(o, Tensor) else o for o in out]
            return type(out)(made) if any(a is not b for a, b in zip(made, out, strict=True)) else out
        return out

    def _seen(self, call: _Call, out: Tensor, *, alone: bool = True) -> Tensor:
        """Return the tensor that replaces a call's result, which is the only one (`alone`) or one of several."""
        if not out.requires_grad:
            self._cut_off(call, out)
            return out
        if not call.live or not out.is_floating_point():
            return out
        others = [t for t in call.tensors if self._is_cut(t)]
        direct = [t for t in call.live if t.shape == out.shape]
        for x in direct:
            if _rectifies(x, out):
                if (alone and _on_others(call, x)) or ((others or len(call.live) > 1) and self._compares(call, x)):
                    return self._replace(x, out)
                # An identity on these values, or ReLU6 with no value above six.
                self._remember(out, [])
                return out
        steps = self._steps(call.live)
        for known in steps:
            for x, version in known:
                if x._version == version and _rectifies(x, out) and _has_negative(x):
                    return self._replace(x, out)
        self._remember(out, steps)
        self._gate(out, direct, others)
        return out

    def _in_place(self, call: _Call) -> Any:
        """Run a call that writes into its first argument, after trying it on a copy."""
        x, rest = call.args[0], call.tensors[1:]
        others = [t for t in rest if self._is_cut(t)]
        with torch.no_grad():
            tried = x.detach().clone()
            before = tried._version
            answered = call.on(x, tried)
            written = tried._version != before
        if written and _rectifies(x, tried):
            several = bool(others) or any(t.requires_grad for t in rest)
            if _on_others(call, x, inplace=True) or (several and self._compares(call, x)):
                self.covered += 1
                if self.rule is None:
                    made = call.func(*call.args, **call.given)
                    base = x._base if x._is_view() and x._base is not None else x
                    self.marks.add(base.grad_fn)
                else:
                    made = _Rectifier.apply(x, True, self.rule == "guided")
                self._remember(x, [])
                return None if answered is None else made
        out = call.func(*call.args, **call.given)
        if not written and isinstance(out, Tensor):
            return self._seen(call, out)
        found = out if isinstance(out, Tensor) else x
        self._remember(found, [])
        self._gate(found, [tried], others)
        return out

    def _compares(self, call: _Call, x: Tensor) -> bool:
        """Return whether a call that gave max(x, 0) by means of an earlier comparison is certainly a rectifier.

        Either x has negative values, or the comparison is known to have been between x and zero.
        """
        masks = [known[1] for t in call.tensors if (known := self._cut.get(id(t))) and known[0]() is t]
        return _has_negative(x) or any(mask is not None and mask() is x for mask in masks)

    def _replace(self, x: Tensor, out: Tensor) -> Tensor:
        self.covered += 1
        if self.rule is None:
            self.marks.add(out.grad_fn)
            self.within |= _above(out.grad_fn, x.grad_fn)
            made = out
        else:
            made = _Rectifier.apply(x, False, self.rule == "guided")
        self._remember(made, [])
        return made

    def _steps(self, live: list[Tensor]) -> list[list[_Known]]:
        """Return the tensors from which a result of `live` was computed, one list for each step backwards."""
        steps: list[list[_Known]] = [[(t, t._version) for t in live]]
        for t in live:
            known = self._origins.get(id(t))
            if known is not None and known[0]() is t:
                for number, one in enumerate(known[1][: STEPS - 1]):
                    if len(steps) <= number + 1:
                        steps.append([])
                    steps[number + 1] += [each for each in one if all(each[0] is not k for k, _ in steps[number + 1])]
        return steps

    def _remember(self, out: Tensor, steps: list[list[_Known]]) -> None:
        self._origins.pop(id(out), None)
        self._origins[id(out)] = (weakref.ref(out), steps)
        while len(self._origins) > REMEMBERED:
            self._origins.popitem(last=False)

    def _is_cut(self, t: Tensor) -> bool:
        known = self._cut.get(id(t))
        return known is not None and known[0]() is t

    def _cut_off(self, call: _Call, out: Tensor) -> None:
        """Record a result that depends on the picture without a gradient, and the tensor it compares with zero."""
        of, live, args = None, call.live, call.args
        if call.name.strip("_") in _COMPARISONS and len(args) == 2 and len(live) == 1:
            other = args[1] if args[0] is live[0] else args[0]
            of = weakref.ref(live[0]) if _is_zero(other) else None
        elif not live and len(call.tensors) == 1:
            of = self._cut[id(call.tensors[0])][1]
        self._cut[id(out)] = (weakref.ref(out), of)

    def _gate(self, out: Tensor, direct: list[Tensor], others: list[Tensor]) -> None:
        """Record a call that selects values by a comparison of the picture's own values."""
        for mask in others:
            if mask.shape != out.shape or mask.numel() < 2:
                continue
            with torch.no_grad():
                gates = mask.dtype == torch.bool or any(not torch.equal(x == 0, out == 0) for x in direct)
            if gates and out.grad_fn is not None:
                self.gates.add(out.grad_fn)


class _Rectifier(Function):
    """ReLU with a backward pass that keeps only positive gradients.

    With `gated` it keeps them only where its input was positive too.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, inplace: bool, gated: bool) -> Tensor:
        """Apply ReLU, in place if the network does."""
        ctx.gated = gated
        if inplace:
            ctx.mark_dirty(value)
        out = value.relu_() if inplace else value.relu()
        if gated:
            ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Guided backpropagation: Springenberg et al. 2015, figure 1; deconvnet: Zeiler and Fergus 2014."""
        passed = gradients[0].relu()
        if ctx.gated:
            (out,) = ctx.saved_tensors
            passed = passed * (out > 0)
        return passed, None, None


def _above(last: Any, first: Any) -> set[Any]:
    """Return the nodes between two nodes that are a few calls apart in the backward graph."""
    found: set[Any] = set()
    todo = [child for child, _ in last.next_functions]
    for _ in range(2 * STEPS):
        todo = [node for node in todo if node is not None and node is not first and not hasattr(node, "variable")]
        found |= set(todo)
        todo = [child for node in todo for child, _ in node.next_functions]
    return found


def _tensors(values: Any) -> Iterator[Tensor]:
    """Yield the tensors among a call's arguments, including those in nested lists and dictionaries."""
    match values:
        case Tensor():
            yield values
        case dict():
            for value in values.values():
                yield from _tensors(value)
        case list() | tuple():
            for value in values:
                yield from _tensors(value)


def _put(values: Any, x: Tensor, other: Tensor) -> Any:
    """Return the arguments with one tensor replaced by another."""
    match values:
        case Tensor():
            return other if values is x else values
        case dict():
            return {key: _put(value, x, other) for key, value in values.items()}
        case list() | tuple() if type(values) in (list, tuple):
            return type(values)(_put(value, x, other) for value in values)
    return values


def _writes(func: Callable[..., Any], name: str, args: tuple[Any, ...], given: dict[str, Any]) -> bool:
    """Return whether a call may write into its first argument."""
    if name in _WRITERS or (name.endswith("_") and not name.endswith("__")) or given.get("inplace"):
        return True
    code = getattr(func, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()
    return any(key == "inplace" and bool(value) for key, value in zip(names, args, strict=False))


def _rectifies(x: Tensor, out: Tensor) -> bool:
    """Return whether `out` equals max(x, 0) everywhere."""
    alike = x.shape == out.shape and x.dtype == out.dtype and x.device == out.device and x.layout == out.layout
    if not alike or x.layout != torch.strided or not x.numel():
        return False
    with torch.no_grad():
        row = (0,) * (x.ndim - 1)
        return torch.equal(out[row], x[row].clamp(min=0)) and torch.equal(out, x.clamp(min=0))


def _on_others(call: _Call, x: Tensor, *, inplace: bool = False) -> bool:
    """Return whether a call also rectifies other values: near zero and far from it.

    This excludes identities on positive inputs, ReLU6, LeakyReLU and similar functions.
    """
    with torch.no_grad():
        some = x.new_tensor([-FAR, 1e-3, -1e-3, FAR, 1.0, -1.0, 0.0])
        other = some.repeat(x.numel() // len(some) + 1)[: x.numel()].reshape(x.shape)
        tried = other.clone()
        try:
            out = call.on(x, tried)
        except (RuntimeError, ValueError, IndexError):
            return False
        out = tried if inplace else out
        return isinstance(out, Tensor) and _rectifies(other, out)


def _has_negative(x: Tensor) -> bool:
    with torch.no_grad():
        return bool((x < 0).any())


def _is_zero(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not bool(value.any())
    return isinstance(value, int | float) and value == 0
