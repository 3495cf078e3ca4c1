"""Segmentation networks of well-known code, from their papers and names of layers, narrow, to save. No test is here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as f
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


def pair(a: int, b: int, *, bias: bool = False) -> nn.Sequential:
    parts = []
    for c, d in ((a, b), (b, b)):
        parts += [nn.Conv2d(c, d, 3, 1, 1, bias=bias), nn.BatchNorm2d(d), nn.ReLU()]
    return nn.Sequential(*parts)


class Holder(nn.Module):
    """A pair of convolutions in `conv`."""

    def __init__(self, a: int, b: int, *, bias: bool = False) -> None:
        super().__init__()
        self.conv = pair(a, b, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Encoder(ResNet):
    """torchvision's ResNet without its head, returning the maps of five sizes."""

    def __init__(self, kind: Any) -> None:
        super().__init__(kind, [1, 1, 1, 1])
        del self.fc

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = [self.relu(self.bn1(self.conv1(x)))]
        x = self.maxpool(maps[0])
        for name in ("layer1", "layer2", "layer3", "layer4"):
            x = self.get_submodule(name)(x)
            maps.append(x)
        return maps


class DecoderBlock(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(nn.Conv2d(a, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = f.interpolate(x, scale_factor=2, mode="nearest")
        return self.conv2(self.conv1(x if skip is None else torch.cat([x, skip], 1)))


class EncodedUNet(nn.Module):
    channels = 3

    def __init__(self, kind: Any = BasicBlock, classes: int = 3) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(kind), nn.Module()
        widths = [512, 256, 128, 64] if kind is BasicBlock else [2048, 1024, 512, 256]
        blocks, a = [], widths[0]
        for b, skip in zip((16, 12, 10, 8, 6), (*widths[1:], 64, 0), strict=True):
            blocks.append(DecoderBlock(a + skip, b))
            a = b
        self.decoder.blocks = nn.ModuleList(blocks)
        self.segmentation_head = nn.Sequential(nn.Conv2d(6, classes, 3, 1, 1), nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        maps = self.encoder(x)
        x = maps.pop()
        for one in self.decoder.blocks:
            x = one(x, maps.pop() if maps else None)
        return self.segmentation_head(x)


class Node(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b)
        self.conv2, self.bn2 = nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        return f.relu(self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x))))))


