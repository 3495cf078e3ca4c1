"""Segmentation networks as much-used codes name their layers, built on torchvision's ResNet. No test here."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as f
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet


def body(*, deep: bool = True, dilated: tuple[bool, bool, bool] = (False, False, False)) -> nn.Module:
    counts = [1, 1, 2, 3] if deep else [1, 2, 1, 2]
    net = ResNet(Bottleneck if deep else BasicBlock, counts, replace_stride_with_dilation=list(dilated))
    del net.fc, net.avgpool
    return net


def stem(net: nn.Module, x: Tensor) -> Tensor:
    return net.maxpool(net.relu(net.bn1(net.conv1(x))))


def cbr(a: int, b: int, side: int, dilation: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(a, b, side, padding=side // 2 * dilation, dilation=dilation, bias=False)
    return [conv, nn.BatchNorm2d(b), nn.ReLU()]


class Atrous(nn.Module):
    def __init__(self, side: int, dilation: int) -> None:
        super().__init__()
        self.atrous_conv, self.bn, self.relu = cbr(2048, 256, side, dilation)

    def forward(self, x: Tensor) -> Tensor:
        return f.relu(self.bn(self.atrous_conv(x)))


class DeepLabParts(nn.Module):
    """DeepLabV3+ in the parts backbone, aspp and decoder, output stride 16."""

    def __init__(self, classes: int = 21) -> None:
        super().__init__()
        self.backbone = body(dilated=(False, False, True))
        for at, more in enumerate((1, 2, 4)):
            conv = self.backbone.layer4[at].conv2
            conv.dilation = conv.padding = (2 * more, 2 * more)
        self.aspp = nn.Module()
        for at, rate in enumerate((1, 6, 12, 18), 1):
            self.aspp.add_module(f"aspp{at}", Atrous(1 if at == 1 else 3, rate))
        self.aspp.global_avg_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), *cbr(2048, 256, 1))
        self.aspp.conv1, self.aspp.bn1, _ = cbr(1280, 256, 1)
        self.decoder = nn.Module()
        self.decoder.conv1, self.decoder.bn1, _ = cbr(256, 48, 1)
        last = [*cbr(304, 256, 3), nn.Dropout(0.5), *cbr(256, 256, 3), nn.Dropout(0.1), nn.Conv2d(256, classes, 1)]
        self.decoder.last_conv = nn.Sequential(*last)

    def forward(self, x: Tensor) -> Tensor:
        b, a, d = self.backbone, self.aspp, self.decoder
        low = b.layer1(stem(b, x))
        y = b.layer4(b.layer3(b.layer2(low)))
        mean = f.interpolate(a.global_avg_pool(y), size=y.shape[2:], mode="bilinear", align_corners=True)
        y = f.relu(a.bn1(a.conv1(torch.cat([a.aspp1(y), a.aspp2(y), a.aspp3(y), a.aspp4(y), mean], 1))))
        low = f.relu(d.bn1(d.conv1(low)))
        y = f.interpolate(y, size=low.shape[2:], mode="bilinear", align_corners=True)
        y = d.last_conv(torch.cat([y, low], 1))
        return f.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=True)


class DeepLabHead(nn.Module):
    """DeepLabV3+ in the parts backbone and classifier, output stride 16."""

    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        self.backbone = body(dilated=(False, False, True))
        head = self.classifier = nn.Module()
        head.project = nn.Sequential(*cbr(256, 48, 1))
        head.aspp = nn.Module()
        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), *cbr(2048, 256, 1))
        convs = [nn.Sequential(*cbr(2048, 256, 3 if rate > 1 else 1, rate)) for rate in (1, 6, 12, 18)]
        head.aspp.convs = nn.ModuleList([*convs, pooled])
        head.aspp.project = nn.Sequential(*cbr(1280, 256, 1), nn.Dropout(0.1))
        head.classifier = nn.Sequential(*cbr(304, 256, 3), nn.Conv2d(256, classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        b, head = self.backbone, self.classifier
        low = b.layer1(stem(b, x))
        y = b.layer4(b.layer3(b.layer2(low)))
        maps = [conv(y) for conv in head.aspp.convs]
        maps[-1] = f.interpolate(maps[-1], size=y.shape[2:], mode="bilinear", align_corners=False)
        y = head.aspp.project(torch.cat(maps, 1))
        low = head.project(low)
        y = f.interpolate(y, size=low.shape[2:], mode="bilinear", align_corners=False)
        return f.interpolate(head.classifier(torch.cat([low, y], 1)), size=x.shape[2:], mode="bilinear")


class Unit(nn.Module):
    def __init__(self, a: int, b: int, side: int) -> None:
        super().__init__()
        self.conv, self.bn, _ = cbr(a, b, side)

    def forward(self, x: Tensor) -> Tensor:
        return f.relu(self.bn(self.conv(x)))


class Weighed(nn.Module):
    def __init__(self, a: int) -> None:
        super().__init__()
        self.conv = Unit(a, 128, 3)
        self.conv_atten, self.bn_atten = nn.Conv2d(128, 128, 1, bias=False), nn.BatchNorm2d(128)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y * torch.sigmoid(self.bn_atten(self.conv_atten(f.adaptive_avg_pool2d(y, 1))))


class Ending(nn.Module):
    def __init__(self, a: int, middle: int, classes: int) -> None:
        super().__init__()
        self.conv = Unit(a, middle, 3)
        self.conv_out = nn.Conv2d(middle, classes, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_out(self.conv(x))


class BiSeNet(nn.Module):
    def __init__(self, classes: int = 19) -> None:
        super().__init__()
        cp = self.cp = nn.Module()
        cp.resnet = body(deep=False)
        cp.arm16, cp.arm32 = Weighed(256), Weighed(512)
        cp.conv_head32, cp.conv_head16, cp.conv_avg = Unit(128, 128, 3), Unit(128, 128, 3), Unit(512, 128, 1)
        ffm = self.ffm = nn.Module()
        ffm.convblk = Unit(256, 256, 1)
        ffm.conv1, ffm.conv2 = nn.Conv2d(256, 64, 1, bias=False), nn.Conv2d(64, 256, 1, bias=False)
        self.conv_out = Ending(256, 256, classes)
        self.conv_out16, self.conv_out32 = Ending(128, 64, classes), Ending(128, 64, classes)

    def forward(self, x: Tensor) -> Tensor:
        cp, ffm, net = self.cp, self.ffm, self.cp.resnet
        eight = net.layer2(net.layer1(stem(net, x)))
        sixteen = net.layer3(eight)
        last = net.layer4(sixteen)
        mean = f.interpolate(cp.conv_avg(last.mean((2, 3), keepdim=True)), size=last.shape[2:], mode="nearest")
        y = f.interpolate(cp.arm32(last) + mean, size=sixteen.shape[2:], mode="nearest")
        y = f.interpolate(cp.arm16(sixteen) + cp.conv_head32(y), size=eight.shape[2:], mode="nearest")
        y = ffm.convblk(torch.cat([eight, cp.conv_head16(y)], 1))
        share = torch.sigmoid(ffm.conv2(f.relu(ffm.conv1(f.adaptive_avg_pool2d(y, 1)))))
        return f.interpolate(self.conv_out(y * share + y), size=x.shape[2:], mode="bilinear", align_corners=True)


class PSPNet(nn.Module):
    def __init__(self, classes: int = 21) -> None:
        super().__init__()
        net = body(dilated=(False, True, True))
        for stage, rate in ((net.layer3, 2), (net.layer4, 4)):  # all blocks, the first of each stage too
            for block in stage:
                block.conv2.dilation = block.conv2.padding = (rate, rate)
        self.layer0 = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool)
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4
        self.ppm = nn.Module()
        bins = [nn.Sequential(nn.AdaptiveAvgPool2d(size), *cbr(2048, 512, 1)) for size in (1, 2, 3, 6)]
        self.ppm.features = nn.ModuleList(bins)
        self.cls = nn.Sequential(*cbr(4096, 512, 3), nn.Dropout2d(0.1), nn.Conv2d(512, classes, 1))
        self.aux = nn.Sequential(*cbr(1024, 256, 3), nn.Dropout2d(0.1), nn.Conv2d(256, classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer4(self.layer3(self.layer2(self.layer1(self.layer0(x)))))
        size = y.shape[2:]
        few = [f.interpolate(one(y), size=size, mode="bilinear", align_corners=True) for one in self.ppm.features]
        return f.interpolate(self.cls(torch.cat([y, *few], 1)), size=x.shape[2:], mode="bilinear", align_corners=True)


class FCN8(nn.Module):
    """FCN with 8 px a value; `narrow` divides the widths of VGG, which do not change how the maps are joined."""

    def __init__(self, classes: int = 21, narrow: int = 8) -> None:
        super().__init__()
        width, stages = 3, ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
        for stage, (out, count) in enumerate(stages, 1):
            for at in range(1, count + 1):
                pad = 100 if (stage, at) == (1, 1) else 1
                self.add_module(f"conv{stage}_{at}", nn.Conv2d(width, out // narrow, 3, padding=pad))
                width = out // narrow
        self.fc6, self.fc7 = nn.Conv2d(width, 64, 7), nn.Conv2d(64, 64, 1)
        self.score_fr = nn.Conv2d(64, classes, 1)
        self.score_pool3 = nn.Conv2d(256 // narrow, classes, 1)
        self.score_pool4 = nn.Conv2d(512 // narrow, classes, 1)
        self.upscore2 = nn.ConvTranspose2d(classes, classes, 4, 2, bias=False)
        self.upscore8 = nn.ConvTranspose2d(classes, classes, 16, 8, bias=False)
        self.upscore_pool4 = nn.ConvTranspose2d(classes, classes, 4, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y, pools = x, []
        for stage, count in enumerate((2, 2, 3, 3, 3), 1):
            for at in range(1, count + 1):
                y = f.relu(self.get_submodule(f"conv{stage}_{at}")(y))
            y = f.max_pool2d(y, 2, stride=2, ceil_mode=True)
            pools.append(y)
        y = self.upscore2(self.score_fr(f.relu(self.fc7(f.relu(self.fc6(y))))))
        four = self.score_pool4(pools[3])
        y = self.upscore_pool4(y + four[:, :, 5 : 5 + y.shape[2], 5 : 5 + y.shape[3]])
        three = self.score_pool3(pools[2])
        y = self.upscore8(y + three[:, :, 9 : 9 + y.shape[2], 9 : 9 + y.shape[3]])
        return y[:, :, 31 : 31 + x.shape[2], 31 : 31 + x.shape[3]]


NETWORKS = (DeepLabParts, DeepLabHead, BiSeNet, PSPNet, FCN8)
