"""Inception networks for small pictures: V3, V4 and GoogLeNet (Szegedy et al. 2015 to 2017) of a CIFAR-100 collection.

Branches are told by their names; a branch of one convolution has `conv` and `bn`, others are numbered.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from models.families import heads
from models.families.named_layers import NamedClassifier, classifier, pooled
from models.families.proposal import Proposal, Shapes, choice

STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
MODULES = "abcde"
FIRST = choice(
    "First layers",
    "What follows the first convolutions.",
    ("pooled", "plain"),
    {"pooled": "max pooling", "plain": "nothing"},
)


class Branches(NamedClassifier):
    """Branches side by side."""

    def branch(self, path: str, x: Tensor, stride: int = 1, *, ends: bool = True) -> Tensor:
        """Return what the convolutions of a branch make; the last has the stride, and then no padding unless `ends`."""
        names = [path] if self.has(f"{path}.conv") else [f"{path}.{at}" for at in self.numbers(path)]
        for at, name in enumerate(names):
            step = stride if at == len(names) - 1 else 1
            padding = 0 if step > 1 and not ends else None
            x = self.unit(f"{name}.conv", f"{name}.bn", x, step, padding=padding)
        return x

    def forked(self, path: str, x: Tensor, ways: tuple[str, str]) -> Tensor:
        """Return two branches' maps of the same maps."""
        return torch.cat([self.branch(f"{path}{way}", x) for way in ways], 1)


class InceptionV3(Branches):
    """The third version; its first convolutions do not halve the picture."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        for name in STEM:
            x = self.unit(f"{name}.conv", f"{name}.bn", x, padding=0 if name == STEM[-1] else None)
        names = dict.fromkeys(name.partition(".")[0] for name in self.shapes if name.startswith("Mixed_"))
        for name in names:
            x = self._module(name, x)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _module(self, path: str, x: Tensor) -> Tensor:
        mean = functional.avg_pool2d(x, 3, 1, 1)
        if self.has(f"{path}.branch5x5"):
            names = ("branch1x1", "branch5x5", "branch3x3")
            parts = [self.branch(f"{path}.{name}", x) for name in names]
            return torch.cat([*parts, self.branch(f"{path}.branchpool.1", mean)], 1)
        if self.has(f"{path}.branch3x3_1"):
            first = self.branch(f"{path}.branch3x3_1", x)
            second = self.branch(f"{path}.branch3x3stack_2", self.branch(f"{path}.branch3x3stack_1", x))
            parts = [
                self.branch(f"{path}.branch1x1", x),
                self.forked(f"{path}.branch3x3_2", first, ("a", "b")),
                self.forked(f"{path}.branch3x3stack_3", second, ("a", "b")),
            ]
            return torch.cat([*parts, self.branch(f"{path}.branch_pool.1", mean)], 1)
        if self.has(f"{path}.branch7x7stack"):
            names = ("branch1x1", "branch7x7", "branch7x7stack")
            parts = [self.branch(f"{path}.{name}", x) for name in names]
            return torch.cat([*parts, self.branch(f"{path}.branch_pool.1", mean)], 1)
        if self.has(f"{path}.branch7x7"):
            parts = [self.branch(f"{path}.{name}", x, 2, ends=False) for name in ("branch3x3", "branch7x7")]
            return torch.cat([*parts, functional.avg_pool2d(x, 3, 2)], 1)
        parts = [self.branch(f"{path}.{name}", x, 2, ends=False) for name in ("branch3x3", "branch3x3stack")]
        return torch.cat([*parts, functional.max_pool2d(x, 3, 2)], 1)


class InceptionV4(Branches):
    """The fourth version: a stem, three kinds of modules, and two reductions between."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self._stem(x)
        for kind, module in (("a", self._a), ("b", self._b), ("c", self._c)):
            inner = dict.fromkeys(n.split(".")[1] for n in self.shapes if n.startswith(f"inception_{kind}."))
            for name in inner:
                x = module(f"inception_{kind}.{name}", x)
            if kind == "a":
                names = ("branch3x3stack", "branch3x3")
                parts = [self.branch(f"reduction_a.{name}", x, 2, ends=False) for name in names]
                x = torch.cat([*parts, functional.max_pool2d(x, 3, 2)], 1)
            elif kind == "b":
                parts = [self.branch(f"reduction_b.{name}", x, 2) for name in ("branch3x3", "branch7x7")]
                x = torch.cat([*parts, functional.max_pool2d(x, 3, 2, 1)], 1)
        return self.project(heads.name_of(self.shapes), pooled(x))

    def _stem(self, x: Tensor) -> Tensor:
        for at in self.numbers("stem.conv1"):
            own = f"stem.conv1.{at}"
            x = self.unit(f"{own}.conv", f"{own}.bn", x, padding=0 if at == 0 else None)
        x = torch.cat([self.branch("stem.branch3x3_conv", x), functional.max_pool2d(x, 3, 1, 1)], 1)
        x = self.forked("stem.branch7x7", x, ("a", "b"))
        return torch.cat([functional.max_pool2d(x, 3, 1, 1), self.branch("stem.branchpoolb", x)], 1)

    def _a(self, path: str, x: Tensor) -> Tensor:
        return self._side_by_side(path, x, ("branch3x3stack", "branch3x3", "branch1x1"))

    def _b(self, path: str, x: Tensor) -> Tensor:
        return self._side_by_side(path, x, ("branch1x1", "branch7x7", "branch7x7stack"))

    def _side_by_side(self, path: str, x: Tensor, names: tuple[str, ...]) -> Tensor:
        mean = functional.avg_pool2d(x, 3, 1, 1)
        parts = [self.branch(f"{path}.{name}", x) for name in names]
        return torch.cat([*parts, self.branch(f"{path}.branchpool.1", mean)], 1)

    def _c(self, path: str, x: Tensor) -> Tensor:
        stack = self.branch(f"{path}.branch3x3stack", x)
        parts = [
            self.branch(f"{path}.branch1x1", x),
            self.forked(f"{path}.branch3x3", self.branch(f"{path}.branch3x3", x), ("a", "b")),
            self.forked(f"{path}.branch3x3stack", stack, ("a", "b")),
            self.branch(f"{path}.branchpool.1", functional.avg_pool2d(x, 3, 1, 1)),
        ]
        return torch.cat(parts, 1)