class NestedUNet(nn.Module):
    channels = 3

    def __init__(self, *, deep: bool = False, nested: bool = True) -> None:
        super().__init__()
        self.deep, self.nested, w = deep, nested, (4, 6, 8, 10, 12)
        for row in range(5):
            self.add_module(f"conv{row}_0", Node(3 if row == 0 else w[row - 1], w[row]))
        for column in range(1, 5):
            for row in range(5 - column):
                if nested or row + column == 4:
                    count = column if nested else 1
                    self.add_module(f"conv{row}_{column}", Node(w[row] * count + w[row + 1], w[row]))
        for name in [f"final{n}" for n in range(1, 5)] if deep else ["final"]:
            self.add_module(name, nn.Conv2d(4, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        maps: dict[tuple[int, int], Tensor] = {}
        for row in range(5):
            maps[row, 0] = x = self.get_submodule(f"conv{row}_0")(x if row == 0 else f.max_pool2d(x, 2))
        for column in range(1, 5):
            for row in range(5 - column):
                if not self.nested and row + column != 4:
                    continue
                before = [maps[row, at] for at in range(column if self.nested else 1)]
                given = torch.cat([*before, up(maps[row + 1, column - 1])], 1)
                maps[row, column] = self.get_submodule(f"conv{row}_{column}")(given)
        return self.get_submodule("final4" if self.deep else "final")(maps[0, 4])


class UpConv(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        parts = [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, 1, 1), nn.BatchNorm2d(b), nn.ReLU()]
        self.up = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(x)


class Gate(nn.Module):
    def __init__(self, a: int, b: int) -> None:
        super().__init__()
        self.W_g = nn.Sequential(nn.Conv2d(a, b, 1), nn.BatchNorm2d(b))
        self.W_x = nn.Sequential(nn.Conv2d(a, b, 1), nn.BatchNorm2d(b))
        self.psi = nn.Sequential(nn.Conv2d(b, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, gate: Tensor, x: Tensor) -> Tensor:
        return x * self.psi(f.relu(self.W_g(gate) + self.W_x(x)))


class EnlargingUNet(nn.Module):
    channels = 3

    def __init__(self, *, gated: bool = False) -> None:
        super().__init__()
        self.gated, w = gated, (4, 6, 8, 10, 12)
        for at in range(5):
            self.add_module(f"Conv{at + 1}", Holder(3 if at == 0 else w[at - 1], w[at], bias=True))
        for at in range(4, 0, -1):
            self.add_module(f"Up{at + 1}", UpConv(w[at], w[at - 1]))
            if gated:
                self.add_module(f"Att{at + 1}", Gate(w[at - 1], 3))
            self.add_module(f"Up_conv{at + 1}", Holder(2 * w[at - 1], w[at - 1], bias=True))
        self.Conv_1x1 = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for at in range(1, 6):
            x = self.get_submodule(f"Conv{at}")(x if at == 1 else f.max_pool2d(x, 2))
            maps.append(x)
        for at in range(5, 1, -1):
            x, skip = self.get_submodule(f"Up{at}")(x), maps[at - 2]
            skip = self.get_submodule(f"Att{at}")(x, skip) if self.gated else skip
            x = self.get_submodule(f"Up_conv{at}")(torch.cat([skip, x], 1))
        return self.Conv_1x1(x)


class ListedUNet(nn.Module):
    channels = 3

    def __init__(self) -> None:
        super().__init__()
        self.ups, self.downs, a = nn.ModuleList(), nn.ModuleList(), 3
        for b in (4, 6, 8):
            self.downs.append(Holder(a, b))
            a = b
        for b in (8, 6, 4):
            self.ups.append(nn.ConvTranspose2d(b * 2, b, 2, 2))
            self.ups.append(Holder(b * 2, b))
        self.ups[0], self.ups[2], self.ups[4] = (nn.ConvTranspose2d(*one, 2, 2) for one in ((10, 8), (8, 6), (6, 4)))
        self.bottleneck, self.final_conv = Holder(8, 10), nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for down in self.downs:
            x = down(x)
            maps.append(x)
            x = f.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for at in range(0, len(self.ups), 2):
            x = self.ups[at + 1](torch.cat([maps.pop(), self.ups[at](x)], 1))
        return self.final_conv(x)


def active(a: int, b: int, side: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(a, b, side, padding=side // 2), nn.ReLU())


class ResNetUNet(nn.Module):
    channels = 3

    def __init__(self) -> None:
        super().__init__()
        self.base_model = ResNet(BasicBlock, [1, 1, 1, 1])
        layers = list(self.base_model.children())
        self.layer0, self.layer1 = nn.Sequential(*layers[:3]), nn.Sequential(*layers[3:5])
        self.layer2, self.layer3, self.layer4 = layers[5:8]
        for at, (a, b) in enumerate(((64, 6), (64, 6), (128, 8), (256, 8), (512, 10))):
            self.add_module(f"layer{at}_1x1", active(a, b, 1))
        for at, (a, b) in enumerate(((14, 6), (14, 8), (16, 8), (18, 8))):
            self.add_module(f"conv_up{at}", active(a, b, 3))
        self.conv_original_size0, self.conv_original_size1 = active(3, 4, 3), active(4, 4, 3)
        self.conv_original_size2, self.conv_last = active(10, 6, 3), nn.Conv2d(6, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        whole, maps = self.conv_original_size1(self.conv_original_size0(x)), []
        for at in range(5):
            x = self.get_submodule(f"layer{at}")(x)
            maps.append(self.get_submodule(f"layer{at}_1x1")(x))
        x = maps[4]
        for at in (3, 2, 1, 0):
            x = self.get_submodule(f"conv_up{at}")(torch.cat([up(x), maps[at]], 1))
        return self.conv_last(self.conv_original_size2(torch.cat([up(x), whole], 1)))


class Dilated(nn.Module):
    def __init__(self, a: int, b: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv_s1 = nn.Conv2d(a, b, 3, padding=dilation, dilation=dilation)
        self.bn_s1 = nn.BatchNorm2d(b)

    def forward(self, x: Tensor) -> Tensor:
        return f.relu(self.bn_s1(self.conv_s1(x)))


def like(x: Tensor, other: Tensor) -> Tensor:
    return f.interpolate(x, size=other.shape[2:], mode="bilinear")


class Nest(nn.Module):
    """U2-Net's block of a height, or the flat one with dilations."""

    def __init__(self, height: int, a: int, mid: int, b: int, *, flat: bool = False) -> None:
        super().__init__()
        self.height, self.flat, self.rebnconvin = height, flat, Dilated(a, b)
        for at in range(1, height + 1):
            rate = 2 ** (at - 1) if flat else 2 if at == height else 1
            self.add_module(f"rebnconv{at}", Dilated(b if at == 1 else mid, mid, rate))
        for at in range(height - 1, 0, -1):
            rate = 2 ** (at - 1) if flat else 1
            self.add_module(f"rebnconv{at}d", Dilated(2 * mid, b if at == 1 else mid, rate))

    def forward(self, x: Tensor) -> Tensor:
        first = x = self.rebnconvin(x)
        maps = []
        for at in range(1, self.height + 1):
            if 1 < at < self.height and not self.flat:
                x = f.max_pool2d(x, 2, 2, ceil_mode=True)
            x = self.get_submodule(f"rebnconv{at}")(x)
            maps.append(x)
        for at in range(self.height - 1, 0, -1):
            x = self.get_submodule(f"rebnconv{at}d")(torch.cat([like(x, maps[at - 1]), maps[at - 1]], 1))
        return x + first


class U2Net(nn.Module):
    channels = 3

    def __init__(self) -> None:
        super().__init__()
        for at, (height, a, flat) in enumerate(((7, 3, 0), (6, 6, 0), (5, 6, 0), (4, 6, 0), (4, 6, 1), (4, 6, 1)), 1):
            self.add_module(f"stage{at}", Nest(height, a, 3, 6, flat=bool(flat)))
        for at, height in ((5, 4), (4, 4), (3, 5), (2, 6), (1, 7)):
            self.add_module(f"stage{at}d", Nest(height, 12, 3, 6, flat=at == 5))
        for at in range(1, 7):
            self.add_module(f"side{at}", nn.Conv2d(6, 1, 3, padding=1))
        self.outconv = nn.Conv2d(6, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for at in range(1, 7):
            x = self.get_submodule(f"stage{at}")(x if at == 1 else f.max_pool2d(x, 2, 2, ceil_mode=True))
            maps.append(x)
        ends = [x]
        for at in range(5, 0, -1):
            x = self.get_submodule(f"stage{at}d")(torch.cat([like(x, maps[at - 1]), maps[at - 1]], 1))
            ends.insert(0, x)
        sides = [self.get_submodule(f"side{at}")(one) for at, one in enumerate(ends, 1)]
        return self.outconv(torch.cat([like(one, sides[0]) for one in sides], 1))


NETWORKS: dict[str, Any] = {
    "ResNet before it": EncodedUNet,
    "ResNet of bottlenecks before it": lambda: EncodedUNet(Bottleneck, 1),
    "nested": NestedUNet,
    "nested, deep supervision": lambda: NestedUNet(deep=True),
    "nodes, not nested": lambda: NestedUNet(nested=False),
    "enlarging": EnlargingUNet,
    "enlarging, with gates": lambda: EnlargingUNet(gated=True),
    "lists": ListedUNet,
    "on a ResNet": ResNetUNet,
    "U2-Net": U2Net,
}
