"""Super resolution with residual blocks: EDSR, SRResNet and RRDB (ESRGAN), told by the order of their convolutions.

A first convolution, blocks, one after the blocks that closes a long shortcut, enlargement, and a last one. Names are
free, so the old and the new names of ESRGAN, and those of several toolboxes, are the same network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.families.picture_scales import SCALE, Unit, convolution, detail_lost, leading, named, proposal, units_of
from models.families.proposal import Proposal, RebuiltTranslator, Shapes, choice

MEAN = (0.4488, 0.4371, 0.4040)  # of DIV2K
DENSE, GROUP = 5, 15  # convolutions of a dense block, and of three of them
SHARES = choice("Residual scale", "The factor of what a block adds.", ("1", "0.1", "0.2"))
CENTRED = choice(
    "Mean colour",
    "Whether the mean colour of the training's pictures is taken off.",
    ("yes", "no"),
    {"yes": "is taken off", "no": "stays"},
)
STEPS = choice(
    "Enlargement",
    "What stands between pixels that are rearranged.",
    ("plain", "activated"),
    {"plain": "nothing", "activated": "an activation, and the enlarged input is added"},
)


@dataclass(frozen=True)
class Layout:
    """What the convolutions of such a network are: enlargements `ups`, a `wide` last pair, `in_file` mean layers."""

    channels: int
    width: int
    blocks: int
    ups: int
    rearranged: bool
    hidden: bool
    unshuffled: int = 1
    normed: bool = False
    prelus: bool = False
    means: bool = False
    factor: int = 2


class DenseEnlarger(RebuiltTranslator):
    """RRDB (Wang et al. 2018): dense blocks in residual blocks, enlarged by nearest neighbours."""

    def __init__(self, units: Sequence[Unit], layout: Layout, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.channels, self.layout = layout.channels, layout
        self.convs = nn.ModuleList(convolution(unit) for unit in units)

    def run(self, x: Tensor) -> Tensor:
        """Return the enlarged picture."""
        own, convs = self.layout, list(self.convs)
        high, wide = x.shape[-2:]
        if own.unshuffled > 1:
            more = (-wide % own.unshuffled, -high % own.unshuffled)
            x = functional.pixel_unshuffle(
                functional.pad(x, (0, more[0], 0, more[1]), mode="replicate"), own.unshuffled
            )
        first = convs[0](x)
        x, at = first, 1
        for _ in range(own.blocks):
            whole = x
            for _ in range(GROUP // DENSE):
                maps = [x]
                for conv in convs[at : at + DENSE - 1]:
                    maps.append(functional.leaky_relu(conv(torch.cat(maps, 1)), 0.2))
                x = x + 0.2 * convs[at + DENSE - 1](torch.cat(maps, 1))
                at += DENSE
            x = whole + 0.2 * x
        x = first + convs[at](x)
        for conv in convs[at + 1 : at + 1 + own.ups]:
            x = functional.leaky_relu(conv(functional.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        x = convs[-1](functional.leaky_relu(convs[-2](x), 0.2))
        times = 2**own.ups / own.unshuffled
        return x[..., : round(high * times), : round(wide * times)]


class ResidualEnlarger(RebuiltTranslator):
    """EDSR (Lim et al. 2017) and SRResNet (Ledig et al. 2017): residual blocks, pixels rearranged to enlarge."""

    def __init__(self, units: Sequence[Unit], layout: Layout, assumed: Mapping[str, str]) -> None:
        super().__init__()
        self.channels, self.layout = layout.channels, layout
        self.layers = nn.ModuleList(
            _layer(unit, wide=9 if unit.kind == "conv" and unit.shape[2] == 9 else 0) for unit in units
        )
        self.share = float(assumed.get("share", "1"))
        self.centred = assumed.get("centred") == "yes"
        self.activated = assumed.get("steps") == "activated"
        self.kinds = [unit.kind for unit in units]

    def run(self, x: Tensor) -> Tensor:
        """Return the enlarged picture."""
        own, given = self.layout, x
        if self.centred:
            scale = 255.0
            mean = x.new_tensor(MEAN).view(1, 3, 1, 1)
            x = (x - mean) * scale
        todo = iter(zip(self.layers, self.kinds, strict=True))
        if own.means:
            x = next(todo)[0](x)
        first = next(todo)[0](x)
        if own.prelus:
            first = next(todo)[0](first)
        elif self.activated:
            first = functional.leaky_relu(first, 0.1)
        x = first
        for _ in range(own.blocks):
            x = x + self.share * self._block(x, todo)
        x = next(todo)[0](x)
        if own.normed:
            x = next(todo)[0](x)
        x = first + x if not self.activated else x
        for _ in range(own.ups):
            x = functional.pixel_shuffle(next(todo)[0](x), own.factor)
            if own.prelus:
                x = next(todo)[0](x)
            elif self.activated:
                x = functional.leaky_relu(x, 0.1)
        if own.hidden:
            x = next(todo)[0](x)
            x = functional.leaky_relu(x, 0.1) if self.activated else x
        x = next(todo)[0](x)
        if own.means:
            x = next(todo)[0](x)
        if self.centred:
            x = x / 255.0 + x.new_tensor(MEAN).view(1, 3, 1, 1)
        if self.activated:
            x = x + functional.interpolate(given, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return x

    def _block(self, x: Tensor, todo: Any) -> Tensor:
        own = self.layout
        x = next(todo)[0](x)
        x = next(todo)[0](x) if own.normed else x
        x = next(todo)[0](x) if own.prelus else functional.relu(x)
        x = next(todo)[0](x)
        return next(todo)[0](x) if own.normed else x


def _layer(unit: Unit, *, wide: int) -> nn.Module:
    if unit.kind == "norm":
        return nn.BatchNorm2d(unit.shape[0])
    if unit.kind == "prelu":
        return nn.PReLU(unit.shape[0])
    return convolution(unit)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    try:
        units = units_of(shapes)
    except ValueError:
        return None
    sizes = [unit.shape for unit in units]
    if len(units) < 6 or units[0].kind != "conv":
        return None
    return _dense(shapes, units, sizes) or _residual(shapes, units)


def _dense(shapes: Shapes, units: Sequence[Unit], sizes: Sequence[tuple[int, ...]]) -> Proposal | None:
    if any(unit.kind != "conv" or unit.shape[2:] != (3, 3) for unit in units):
        return None
    width, given = sizes[0][:2]
    out = sizes[-1][0]
    grown = sizes[1][0]
    dense = [(grown, width + at * grown) for at in range(DENSE - 1)] + [(width, width + (DENSE - 1) * grown)]
    at = 1
    while [s[:2] for s in sizes[at : at + GROUP]] == dense * 3:
        at += GROUP
    rest = sizes[at:]
    unshuffled = {1: 1, 4: 2, 16: 4}.get(given // out if out and not given % out else 0, 0)
    if (
        at == 1
        or len(rest) < 3
        or not unshuffled
        or out not in (1, 3)
        or any(s[:2] != (width, width) for s in rest[:-1])
    ):
        return None
    layout = Layout(out, width, (at - 1) // GROUP, len(rest) - 3, False, True, unshuffled)
    times = 2**layout.ups // unshuffled
    paths = [f"convs.{number}" for number in range(len(units))]
    title = f"RRDB of {layout.blocks} blocks (ESRGAN), which enlarges {times} times"
    return proposal(
        title,
        partial(DenseEnlarger, units, layout),
        offered={"scale": leading(SCALE, "zero_one")},
        channels=out,
        renamed=named(shapes, units, paths),
    )


def _residual(shapes: Shapes, units: Sequence[Unit]) -> Proposal | None:
    ordered = _in_order(units)
    convs = [unit for unit in ordered if unit.kind == "conv"]
    means = [unit for unit in convs if unit.shape == (3, 3, 1, 1)]
    inner = [unit for unit in convs if unit not in means]
    if len(means) not in (0, 2) or len(inner) < 5:
        return None
    width, channels = inner[0].shape[:2]
    factor = next((f for f in (2, 3) if any(u.shape[:2] == (f * f * width, width) for u in inner)), 0)
    ups = [u for u in inner if factor and u.shape[:2] == (factor * factor * width, width)]
    last = inner[-1].shape
    if channels not in (1, 3) or last[:2] != (channels, width) or not ups:
        return None
    before = inner.index(ups[0])
    if inner[before : before + len(ups)] != ups or any(u.shape[:2] != (width, width) for u in inner[1:before]):
        return None
    hidden = len(inner) - before - len(ups) - 1
    if before % 2 or hidden > 1:
        return None
    norms, prelus = (sum(unit.kind == kind for unit in ordered) for kind in ("norm", "prelu"))
    blocks = (before - 2) // 2
    if norms not in (0, 2 * blocks + 1, 2 * blocks) or prelus not in (0, blocks + 1 + len(ups)):
        return None
    layout = Layout(
        channels, width, blocks, len(ups), True, bool(hidden), 1, bool(norms), bool(prelus), bool(means), factor
    )
    offered: dict[str, dict[str, Any]] = {"scale": leading(SCALE, "zero_255" if means else "zero_one")}
    if not prelus:
        offered["share"] = leading(SHARES, "1" if width <= 64 else "0.1")
        offered["steps"] = leading(STEPS, "activated" if hidden else "plain")
        if not means and channels == 3:
            offered["centred"] = leading(CENTRED, "no" if hidden else "yes")
    times = factor ** len(ups)
    title = f"{'SRResNet' if prelus else 'EDSR'} of {blocks} blocks, which enlarges {times} times"
    paths = [f"layers.{number}" for number in range(len(ordered))]
    judged = tuple(name for name in ("share", "centred", "steps") if name in offered)
    more: dict[str, Any] = {}
    if judged and not means:
        more = {"judged": judged, "measure": partial(detail_lost, times)}
        more["evidence"] = "Bundled pictures made smaller come back with a mean squared error of {number}"
    return proposal(
        title,
        partial(ResidualEnlarger, ordered, layout),
        offered=offered,
        channels=channels,
        renamed=named(shapes, ordered, paths),
        **more,
    )


def _in_order(units: Sequence[Unit]) -> list[Unit]:
    """Return the layers in the order in which they run: of the mean's layers, the second stands at the end."""
    means = [unit for unit in units if unit.shape == (3, 3, 1, 1)]
    if len(means) != 2:
        return list(units)
    rest = [unit for unit in units if unit not in means]
    return [means[0], *rest, means[1]]