class NumberedGoogLeNet(NamedClassifier):
    """The first version: modules a3 to b5 of four branches; their numbers say where the size is halved."""

    def run(self, x: Tensor) -> Tensor:
        """Return scores (N, K) for pictures (N, C, h, w)."""
        x = self.through("prelayer", x, ends=True)
        if self.assumed.get("first", "pooled") == "pooled":
            x = functional.max_pool2d(x, 3, 2, 1)
        for stage in (3, 4, 5):
            x = functional.max_pool2d(x, 3, 2, 1) if stage > 3 else x
            for letter in MODULES:
                path = f"{letter}{stage}"
                if self.has(path):
                    largest = functional.max_pool2d(x, 3, 1, 1)
                    parts = [self.through(f"{path}.{name}", x, ends=True) for name in ("b1", "b2", "b3")]
                    x = torch.cat([*parts, self.through(f"{path}.b4", largest, ends=True)], 1)
        return self.project(heads.name_of(self.shapes), pooled(x))


def propose(shapes: Shapes) -> Proposal | None:
    """Return the network that has these tensors, None if it is none."""
    if "Mixed_5b.branch5x5.0.conv.weight" in shapes:
        return classifier(shapes, InceptionV3, "Inception V3 for small pictures")
    if "reduction_b.branch7x7.0.conv.weight" in shapes and "stem.branchpoolb.conv.weight" in shapes:
        return classifier(shapes, InceptionV4, "Inception V4 for small pictures")
    if "prelayer.0.weight" in shapes and "a3.b1.0.weight" in shapes:
        ways = {"first": FIRST}
        return classifier(shapes, NumberedGoogLeNet, "GoogLeNet for small pictures", offered=ways)
    return None
