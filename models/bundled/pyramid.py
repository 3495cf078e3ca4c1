"""A small residual backbone with a feature pyramid, shared by the bundled detectors."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn
from torch.nn import functional


def conv(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution with batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions with an identity shortcut (He et al. 2016, the basic block)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + self.second(self.first(x)))


class Pyramid(nn.Module):
    """Map a picture (N, 3, H, W) to a pyramid of maps (N, out_channels, H/s, W/s).

    The strides s are 8, 16, 32 and, with `extra_level`, 64. Lateral 1x1 convolutions, a top-down path by nearest
    neighbour and a 3x3 convolution per level follow Lin et al. 2017, "Feature Pyramid Networks".
    """

    def __init__(self, *, out_channels: int = 64, extra_level: bool = False) -> None:
        super().__init__()
        self.out_channels: int | list[int] = out_channels
        self.stem = nn.Sequential(conv(3, 24, stride=2), conv(24, 48, stride=2), Residual(48))
        self.stage3 = nn.Sequential(conv(48, 96, stride=2), Residual(96), Residual(96))
        self.stage4 = nn.Sequential(conv(96, 128, stride=2), Residual(128), Residual(128))
        self.stage5 = nn.Sequential(conv(128, 160, stride=2), Residual(160))
        self.lateral = nn.ModuleList(nn.Conv2d(c, out_channels, 1) for c in (96, 128, 160))
        self.smooth = nn.ModuleList(conv(out_channels, out_channels) for _ in range(3))
        self.extra = conv(out_channels, out_channels, stride=2) if extra_level else None

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        return self.from_stem(self.stem(x))

    def from_stem(self, x: Tensor) -> OrderedDict[str, Tensor]:
        """Return the pyramid over the stem's maps (N, 48, H/4, W/4)."""
        c3 = self.stage3(x)
        c4 = self.stage4(c3)
        c5 = self.stage5(c4)

        p5 = self.lateral[2](c5)
        p4 = self.lateral[1](c4) + functional.interpolate(p5, size=c4.shape[-2:], mode="nearest")
        p3 = self.lateral[0](c3) + functional.interpolate(p4, size=c3.shape[-2:], mode="nearest")

        levels = [layer(p) for layer, p in zip(self.smooth, (p3, p4, p5), strict=True)]
        if self.extra is not None:
            levels.append(self.extra(levels[-1]))
        return OrderedDict((str(i), level) for i, level in enumerate(levels))
