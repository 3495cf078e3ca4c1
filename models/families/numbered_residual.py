"""Residual networks whose blocks hold numbered layers, as a well-known collection for CIFAR-100 names them.

A block's layers lie in `residual_function`, `residual` or `split_transforms`. Among them are plain and bottleneck
blocks, pre-activated ones, ResNeXt, squeeze and excitation, wide networks (Zagoruyko and Komodakis 2016) and those with
stochastic depth (Huang et al. 2016), whose blocks count by the probability with which they were kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from models.families import heads
from models.families.named_layers import NamedClassifier, classifier, pooled
from models.families.proposal import Proposal, Shapes, choice, under

STEMS = ("conv1", "pre", "init_conv")
INNER = re.compile(r"^((?:conv|stage)\d)(?:_x)?\.0\.(residual_function|residual|split_transforms)\.")
LAST_KEPT = 0.5
ENDS = choice(
    "After the last norm",
    "Whether an activation stands between the last norm and the mean over all pixels.",
    ("plain", "activated"),
    {"plain": "nothing", "activated": "the activation"},
)


class NumberedResidualNet(NamedClassifier):
    """A stem, stages of blocks, the mean over all pixels, and the head."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        stem = next(name for name in STEMS if self.has(name))
        x = self.convolve(stem, x) if f"{stem}.weight" in self.shapes else self.through(stem, x, ends=True)
        names = _stages(self.shapes)
        blocks = [(name, at) for name in names for at in self.numbers(name)]
        for number, (name, at) in enumerate(blocks):
            kept = 1 - (1 - LAST_KEPT) * number / max(len(blocks) - 1, 1)
            x = self._block(f"{name}.{at}", x, 2 if at == 0 and name != names[0] else 1, kept)
        if self.has("bn"):
            x = self.normalise("bn", x)
            x = self.activate(x) if self.assumed.get("ends") == "activated" else x
        head = heads.name_of(self.shapes)
        return self.project(head, pooled(x))

    def _block(self, path: str, x: Tensor, stride: int, kept: float) -> Tensor:
        inner = next(
            name for name in ("residual_function", "residual", "split_transforms") if self.has(f"{path}.{name}")
        )
        before = f"{path}.{inner}.0.running_mean" in self.shapes
        deep = sum(len(self.shapes[name]) == 4 for name in self.shapes if name.startswith(f"{path}.{inner}.")) == 3
        weighs = self.has(f"{path}.excitation")
        out = self.through(f"{path}.{inner}", x, stride, at=1 if deep and not before else 0, ends=weighs)
        if self.has(f"{path}.shortcut.0"):
            x = self.through(f"{path}.shortcut", x, stride)
        elif self.has(f"{path}.shortcut"):
            x = self.convolve(f"{path}.shortcut", x, stride)
        if weighs:
            share = self.activate(self.project(f"{path}.excitation.0", pooled(out)))
            out = out * self.project(f"{path}.excitation.2", share).sigmoid()[:, :, None, None]
        if self.assumed.get("depth") == "stochastic":
            return out * kept + x
        return out + x if before else self.activate(out + x)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the residual network that has these tensors, None if it is none."""
    found = next((match for name in shapes if (match := INNER.match(name))), None)
    if found is None or not heads.name_of(shapes):
        return None
    offered: dict[str, Mapping[str, Any]] = {}
    first = under(shapes, f"{_stages(shapes)[0]}.0.{found[2]}.")
    before, weighs = "0.running_mean" in first, any(".excitation." in name for name in shapes)
    kind = "wide, pre-activated" if "bn.weight" in shapes else "pre-activated" if before else ""
    if weighs:
        kind = "squeeze and excitation"
    elif found[2] == "split_transforms":
        kind = "ResNeXt"
    elif found[2] == "residual" and not before:
        kind = "stochastic depth"
    if not before and not weighs and found[2] != "split_transforms":
        ways = ("stochastic", "whole") if kind == "stochastic depth" else ("whole", "stochastic")
        offered["depth"] = choice(
            "Depth",
            "Whether blocks were left out at random in training, and count by how often they were kept.",
            ways,
            {"stochastic": "blocks were left out", "whole": "all blocks count"},
        )
    if "bn.weight" in shapes:
        offered["ends"] = ENDS
    blocks = sum(len({n.split(".")[1] for n in shapes if n.startswith(f"{s}.")}) for s in _stages(shapes))
    convs = sum(len(shape) == 4 for name, shape in first.items() if name.endswith("weight"))
    named = f" ({kind})" if kind else ""
    return classifier(
        shapes, NumberedResidualNet, f"ResNet-{blocks * convs + 2} for small pictures{named}", offered=offered
    )


def _stages(shapes: Shapes) -> list[str]:
    """Return the containers of blocks in order."""
    return sorted({found[0].partition(".")[0] for name in shapes if (found := INNER.match(name))})
