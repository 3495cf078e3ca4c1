"""The activation functions that a network calls: their inputs over curve and derivative, dead units, replacements.

Functions of torch are known by name, also inside modules, and the products x * sigmoid(x) and x * tanh(softplus(x)) by
their form. The derivative is autograd's.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.features.watched_functions import Ids, Watched
from models.runtime.forward_passes import repetition
from models.subject import Subject
from models.tracing.tensor_layout import NHWC, layout_of
from models.types import Float, Int

TITLES = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "LeakyReLU",
    "prelu": "PReLU",
    "rrelu": "RReLU",
    "elu": "ELU",
    "selu": "SELU",
    "celu": "CELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "mish": "Mish",
    "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid",
    "hardtanh": "Hardtanh",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "logsigmoid": "LogSigmoid",
    "tanhshrink": "Tanhshrink",
    "hardshrink": "Hardshrink",
    "softshrink": "Softshrink",
    "threshold": "Threshold",
}
REPLACEMENTS: dict[str, Callable[[Tensor], Tensor]] = {
    "ReLU": functional.relu,
    "LeakyReLU": lambda x: functional.leaky_relu(x, 0.1),
    "ReLU6": functional.relu6,
    "GELU": functional.gelu,
    "SiLU": functional.silu,
    "Mish": functional.mish,
    "Hardswish": functional.hardswish,
    "ELU": functional.elu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
    "Identity": lambda x: x.clone(),
}
BINS, POINTS = 64, 161
FLAT = 0.01  # a derivative below this passes hardly any gradient
SPANS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)


@dataclass
class Called:
    """One call of an activation function over all pictures: `span` is where its histogram ends to both sides."""

    id: str
    title: str
    form: bool
    span: float
    apply: Callable[[Tensor], Tensor]
    counts: Int = field(default_factory=lambda: np.zeros(BINS, np.int64))
    values: int = 0
    flat: int = 0
    below: int = 0
    outside: int = 0
    alive: Tensor | None = None

    @property
    def units(self) -> int:
        """How many channels it is applied to."""
        return 0 if self.alive is None else len(self.alive)

    @property
    def dead(self) -> int:
        """How many of them were in the flat zone at every place of every picture."""
        return 0 if self.alive is None else int((~self.alive).sum())

    def curves(self) -> tuple[Float, Float, Float]:
        """Return x, the function and its derivative there, (POINTS,) each."""
        with torch.inference_mode(False), torch.enable_grad():
            x = torch.linspace(-self.span, self.span, POINTS).requires_grad_()
            y = self.apply(x)
            (slope,) = torch.autograd.grad(y.sum(), x)
        return tuple(v.detach().numpy().astype(np.float32) for v in (x, y, slope))  # type: ignore[return-value]


class Functions:
    """Collects the calls of activation functions in passes of a subject; `first` is an input for a first look.

    `forms` are the calls that together form another function: its name, or "" for all but the last of them.
    """

    def __init__(self, subject: Subject, first: Tensor) -> None:
        self.subject = subject
        self.calls: dict[str, Called] = {}
        self.forms: dict[str, str] = {}
        self._pass(first, looking=True)

    def collect(self, x: Tensor) -> Tensor:
        """Return the scores of inputs, and count the inputs of every activation function."""
        return self._pass(x, collecting=True)

    def replaced(self, x: Tensor, call: str, by: str) -> Tensor:
        """Return the scores of inputs with one call replaced by another function, or every call for "*"."""
        return self._pass(x, call=call, by=by)

    def _pass(
        self, x: Tensor, *, looking: bool = False, collecting: bool = False, call: str = "", by: str = ""
    ) -> Tensor:
        ids, parts = Ids(), dict[int, _Part]()

        def seen(func: Any, name: str, args: tuple[Any, ...], given: dict[str, Any], path: str) -> Any:
            if name.strip("_") in ("mul", "multiply", "imul") and len(args) == 2:
                part = next((p for one, other in (args, args[::-1]) if (p := _part(parts, one, other))), None)
                if part is not None and looking:
                    self.forms |= {part.call: part.title, **({part.before: ""} if part.before else {})}
                if part is not None and by and call in ("*", part.call):
                    return _instead(part.source(), by, within=args[0] if _in_place(func, given) else None)
                return func(*args, **given)
            value, title, apply = _activation(func, name, args, given)
            if value is None:
                return func(*args, **given)
            mine = ids.next(path)
            form = self.forms.get(mine)
            before = _known(parts, value)
            if collecting and form != "":
                whole = before.source() if form == "Mish" and before is not None else value
                self._take(mine, form or title, whole, REPLACEMENTS[form] if form else apply, form=bool(form))
            if by and form is None and call in ("*", mine):
                return _instead(value, by, within=value if _in_place(func, given, args) else None)
            out = func(*args, **given)
            if isinstance(out, Tensor) and out is not value:
                if name == "tanh" and before is not None and before.title == "Softplus":
                    parts[id(out)] = _Part(weakref.ref(out), before.ref, mine, "Mish", before.call)
                elif name in ("sigmoid", "softplus"):
                    title = "SiLU" if name == "sigmoid" else "Softplus"
                    parts[id(out)] = _Part(weakref.ref(out), weakref.ref(value), mine, title)
            return out

        with Watched(self.subject.net, seen).running():
            return self.subject.scores(x.clone())

    def _take(self, call: str, title: str, x: Tensor, apply: Callable[[Tensor], Tensor], *, form: bool) -> None:
        if repetition():
            return
        value = x.detach().float()
        known = self.calls.get(call)
        if known is None or known.form != form:
            high = float(value.abs().max()) if value.numel() else 1.0
            span = next((s for s in SPANS if s >= high), SPANS[-1]) if math.isfinite(high) else SPANS[-1]
            known = self.calls[call] = Called(call, title, form, span, apply)
        with torch.inference_mode(False), torch.enable_grad():
            leaf = value.clone().requires_grad_()
            (slope,) = torch.autograd.grad(known.apply(leaf).sum(), leaf)
        steep = slope.abs() >= FLAT
        finite = value[torch.isfinite(value)]
        inside = finite[finite.abs() <= known.span]
        known.counts += np.histogram(inside.cpu().numpy(), BINS, (-known.span, known.span))[0]
        known.values += int(value.numel())
        known.outside += int(value.numel() - inside.numel())
        known.flat += int((~steep).sum())
        known.below += int((value < 0).sum())
        steep = torch.atleast_1d(steep)
        channels = steep.shape[self._channel(value)]
        alive = steep.movedim(self._channel(value), 0).reshape(channels, -1).any(1).cpu()
        same = known.alive is not None and len(known.alive) == len(alive)
        known.alive = alive | known.alive if same and known.alive is not None else alive

    def _channel(self, value: Tensor) -> int:
        if value.dim() == 4:
            layout = layout_of(tuple(value.shape), self.subject.size)
            return 3 if layout.name == NHWC else 1
        return max(value.dim() - 1, 0)


@dataclass(frozen=True)
class _Part:
    """What sigmoid(x), softplus(x) or tanh(softplus(x)) returned, `out`, for x (`ref`), in a `call`."""

    out: weakref.ref[Tensor]
    ref: weakref.ref[Tensor]
    call: str
    title: str
    before: str = ""

    def source(self) -> Tensor:
        """Return x."""
        found = self.ref()
        assert found is not None
        return found


def _known(parts: dict[int, _Part], value: Tensor) -> _Part | None:
    part = parts.get(id(value))
    return part if part is not None and part.out() is value and part.ref() is not None else None


def _part(parts: dict[int, _Part], one: Any, other: Any) -> _Part | None:
    """Return the part that `other` is, if it was computed from `one` and their product is another function."""
    part = _known(parts, other) if isinstance(other, Tensor) else None
    return part if part is not None and part.title != "Softplus" and part.ref() is one else None


def _activation(
    func: Any, name: str, args: tuple[Any, ...], given: dict[str, Any]
) -> tuple[Tensor | None, str, Callable[[Tensor], Tensor]]:
    """Return the input of an activation function, its title and the function with its settings; None for others."""
    value = args[0] if args else given.get("input")
    if not isinstance(value, Tensor) or not value.is_floating_point() or isinstance(value, torch.nn.Parameter):
        return None, "", torch.clone
    if name in TITLES:
        return value, TITLES[name], _applied(name, args, given)
    if name in ("clamp", "clip", "clamp_min"):
        bounds = dict(zip(("min", "max"), args[1:], strict=False)) | {k: v for k, v in given.items() if k != "input"}
        if bounds.get("min") == 0 and bounds.get("max") in (None, 6):
            six = bounds.get("max") == 6
            return value, "ReLU6" if six else "ReLU", functional.relu6 if six else functional.relu
    return None, "", torch.clone


def _applied(name: str, args: tuple[Any, ...], given: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    """Return the function with its own settings, for tensors of any shape; a PReLU's slopes are averaged."""
    rest, more = list(args[1:]), {key: value for key, value in given.items() if key not in ("input", "inplace", "out")}
    if name == "prelu":
        weight = (rest or [more["weight"]])[0].detach().float().mean().reshape(1).cpu()
        return lambda x: functional.prelu(x, weight.to(x.device))
    if name == "rrelu":
        return lambda x: functional.rrelu(x, *rest[:2], training=False)
    settings = {"leaky_relu": 1, "elu": 1, "celu": 1, "hardtanh": 2, "threshold": 2, "softplus": 2, "hardshrink": 1}
    settings |= {"softshrink": 1, "gelu": 0}
    rest = rest[: settings.get(name, 0)]  # what follows says only whether it works in place
    function = getattr(functional, name, None) or getattr(torch, name)
    return lambda x: function(x, *rest, **more)


def _in_place(func: Any, given: dict[str, Any], args: tuple[Any, ...] = ()) -> bool:
    name = getattr(func, "__name__", "")
    written = name.endswith("_") and not name.endswith("__")
    return bool(written or name.startswith("__i") or given.get("inplace") or any(a is True for a in args[1:]))


def _instead(value: Tensor, by: str, *, within: Tensor | None) -> Tensor:
    """Return what another function makes of a value; where the call works in place, written into `within`."""
    out = REPLACEMENTS[by](value.clone())
    return out if within is None else within.copy_(out)
