"""The network of the Ultra-Light face detector RFB-320, as one finds it in a project. Vitrine plays no part in it."""

from collections import OrderedDict

import torch
from torch import nn


def layers(inner, outer, size=3, *, stride=1, groups=1, spread=1, relu=True):
    """Return a convolution, its normalisation and, if wanted, a ReLU."""
    conv = nn.Conv2d(inner, outer, size, stride, size // 2 * spread, spread, groups, bias=False)
    return [conv, nn.BatchNorm2d(outer), *([nn.ReLU()] if relu else [])]


def unit(*args, **how):
    """Return the same as a module whose parts have names."""
    return nn.Sequential(OrderedDict(zip(("conv", "bn", "relu"), layers(*args, **how), strict=False)))


def thin(inner, outer, stride=1):
    """Return a convolution of each channel by itself, then one across channels."""
    return nn.Sequential(*layers(inner, inner, stride=stride, groups=inner), *layers(inner, outer, 1))


def bare(inner, outer, stride=1):
    """Return the same without normalisation."""
    return nn.Sequential(nn.Conv2d(inner, inner, 3, stride, 1, groups=inner), nn.ReLU(), nn.Conv2d(inner, outer, 1))


class Fields(nn.Module):
    """Three receptive fields side by side (Liu et al. 2018, "Receptive Field Block Net")."""

    def __init__(self):
        super().__init__()
        start = {"relu": False}
        self.branch0 = nn.Sequential(unit(64, 8, 1, **start), unit(8, 16), unit(16, 16, spread=2, relu=False))
        self.branch1 = nn.Sequential(unit(64, 8, 1, **start), unit(8, 16), unit(16, 16, spread=3, relu=False))
        wide = (unit(8, 12), unit(12, 16), unit(16, 16, spread=5, relu=False))
        self.branch2 = nn.Sequential(unit(64, 8, 1, **start), *wide)
        self.ConvLinear = unit(48, 64, 1, relu=False)
        self.shortcut = unit(64, 64, 1, relu=False)

    def forward(self, x):
        found = torch.cat([self.branch0(x), self.branch1(x), self.branch2(x)], 1)
        return torch.relu(self.ConvLinear(found) + self.shortcut(x))


class FaceNetwork(nn.Module):
    """Pictures (N, 3, 240, 320), (x - 127) / 128, to logits (N, 4420, 2) and offsets (N, 4420, 4) of the anchors."""

    def __init__(self):
        super().__init__()
        first, then = nn.Sequential(*layers(3, 16, stride=2)), [(128, 128), (128, 128), (128, 256, 2), (256, 256)]
        body = [(16, 32), (32, 32, 2), (32, 32), (32, 64, 2), (64, 64), (64, 64)]
        middle = [Fields(), thin(64, 128, 2)]
        self.base_net = nn.ModuleList([first, *(thin(*b) for b in body), *middle, *(thin(*b) for b in then)])
        self.extras = nn.ModuleList([nn.Sequential(nn.Conv2d(256, 64, 1), nn.ReLU(), bare(64, 256, 2), nn.ReLU())])
        self.classification_headers = self.heads(2)
        self.regression_headers = self.heads(4)

    @staticmethod
    def heads(numbers):
        """Return a head for each map: so many numbers for each of its anchors."""
        found = [bare(64, 3 * numbers), bare(128, 2 * numbers), bare(256, 2 * numbers)]
        return nn.ModuleList([*found, nn.Conv2d(256, 3 * numbers, 3, padding=1)])

    def forward(self, x):
        maps = []
        for number, layer in enumerate((*self.base_net, *self.extras)):
            x = layer(x)
            if number in (7, 10, 12, 13):
                maps.append(x)
        return rows(maps, self.classification_headers, 2), rows(maps, self.regression_headers, 4)


def rows(maps, heads, numbers):
    """Return what the heads say as rows, in order of map, row, column, anchor."""
    said = (head(each).permute(0, 2, 3, 1) for head, each in zip(heads, maps, strict=True))
    return torch.cat([each.reshape(len(each), -1, numbers) for each in said], 1)
