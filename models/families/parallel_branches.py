"""RepVGG (Ding et al. 2021), in training's form of three branches or as one convolution, and wide residual networks.

The wide networks (Zagoruyko and Komodakis 2016) are those whose blocks lie in `block1.layer`, the best-known code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from models.families import heads
from models.families.named_layers import NamedClassifier, classifier, pooled
from models.families.proposal import Proposal, Shapes, choice

TWICE = "sub_block1."
STRIDES = choice(
    "Strides",
    "Where the size is halved.",
    ("small", "large"),
    {"small": "three times, for 32 px", "large": "five times, as in the published network"},
)


class RepVGG(NamedClassifier):
    """A first block and four stages."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        large = self.assumed.get("strides") == "large"
        x = self._block("stage0", x, 2 if large else 1)
        for stage in (1, 2, 3, 4):
            for at in self.numbers(f"stage{stage}"):
                x = self._block(f"stage{stage}.{at}", x, 2 if at == 0 and (stage > 1 or large) else 1)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _block(self, path: str, x: Tensor, stride: int) -> Tensor:
        if self.has(f"{path}.rbr_reparam"):
            return self.activate(self.convolve(f"{path}.rbr_reparam", x, stride))
        out = self.unit(f"{path}.rbr_dense.conv", f"{path}.rbr_dense.bn", x, stride, active=False)
        out = out + self.unit(f"{path}.rbr_1x1.conv", f"{path}.rbr_1x1.bn", x, stride, active=False)
        out = out + self.normalise(f"{path}.rbr_identity", x) if self.has(f"{path}.rbr_identity") else out
        return self.activate(out)


class WideResNet(NamedClassifier):
    """Pre-activated blocks in three stages; one that widens takes its shortcut from what is normalised."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.convolve("conv1", x)
        for stage in range(1, 5):
            for at in self.numbers(f"block{stage}.layer"):
                x = self._block(f"block{stage}.layer.{at}", x, 2 if at == 0 and stage > 1 else 1)
        return self.project(heads.name_of(self.shapes), pooled(self.activate(self.normalise("bn1", x))))

    def _block(self, path: str, x: Tensor, stride: int) -> Tensor:
        out = self.activate(self.normalise(f"{path}.bn1", x))
        beside = next(
            (f"{path}.{n}" for n in ("convShortcut", "conv_shortcut", "shortcut") if self.has(f"{path}.{n}")), ""
        )
        x = self.convolve(beside, out, stride) if beside else x
        return x + self.convolve(f"{path}.conv2", self.unit(f"{path}.conv1", f"{path}.bn2", out, stride))


def _once(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith(TWICE)}


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    # Code that trains against attacks keeps a first stage twice, of which only one runs.
    shapes = {name: shape for name, shape in shapes.items() if not name.startswith(TWICE)}
    if any(re.match(r"stage1\.0\.rbr_(dense\.conv|reparam)\.weight", name) for name in shapes):
        offered: dict[str, Mapping[str, Any]] = {"strides": STRIDES}
        return classifier(shapes, RepVGG, "RepVGG for small pictures", offered=offered)
    if "block1.layer.0.bn1.weight" in shapes and "block1.layer.0.conv1.weight" in shapes:
        title = "Wide residual network for small pictures"
        return classifier(shapes, WideResNet, title, renamed=_once)
    return None
