"""Networks of further collections for CIFAR, from their papers, narrow, to save. No test is here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as f


def cnr(a: int, b: int, side: Any = 3, stride: int = 1, *, bias: bool = False, **more: Any) -> list[nn.Module]:
    """A convolution, its norm and a ReLU."""
    padding = more.pop("padding", side // 2 if isinstance(side, int) else tuple(one // 2 for one in side))
    return [nn.Conv2d(a, b, side, stride, padding, bias=bias, **more), nn.BatchNorm2d(b), nn.ReLU()]


class Small(nn.Module):
    side, channels = 32, 3


class Basic(nn.Module):
    def __init__(self, a: int, b: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
        self.conv2, self.bn2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
        self.shortcut = nn.Sequential()
        if stride > 1 or a != b:
            self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))

    def forward(self, x: Tensor) -> Tensor:
        return f.relu(self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class Root(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b)

    def forward(self, *maps: Tensor) -> Tensor:
        return f.relu(self.bn(self.conv(torch.cat(maps, 1))))


class SimpleTree(nn.Module):
    def __init__(self, a: int, b: int, level: int, stride: int) -> None:
        super().__init__()
        self.root = Root(2 * b, b)
        if level == 1:
            self.left_tree, self.right_tree = Basic(a, b, stride), Basic(b, b)
        else:
            self.left_tree, self.right_tree = SimpleTree(a, b, level - 1, stride), SimpleTree(b, b, level - 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = self.left_tree(x)
        return self.root(one, self.right_tree(one))


class Tree(nn.Module):
    def __init__(self, a: int, b: int, level: int, stride: int) -> None:
        super().__init__()
        self.level = level
        if level == 1:
            self.root = Root(2 * b, b)
            self.left_node, self.right_node = Basic(a, b, stride), Basic(b, b)
        else:
            self.root = Root((level + 1) * b, b)
            for at in reversed(range(1, level)):
                self.add_module(f"level_{at}", Tree(a, b, at, stride))
            self.left_node, self.right_node = Basic(b, b), Basic(b, b)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for at in reversed(range(1, self.level)):
            x = self.get_submodule(f"level_{at}")(x)
            kept.append(x)
        kept.append(self.left_node(x))
        kept.append(self.right_node(kept[-1]))
        return self.root(*kept)


class Aggregation(Small):
    def __init__(self, tree: type[nn.Module]) -> None:
        super().__init__()
        self.base = nn.Sequential(*cnr(3, 4))
        self.layer1, self.layer2 = nn.Sequential(*cnr(4, 4)), nn.Sequential(*cnr(4, 6))
        self.layer3, self.layer4 = tree(6, 8, 1, 1), tree(8, 10, 2, 2)
        self.layer5, self.layer6 = tree(10, 12, 2, 2), tree(12, 16, 1, 2)
        self.linear = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        for name in ("base", "layer1", "layer2", "layer3", "layer4", "layer5", "layer6"):
            x = self.get_submodule(name)(x)
        return self.linear(f.avg_pool2d(x, 4).flatten(1))


class DualBlock(nn.Module):
    def __init__(self, last: int, inside: int, out: int, dense: int, stride: int, first: bool) -> None:
        super().__init__()
        self.out, wide = out, out + dense
        self.conv1, self.bn1 = nn.Conv2d(last, inside, 1, bias=False), nn.BatchNorm2d(inside)
        self.conv2 = nn.Conv2d(inside, inside, 3, stride, 1, groups=4, bias=False)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv3, self.bn3 = nn.Conv2d(inside, wide, 1, bias=False), nn.BatchNorm2d(wide)
        self.shortcut = nn.Sequential()
        if first:
            self.shortcut = nn.Sequential(nn.Conv2d(last, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn3(self.conv3(f.relu(self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x))))))))
        x, d = self.shortcut(x), self.out
        return f.relu(torch.cat([x[:, :d] + y[:, :d], x[:, d:], y[:, d:]], 1))


class DualPathNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        last = 8
        for at, (inside, out, count, dense) in enumerate(
            ((8, 12, 2, 2), (8, 16, 3, 3), (12, 16, 1, 2), (12, 20, 2, 4)), 1
        ):
            blocks = []
            for number in range(count):
                blocks.append(DualBlock(last, inside, out, dense, 2 if at > 1 and not number else 1, not number))
                last = out + (number + 2) * dense
            self.add_module(f"layer{at}", nn.Sequential(*blocks))
        self.linear = nn.Linear(last, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = f.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.linear(f.avg_pool2d(x, 4).flatten(1))


class ByChannel(nn.Module):
    def __init__(self, a: int, b: int, side: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(a, b, side, stride, side // 2, groups=a, bias=False)
        self.bn1 = nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn1(self.conv1(x))


class CellA(nn.Module):
    def __init__(self, a: int, b: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.sep_conv1 = stride, ByChannel(a, b, 7, stride)
        if stride == 2:
            self.conv1, self.bn1 = nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        y = f.max_pool2d(x, 3, self.stride, 1)
        return f.relu(self.sep_conv1(x) + (self.bn1(self.conv1(y)) if self.stride == 2 else y))


class CellB(CellA):
    def __init__(self, a: int, b: int, stride: int = 1) -> None:
        super().__init__(a, b, stride)
        self.sep_conv2, self.sep_conv3 = ByChannel(a, b, 3, stride), ByChannel(a, b, 5, stride)
        self.conv2, self.bn2 = nn.Conv2d(2 * b, b, 1, bias=False), nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        y = f.max_pool2d(x, 3, self.stride, 1)
        y = self.bn1(self.conv1(y)) if self.stride == 2 else y
        left, right = f.relu(self.sep_conv1(x) + self.sep_conv2(x)), f.relu(y + self.sep_conv3(x))
        return f.relu(self.bn2(self.conv2(torch.cat([left, right], 1))))


class ProgressiveNet(Small):
    def __init__(self, cell: Any) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4)
        self.layer1, self.layer2 = nn.Sequential(cell(4, 4), cell(4, 4)), cell(4, 8, 2)
        self.layer3, self.layer4 = nn.Sequential(cell(8, 8), cell(8, 8)), cell(8, 16, 2)
        self.layer5, self.linear = nn.Sequential(cell(16, 16), cell(16, 16)), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer5(self.layer4(self.layer3(self.layer2(self.layer1(f.relu(self.bn1(self.conv1(x))))))))
        return self.linear(f.avg_pool2d(x, 8).flatten(1))


def shuffle(x: Tensor, groups: int) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).permute(0, 2, 1, 3, 4).reshape(n, c, h, w)


class ShuffleBlock(nn.Module):
    def __init__(self, a: int, b: int, stride: int, groups: int, first: int) -> None:
        super().__init__()
        mid = b // 4
        self.stride, self.first = stride, first
        self.conv1, self.bn1 = nn.Conv2d(a, mid, 1, groups=first, bias=False), nn.BatchNorm2d(mid)
        self.conv2 = nn.Conv2d(mid, mid, 3, stride, 1, groups=mid, bias=False)
        self.bn2 = nn.BatchNorm2d(mid)
        self.conv3, self.bn3 = nn.Conv2d(mid, b, 1, groups=groups, bias=False), nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        y = shuffle(f.relu(self.bn1(self.conv1(x))), self.first)
        y = self.bn3(self.conv3(f.relu(self.bn2(self.conv2(y)))))
        return f.relu(torch.cat([y, f.avg_pool2d(x, 3, 2, 1)], 1)) if self.stride == 2 else f.relu(y + x)


class ShuffleNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 1, bias=False), nn.BatchNorm2d(8)
        a = 8
        for at, b in enumerate((24, 48, 96), 1):
            blocks = []
            for number in range(2):
                out = b - a if not number else b
                blocks.append(ShuffleBlock(a, out, 1 if number else 2, 2, 1 if a == 8 else 2))
                a = b
            self.add_module(f"layer{at}", nn.Sequential(*blocks))
        self.linear = nn.Linear(96, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(f.relu(self.bn1(self.conv1(x))))))
        return self.linear(f.avg_pool2d(x, 4).flatten(1))


class SplitBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        a = width // 2
        self.conv1, self.bn1 = nn.Conv2d(a, a, 1, bias=False), nn.BatchNorm2d(a)
        self.conv2, self.bn2 = nn.Conv2d(a, a, 3, 1, 1, groups=a, bias=False), nn.BatchNorm2d(a)
        self.conv3, self.bn3 = nn.Conv2d(a, a, 1, bias=False), nn.BatchNorm2d(a)

    def forward(self, x: Tensor) -> Tensor:
        half = x.shape[1] // 2
        y = self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x[:, half:])))))
        return shuffle(torch.cat([x[:, :half], f.relu(self.bn3(self.conv3(y)))], 1), 2)


class DownBlock(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        m = b // 2
        self.conv1, self.bn1 = nn.Conv2d(a, a, 3, 2, 1, groups=a, bias=False), nn.BatchNorm2d(a)
        self.conv2, self.bn2 = nn.Conv2d(a, m, 1, bias=False), nn.BatchNorm2d(m)
        self.conv3, self.bn3 = nn.Conv2d(a, m, 1, bias=False), nn.BatchNorm2d(m)
        self.conv4, self.bn4 = nn.Conv2d(m, m, 3, 2, 1, groups=m, bias=False), nn.BatchNorm2d(m)
        self.conv5, self.bn5 = nn.Conv2d(m, m, 1, bias=False), nn.BatchNorm2d(m)

    def forward(self, x: Tensor) -> Tensor:
        left = f.relu(self.bn2(self.conv2(self.bn1(self.conv1(x)))))
        right = self.bn4(self.conv4(f.relu(self.bn3(self.conv3(x)))))
        return shuffle(torch.cat([left, f.relu(self.bn5(self.conv5(right)))], 1), 2)


class ShuffleNetV2(Small):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6)
        self.layer1 = nn.Sequential(DownBlock(6, 8), SplitBlock(8))
        self.layer2 = nn.Sequential(DownBlock(8, 12), SplitBlock(12), SplitBlock(12))
        self.layer3 = nn.Sequential(DownBlock(12, 16), SplitBlock(16))
        self.conv2, self.bn2 = nn.Conv2d(16, 24, 1, bias=False), nn.BatchNorm2d(24)
        self.linear = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(f.relu(self.bn1(self.conv1(x))))))
        return self.linear(f.avg_pool2d(f.relu(self.bn2(self.conv2(x))), 4).flatten(1))


class BranchUnit(nn.Module):
    """torchvision's unit, or a collection's for CIFAR-100 with its names and biases."""

    def __init__(self, a: int, b: int, stride: int, names: tuple[str, str]) -> None:
        super().__init__()
        old = names[1] == "residual"
        m, self.names, self.stride = b // 2, names, stride
        inside = a if stride > 1 else m
        wide = inside if old else m
        left: list[nn.Module] = []
        if stride > 1:
            left = [*cnr(a, a, 3, 2, groups=a, bias=old)[:2], *cnr(a, m, 1, bias=old)]
        self.add_module(names[0], nn.Sequential(*left))
        right = [*cnr(inside, wide, 1, bias=old), *cnr(wide, wide, 3, stride, groups=wide, bias=old)[:2]]
        self.add_module(names[1], nn.Sequential(*right, *cnr(wide, m, 1, bias=old)))

    def forward(self, x: Tensor) -> Tensor:
        left, right = (x, x) if self.stride > 1 else x.chunk(2, 1)
        parts = [self.get_submodule(self.names[0])(left), self.get_submodule(self.names[1])(right)]
        return shuffle(torch.cat(parts, 1), 2)


class BranchNet(Small):
    def __init__(self, names: tuple[str, str] = ("branch1", "branch2")) -> None:
        super().__init__()
        self.old = names[1] == "residual"
        stem = cnr(3, 6, bias=self.old)
        self.stem = "pre" if self.old else "conv1"
        self.add_module(self.stem, nn.Sequential(*(stem[:2] if self.old else stem)))
        for at, (a, b) in enumerate(((6, 8), (8, 12), (12, 16)), 2):
            units = [BranchUnit(a, b, 2, names), BranchUnit(b, b, 1, names)]
            self.add_module(f"stage{at}", nn.Sequential(*units))
        self.conv5, self.fc = nn.Sequential(*cnr(16, 24, 1, bias=self.old)), nn.Linear(24, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage4(self.stage3(self.stage2(self.get_submodule(self.stem)(x))))
        return self.fc(self.conv5(x).mean((2, 3)))


class Reparameterised(nn.Module):
    def __init__(self, a: int, b: int, stride: int, fused: bool) -> None:
        super().__init__()
        if fused:
            self.rbr_reparam = nn.Conv2d(a, b, 3, stride, 1)
            return
        self.rbr_identity = nn.BatchNorm2d(a) if a == b and stride == 1 else None
        for name, side in (("rbr_dense", 3), ("rbr_1x1", 1)):
            part = nn.Sequential()
            part.add_module("conv", nn.Conv2d(a, b, side, stride, side // 2, bias=False))
            part.add_module("bn", nn.BatchNorm2d(b))
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, "rbr_reparam"):
            return f.relu(self.rbr_reparam(x))
        kept = 0 if self.rbr_identity is None else self.rbr_identity(x)
        return f.relu(self.rbr_dense(x) + self.rbr_1x1(x) + kept)


class RepVGG(Small):
    def __init__(self, fused: bool = False) -> None:
        super().__init__()
        self.stage0, a = Reparameterised(3, 6, 1, fused), 6
        for at, (b, count) in enumerate(((6, 2), (8, 2), (12, 3), (16, 1)), 1):
            blocks = [Reparameterised(a if not n else b, b, 2 if at > 1 and not n else 1, fused) for n in range(count)]
            self.add_module(f"stage{at}", nn.Sequential(*blocks))
            a = b
        self.linear = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        for at in range(5):
            x = self.get_submodule(f"stage{at}")(x)
        return self.linear(x.mean((2, 3)))


class WideBlock(nn.Module):
    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(a), nn.Conv2d(a, b, 3, stride, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(b), nn.Conv2d(b, b, 3, 1, 1, bias=False)
        self.convShortcut = nn.Conv2d(a, b, 1, stride, bias=False) if a != b else None

    def forward(self, x: Tensor) -> Tensor:
        y = f.relu(self.bn1(x))
        beside = self.convShortcut(y) if self.convShortcut is not None else x
        return beside + self.conv2(f.relu(self.bn2(self.conv1(y))))


class WideResNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, a = nn.Conv2d(3, 6, 3, 1, 1, bias=False), 6
        for at, b in enumerate((8, 12, 16), 1):
            part = nn.Module()
            part.layer = nn.Sequential(WideBlock(a, b, 1 if at == 1 else 2), WideBlock(b, b, 1))
            self.add_module(f"block{at}", part)
            a = b
        self.bn1, self.fc = nn.BatchNorm2d(16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.block3.layer(self.block2.layer(self.block1.layer(self.conv1(x))))
        return self.fc(f.avg_pool2d(f.relu(self.bn1(x)), 8).flatten(1))


class RawWideBlock(nn.Module):
    """A wide block whose shortcut takes what comes, before the norm; its convolutions have biases."""

    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(a), nn.Conv2d(a, b, 3, 1, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(b), nn.Conv2d(b, b, 3, stride, 1)
        self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride)) if a != b or stride > 1 else nn.Sequential()

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(f.relu(self.bn2(self.conv1(f.relu(self.bn1(x)))))) + self.shortcut(x)


class RawWideNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, a = nn.Conv2d(3, 6, 3, 1, 1), 6
        for at, b in enumerate((8, 12, 16), 1):
            self.add_module(f"layer{at}", nn.Sequential(RawWideBlock(a, b, 1 if at == 1 else 2), RawWideBlock(b, b, 1)))
            a = b
        self.bn1, self.linear = nn.BatchNorm2d(16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.linear(f.avg_pool2d(f.relu(self.bn1(x)), 8).flatten(1))


class InvertedPart(nn.Module):
    def __init__(self, a: int, b: int, grow: int, stride: int) -> None:
        super().__init__()
        wide, self.kept = a * grow, stride == 1 and a == b
        parts = [] if grow == 1 else [self._six(a, wide, 1, 1, 1)]
        parts += [self._six(wide, wide, 3, stride, wide), nn.Conv2d(wide, b, 1, bias=False), nn.BatchNorm2d(b)]
        self.conv = nn.Sequential(*parts)

    @staticmethod
    def _six(a: int, b: int, side: int, stride: int, groups: int) -> nn.Sequential:
        conv = nn.Conv2d(a, b, side, stride, side // 2, groups=groups, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(b), nn.ReLU6())

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) + x if self.kept else self.conv(x)


class FeaturesNet(Small):
    """torchvision's MobileNetV2 with a collection's strides for 32 px; two stages have one width, as in its x0_5."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = [InvertedPart._six(3, 4, 3, 1, 1)]
        a = 4
        plan = ((1, 4, 1, 1), (6, 4, 2, 1), (6, 4, 3, 2), (6, 6, 4, 2), (6, 8, 3, 1), (6, 10, 3, 2), (6, 12, 1, 1))
        for grow, b, count, stride in plan:
            for at in range(count):
                parts.append(InvertedPart(a, b, grow, 1 if at else stride))
                a = b
        self.features = nn.Sequential(*parts, InvertedPart._six(a, 20, 1, 1, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(20, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


# The collection for CIFAR-100: blocks of numbered layers.


class Residual(nn.Module):
    """A block of numbered layers, made by `parts`; `after` is what follows the sum."""

    def __init__(
        self, name: str, parts: Sequence[nn.Module], beside: nn.Module, after: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.name, self.after, self.kept = name, after, 1.0
        self.add_module(name, nn.Sequential(*parts))
        self.shortcut = beside

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.get_submodule(self.name)(x) * self.kept + self.shortcut(x))


class ExcitedResidual(Residual):
    def __init__(self, parts: Sequence[nn.Module], beside: nn.Module, width: int) -> None:
        super().__init__("residual", parts, beside, f.relu)
        self.excitation = nn.Sequential(
            nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, width), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.residual(x)
        return self.after(y * self.excitation(y.mean((2, 3)))[:, :, None, None] + self.shortcut(x))


KINDS = ("plain", "deep", "grouped", "stochastic", "excited", "excited deep", "before", "before deep", "wide")


def projection(a: int, b: int, stride: int, bias: bool, norm: bool = True) -> nn.Sequential:
    if a == b and stride == 1:
        return nn.Sequential()
    return nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=bias), *([nn.BatchNorm2d(b)] if norm else []))


def same_map(x: Tensor) -> Tensor:
    return x


def block(kind: str, a: int, b: int, stride: int) -> tuple[nn.Module, int]:
    """A block of a kind, and the width of what it gives."""
    wide = b * 4
    if kind == "plain":
        return Residual(
            "residual_function", [*cnr(a, b, 3, stride), *cnr(b, b)[:2]], projection(a, b, stride, False), f.relu
        ), b
    if kind == "deep":
        parts = [*cnr(a, b, 1), *cnr(b, b, 3, stride), *cnr(b, wide, 1)[:2]]
        return Residual("residual_function", parts, projection(a, wide, stride, False), f.relu), wide
    if kind == "grouped":
        parts = [*cnr(a, 8, 1, groups=2), *cnr(8, 8, 3, stride, groups=2), *cnr(8, wide, 1)[:2]]
        return Residual("split_transforms", parts, projection(a, wide, stride, False), f.relu), wide
    if kind == "stochastic":
        parts = [*cnr(a, b, 3, stride, bias=True), *cnr(b, b, bias=True)[:2]]
        return Residual("residual", parts, projection(a, b, stride, True), same_map), b
    if kind == "excited":
        parts = [*cnr(a, b, 3, stride, bias=True), *cnr(b, b, bias=True)]
        return ExcitedResidual(parts, projection(a, b, stride, True), b), b
    if kind == "excited deep":
        parts = [*cnr(a, b, 1, bias=True), *cnr(b, b, 3, stride, bias=True), *cnr(b, wide, 1, bias=True)]
        return ExcitedResidual(parts, projection(a, wide, stride, True), wide), wide
    norm, act = nn.BatchNorm2d, nn.ReLU
    if kind == "before":
        parts = [norm(a), act(), nn.Conv2d(a, b, 3, stride, 1), norm(b), act(), nn.Conv2d(b, b, 3, 1, 1)]
        beside = nn.Conv2d(a, b, 1, stride) if a != b or stride > 1 else nn.Sequential()
        return Residual("residual", parts, beside, same_map), b
    if kind == "before deep":
        parts = [norm(a), act(), nn.Conv2d(a, b, 1, stride), norm(b), act(), nn.Conv2d(b, b, 3, 1, 1)]
        parts += [norm(b), act(), nn.Conv2d(b, wide, 1)]
        beside = nn.Conv2d(a, wide, 1, stride) if a != wide or stride > 1 else nn.Sequential()
        return Residual("residual", parts, beside, same_map), wide
    parts = [norm(a), act(), nn.Conv2d(a, b, 3, stride, 1), norm(b), act(), nn.Dropout(), nn.Conv2d(b, b, 3, 1, 1)]
    return Residual("residual", parts, projection(a, b, stride, True, norm=False), same_map), b


class NumberedNet(Small):
    """A residual network of the collection for CIFAR-100."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, bias = kind, kind not in ("plain", "deep", "grouped")
        self.first = {
            "plain": "conv1",
            "deep": "conv1",
            "grouped": "conv1",
            "stochastic": "conv1",
            "wide": "init_conv",
        }.get(kind, "pre")
        stem = nn.Conv2d(3, 6, 3, 1, 1) if kind == "wide" else nn.Sequential(*cnr(3, 6, bias=bias))
        self.add_module(self.first, stem)
        ends = {"conv1": "conv{}_x", "pre": "stage{}", "init_conv": "conv{}"}[self.first]
        ends = "conv{}" if kind == "grouped" else ends
        self.stages, a = (
            [ends.format(n) for n in (range(1, 5) if self.first == "pre" else range(2, 5 if kind == "wide" else 6))],
            6,
        )
        blocks: list[nn.Module] = []
        for at, name in enumerate(self.stages):
            own = []
            for number in range(2):
                made, a = block(kind, a, (6, 8, 10, 12)[at], 2 if at and not number else 1)
                own.append(made)
            blocks += own
            self.add_module(name, nn.Sequential(*own))
        if kind == "stochastic":
            for at, one in enumerate(blocks):
                one.kept = 1 - at * 0.5 / (len(blocks) - 1)
        if kind == "wide":
            self.bn = nn.BatchNorm2d(a)
        self.head = "linear" if self.first in ("pre", "init_conv") else "fc"
        self.add_module(self.head, nn.Linear(a, 100))

    def forward(self, x: Tensor) -> Tensor:
        x = self.get_submodule(self.first)(x)
        for name in self.stages:
            x = self.get_submodule(name)(x)
        x = self.bn(x) if self.kind == "wide" else x
        return self.get_submodule(self.head)(x.mean((2, 3)))
