"""ShuffleNets for small pictures: grouped convolutions whose channels are shuffled (Zhang et al. 2018, Ma et al. 2018).

Three collections for CIFAR name their layers differently; the strides and the way of the channels are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.families import heads
from models.families.named_layers import NamedClassifier, classifier, pooled, shuffled
from models.families.proposal import Proposal, Shapes, choice

FIRST = choice(
    "After the first norm",
    "Whether an activation stands after the first norm.",
    ("plain", "activated"),
    {"plain": "nothing", "activated": "the activation"},
)


class ShuffleNet(NamedClassifier):
    """The first version: grouped 1 x 1 convolutions; a block that halves the size keeps its input beside its maps."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.unit("conv1", "bn1", x)
        for stage in (1, 2, 3):
            for at in self.numbers(f"layer{stage}"):
                x = self._block(f"layer{stage}.{at}", x, 2 if at == 0 else 1)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _block(self, path: str, x: Tensor, stride: int) -> Tensor:
        groups = x.shape[1] // self.shapes[f"{path}.conv1.weight"][1]
        out = shuffled(self.unit(f"{path}.conv1", f"{path}.bn1", x), groups)
        out = self.unit(f"{path}.conv2", f"{path}.bn2", out, stride)
        out = self.unit(f"{path}.conv3", f"{path}.bn3", out, active=False)
        if stride == 1:
            return self.activate(out + x)
        return self.activate(torch.cat([out, functional.avg_pool2d(x, 3, 2, 1)], 1))


class GroupedShuffleNet(NamedClassifier):
    """The first version in numbered parts: `bottlneck`, `depthwise`, `expand`."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.unit("conv1.conv", "conv1.bn", x)
        for stage in (2, 3, 4):
            for at in self.numbers(f"stage{stage}"):
                x = self._block(f"stage{stage}.{at}", x, 2 if at == 0 else 1)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _block(self, path: str, x: Tensor, stride: int) -> Tensor:
        wide, inside = self.shapes[f"{path}.expand.pointwise.0.weight"][:2]
        groups = self.shapes[f"{path}.depthwise.depthwise.0.weight"][0] // inside
        out = self.activate(self.through(f"{path}.bottlneck.0.pointwise", x))
        out = self.through(f"{path}.depthwise.depthwise", shuffled(out, groups), stride)
        out = self.through(f"{path}.expand.pointwise", out)
        if stride == 1 and wide == x.shape[1]:
            return self.activate(x + out)
        return self.activate(torch.cat([functional.avg_pool2d(x, 3, 2, 1), out], 1))


class SplitShuffleNet(NamedClassifier):
    """The second version: half of the channels pass a block as they are."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.unit("conv1", "bn1", x)
        for stage in (1, 2, 3):
            for at in self.numbers(f"layer{stage}"):
                x = self._block(f"layer{stage}.{at}", x)
        x = self.unit("conv2", "bn2", x)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _block(self, path: str, x: Tensor) -> Tensor:
        first, second, third = ((f"{path}.conv{n}", f"{path}.bn{n}") for n in (1, 2, 3))
        if self.has(f"{path}.conv5"):
            left = self.unit(*second, self.unit(*first, x, 2, active=False))
            right = self.unit(f"{path}.conv4", f"{path}.bn4", self.unit(*third, x), 2, active=False)
            right = self.unit(f"{path}.conv5", f"{path}.bn5", right)
        else:
            left, right = x.chunk(2, 1)
            right = self.unit(*third, self.unit(*second, self.unit(*first, right), active=False))
        return shuffled(torch.cat([left, right], 1), 2)


class BranchedShuffleNet(NamedClassifier):
    """The second version in numbered branches, as torchvision and a collection for CIFAR-100 name them."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        stem = "pre" if self.has("pre") else "conv1"
        x = self.through(stem, x, ends=self.assumed.get("first", "activated") == "activated")
        for stage in (2, 3, 4):
            for at in self.numbers(f"stage{stage}"):
                x = self._block(f"stage{stage}.{at}", x)
        x = self.through("conv5", x, ends=True)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _block(self, path: str, x: Tensor) -> Tensor:
        whole = "residual" if self.has(f"{path}.residual") else "branch2"
        beside = "shortcut" if whole == "residual" else "branch1"
        if self.has(f"{path}.{beside}"):
            left = self.through(f"{path}.{beside}", x, 2, ends=True)
            right = self.through(f"{path}.{whole}", x, 2, at=1, ends=True)
        else:
            left, right = x.chunk(2, 1)
            right = self.through(f"{path}.{whole}", right, ends=True)
        return shuffled(torch.cat([left, right], 1), 2)


def propose(shapes: Shapes) -> Proposal | None:
    """Return the ShuffleNet that has these tensors, None if it is none."""
    if not heads.name_of(shapes):
        return None
    if "layer1.0.conv5.weight" in shapes and "conv2.weight" in shapes:
        return classifier(shapes, SplitShuffleNet, "ShuffleNet V2 for small pictures")
    if "layer1.0.conv3.weight" in shapes and shapes.get("layer1.0.conv2.weight", (0, 0))[1] == 1:
        return classifier(shapes, ShuffleNet, "ShuffleNet for small pictures")
    if "stage2.0.bottlneck.0.pointwise.0.weight" in shapes:
        return classifier(shapes, GroupedShuffleNet, "ShuffleNet for small pictures")
    if "stage2.0.branch2.0.weight" in shapes or "stage2.0.residual.5.weight" in shapes:
        offered: dict[str, Mapping[str, Any]] = {"first": FIRST} if "pre.0.weight" in shapes else {}
        return classifier(shapes, BranchedShuffleNet, "ShuffleNet V2 for small pictures", offered=offered)
    return None
