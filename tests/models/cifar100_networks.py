"""Networks of searched, separable and branched parts for CIFAR-100, from their papers, narrow. No test is here."""

from __future__ import annotations

from typing import Any

import torch
from cifar_networks import Small, cnr
from torch import Tensor, nn
from torch.nn import functional as f


class Conv(nn.Module):
    """A convolution, its norm and a ReLU, named `conv` and `bn`."""

    def __init__(self, a: int, b: int, side: Any, stride: int = 1, padding: Any = None) -> None:
        super().__init__()
        high, wide = (side, side) if isinstance(side, int) else side
        pads = (high // 2, wide // 2) if padding is None else padding
        self.conv = nn.Conv2d(a, b, (high, wide), stride, pads, bias=False)
        self.bn = nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        return f.relu(self.bn(self.conv(x)))


def mean(x: Tensor) -> Tensor:
    return f.avg_pool2d(x, 3, 1, 1)


class Mixed(nn.Module):
    """A module of Inception V3 of a kind, for `a` channels."""

    def __init__(self, kind: str, a: int) -> None:
        super().__init__()
        self.kind, s = kind, nn.Sequential
        mean_of = nn.AvgPool2d(3, 1, 1)
        if kind == "A":
            self.branch1x1, self.branch5x5 = Conv(a, 4, 1), s(Conv(a, 3, 1), Conv(3, 4, 5))
            self.branch3x3, self.branchpool = s(Conv(a, 4, 1), Conv(4, 5, 3), Conv(5, 5, 3)), s(mean_of, Conv(a, 3, 3))
        elif kind == "B":
            self.branch3x3 = Conv(a, 6, 3, 2, 0)
            self.branch3x3stack = s(Conv(a, 4, 1), Conv(4, 5, 3), Conv(5, 5, 3, 2, 0))
        elif kind == "C":
            self.branch1x1, self.branch7x7 = Conv(a, 5, 1), s(Conv(a, 3, 1), Conv(3, 3, (7, 1)), Conv(3, 5, (1, 7)))
            stack = [Conv(a, 3, 1), Conv(3, 3, (7, 1)), Conv(3, 3, (1, 7)), Conv(3, 3, (7, 1)), Conv(3, 5, (1, 7))]
            self.branch7x7stack, self.branch_pool = s(*stack), s(mean_of, Conv(a, 5, 1))
        elif kind == "D":
            self.branch3x3 = s(Conv(a, 4, 1), Conv(4, 6, 3, 2, 0))
            self.branch7x7 = s(Conv(a, 4, 1), Conv(4, 4, (1, 7)), Conv(4, 4, (7, 1)), Conv(4, 4, 3, 2, 0))
        else:
            self.branch1x1, self.branch3x3_1 = Conv(a, 6, 1), Conv(a, 5, 1)
            self.branch3x3_2a, self.branch3x3_2b = Conv(5, 5, (1, 3)), Conv(5, 5, (3, 1))
            self.branch3x3stack_1, self.branch3x3stack_2 = Conv(a, 6, 1), Conv(6, 5, 3)
            self.branch3x3stack_3a, self.branch3x3stack_3b = Conv(5, 5, (1, 3)), Conv(5, 5, (3, 1))
            self.branch_pool = s(mean_of, Conv(a, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "A":
            return torch.cat([self.branch1x1(x), self.branch5x5(x), self.branch3x3(x), self.branchpool(x)], 1)
        if self.kind == "B":
            return torch.cat([self.branch3x3(x), self.branch3x3stack(x), f.max_pool2d(x, 3, 2)], 1)
        if self.kind == "C":
            return torch.cat([self.branch1x1(x), self.branch7x7(x), self.branch7x7stack(x), self.branch_pool(x)], 1)
        if self.kind == "D":
            return torch.cat([self.branch3x3(x), self.branch7x7(x), f.avg_pool2d(x, 3, 2)], 1)
        one, two = self.branch3x3_1(x), self.branch3x3stack_2(self.branch3x3stack_1(x))
        one = torch.cat([self.branch3x3_2a(one), self.branch3x3_2b(one)], 1)
        two = torch.cat([self.branch3x3stack_3a(two), self.branch3x3stack_3b(two)], 1)
        return torch.cat([self.branch1x1(x), one, two, self.branch_pool(x)], 1)


class InceptionV3(Small):
    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3, self.Conv2d_2b_3x3 = Conv(3, 4, 3), Conv(4, 4, 3), Conv(4, 6, 3)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = Conv(6, 6, 1), Conv(6, 8, 3, 1, 0)
        plan = (("5b", "A", 8), ("5c", "A", 16), ("6a", "B", 16), ("6b", "C", 27), ("7a", "D", 20), ("7b", "E", 30))
        self.names = [f"Mixed_{name}" for name, _, _ in plan]
        for name, kind, a in plan:
            self.add_module(f"Mixed_{name}", Mixed(kind, a))
        self.linear = nn.Linear(30, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        for name in self.names:
            x = self.get_submodule(name)(x)
        return self.linear(x.mean((2, 3)))


class V4Part(nn.Module):
    """A part of Inception V4 of a kind, for `a` channels."""

    def __init__(self, kind: str, a: int) -> None:
        super().__init__()
        self.kind, s, mean_of = kind, nn.Sequential, nn.AvgPool2d(3, 1, 1)
        if kind == "stem":
            self.conv1 = s(Conv(3, 4, 3, 1, 0), Conv(4, 4, 3), Conv(4, 5, 3))
            self.branch3x3_conv = Conv(5, 6, 3)
            self.branch7x7a = s(Conv(11, 4, 1), Conv(4, 4, (7, 1)), Conv(4, 4, (1, 7)), Conv(4, 5, 3))
            self.branch7x7b, self.branchpoolb = s(Conv(11, 4, 1), Conv(4, 5, 3)), Conv(10, 10, 3)
        elif kind == "a":
            self.branch3x3stack, self.branch3x3 = (
                s(Conv(a, 4, 1), Conv(4, 5, 3), Conv(5, 5, 3)),
                s(Conv(a, 4, 1), Conv(4, 5, 3)),
            )
            self.branch1x1, self.branchpool = Conv(a, 5, 1), s(mean_of, Conv(a, 5, 1))
        elif kind == "ra":
            self.branch3x3stack, self.branch3x3 = (
                s(Conv(a, 4, 1), Conv(4, 4, 3), Conv(4, 5, 3, 2, 0)),
                Conv(a, 5, 3, 2, 0),
            )
        elif kind == "b":
            stack = [Conv(a, 4, 1), Conv(4, 4, (1, 7)), Conv(4, 5, (7, 1)), Conv(5, 5, (1, 7)), Conv(5, 7, (7, 1))]
            self.branch7x7stack, self.branch1x1 = s(*stack), Conv(a, 8, 1)
            self.branch7x7, self.branchpool = (
                s(Conv(a, 4, 1), Conv(4, 5, (1, 7)), Conv(5, 8, (7, 1))),
                s(mean_of, Conv(a, 7, 1)),
            )
        elif kind == "rb":
            self.branch7x7 = s(Conv(a, 4, 1), Conv(4, 4, (1, 7)), Conv(4, 5, (7, 1)), Conv(5, 5, 3, 2, 1))
            self.branch3x3 = s(Conv(a, 4, 1), Conv(4, 5, 3, 2, 1))
        else:
            self.branch3x3stack = s(Conv(a, 4, 1), Conv(4, 5, (1, 3)), Conv(5, 6, (3, 1)))
            self.branch3x3stacka, self.branch3x3stackb = Conv(6, 5, (1, 3)), Conv(6, 5, (3, 1))
            self.branch3x3, self.branch3x3a, self.branch3x3b = Conv(a, 6, 1), Conv(6, 5, (3, 1)), Conv(6, 5, (1, 3))
            self.branch1x1, self.branchpool = Conv(a, 5, 1), s(mean_of, Conv(a, 5, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "stem":
            x = self.conv1(x)
            x = torch.cat([self.branch3x3_conv(x), f.max_pool2d(x, 3, 1, 1)], 1)
            x = torch.cat([self.branch7x7a(x), self.branch7x7b(x)], 1)
            return torch.cat([f.max_pool2d(x, 3, 1, 1), self.branchpoolb(x)], 1)
        if self.kind == "a":
            return torch.cat([self.branch3x3stack(x), self.branch3x3(x), self.branch1x1(x), self.branchpool(x)], 1)
        if self.kind == "ra":
            return torch.cat([self.branch3x3stack(x), self.branch3x3(x), f.max_pool2d(x, 3, 2)], 1)
        if self.kind == "b":
            return torch.cat([self.branch1x1(x), self.branch7x7(x), self.branch7x7stack(x), self.branchpool(x)], 1)
        if self.kind == "rb":
            return torch.cat([self.branch3x3(x), self.branch7x7(x), f.max_pool2d(x, 3, 2, 1)], 1)
        one, two = self.branch3x3(x), self.branch3x3stack(x)
        one = torch.cat([self.branch3x3a(one), self.branch3x3b(one)], 1)
        two = torch.cat([self.branch3x3stacka(two), self.branch3x3stackb(two)], 1)
        return torch.cat([self.branch1x1(x), one, two, self.branchpool(x)], 1)


class InceptionV4(Small):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.reduction_a, self.reduction_b = V4Part("stem", 3), V4Part("ra", 20), V4Part("rb", 30)
        for kind, a, count in (("a", 20, 2), ("b", 30, 2), ("c", 40, 1)):
            part, width = nn.Sequential(), a
            for at in range(count):
                part.add_module(f"Inception{kind.upper()}_{at}", V4Part(kind, width))
                width = {"a": 20, "b": 30, "c": 30}[kind]
            self.add_module(f"inception_{kind}", part)
        self.linear = nn.Linear(30, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = self.inception_b(self.reduction_a(self.inception_a(self.stem(x))))
        return self.linear(self.inception_c(self.reduction_b(x)).mean((2, 3)))


class Google(nn.Module):
    def __init__(self, a: int) -> None:
        super().__init__()
        self.b1, self.b2 = (
            nn.Sequential(*cnr(a, 3, 1, bias=True)),
            nn.Sequential(*cnr(a, 2, 1, bias=True), *cnr(2, 4, bias=True)),
        )
        self.b3 = nn.Sequential(*cnr(a, 2, 1, bias=True), *cnr(2, 3, bias=True), *cnr(3, 3, bias=True))
        self.b4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), *cnr(a, 2, 1, bias=True))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], 1)


class GoogLeNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.prelayer = nn.Sequential(*cnr(3, 4), *cnr(4, 4), *cnr(4, 8))
        names = ("a3", "b3", "a4", "b4", "c4", "d4", "e4", "a5", "b5")
        self.names = names
        for name in names:
            self.add_module(name, Google(8 if name == "a3" else 12))
        self.linear = nn.Linear(12, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = f.max_pool2d(self.prelayer(x), 3, 2, 1)
        for name in self.names:
            x = self.get_submodule(name)(x)
            x = f.max_pool2d(x, 3, 2, 1) if name in ("b3", "e4") else x
        return self.linear(x.mean((2, 3)))


class Separated(nn.Module):
    def __init__(self, a: int, b: int, side: int = 3, stride: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(a, a, side, stride, side // 2, groups=a, bias=bias)
        self.pointwise = nn.Conv2d(a, b, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class XceptionFlow(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(self.conv1(x))
        for name in ("conv3", "conv4", "conv5"):
            x = self.get_submodule(f"{name}_residual")(x) + self.get_submodule(f"{name}_shortcut")(x)
        return x


class XceptionBlock(nn.Module):
    def __init__(self, a: int) -> None:
        super().__init__()
        for at in (1, 2, 3):
            self.add_module(f"conv{at}", nn.Sequential(nn.ReLU(), Separated(a, a), nn.BatchNorm2d(a)))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv3(self.conv2(self.conv1(x)))


class Xception(Small):
    def __init__(self) -> None:
        super().__init__()
        s, norm, act = nn.Sequential, nn.BatchNorm2d, nn.ReLU
        self.entry_flow = entry = XceptionFlow()
        entry.conv1, entry.conv2 = s(*cnr(3, 4)), s(*cnr(4, 6))
        for name, a, b, stride in (("conv3", 6, 8, 2), ("conv4", 8, 10, 2), ("conv5", 10, 12, 1)):
            first = [] if name == "conv3" else [act()]
            parts = [*first, Separated(a, b), norm(b), act(), Separated(b, b), norm(b), nn.MaxPool2d(3, stride, 1)]
            entry.add_module(f"{name}_residual", s(*parts))
            entry.add_module(f"{name}_shortcut", s(nn.Conv2d(a, b, 1, stride), norm(b)))
        self.middel_flow, self.exit_flow = nn.Module(), nn.Module()
        self.middel_flow.middel_block = s(XceptionBlock(12), XceptionBlock(12))
        self.exit_flow.residual = s(
            act(), Separated(12, 12), norm(12), act(), Separated(12, 14), norm(14), nn.MaxPool2d(3, 2, 1)
        )
        self.exit_flow.shortcut = s(nn.Conv2d(12, 14, 1, 2), norm(14))
        self.exit_flow.conv = s(Separated(14, 16), norm(16), act(), Separated(16, 20), norm(20), act())
        self.fc = nn.Linear(20, 100)

    def forward(self, x: Tensor) -> Tensor:
        x, last = self.middel_flow.middel_block(self.entry_flow(x)), self.exit_flow
        return self.fc(last.conv(last.shortcut(x) + last.residual(x)).mean((2, 3)))


class Fire(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.squeeze = nn.Sequential(*cnr(a, 3, 1, bias=True))
        self.expand_1x1, self.expand_3x3 = (
            nn.Sequential(*cnr(3, b // 2, 1, bias=True)),
            nn.Sequential(*cnr(3, b // 2, bias=True)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x)
        return torch.cat([self.expand_1x1(x), self.expand_3x3(x)], 1)


class SqueezeNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.stem, a = nn.Sequential(*cnr(3, 6, bias=True), nn.MaxPool2d(2)), 6
        for at, b in zip(range(2, 10), (8, 8, 10, 10, 12, 12, 14, 14), strict=True):
            self.add_module(f"fire{at}", Fire(a, b))
            a = b
        self.conv10 = nn.Conv2d(a, 100, 1)

    def forward(self, x: Tensor) -> Tensor:
        two = self.fire2(self.stem(x))
        four = f.max_pool2d(self.fire4(self.fire3(two) + two), 2)
        six = self.fire6(self.fire5(four) + four)
        return self.conv10(self.fire9(f.max_pool2d(self.fire8(self.fire7(six) + six), 2))).mean((2, 3))


class DenseLayer(nn.Module):
    def __init__(self, a: int, grow: int) -> None:
        super().__init__()
        first = [nn.BatchNorm2d(a), nn.ReLU(), nn.Conv2d(a, 4 * grow, 1, bias=False)]
        self.bottle_neck = nn.Sequential(
            *first, nn.BatchNorm2d(4 * grow), nn.ReLU(), nn.Conv2d(4 * grow, grow, 3, 1, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.bottle_neck(x)], 1)


class Transition(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.down_sample = nn.Sequential(nn.BatchNorm2d(a), nn.Conv2d(a, b, 1, bias=False), nn.AvgPool2d(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.down_sample(x)


class DenseNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.features, a = nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.Sequential(), 8
        for at, count in enumerate((2, 3, 2, 2)):
            part = nn.Sequential()
            for number in range(count):
                part.add_module(f"bottle_neck_layer_{number}", DenseLayer(a, 4))
                a += 4
            self.features.add_module(f"dense_block{at}" if at == 3 else f"dense_block_layer_{at}", part)
            if at < 3:
                self.features.add_module(f"transition_layer_{at}", Transition(a, a // 2))
                a //= 2
        self.features.add_module("bn", nn.BatchNorm2d(a))
        self.linear = nn.Linear(a, 100)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(f.relu(self.features(self.conv1(x))).mean((2, 3)))


class SeparablePart(nn.Module):
    def __init__(self, a: int, b: int, stride: int = 1) -> None:
        super().__init__()
        self.depthwise = nn.Sequential(*cnr(a, a, 3, stride, groups=a))
        self.pointwise = nn.Sequential(*cnr(a, b, 1, bias=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class MobileNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 4, 3), SeparablePart(4, 6))
        for at, (a, b) in enumerate(((6, 8), (8, 10), (10, 12), (12, 14)), 1):
            more = [SeparablePart(b, b) for _ in range(3 if at == 3 else 1)]
            self.add_module(f"conv{at}", nn.Sequential(SeparablePart(a, b, 2), *more))
        self.fc = nn.Linear(14, 100)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv4(self.conv3(self.conv2(self.conv1(self.stem(x))))).mean((2, 3)))


class Linear6(nn.Module):
    def __init__(self, a: int, b: int, stride: int, grow: int) -> None:
        super().__init__()
        wide, self.kept, six = a * grow, stride == 1 and a == b, nn.ReLU6
        parts = [nn.Conv2d(a, wide, 1), nn.BatchNorm2d(wide), six()]
        parts += [nn.Conv2d(wide, wide, 3, stride, 1, groups=wide), nn.BatchNorm2d(wide), six()]
        self.residual = nn.Sequential(*parts, nn.Conv2d(wide, b, 1), nn.BatchNorm2d(b))

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + x if self.kept else self.residual(x)


class MobileNetV2(Small):
    def __init__(self) -> None:
        super().__init__()
        self.pre = nn.Sequential(nn.Conv2d(3, 6, 1, padding=1), nn.BatchNorm2d(6), nn.ReLU6())
        self.stage1, self.stage7, a = Linear6(6, 4, 1, 1), Linear6(12, 14, 1, 3), 4
        for at, (count, b, stride) in enumerate(((2, 5, 2), (3, 6, 2), (3, 8, 2), (2, 10, 1), (2, 12, 1)), 2):
            parts = [Linear6(a, b, stride, 3), *(Linear6(b, b, 1, 3) for _ in range(count - 1))]
            self.add_module(f"stage{at}", nn.Sequential(*parts))
            a = b
        self.conv1 = nn.Sequential(nn.Conv2d(14, 20, 1), nn.BatchNorm2d(20), nn.ReLU6())
        self.conv2 = nn.Conv2d(20, 100, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pre(x)
        for at in range(1, 8):
            x = self.get_submodule(f"stage{at}")(x)
        return self.conv2(f.adaptive_avg_pool2d(self.conv1(x), 1)).flatten(1)


class CellBranch(nn.Module):
    def __init__(self, a: int, b: int, side: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__()
        self.block1 = nn.Sequential(nn.ReLU(), Separated(a, b, side, stride, bias), nn.BatchNorm2d(b))
        self.block2 = nn.Sequential(nn.ReLU(), Separated(b, b, side, 1, True), nn.BatchNorm2d(b))

    def forward(self, x: Tensor) -> Tensor:
        return self.block2(self.block1(x))


class Fitting(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.width = b
        self.p1 = nn.Sequential(nn.AvgPool2d(1, stride=2), nn.Conv2d(a, b // 2, 1))
        crop = [nn.ConstantPad2d((0, 1, 0, 1), 0), nn.ConstantPad2d((-1, 0, -1, 0), 0)]
        self.p2 = nn.Sequential(*crop, nn.AvgPool2d(1, stride=2), nn.Conv2d(a, b // 2, 1))
        self.bn, self.dim_reduce = nn.BatchNorm2d(b), nn.Sequential(nn.ReLU(), nn.Conv2d(a, b, 1), nn.BatchNorm2d(b))

    def forward(self, x: Tensor, before: Tensor | None) -> Tensor:
        if before is None:
            return x
        if before.shape[2] != x.shape[2]:
            before = f.relu(before)
            return self.bn(torch.cat([self.p1(before), self.p2(before)], 1))
        return self.dim_reduce(before) if before.shape[1] != self.width else before


class NormalCell(nn.Module):
    def __init__(self, a: int, before: int, b: int) -> None:
        super().__init__()
        self.dem_reduce = nn.Sequential(nn.ReLU(), nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b))
        self.block1_left, self.block2_left = CellBranch(b, b, 3, bias=False), CellBranch(b, b, 3, bias=False)
        self.block2_right, self.block5_left = CellBranch(b, b, 5, bias=False), CellBranch(b, b, 5, bias=False)
        self.block5_right, self.fit = CellBranch(b, b, 3, bias=False), Fitting(before, b)

    def forward(self, x: Tensor, before: Tensor | None) -> Tensor:
        p, h = self.fit(x, before), self.dem_reduce(x)
        parts = [p, self.block1_left(h) + h, self.block2_left(p) + self.block2_right(h), mean(h) + h, mean(p) + mean(p)]
        return torch.cat([*parts, self.block5_left(p) + self.block5_right(p)], 1)


class ReductionCell(nn.Module):
    def __init__(self, a: int, before: int, b: int) -> None:
        super().__init__()
        self.dim_reduce = nn.Sequential(nn.ReLU(), nn.Conv2d(a, b, 1), nn.BatchNorm2d(b))
        self.layer1block1_left, self.layer1block1_right = CellBranch(b, b, 7, 2), CellBranch(b, b, 5, 2)
        self.layer1block2_right, self.layer1block3_right = CellBranch(b, b, 7, 2), CellBranch(b, b, 5, 2)
        self.layer2block1_right, self.fit = CellBranch(b, b, 3), Fitting(before, b)

    def forward(self, x: Tensor, before: Tensor | None) -> Tensor:
        p, h = self.fit(x, before), self.dim_reduce(x)
        one = self.layer1block1_left(p) + self.layer1block1_right(h)
        two = f.max_pool2d(h, 3, 2, 1) + self.layer1block2_right(p)
        three = f.avg_pool2d(h, 3, 2, 1) + self.layer1block3_right(p)
        four = f.max_pool2d(h, 3, 2, 1) + self.layer2block1_right(one)
        return torch.cat([two, three, four, mean(one) + two], 1)


class NASNet(Small):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4))
        cells: list[nn.Module] = []
        a, before = 4, 4
        for stage, b in enumerate((4, 8)):
            for _ in range(2):
                cells.append(NormalCell(a, before, b))
                a, before = 6 * b, a
            if stage == 0:
                cells.append(ReductionCell(a, before, 8))
                a, before = 32, a
        self.cell_layers, self.fc = nn.ModuleList(cells), nn.Linear(48, 100)

    def forward(self, x: Tensor) -> Tensor:
        x, before = self.stem(x), None
        for cell in self.cell_layers:
            x, before = cell(x, before), x
        return self.fc(f.relu(x).mean((2, 3)))
