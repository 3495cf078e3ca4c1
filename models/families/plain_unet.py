"""U-Nets of any names: pairs of convolutions down, the way up beside the maps of the way down, and a last 1 x 1.

The order of the convolutions tells the plan: where one takes more channels than the one before gave, the rest is the
map of the same size from the way down. Enlargement is by transposed convolutions of 2 x 2, or has no tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.picture_scales import Unit, convolution, leading, named, units_of
from models.families.proposal import ACTIVATION, ACTIVATIONS, Proposal, RebuiltSegmenter, Shapes, choice

BESIDE = choice(
    "Side by side",
    "Which maps come first where the way up meets the way down.",
    ("up", "down"),
    {"up": "those of the way up", "down": "those of the way down"},
)
ENLARGED = choice("Enlarged", "How bilinear enlargement places the corners.", ("aligned", "centred", "nearest"), {})


@dataclass(frozen=True)
class Plan:
    """Runs of convolutions of one size, the way down first; `ups` are the transposed ones, () if there are none."""

    downs: tuple[tuple[Unit, ...], ...]
    ups: tuple[Unit, ...]
    decoder: tuple[tuple[Unit, ...], ...]
    last: Unit
    norms: Mapping[str, Unit]


class PlainUNet(RebuiltSegmenter):
    """Returns scores (N, K, h, w) of every pixel."""

    def __init__(self, plan: Plan, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.plan, self.channels, self.count = plan, plan.downs[0][0].shape[1], plan.last.shape[0]
        self.first, self.way = assumed.get("beside", "up"), assumed.get("enlarged", "aligned")
        self.activation = ACTIVATIONS[assumed.get("activation", "relu")]()
        self.downs = nn.ModuleList(self._run(run) for run in plan.downs)
        self.decoder = nn.ModuleList(self._run(run) for run in plan.decoder)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(u.shape[0], u.shape[1], 2, 2, bias=u.bias) for u in plan.ups)
        self.last = convolution(plan.last)

    def _run(self, run: Sequence[Unit]) -> nn.ModuleList:
        made = nn.ModuleList()
        for unit in run:
            norm = self.plan.norms.get(unit.path)
            made.append(nn.ModuleList([convolution(unit), *([nn.BatchNorm2d(unit.shape[0])] if norm else [])]))
        return made

    def run(self, x: Tensor) -> Tensor:
        """Return the scores of every pixel."""
        high, wide = x.shape[-2:]
        step = 2 ** (len(self.downs) - 1)
        x = functional.pad(x, (0, -wide % step, 0, -high % step), mode="replicate")
        maps: list[Tensor] = []
        for at, run in enumerate(self.downs):
            x = self._through(functional.max_pool2d(x, 2) if at else x, run)
            maps.append(x)
        maps.pop()
        for at, run in enumerate(self.decoder):
            x = self.ups[at](x) if self.plan.ups else self._enlarged(x)
            beside = maps.pop()
            x = self._through(torch.cat([x, beside] if self.first == "up" else [beside, x], 1), run)
        return self.last(x)[..., :high, :wide]

    def _enlarged(self, x: Tensor) -> Tensor:
        if self.way == "nearest":
            return functional.interpolate(x, scale_factor=2, mode="nearest")
        return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=self.way == "aligned")

    def _through(self, x: Tensor, run: Any) -> Tensor:
        for layers in run:
            for layer in layers:
                x = layer(x)
            x = self.activation(x)
        return x


def propose(shapes: Shapes) -> Proposal | None:
    """Return the U-Net that has these tensors, None if it is none."""
    try:
        units = units_of(shapes)
        plan = _plan(units)
    except (ValueError, IndexError):
        return None
    if plan is None:
        return None
    offered: dict[str, dict[str, Any]] = {"beside": leading(BESIDE, "up")}
    if not plan.ups:
        offered["enlarged"] = ENLARGED
    offered["activation"] = {**ACTIVATION, "choices": ("relu", "leaky_relu_01", "leaky_relu", "elu", "silu")}
    used = [("last", plan.last), *((f"ups.{at}", unit) for at, unit in enumerate(plan.ups))]
    for part, runs in (("downs", plan.downs), ("decoder", plan.decoder)):
        for at, run in enumerate(runs):
            for number, unit in enumerate(run):
                used.append((f"{part}.{at}.{number}.0", unit))
                if (norm := plan.norms.get(unit.path)) is not None:
                    used.append((f"{part}.{at}.{number}.1", norm))
    count = plan.last.shape[0]
    way = "transposed convolutions" if plan.ups else "enlargement without tensors"
    classes = ("background", "foreground") if count in (1, 2) else tuple(f"class {n}" for n in range(count))
    return Proposal(
        title=f"U-Net of {len(plan.downs)} sizes with {way}",
        task="segmentation",
        build=partial(PlainUNet, plan),
        side=256,
        channels=plan.downs[0][0].shape[1],
        classes=classes,
        renamed=named(shapes, [unit for _, unit in used], [path for path, _ in used]),
        offered=offered,
        judged=tuple(offered) if plan.norms else (),
        about={"preprocessing": {"resize": 256, "fit": "whole", "mean": [0.0] * 3, "std": [1.0] * 3}},
    )


def _plan(units: Sequence[Unit]) -> Plan | None:
    """Return the plan of a U-Net with these layers in order, None if they form none."""
    convs = [unit for unit in units if unit.kind == "conv"]
    last = convs[-1]
    if len(convs) < 8 or last.shape[2] != 1 or convs[0].shape[1] not in (1, 3) or units[0] is not convs[0]:
        return None
    norms: dict[str, Unit] = {}
    for before, unit in pairwise(units):
        if unit.kind == "norm":
            if before.kind != "conv" or unit.shape[0] != before.shape[0]:
                return None
            norms[before.path] = unit
        elif unit.kind != "conv":
            return None
    ups = [unit for unit in convs[:-1] if unit.shape[2] == 2]
    body = [unit for unit in convs[:-1] if unit.shape[2] == 3]
    if len(ups) + len(body) != len(convs) - 1 or (norms and len(norms) != len(body)):
        return None
    flow, runs = convs[0].shape[1], list[list[Unit]]()
    decoding = False
    for at, unit in enumerate(body):
        after_up = convs[convs.index(unit) - 1] in ups
        decoding = decoding or after_up or (at > 0 and unit.shape[1] > flow)
        begins = after_up or unit.shape[1] != flow if decoding else unit.shape[0] != flow
        if at == 0 or begins:
            runs.append([])
        runs[-1].append(unit)
        flow = unit.shape[0]
    sizes = (len(runs) + 1) // 2
    downs, decoder = runs[:sizes], runs[sizes:]
    if len(decoder) != sizes - 1 or sizes < 3 or len(ups) not in (0, sizes - 1):
        return None
    flow = downs[-1][-1].shape[0]
    for at, run in enumerate(decoder):
        if ups:
            if ups[at].shape[0] != flow:
                return None
            flow = ups[at].shape[1]
        if run[0].shape[1] != flow + downs[sizes - 2 - at][-1].shape[0]:
            return None
        flow = run[-1].shape[0]
    if last.shape[1] != flow:
        return None
    return Plan(tuple(map(tuple, downs)), tuple(ups), tuple(map(tuple, decoder)), last, norms)
