"""More networks of the best-known collection for CIFAR-10, from their papers, narrow, to save. No test is here."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as f


class SeparableBlock(nn.Module):
    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(a, a, 3, stride, 1, groups=a, bias=False), nn.BatchNorm2d(a)
        self.conv2, self.bn2 = nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        return f.relu(self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x))))))


class MobileNet(nn.Module):
    side, channels = 32, 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        plan = ((8, 12, 1), (12, 16, 2), (16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 32, 2))
        self.layers = nn.Sequential(*(SeparableBlock(*one) for one in plan))
        self.linear = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.layers(f.relu(self.bn1(self.conv1(x)))).mean((2, 3)))


class InvertedBlock(nn.Module):
    def __init__(self, a: int, b: int, grow: int, stride: int) -> None:
        super().__init__()
        self.stride, wide = stride, a * grow
        self.conv1, self.bn1 = nn.Conv2d(a, wide, 1, bias=False), nn.BatchNorm2d(wide)
        self.conv2, self.bn2 = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide)
        self.conv3, self.bn3 = nn.Conv2d(wide, b, 1, bias=False), nn.BatchNorm2d(b)
        self.shortcut = nn.Sequential()
        if stride == 1 and a != b:
            self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b))

    def forward(self, x: Tensor) -> Tensor:
        out = f.relu(self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x))))))
        out = self.bn3(self.conv3(out))
        return out + self.shortcut(x) if self.stride == 1 else out


class MobileNetV2(nn.Module):
    side, channels = 32, 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        plan = ((8, 6, 1, 1), (6, 8, 3, 1), (8, 8, 3, 1), (8, 12, 3, 2), (12, 12, 3, 1), (12, 16, 3, 1), (16, 20, 3, 2))
        self.layers = nn.Sequential(*(InvertedBlock(*one) for one in plan))
        self.conv2, self.bn2 = nn.Conv2d(20, 40, 1, bias=False), nn.BatchNorm2d(40)
        self.linear = nn.Linear(40, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(f.relu(self.bn1(self.conv1(x))))
        return self.linear(f.relu(self.bn2(self.conv2(x))).mean((2, 3)))


class Weighing(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.se1, self.se2 = nn.Conv2d(width, inner, 1), nn.Conv2d(inner, width, 1)


class EfficientBlock(nn.Module):
    def __init__(self, a: int, b: int, grow: int, stride: int, side: int) -> None:
        super().__init__()
        wide = a * grow
        self.grow, self.kept = grow, stride == 1 and a == b
        self.conv1, self.bn1 = nn.Conv2d(a, wide, 1, bias=False), nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, side, stride, side // 2, groups=wide, bias=False)
        self.bn2, self.se = nn.BatchNorm2d(wide), Weighing(wide, max(1, a // 4))
        self.conv3, self.bn3 = nn.Conv2d(wide, b, 1, bias=False), nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        out = f.silu(self.bn1(self.conv1(x))) if self.grow > 1 else x
        out = f.silu(self.bn2(self.conv2(out)))
        out = out * self.se.se2(f.silu(self.se.se1(f.adaptive_avg_pool2d(out, 1)))).sigmoid()
        out = self.bn3(self.conv3(out))
        return out + x if self.kept else out


class EfficientNet(nn.Module):
    side, channels = 32, 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 12, 3, 1, 1, bias=False), nn.BatchNorm2d(12)
        stages = (
            (6, 1, 1, 3, 1),
            (8, 6, 2, 3, 2),
            (10, 6, 2, 5, 2),
            (14, 6, 2, 3, 2),
            (16, 6, 2, 5, 1),
            (20, 6, 1, 3, 2),
        )
        layers, a = [], 12
        for b, grow, count, side, stride in stages:
            for at in range(count):
                layers.append(EfficientBlock(a, b, grow, stride if not at else 1, side))
                a = b
        self.layers, self.linear = nn.Sequential(*layers), nn.Linear(a, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.layers(f.silu(self.bn1(self.conv1(x)))).mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, a: int, grow: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(a), nn.Conv2d(a, 4 * grow, 1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * grow), nn.Conv2d(4 * grow, grow, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.conv2(f.relu(self.bn2(self.conv1(f.relu(self.bn1(x)))))), x], 1)


class DenseNet(nn.Module):
    side, channels = 32, 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1, a = nn.Conv2d(3, 8, 3, padding=1, bias=False), 8
        for at, count in enumerate((2, 3, 2, 2), 1):
            setattr(self, f"dense{at}", nn.Sequential(*(DenseLayer(a + 4 * n, 4) for n in range(count))))
            a += 4 * count
            if at < 4:
                half = nn.Module()
                half.bn, half.conv = nn.BatchNorm2d(a), nn.Conv2d(a, a // 2, 1, bias=False)
                setattr(self, f"trans{at}", half)
                a //= 2
        self.bn, self.linear = nn.BatchNorm2d(a), nn.Linear(a, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        for at in (1, 2, 3, 4):
            x = getattr(self, f"dense{at}")(x)
            if at < 4:
                half = getattr(self, f"trans{at}")
                x = f.avg_pool2d(half.conv(f.relu(half.bn(x))), 2)
        return self.linear(f.relu(self.bn(x)).mean((2, 3)))


def normed(a: int, b: int, side: int) -> list[nn.Module]:
    return [nn.Conv2d(a, b, side, padding=side // 2), nn.BatchNorm2d(b), nn.ReLU(True)]


class Inception(nn.Module):
    def __init__(self, a: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        one, red3, three, red5, five, pool = widths
        self.b1 = nn.Sequential(*normed(a, one, 1))
        self.b2 = nn.Sequential(*normed(a, red3, 1), *normed(red3, three, 3))
        self.b3 = nn.Sequential(*normed(a, red5, 1), *normed(red5, five, 3), *normed(five, five, 3))
        self.b4 = nn.Sequential(nn.MaxPool2d(3, 1, 1), *normed(a, pool, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], 1)


class GoogLeNet(nn.Module):
    side, channels = 32, 3

    def __init__(self) -> None:
        super().__init__()
        self.pre_layers = nn.Sequential(*normed(3, 12, 3))
        self.a3, self.b3 = Inception(12, (4, 6, 8, 2, 4, 4)), Inception(20, (4, 6, 8, 2, 4, 4))
        self.a4, self.b4 = Inception(20, (6, 6, 8, 2, 4, 4)), Inception(22, (6, 6, 8, 2, 6, 4))
        self.a5, self.linear = Inception(24, (6, 6, 8, 2, 6, 8)), nn.Linear(28, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = f.max_pool2d(self.b3(self.a3(self.pre_layers(x))), 3, 2, 1)
        x = f.max_pool2d(self.b4(self.a4(x)), 3, 2, 1)
        return self.linear(self.a5(x).mean((2, 3)))


class RegBlock(nn.Module):
    def __init__(self, a: int, b: int, stride: int, *, weighs: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b)
        self.conv2, self.bn2 = nn.Conv2d(b, b, 3, stride, 1, groups=b // 4, bias=False), nn.BatchNorm2d(b)
        self.weighs = weighs
        if weighs:
            self.se = Weighing(b, a // 4)
        self.conv3, self.bn3 = nn.Conv2d(b, b, 1, bias=False), nn.BatchNorm2d(b)
        self.shortcut = nn.Sequential()
        if stride > 1 or a != b:
            self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))

    def forward(self, x: Tensor) -> Tensor:
        out = f.relu(self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x))))))
        if self.weighs:
            out = out * self.se.se2(f.relu(self.se.se1(f.adaptive_avg_pool2d(out, 1)))).sigmoid()
        return f.relu(self.bn3(self.conv3(out)) + self.shortcut(x))


class RegNet(nn.Module):
    side, channels = 32, 3

    def __init__(self, *, weighs: bool) -> None:
        super().__init__()
        self.conv1, self.bn1, a = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), 16
        for at, (b, count, stride) in enumerate(((8, 1, 1), (12, 1, 1), (16, 2, 2), (24, 2, 2)), 1):
            blocks = []
            for number in range(count):
                blocks.append(RegBlock(a, b, stride if not number else 1, weighs=weighs))
                a = b
            setattr(self, f"layer{at}", nn.Sequential(*blocks))
        self.linear = nn.Linear(a, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = f.relu(self.bn1(self.conv1(x)))
        for at in (1, 2, 3, 4):
            x = getattr(self, f"layer{at}")(x)
        return self.linear(x.mean((2, 3)))
