"""Generators that halve a picture, pass it through residual blocks and double it again: styles, CycleGAN, StarGAN.

Fast neural style (Johnson et al. 2016), CycleGAN's residual generator (Zhu et al. 2017) and StarGAN's (Choi et al.
2018) have the same plan; the last sees a constant plane for each label beside the picture. The order of the layers
tells it; names only decide what comes first where two are usual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.picture_scales import SCALE, Unit, leading, named, proposal, units_of
from models.families.proposal import Proposal, RebuiltTranslator, Shapes, choice

NORM = choice(
    "Normalised",
    "By which statistics maps are normalised; instance normalisation takes the picture's own.",
    ("instance", "batch"),
    {"instance": "each picture by itself", "batch": "by statistics kept in training"},
)
BORDER = choice(
    "Borders",
    "How maps are continued where they are halved and doubled.",
    ("reflect", "zeros"),
    {"reflect": "reflected", "zeros": "zeros"},
)
HAIR = ("black hair", "blond hair", "brown hair")
CELEBA = (HAIR, ("male",), ("young",))
RAFD = (("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised"),)
KNOWN_LABELS = {5: ("celeba", CELEBA), 8: ("rafd", RAFD)}  # by their number, as the published training gives them
ONE_OF_ALL, EACH = "one", "each"
LABELS = choice(
    "Labels",
    "What the planes beside the picture stand for; the tensors tell their number alone.",
    (ONE_OF_ALL, EACH),
    {
        "celeba": "CelebA: hair of three colours, male, young",
        "rafd": "RaFD: eight expressions",
        ONE_OF_ALL: "numbered, one of them is chosen",
        EACH: "numbered, each is on or off",
    },
)
OUTPUT = choice("Output", "The last function, which gives the range of pixels.", ("tanh", "none", "sigmoid"), {})


@dataclass(frozen=True)
class Plan:
    """The convolutions by what they do, and whether each of them has a norm with tensors after it."""

    convs: tuple[Unit, ...]
    norms: tuple[Unit | None, ...]
    downs: int
    blocks: int
    transposed: bool


class ResidualGenerator(RebuiltTranslator):
    """A first convolution, halvings, residual blocks, doublings, and a last convolution."""

    def __init__(self, plan: Plan, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.plan, self.channels = plan, plan.convs[0].shape[1]
        self.border = assumed.get("border", "reflect")
        self.planes = self.channels - 3 if self.channels > 3 else 0
        if self.planes:
            self.channels, self.groups = 3, groups(assumed["labels"], self.planes)
        self.outer = self.border if self.planes else "reflect"  # of the first, inner and last convolutions
        self.output = assumed.get("output", "none")
        batch = assumed.get("norm", "instance") == "batch"
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        ups = range(1 + plan.downs + 2 * plan.blocks, len(plan.convs) - 1)
        for at, (unit, norm) in enumerate(zip(plan.convs, plan.norms, strict=True)):
            first, second, side, _ = unit.shape
            if at in ups and plan.transposed:
                made: nn.Module = nn.ConvTranspose2d(first, second, side, 2, 1, 1 if side == 3 else 0, bias=unit.bias)
                out = second
            else:
                made = nn.Conv2d(second, first, side, 2 if 1 <= at <= plan.downs else 1, bias=unit.bias)
                out = first
            self.convs.append(made)
            last = at + 1 == len(plan.convs)
            affine = norm is not None and norm.bias
            if last:
                self.norms.append(nn.Identity())
            elif batch:
                self.norms.append(nn.BatchNorm2d(out, affine=affine))
            else:
                self.norms.append(nn.InstanceNorm2d(out, affine=affine))

    def run(self, x: Tensor) -> Tensor:
        """Return the picture, with the first label of each group of several."""
        usual = [float(len(group) > 1 and name == group[0]) for group in self.groups for name in group]
        return self.with_labels(x, usual)

    def with_labels(self, x: Tensor, labels: Sequence[float]) -> Tensor:
        """Return the picture, told the values of the labels: () for a network without any."""
        own, at = self.plan, 0
        if self.planes:
            x = torch.cat([x, x.new_tensor(labels).view(1, -1, 1, 1).expand(len(x), -1, *x.shape[2:])], 1)
        for at in range(1 + own.downs):
            x = functional.relu(self._step(x, at, self.outer if at == 0 else self.border))
        at = 1 + own.downs
        for _ in range(own.blocks):
            inner = functional.relu(self._step(x, at, self.outer))
            x = x + self._step(inner, at + 1, self.outer)
            at += 2
        for place in range(at, at + own.downs):
            if not own.transposed:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = functional.relu(self._step(x, place, self.border))
        x = self._step(x, len(own.convs) - 1, self.outer)
        return x.tanh() if self.output == "tanh" else x.sigmoid() if self.output == "sigmoid" else x

    def _step(self, x: Tensor, at: int, border: str) -> Tensor:
        conv = self.convs[at]
        if isinstance(conv, nn.Conv2d):
            edge = (conv.kernel_size[0] - 1) // 2
            x = functional.pad(x, (edge,) * 4, mode="reflect" if border == "reflect" else "constant")
        return self.norms[at](conv(x))


def groups(kind: str, count: int) -> tuple[tuple[str, ...], ...]:
    """Return the groups of `count` labels under an assumption."""
    if kind in ("celeba", "rafd"):
        return CELEBA if kind == "celeba" else RAFD
    names = tuple(f"label {number}" for number in range(1, count + 1))
    return (names,) if kind == ONE_OF_ALL else tuple((name,) for name in names)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the generator that has these tensors, None if it is none."""
    try:
        units = units_of(shapes)
    except ValueError:
        return None
    plan = _plan(units)
    if plan is None:
        return None
    wide, planes = plan.convs[0].shape[2], max(0, plan.convs[0].shape[1] - 3)
    kept = any(name.endswith("running_mean") for name in shapes)
    scaled = any(norm is not None and norm.bias for norm in plan.norms)
    offered: dict[str, dict[str, Any]] = {"scale": leading(SCALE, "zero_255" if wide == 9 else "minus_one_one")}
    if kept:
        # Old versions of PyTorch kept statistics for instance normalisation too, which it does not use.
        own = not scaled or bool(planes) or any(re.search(r"(^|\.)in\d|instance", unit.path) for unit in units)
        offered["norm"] = leading(NORM, "instance" if own else "batch")
    if planes:
        known = KNOWN_LABELS.get(planes)
        choices = (*([known[0]] if known else ()), *((ONE_OF_ALL,) if planes > 1 else ()), EACH)
        offered["labels"] = {**LABELS, "choices": choices}
    zeros = wide != 9
    offered["border"] = leading(BORDER, "zeros" if zeros else "reflect")
    offered["output"] = leading(OUTPUT, "none" if wide == 9 else "tanh")
    used = [unit for pair in zip(plan.convs, plan.norms, strict=True) for unit in pair if unit is not None]
    paths = [
        f"{kind}.{at}"
        for at, pair in enumerate(zip(plan.convs, plan.norms, strict=True))
        for kind, unit in zip(("convs", "norms"), pair, strict=True)
        if unit is not None
    ]
    rename = named(shapes, used, paths)

    def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
        found = rename(state)
        if offered.get("norm", {}).get("choices", ("instance",))[0] == "batch":
            return found
        return {name: tensor for name, tensor in found.items() if ".running_" not in name and "num_batches" not in name}

    kind = "Fast style transfer" if wide == 9 else "Residual generator, CycleGAN's kind,"
    if planes:
        kind = f"StarGAN's generator, told {planes} labels,"
    return proposal(
        f"{kind} of {plan.blocks} blocks",
        partial(ResidualGenerator, plan),
        offered={
            name: item for name, item in offered.items() if name != "norm" or offered["norm"]["choices"][0] == "batch"
        },
        channels=3 if planes else plan.convs[0].shape[1],
        renamed=renamed,
    )


