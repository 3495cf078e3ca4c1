"""CenterNet on a ResNet and CRAFT, from their papers and names of layers, narrow, to save. No test is here."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as f
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.ops import DeformConv2d


class Modulated(DeformConv2d):
    """A deformable convolution with the one that moves it."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(a, b, 3, 1, 1)
        self.conv_offset_mask = nn.Conv2d(a, 27, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        one, two, mask = self.conv_offset_mask(x).chunk(3, 1)
        return super().forward(x, torch.cat([one, two], 1), mask.sigmoid())


class CenterNet(ResNet):
    channels = 3

    def __init__(self, *, moved: bool = False, classes: int = 4) -> None:
        super().__init__(BasicBlock, [1, 1, 1, 1])
        del self.fc
        layers, a = [], 512
        for b in (10, 8, 6):
            if moved:
                layers += [Modulated(a, b), nn.BatchNorm2d(b), nn.ReLU()]
            side = nn.ConvTranspose2d(b if moved else a, b, 4, 2, 1, bias=False)
            layers += [side, nn.BatchNorm2d(b), nn.ReLU()]
            a = b
        self.deconv_layers = nn.Sequential(*layers)
        for name, out in (("hm", classes), ("wh", 2), ("reg", 2)):
            head = nn.Sequential(nn.Conv2d(6, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, out, 1))
            self.add_module(name, head)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.deconv_layers(self.layer4(self.layer3(self.layer2(self.layer1(x)))))
        return self.hm(x).sigmoid(), self.wh(x), self.reg(x)


class Double(nn.Module):
    def __init__(self, a: int, mid: int, b: int) -> None:
        super().__init__()
        first = [nn.Conv2d(a, mid, 1), nn.BatchNorm2d(mid), nn.ReLU()]
        self.conv = nn.Sequential(*first, nn.Conv2d(mid, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class TextMaps(nn.Module):
    channels = 3

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        a = 3
        for b in (4, 4, 0, 5, 5, 0, 6, 6, 6, 0, 7, 7, 7, 0, 8, 8):
            layers += [nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU()] if b else [nn.MaxPool2d(2)]
            a = b or a
        self.basenet = nn.Module()
        for name, start, end in (("slice1", 0, 12), ("slice2", 12, 19), ("slice3", 19, 29), ("slice4", 29, 39)):
            part = nn.Sequential()
            for at in range(start, end):
                part.add_module(str(at), layers[at])
            self.basenet.add_module(name, part)
        last = [nn.MaxPool2d(3, 1, 1), nn.Conv2d(8, 9, 3, padding=6, dilation=6), nn.Conv2d(9, 9, 1)]
        self.basenet.slice5 = nn.Sequential(*last)
        self.upconv1, self.upconv2 = Double(17, 6, 5), Double(12, 6, 5)
        self.upconv3, self.upconv4 = Double(11, 5, 4), Double(9, 4, 3)
        parts: list[nn.Module] = []
        for c, d, side in ((3, 3, 3), (3, 3, 3), (3, 2, 3), (2, 2, 1)):
            parts += [nn.Conv2d(c, d, side, padding=side // 2), nn.ReLU()]
        self.conv_cls = nn.Sequential(*parts, nn.Conv2d(2, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for name in ("slice1", "slice2", "slice3", "slice4"):
            x = self.basenet.get_submodule(name)(x)
            maps.append(x)
        x = self.upconv1(torch.cat([self.basenet.slice5(x), maps[3]], 1))
        for at in (2, 3, 4):
            other = maps[4 - at]
            x = f.interpolate(x, size=other.shape[2:], mode="bilinear", align_corners=False)
            x = self.get_submodule(f"upconv{at}")(torch.cat([x, other], 1))
        return self.conv_cls(x)
