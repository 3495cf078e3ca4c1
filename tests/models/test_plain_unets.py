"""U-Nets of other names than the best-known ones: the same scores of pixels, from the order of their layers alone."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from small_networks import settled
from torch import Tensor, nn
from torch.nn import functional as f

from models.cards.card import PHOTOS
from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source


def block(a: int, b: int, name: str) -> nn.Sequential:
    layers: list[tuple[str, nn.Module]] = []
    for at, (c, d) in enumerate(((a, b), (b, b)), 1):
        layers += [
            (f"{name}conv{at}", nn.Conv2d(c, d, 3, padding=1, bias=False)),
            (f"{name}norm{at}", nn.BatchNorm2d(d)),
        ]
        layers.append((f"{name}relu{at}", nn.ReLU(inplace=True)))
    return nn.Sequential(OrderedDict(layers))


class BrainUNet(nn.Module):
    """Named blocks with norms, transposed convolutions, the way up first, a sigmoid at the end."""

    choices = ""

    def __init__(self, w: int = 4) -> None:
        super().__init__()
        self.encoder1, self.encoder2 = block(3, w, "enc1"), block(w, 2 * w, "enc2")
        self.encoder3, self.bottleneck = block(2 * w, 4 * w, "enc3"), block(4 * w, 8 * w, "bottleneck")
        self.upconv3, self.decoder3 = nn.ConvTranspose2d(8 * w, 4 * w, 2, 2), block(8 * w, 4 * w, "dec3")
        self.upconv2, self.decoder2 = nn.ConvTranspose2d(4 * w, 2 * w, 2, 2), block(4 * w, 2 * w, "dec2")
        self.upconv1, self.decoder1 = nn.ConvTranspose2d(2 * w, w, 2, 2), block(2 * w, w, "dec1")
        self.conv = nn.Conv2d(w, 1, 1)

    def logits(self, x: Tensor) -> Tensor:
        one = self.encoder1(x)
        two = self.encoder2(f.max_pool2d(one, 2))
        three = self.encoder3(f.max_pool2d(two, 2))
        x = self.bottleneck(f.max_pool2d(three, 2))
        x = self.decoder3(torch.cat([self.upconv3(x), three], 1))
        x = self.decoder2(torch.cat([self.upconv2(x), two], 1))
        return self.conv(self.decoder1(torch.cat([self.upconv1(x), one], 1)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.logits(x))


class SimpleUNet(nn.Module):
    """Pairs of convolutions without norms, bilinear enlargement, six classes."""

    choices = "?enlarged=aligned"

    def __init__(self, w: int = 4) -> None:
        super().__init__()

        def pair(a: int, b: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.ReLU())

        self.dconv_down1, self.dconv_down2 = pair(3, w), pair(w, 2 * w)
        self.dconv_down3, self.dconv_down4 = pair(2 * w, 4 * w), pair(4 * w, 8 * w)
        self.dconv_up3, self.dconv_up2 = pair(12 * w, 4 * w), pair(6 * w, 2 * w)
        self.dconv_up1, self.conv_last = pair(3 * w, w), nn.Conv2d(w, 6, 1)

    def logits(self, x: Tensor) -> Tensor:
        maps = [self.dconv_down1(x)]
        for at in (2, 3, 4):
            maps.append(getattr(self, f"dconv_down{at}")(f.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for at in (3, 2, 1):
            x = f.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = getattr(self, f"dconv_up{at}")(torch.cat([x, maps.pop()], 1))
        return self.conv_last(x)

    forward = logits


class DownFirst(BrainUNet):
    """The way down first: its norms' statistics tell."""

    def logits(self, x: Tensor) -> Tensor:
        one = self.encoder1(x)
        two = self.encoder2(f.max_pool2d(one, 2))
        three = self.encoder3(f.max_pool2d(two, 2))
        x = self.bottleneck(f.max_pool2d(three, 2))
        x = self.decoder3(torch.cat([three, self.upconv3(x)], 1))
        x = self.decoder2(torch.cat([two, self.upconv2(x)], 1))
        return self.conv(self.decoder1(torch.cat([one, self.upconv1(x)], 1)))


@pytest.mark.parametrize("kind", [BrainUNet, SimpleUNet, DownFirst], ids=lambda kind: kind.__name__)
def test_a_u_net_of_any_names_gives_the_same_scores(kind: type[nn.Module], tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = settled(kind(), side=128, channels=3)
    torch.save(net.state_dict(), tmp_path / "w.pt")
    name = f"{tmp_path / 'w.pt'}{getattr(net, 'choices', '')}"
    if kind is DownFirst:
        name += "?beside=down"
    model = registry.open_model(name)
    x = torch.rand(2, 3, 48, 64)
    with torch.no_grad():
        assert torch.equal(model.net(x), net.logits(x))  # type: ignore[operator]
    assert model.card.task == "segmentation" and model.card.architecture.startswith("U-Net of 4 sizes")
    answer = Engine(threads=1).run(Request.make("segment", name, Source.file(PHOTOS / "cat.jpg")))
    assert isinstance(answer, Result), answer