def _plan(units: Sequence[Unit]) -> Plan | None:
    """Return what the convolutions do, None if they do not form such a network."""
    convs = [unit for unit in units if unit.kind == "conv"]
    if len(convs) < 7 or any(unit.kind == "prelu" for unit in units):
        return None
    first, last = convs[0].shape, convs[-1].shape
    told = first[1] > 3 and first[2] == 7 and last[0] == 3 and convs[1].shape[2] == 4  # StarGAN: planes of labels
    if not (first[1] in (1, 3) or told) or last[0] not in (1, 3) or first[2] not in (7, 9) or last[2] != first[2]:
        return None
    downs, width, at = 0, first[0], 1
    while at < len(convs) and convs[at].shape[1] == width and convs[at].shape[0] > width:
        width, downs, at = convs[at].shape[0], downs + 1, at + 1
    inner = 0
    while at < len(convs) and convs[at].shape[:2] == (width, width):
        inner, at = inner + 1, at + 1
    ups = convs[at:-1]
    if not downs or not inner or inner % 2 or len(ups) != downs:
        return None
    transposed = ups[0].shape[0] == width
    for unit in ups:
        given, made = unit.shape[:2] if transposed else unit.shape[1::-1]
        if given != width:
            return None
        width = made
    if width != last[1] or width != first[0]:
        return None
    norms: list[Unit | None] = []
    for unit in convs:
        place = units.index(unit)
        after = units[place + 1] if place + 1 < len(units) else None
        norms.append(after if after is not None and after.kind == "norm" else None)
    found = [norm for norm in norms if norm is not None]
    by_name = [unit for unit in units if unit.kind == "norm"]
    if len(by_name) not in (0, len(convs) - 1):
        return None
    if len(found) != len(by_name) or norms[-1] is not None:  # norms that stand elsewhere in the file belong in order
        norms = [*by_name, None]
    return Plan(tuple(convs), tuple(norms), downs, inner // 2, transposed)
