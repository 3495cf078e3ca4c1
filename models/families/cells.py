"""Networks of searched cells for small pictures: PNASNet (Liu et al. 2018) and NASNet-A (Zoph et al. 2018)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.families import heads
from models.families.named_layers import NamedClassifier, classifier, pooled
from models.families.proposal import Proposal, Shapes


class PNASNet(NamedClassifier):
    """Cells of a convolution by channel beside a pooling, or of three of them; two cells halve the size."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.unit("conv1", "bn1", x)
        for layer in range(1, 6):
            path = f"layer{layer}"
            if layer % 2 == 0:
                x = self._cell(path, x, 2)
            else:
                for at in self.numbers(path):
                    x = self._cell(f"{path}.{at}", x, 1)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _cell(self, path: str, x: Tensor, stride: int) -> Tensor:
        def by_channel(number: int) -> Tensor:
            own = f"{path}.sep_conv{number}"
            return self.unit(f"{own}.conv1", f"{own}.bn1", x, stride, active=False)

        largest = functional.max_pool2d(x, 3, stride, 1)
        if stride == 2:
            largest = self.unit(f"{path}.conv1", f"{path}.bn1", largest, active=False)
        if not self.has(f"{path}.sep_conv2"):
            return self.activate(by_channel(1) + largest)
        pair = [self.activate(by_channel(1) + by_channel(2)), self.activate(largest + by_channel(3))]
        return self.unit(f"{path}.conv2", f"{path}.bn2", torch.cat(pair, 1))


class NASNet(NamedClassifier):
    """Normal and reduction cells, each of which sees the two before it; parts of `fit` that do not run are kept."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.through("stem", x)
        before: Tensor | None = None
        for at in self.numbers("cell_layers"):
            path = f"cell_layers.{at}"
            reduces = self.has(f"{path}.layer1block1_left")
            made = self._reduced(path, x, before) if reduces else self._kept(path, x, before)
            before, x = x, made
        return self.project("fc", pooled(self.activate(x)))

    def _kept(self, path: str, x: Tensor, before: Tensor | None) -> Tensor:
        other = self._fit(path, x, before)
        h = self.through(f"{path}.dem_reduce", x, begins=True)

        def mean(maps: Tensor) -> Tensor:
            return functional.avg_pool2d(maps, 3, 1, 1)

        parts = [
            other,
            self._branch(f"{path}.block1_left", h) + h,
            self._branch(f"{path}.block2_left", other) + self._branch(f"{path}.block2_right", h),
            mean(h) + h,
            mean(other) + mean(other),
            self._branch(f"{path}.block5_left", other) + self._branch(f"{path}.block5_right", other),
        ]
        return torch.cat(parts, 1)

    def _reduced(self, path: str, x: Tensor, before: Tensor | None) -> Tensor:
        other = self._fit(path, x, before)
        h = self.through(f"{path}.dim_reduce", x, begins=True)
        own = f"{path}.layer1block"
        first = self._branch(f"{own}1_left", other, 2) + self._branch(f"{own}1_right", h, 2)
        second = functional.max_pool2d(h, 3, 2, 1) + self._branch(f"{own}2_right", other, 2)
        third = functional.avg_pool2d(h, 3, 2, 1) + self._branch(f"{own}3_right", other, 2)
        fourth = functional.max_pool2d(h, 3, 2, 1) + self._branch(f"{path}.layer2block1_right", first)
        return torch.cat([second, third, fourth, functional.avg_pool2d(first, 3, 1, 1) + second], 1)

    def _branch(self, path: str, x: Tensor, stride: int = 1) -> Tensor:
        for block, step in (("block1", stride), ("block2", 1)):
            own = f"{path}.{block}"
            x = self.convolve(f"{own}.1.depthwise", self.activate(x), step)
            x = self.normalise(f"{own}.2", self.convolve(f"{own}.1.pointwise", x))
        return x

    def _fit(self, path: str, x: Tensor, before: Tensor | None) -> Tensor:
        """Return the maps of the cell before the last in size and width of this one."""
        width = self.shapes[f"{path}.fit.bn.weight"][0]
        if self._making:
            # Every cell stores three ways of fitting, and uses one.
            given = torch.empty(1, self.shapes[f"{path}.fit.dim_reduce.1.weight"][1], 2, 2)
            self._halved(path, given)
            self.through(f"{path}.fit.dim_reduce", given, begins=True)
        if before is None:
            return x
        if before.shape[2] != x.shape[2]:
            return self._halved(path, before)
        return self.through(f"{path}.fit.dim_reduce", before, begins=True) if before.shape[1] != width else before

    def _halved(self, path: str, before: Tensor) -> Tensor:
        before = self.activate(before)
        moved = functional.pad(before, (0, 1, 0, 1))[:, :, 1:, 1:]
        both = [
            self.convolve(f"{path}.fit.p1.1", before[:, :, ::2, ::2]),
            self.convolve(f"{path}.fit.p2.3", moved[:, :, ::2, ::2]),
        ]
        return self.normalise(f"{path}.fit.bn", torch.cat(both, 1))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    if "layer2.sep_conv1.conv1.weight" in shapes:
        kind = "B" if "layer2.sep_conv2.conv1.weight" in shapes else "A"
        return classifier(shapes, PNASNet, f"PNASNet-{kind} for small pictures")
    if "cell_layers.0.fit.bn.weight" in shapes:
        return classifier(shapes, NASNet, "NASNet-A for small pictures")
    return None
