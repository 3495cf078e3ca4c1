"""Gates: factors between 0 and 1 that a network computes from a map and multiplies it by, found by their form.

Squeeze-and-excitation (Hu et al. 2018), ECA (Wang et al. 2020) and CBAM (Woo et al. 2018) multiply a map (N, C, h, w)
by factors (N, C, 1, 1) or (N, 1, h, w). Global context blocks (Cao et al. 2019) add (N, C, 1, 1) instead. A factor
depends on the picture, which is why weights that scale a layer are none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from models.features.watched_functions import Ids, Watched
from models.runtime.forward_passes import repetition
from models.subject import Subject

CHANNEL, SPATIAL, ADDED = "channel", "spatial", "added"
Kind = Literal["channel", "spatial", "added"]
TOLERANCE = 1e-4
PRODUCTS, SUMS = {"mul", "multiply", "imul"}, {"add", "iadd"}
FOUND = "gate"
MEMORY = 400  # recent functions that tell which block a gate belongs to


@dataclass(frozen=True)
class Gate:
    """One gate in one pass: `value` (C,) or (h, w), and the map (C, h, w) that it is applied to as `shape`."""

    id: str
    kind: Kind
    family: str
    value: Tensor
    shape: tuple[int, int, int]


def run(subject: Subject, x: Tensor, *, off: str = "", picks: bool = True) -> tuple[Tensor, list[Gate]]:
    """Return the scores of one input (1, 3, h, w) and the gates of the pass, in order.

    The gate with the id `off`, or every gate for "*", is left out: the map goes on as it is.
    """
    ids, found = Ids(), list[Gate]()
    recent: list[tuple[str, str]] = []

    def seen(func: Any, name: str, args: tuple[Any, ...], given: dict[str, Any], path: str) -> Any:
        plain = name.strip("_")
        recent.append((path, plain))
        del recent[:-MEMORY]
        if plain not in PRODUCTS | SUMS or len(args) < 2 or not all(isinstance(a, Tensor) for a in args[:2]):
            return func(*args, **given)
        for whole, other in (args[:2], args[1::-1]):
            kind = _kind(whole, other, added=plain in SUMS)
            if kind is None or (plain in SUMS and given.get("alpha", 1) != 1):
                continue
            call, family = ids.next(path), _family(kind, path, recent)
            recent.append((path, FOUND))
            if not repetition() and picks:
                value = _reduced(other).detach().float()[0]
                flat = value[0] if kind == SPATIAL else value[:, 0, 0]
                shape = (int(whole.shape[1]), int(whole.shape[2]), int(whole.shape[3]))
                found.append(Gate(call, kind, family, flat.clone(), shape))
            if off in ("*", call):
                return whole if whole is args[0] and name.startswith("__i") else whole.clone()
            break
        return func(*args, **given)

    with torch.inference_mode(False), torch.enable_grad():
        # Its parameters are frozen, so what requires a gradient depends on the picture.
        leaf = x.detach().clone().requires_grad_()
        with Watched(subject.net, seen).running():
            scores = subject.scores(leaf * 1.0)
    return scores.detach(), found


def _kind(whole: Tensor, other: Tensor, *, added: bool) -> Kind | None:
    """Return which kind of gate `other` is for the map `whole`, None if it is none."""
    if whole.dim() != 4 or other.dim() != 4 or not whole.is_floating_point() or not other.is_floating_point():
        return None
    n, channels, height, width = whole.shape
    if height * width < 2 or not (whole.requires_grad and other.requires_grad):
        return None
    small = _reduced(other)
    if small.shape == (n, channels, 1, 1):
        kind: Kind = ADDED if added else CHANNEL
    elif small.shape == (n, 1, height, width) and channels > 1 and not added:
        kind = SPATIAL
    else:
        return None
    if kind == ADDED:
        return kind
    value = small.detach()
    return kind if bool((value >= -TOLERANCE).all() and (value <= 1 + TOLERANCE).all()) else None


def _reduced(value: Tensor) -> Tensor:
    """Return a tensor with the dimensions that it was only expanded along reduced to one."""
    for axis, step in enumerate(value.stride()):
        if step == 0 and value.shape[axis] > 1 and axis:
            value = value.narrow(axis, 0, 1)
    return value


def _family(kind: Kind, path: str, recent: list[tuple[str, str]]) -> str:
    """Return the name of the block that a gate belongs to, from the functions that the same module called."""
    inside = [name for p, name in recent if p == path or (path and p.startswith(f"{path}."))]
    begun = max((at for at, name in enumerate(inside) if name == FOUND), default=-1)
    names = set(inside[begun + 1 :])
    if kind == ADDED or ("softmax" in names and "matmul" in names | {n for n in names if "bmm" in n}):
        return "Global context"
    if kind == SPATIAL:
        return "Spatial gate (CBAM)"
    if "conv1d" in names:
        return "ECA"
    if names & {"amax", "max", "adaptive_max_pool2d", "max_pool2d"}:
        return "Channel gate (CBAM)"
    return "SE"
