"""Networks for small pictures of numbered parts by channel: MobileNet, MobileNetV2, Xception; SqueezeNet and DenseNet.

They are those of a collection for CIFAR-100, and torchvision's MobileNetV2 as another collection changed it for 32 px.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.families import heads
from models.families.named_layers import NamedClassifier, classifier, pooled
from models.families.proposal import ACTIVATION, Proposal, Shapes, choice

FEATURES = (1, 1, 2, 2, 1, 2, 1)  # strides of MobileNetV2's stages for 32 px
STAGES = (1, 2, 2, 2, 1, 1, 1)  # of the other collection's
BLOCKS = (1, 2, 3, 4, 3, 3, 1)  # of each stage, as published
LARGE = (1, 2, 2, 2, 1, 2, 1)  # of the published network, whose first convolution also halves
STARTS = tuple(sum(BLOCKS[:stage]) for stage in range(len(BLOCKS)))
ACTIVATIONS_6 = {
    **ACTIVATION,
    "choices": ("relu6", "relu", "silu"),
    "titles": {**ACTIVATION["titles"], "relu6": "ReLU6"},
}
STRIDES = choice(
    "Strides",
    "Where the size is halved.",
    ("small", "large"),
    {"small": "three times, for 32 px", "large": "five times, as in the published network"},
)


class MobileNet(NamedClassifier):
    """MobileNet in numbered parts: `stem`, then four containers that begin with a stride of 2."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.unit("stem.0.conv", "stem.0.bn", x)
        x = self._block("stem.1", x, 1)
        for name in ("conv1", "conv2", "conv3", "conv4"):
            for at in self.numbers(name):
                x = self._block(f"{name}.{at}", x, 2 if at == 0 else 1)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _block(self, path: str, x: Tensor, stride: int) -> Tensor:
        x = self.through(f"{path}.depthwise", x, stride, ends=True)
        return self.through(f"{path}.pointwise", x, ends=True)


class MobileNetV2(NamedClassifier):
    """MobileNetV2 in stages, whose first convolution of 1 x 1 is padded and whose head is a convolution."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.activate(self.normalise("pre.1", self.convolve("pre.0", x, padding=1)))
        for stage, stride in enumerate(STAGES, 1):
            path = f"stage{stage}"
            for at in self.numbers(path) or [-1]:
                x = self._block(path if at < 0 else f"{path}.{at}", x, stride if at <= 0 else 1)
        x = self.through("conv1", x, ends=True)
        return self.convolve("conv2", functional.adaptive_avg_pool2d(x, 1)).flatten(1)

    def _block(self, path: str, x: Tensor, stride: int) -> Tensor:
        out = self.through(f"{path}.residual", x, stride, at=1)
        return out + x if stride == 1 and out.shape[1] == x.shape[1] else out


class FeaturesMobileNetV2(NamedClassifier):
    """MobileNetV2 by torchvision's names, of any width, with strides for 32 px or the published ones."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        small = self.assumed.get("strides", "small") == "small"
        steps, stage = FEATURES if small else LARGE, 0
        numbers = self.numbers("features")
        x = self.through("features.0", x, 1 if small else 2, ends=True)
        for at in numbers[1:-1]:
            made = self._projected(f"features.{at}")
            # Two stages of a narrow network may have one width: the published numbers of blocks tell them apart.
            published = len(numbers) - 2 == sum(BLOCKS)
            first = at - 1 in STARTS if published else at == 1 or made != x.shape[1]
            x = self._block(f"features.{at}", x, steps[min(stage, 6)] if first else 1)
            stage += first
        x = self.through(f"features.{numbers[-1]}", x, ends=True)
        return self.project("classifier.1", pooled(x))

    def _projected(self, path: str) -> int:
        last = [n for n in self.shapes if n.startswith(f"{path}.conv.") and len(self.shapes[n]) == 4][-1]
        return self.shapes[last][0]

    def _block(self, path: str, x: Tensor, stride: int) -> Tensor:
        out, parts = x, self.numbers(f"{path}.conv")
        deep = len(parts) == 4
        for number in parts[:-2]:
            by_channel = number == (1 if deep else 0)
            out = self.through(f"{path}.conv.{number}", out, stride if by_channel else 1, ends=True)
        out = self.unit(f"{path}.conv.{parts[-2]}", f"{path}.conv.{parts[-1]}", out, active=False)
        return out + x if stride == 1 and out.shape[1] == x.shape[1] else out


