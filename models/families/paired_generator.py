"""The U-Net of pix2pix (Isola et al. 2017): kernels of 4 x 4 halve the picture to a point and double it again.

The order of the layers tells it: as many transposed convolutions as halving ones, each taking twice what the one before
gave, because the map of its size from the way down lies beside. Dropout has no tensors; it may shift names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.picture_scales import SCALE, Unit, leading, named, proposal, units_of
from models.families.proposal import Proposal, RebuiltTranslator, Shapes, choice

BESIDE = choice(
    "Beside",
    "What of the way down lies beside each map of the way up.",
    ("rectified", "leaky"),
    {"rectified": "its positive part", "leaky": "all of it"},
)
INNER = choice(
    "Innermost norm",
    "Whether the smallest map is normalised.",
    ("no", "yes"),
    {"no": "is not", "yes": "is normalised"},
)


@dataclass(frozen=True)
class Plan:
    """Convolutions down and up, the last of them plain on an enlarged map if `enlarged`; norms after each, or None."""

    downs: tuple[Unit, ...]
    ups: tuple[Unit, ...]
    down_norms: tuple[Unit | None, ...]
    up_norms: tuple[Unit | None, ...]
    enlarged: bool


class PairedGenerator(RebuiltTranslator):
    """Returns pictures (N, C, h, w) from -1 to 1. Sides are multiples of 2 to the number of halvings."""

    def __init__(self, plan: Plan, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.plan, self.channels = plan, plan.downs[0].shape[1]
        self.beside = assumed.get("beside", "rectified")
        batch = assumed.get("norm", "instance") == "batch"
        inner = assumed.get("inner") == "yes"
        count = len(plan.downs)
        self.downs = nn.ModuleList(nn.Conv2d(u.shape[1], u.shape[0], u.shape[2], 2, 1, bias=u.bias) for u in plan.downs)
        self.down_norms = nn.ModuleList(
            _norm(u.shape[0], plan.down_norms[at], batch=batch, there=0 < at < count - 1 or (at == count - 1 and inner))
            for at, u in enumerate(plan.downs)
        )
        self.ups, self.up_norms = nn.ModuleList(), nn.ModuleList()
        for at, u in enumerate(plan.ups):
            last = at == count - 1
            if last and plan.enlarged:
                self.ups.append(nn.Conv2d(u.shape[1], u.shape[0], 4, padding=1, bias=u.bias))
            else:
                self.ups.append(nn.ConvTranspose2d(u.shape[0], u.shape[1], 4, 2, 1, bias=u.bias))
            self.up_norms.append(_norm(u.shape[1], plan.up_norms[at], batch=batch, there=not last))
        # Without tensors, and without effect but in training mode; pix2pix also has it when it makes its pictures.
        dropped = range(3) if plan.enlarged else range(1, max(1, count - 4))
        self.drops = nn.ModuleList(nn.Dropout(0.5) if at in dropped else nn.Identity() for at in range(count))

    def run(self, x: Tensor) -> Tensor:
        """Return the picture."""
        maps = []
        for at, (conv, norm) in enumerate(zip(self.downs, self.down_norms, strict=True)):
            x = norm(conv(functional.leaky_relu(x, 0.2) if at else x))
            maps.append(x)
        count = len(maps)
        for at, (conv, norm) in enumerate(zip(self.ups, self.up_norms, strict=True)):
            if at == 0:
                x = functional.relu(x) if self.beside == "rectified" else functional.leaky_relu(x, 0.2)
            else:
                other = maps[count - 1 - at]
                x = functional.relu(x)
                other = functional.relu(other) if self.beside == "rectified" else functional.leaky_relu(other, 0.2)
                x = torch.cat([other, x] if self.beside == "rectified" else [x, other], 1)
            if at == count - 1 and self.plan.enlarged:
                x = functional.pad(functional.interpolate(x, scale_factor=2, mode="nearest"), (1, 0, 1, 0))
            x = self.drops[at](norm(conv(x)))
        return x.tanh()


def _norm(width: int, unit: Unit | None, *, batch: bool, there: bool) -> nn.Module:
    if unit is not None and batch:
        return nn.BatchNorm2d(width, affine=unit.bias)
    if unit is not None:
        return nn.InstanceNorm2d(width, affine=unit.bias)
    return nn.InstanceNorm2d(width) if there else nn.Identity()


def propose(shapes: Shapes) -> Proposal | None:
    """Return the generator that has these tensors, None if it is none."""
    try:
        units = units_of(shapes)
    except ValueError:
        return None
    plan = _plan(units)
    if plan is None:
        return None
    kept = any(name.endswith("running_mean") for name in shapes)
    scaled = any(n is not None and n.bias for n in (*plan.down_norms, *plan.up_norms))
    offered: dict[str, dict[str, Any]] = {"scale": leading(SCALE, "minus_one_one")}
    batch = kept and scaled
    offered["beside"] = leading(BESIDE, "leaky" if plan.enlarged else "rectified")
    if not any(plan.down_norms):
        offered["inner"] = INNER
    pairs = [(f"downs.{at}", u) for at, u in enumerate(plan.downs)] + [
        (f"ups.{at}", u) for at, u in enumerate(plan.ups)
    ]
    pairs += [(f"down_norms.{at}", u) for at, u in enumerate(plan.down_norms) if u is not None]
    pairs += [(f"up_norms.{at}", u) for at, u in enumerate(plan.up_norms) if u is not None]
    rename = named(shapes, [u for _, u in pairs], [path for path, _ in pairs])

    def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
        found = rename(state)
        return found if batch else {n: t for n, t in found.items() if ".running_" not in n and "num_batches" not in n}

    def build(assumed: Mapping[str, str]) -> RebuiltTranslator:
        return PairedGenerator(plan, {**assumed, "norm": "batch" if batch else "instance"})

    side = 2 ** len(plan.downs)
    return proposal(
        f"U-Net for {side} px, pix2pix's kind", build, offered=offered, channels=plan.downs[0].shape[1], renamed=renamed
    )


def _plan(units: Sequence[Unit]) -> Plan | None:
    """Return what the convolutions do, None if they do not form such a network."""
    convs = [unit for unit in units if unit.kind == "conv"]
    count = len(convs) // 2
    if len(convs) < 6 or len(convs) % 2 or any(unit.kind == "prelu" or unit.shape[2] != 4 for unit in convs):
        return None
    downs, ups = convs[:count], convs[count:]
    if downs[0].shape[1] not in (1, 3) or any(a.shape[0] != b.shape[1] for a, b in pairwise(downs)):
        return None
    enlarged = ups[-1].shape[0] in (1, 3) and ups[-1].shape[1] > 3
    width = downs[-1].shape[0]
    for at, unit in enumerate(ups):
        beside = downs[count - 1 - at].shape[0] if at else 0
        plain = enlarged and at == count - 1
        given, made = (unit.shape[1], unit.shape[0]) if plain else unit.shape[:2]
        if given != width + beside:
            return None
        width = made
    if width not in (1, 3):
        return None
    after: dict[str, Unit] = {}
    for one, other in pairwise(units):
        if one.kind == "conv" and other.kind == "norm":
            after[one.path] = other
    if len(after) != sum(unit.kind == "norm" for unit in units):
        return None
    return Plan(
        tuple(downs),
        tuple(ups),
        tuple(after.get(unit.path) for unit in downs),
        tuple(after.get(unit.path) for unit in ups),
        enlarged,
    )
