"""DeepLIFT's rescale rule (Shrikumar et al. 2017, equations 11 and 12), wherever an activation function is called.

captum hooks modules: it refuses a network that calls one of them twice, and gives activations that are functions, or
that it does not list, the plain gradient without a word. Here a `TorchFunctionMode` sees every call, whether by a
module, a function or a method. One pass over the baseline records what goes in and out of each activation; the pass
over the picture then sends back, in the place of each one's gradient, the ratio of the two differences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everywhere
from torch import Tensor
from torch.autograd import Function
from torch.overrides import TorchFunctionMode

from models.tracing.backward_graph import between

NEAR = 1e-6  # differences below this have no ratio: the gradient is taken
POINTWISE = """
celu clamp clamp_max clamp_min elu erf exp gelu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_sigmoid
logsigmoid mish prelu relu relu6 selu sigmoid silu softplus softshrink softsign sqrt square tanh tanhshrink threshold
"""
POOLS = ("max_pool2d",)
POINTWISE_NAMES = frozenset(POINTWISE.split())
# Nodes that are no sum of their inputs whatever these are; a product is one only if both factors are the picture's.
MIXING = {
    "Softmax": "softmax",
    "LogSoftmax": "softmax",
    "NativeLayerNorm": "layer normalisation",
    "NativeGroupNorm": "group normalisation",
    "InstanceNorm": "instance normalisation",
    "ScaledDotProduct": "attention",
    "Pow": "power",
    "Amax": "maximum",
    "Max": "maximum",
    "AdaptiveMaxPool2D": "adaptive maximum pooling",
    "MaxPool2DWithIndices": "maximum pooling",
    "LinalgVectorNorm": "norm",
    "Norm": "norm",
    "Rsqrt": "square root",
    "Var": "variance",
    "Std": "standard deviation",
}
PRODUCTS = {"Mul": "product", "Bmm": "matrix product", "Mm": "matrix product", "Div": "quotient"}


class Differs(Exception):  # noqa: N818 - an expected finding
    """The network calls other activations for the picture than for the baseline."""


@dataclass(frozen=True)
class _Seen:
    """One call of an activation in the baseline's pass."""

    name: str
    given: Tensor
    made: Tensor
    indices: Tensor | None = None


class Rescaled(TorchFunctionMode):
    """Records the activations called inside, or with the record of a baseline's pass gives them the rescale rule.

    Only calls on values that require gradients count, which are those that depend on the picture.
    """

    def __init__(self, baseline: Rescaled | None = None) -> None:
        super().__init__()
        self.seen: list[_Seen] = []
        self.marks: set[Any] = set()
        self._wanted = baseline.seen if baseline is not None else None
        self._at = 0

    @property
    def finished(self) -> bool:
        """Whether as many activations were called as for the baseline."""
        return self._wanted is None or self._at == len(self._wanted)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`; if it is an activation, record it or give it the rule."""
        given = kwargs or {}
        name = getattr(func, "__name__", "").rstrip("_")
        x = args[0] if args else given.get("input")
        if not isinstance(x, Tensor) or not (x.requires_grad and x.is_floating_point() and torch.is_grad_enabled()):
            return func(*args, **given)
        if not (name in POINTWISE_NAMES or (name in POOLS and not _with_indices(args, given))):
            return func(*args, **given)
        rest = args[1:] if args else ()
        given.pop("input", None)

        def apply(value: Tensor) -> Tensor:
            return func(value, *rest, **given)

        if self._wanted is None:
            before = x.detach().clone()
            out = apply(x)
            self.seen.append(_Seen(name, before, out.detach().clone(), _places(name, before, rest, given)))
            if out.grad_fn is not None:
                self.marks.add(out.grad_fn)
            return out
        known = self._wanted[self._at] if self._at < len(self._wanted) else None
        if known is None or known.name != name or known.given.shape != x.shape:
            raise Differs
        self._at += 1
        if name in POOLS:
            places = _places(name, x.detach(), rest, given)
            assert places is not None and known.indices is not None
            return _Pool.apply(x, known, places, apply)
        return _Pointwise.apply(x, known.given, known.made, apply)


def mixing(scores: Tensor, picture: Tensor, covered: set[Any]) -> Counter[str]:
    """Return what mixes values of the picture with each other other than by sums, by name, on the way to a picture."""
    nodes = between(scores, picture)
    among, found = set(nodes), Counter[str]()
    for node in nodes:
        if node in covered:
            continue
        base = node.name().rpartition("::")[2].partition("Backward")[0]
        live = sum(child in among for child, _ in node.next_functions)
        if base in PRODUCTS and live > 1:
            found[PRODUCTS[base]] += 1
        elif title := next((title for start, title in MIXING.items() if base.startswith(start)), ""):
            found[title] += 1
    return found


class _Pointwise(Function):
    """A function of single values, with the ratio of differences in the place of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, x0: Tensor, y0: Tensor, apply: Callable[[Tensor], Tensor]) -> Tensor:
        """Call the function, in place if the network does."""
        value = x.detach().clone()
        version = value._version
        made = apply(value)
        if value._version != version:
            before = x.detach().clone()
            ctx.mark_dirty(x)
            x.copy_(made)
            out = x
        else:
            before, out = value, made
        ctx.save_for_backward(before, made.detach().clone(), x0, y0)
        ctx.call = apply
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient times the ratio of differences, or times the derivative where they are too small."""
        x, y, x0, y0 = ctx.saved_tensors
        with torch.enable_grad():
            at = x.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(ctx.call(at.clone()).sum(), at)
        change = x - x0
        near = change.abs() < NEAR
        ratio = (y - y0) / torch.where(near, torch.ones_like(change), change)
        return gradients[0] * torch.where(near, slope, ratio), None, None, None


class _Pool(Function):
    """Maximum pooling: the change of a window's maximum is given to where the larger of the two maxima lies."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, before: _Seen, at: Tensor, apply: Any) -> Tensor:
        """Pool."""
        out = apply(x.detach())
        ctx.save_for_backward(x.detach().clone(), out, before.given, before.made, at, before.indices)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the change of each window's maximum at its place, over the change of the value there."""
        x, y, x0, y0, at, at0 = ctx.saved_tensors
        passed = gradients[0]
        larger = torch.maximum(y, y0)
        gained = _scattered(x, at, passed * (larger - y0)) + _scattered(x, at0, passed * (y - larger))
        plain, change = _scattered(x, at, passed), x - x0
        near = change.abs() < NEAR
        return torch.where(near, plain, gained / torch.where(near, torch.ones_like(change), change)), None, None, None


def _scattered(like: Tensor, at: Tensor, values: Tensor) -> Tensor:
    flat = torch.zeros_like(like).flatten(-2)
    return flat.scatter_add(-1, at.flatten(-2), values.flatten(-2)).view_as(like)


def _places(name: str, value: Tensor, rest: tuple[Any, ...], given: dict[str, Any]) -> Tensor | None:
    if name not in POOLS:
        return None
    settings = {**given, "return_indices": True}
    with torch.no_grad():
        pooled: Any = F.max_pool2d(value, *rest[:5], **settings)
    return pooled[1]


def _with_indices(args: tuple[Any, ...], given: dict[str, Any]) -> bool:
    return bool(given.get("return_indices")) or (len(args) > 6 and bool(args[6]))