class Xception(NamedClassifier):
    """Xception (Chollet 2017) in three flows; the entry halves the size twice, the exit once."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        for name in ("conv1", "conv2"):
            x = self.through(f"entry_flow.{name}", x, ends=True)
        for name, stride in (("conv3", 2), ("conv4", 2), ("conv5", 1)):
            own = f"entry_flow.{name}_residual"
            out = functional.max_pool2d(self._separable(own, x), 3, stride, 1)
            x = out + self.through(f"entry_flow.{name}_shortcut", x, stride)
        middle = next(name for name in ("middel_flow", "middle_flow") if self.has(name))
        inner = next(name for name in ("middel_block", "middle_block") if self.has(f"{middle}.{name}"))
        for at in self.numbers(f"{middle}.{inner}"):
            out = x
            for name in ("conv1", "conv2", "conv3"):
                out = self._separable(f"{middle}.{inner}.{at}.{name}", out)
            x = x + out
        out = functional.max_pool2d(self._separable("exit_flow.residual", x), 3, 2, 1)
        x = self.through("exit_flow.shortcut", x, 2) + out
        return self.project(heads.name_of(self.shapes), pooled(self._separable("exit_flow.conv", x, ends=True)))

    def _separable(self, path: str, x: Tensor, *, ends: bool = False) -> Tensor:
        """Return what separable convolutions with norms make; where numbers are left out stands an activation."""
        last = 0
        for number in self.numbers(path):
            x = self.activate(x) if number > last else x
            own = f"{path}.{number}"
            if self.has(f"{own}.depthwise"):
                x = self.convolve(f"{own}.pointwise", self.convolve(f"{own}.depthwise", x))
            else:
                x = self.normalise(own, x)
            last = number + 1
        return self.activate(x) if ends else x


class SqueezeNet(NamedClassifier):
    """SqueezeNet (Iandola et al. 2016) with norms and shortcuts around every second module."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = functional.max_pool2d(self.through("stem", x, ends=True), 2)
        for at in range(2, 10):
            out = self._fire(f"fire{at}", x)
            x = out + x if at in (3, 5, 7) else out
            x = functional.max_pool2d(x, 2) if at in (4, 8) else x
        return pooled(self.convolve("conv10", x))

    def _fire(self, path: str, x: Tensor) -> Tensor:
        x = self.through(f"{path}.squeeze", x, ends=True)
        return torch.cat([self.through(f"{path}.{name}", x, ends=True) for name in ("expand_1x1", "expand_3x3")], 1)


class NumberedDenseNet(NamedClassifier):
    """DenseNet whose layers lie in `features`; between its stages stands no activation."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.convolve("conv1", x)
        names = dict.fromkeys(
            name.split(".")[1]
            for name in self.shapes
            if name.startswith("features.dense") or name.startswith("features.trans")
        )
        for name in names:
            path = f"features.{name}"
            if name.startswith("trans"):
                x = functional.avg_pool2d(self.through(f"{path}.down_sample", x), 2)
                continue
            for inner in dict.fromkeys(one.split(".")[2] for one in self.shapes if one.startswith(f"{path}.")):
                x = torch.cat([x, self.through(f"{path}.{inner}.bottle_neck", x)], 1)
        return self.project(heads.name_of(self.shapes), pooled(self.activate(self.normalise("features.bn", x))))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    six: dict[str, Mapping[str, Any]] = {"activation": ACTIVATIONS_6}
    if "stem.1.depthwise.0.weight" in shapes and "conv4.0.pointwise.0.weight" in shapes:
        return classifier(shapes, MobileNet, "MobileNet for small pictures")
    if "stage1.residual.0.weight" in shapes and "stage7.residual.0.weight" in shapes:
        return classifier(shapes, MobileNetV2, "MobileNetV2 for small pictures", offered=six)
    if "features.1.conv.0.0.weight" in shapes and "classifier.1.weight" in shapes:
        return classifier(
            shapes, FeaturesMobileNetV2, "MobileNetV2 for small pictures", offered={"strides": STRIDES, **six}
        )
    if "entry_flow.conv3_residual.0.depthwise.weight" in shapes:
        return classifier(shapes, Xception, "Xception for small pictures")
    if "fire2.squeeze.0.weight" in shapes and "fire2.expand_1x1.0.weight" in shapes:
        return classifier(shapes, SqueezeNet, "SqueezeNet for small pictures")
    if any(re.match(r"features\.dense_block_layer_0\.bottle_neck_layer_0\.", name) for name in shapes):
        return classifier(shapes, NumberedDenseNet, "DenseNet for small pictures")
    return None
