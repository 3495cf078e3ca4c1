"""Networks from pictures to pictures as strangers write them, from published descriptions, to save. No test is here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as f


class Srcnn(nn.Module):
    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 12, 9, padding=4)
        self.conv2, self.conv3 = nn.Conv2d(12, 8, 5, padding=2), nn.Conv2d(8, channels, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(f.relu(self.conv2(f.relu(self.conv1(x)))))


class Espcn(nn.Module):
    choices = "?activation=tanh&way=direct"

    def __init__(self, channels: int = 1, times: int = 3) -> None:
        super().__init__()
        self.first_part = nn.Sequential(
            nn.Conv2d(channels, 16, 5, padding=2), nn.Tanh(), nn.Conv2d(16, 8, 3, padding=1), nn.Tanh()
        )
        self.last_part = nn.Sequential(nn.Conv2d(8, channels * times**2, 3, padding=1), nn.PixelShuffle(times))

    def forward(self, x: Tensor) -> Tensor:
        return self.last_part(self.first_part(x))


class Fsrcnn(nn.Module):
    choices = "?times=3"

    def __init__(self, times: int = 3) -> None:
        super().__init__()
        self.first_part = nn.Sequential(nn.Conv2d(1, 14, 5, padding=2), nn.PReLU(14))
        mid: list[nn.Module] = [nn.Conv2d(14, 6, 1), nn.PReLU(6)]
        for _ in range(2):
            mid += [nn.Conv2d(6, 6, 3, padding=1), nn.PReLU(6)]
        self.mid_part = nn.Sequential(*mid, nn.Conv2d(6, 14, 1), nn.PReLU(14))
        self.last_part = nn.ConvTranspose2d(14, 1, 9, stride=times, padding=4, output_padding=times - 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last_part(self.mid_part(self.first_part(x)))


class DnCNN(nn.Module):
    """Returns the clean picture; the network inside gives the noise."""

    choices = "?way=subtracted"

    def __init__(self, channels: int = 1, *, normed: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, 10, 3, padding=1), nn.ReLU()]
        for _ in range(8):
            layers += [nn.Conv2d(10, 10, 3, padding=1, bias=not normed)]
            layers += [nn.BatchNorm2d(10)] if normed else []
            layers += [nn.ReLU()]
        self.dncnn = nn.Sequential(*layers, nn.Conv2d(10, channels, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.dncnn(x)


class Ffdnet(nn.Module):
    """A picture and its noise of 25 / 255."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(13, 16, 3, padding=1), nn.ReLU()]
        for _ in range(4):
            layers += [nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.Conv2d(16, 12, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        small = f.pixel_unshuffle(x, 2)
        level = torch.full((len(x), 1, *small.shape[2:]), 25 / 255)
        return f.pixel_shuffle(self.model(torch.cat([small, level], 1)), 2)


class Vdsr(nn.Module):
    choices = "?way=added"

    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return f.relu(self.conv(x))

    def __init__(self) -> None:
        super().__init__()
        self.residual_layer = nn.Sequential(*(self.Layer() for _ in range(8)))
        self.input = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.output = nn.Conv2d(8, 1, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.output(self.residual_layer(f.relu(self.input(x))))


class Edsr(nn.Module):
    """The best-known EDSR: values to 255, the mean colour in layers of the file."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 12, 3, padding=1))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.body(x)

    def __init__(self, times: int = 2) -> None:
        super().__init__()
        self.sub_mean, self.add_mean = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.head = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1))
        self.body = nn.Sequential(*(self.Block() for _ in range(3)), nn.Conv2d(12, 12, 3, padding=1))
        up: list[nn.Module] = []
        for factor in {2: (2,), 3: (3,), 4: (2, 2)}[times]:
            up += [nn.Conv2d(12, 12 * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        self.tail = nn.Sequential(nn.Sequential(*up), nn.Conv2d(12, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(x + self.body(x)))


class Srresnet(nn.Module):
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1, self.prelu = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.PReLU()
            self.conv2, self.bn2 = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.bn2(self.conv2(self.prelu(self.bn1(self.conv1(x)))))

    def __init__(self) -> None:
        super().__init__()
        self.block1 = nn.Sequential(nn.Conv2d(3, 8, 9, padding=4), nn.PReLU())
        self.block2, self.block3 = self.Block(), self.Block()
        self.block4 = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8))
        ups = [nn.Sequential(nn.Conv2d(8, 32, 3, padding=1), nn.PixelShuffle(2), nn.PReLU()) for _ in range(2)]
        self.block5 = nn.Sequential(*ups, nn.Conv2d(8, 3, 9, padding=4))

    def forward(self, x: Tensor) -> Tensor:
        first = self.block1(x)
        return self.block5(first + self.block4(self.block3(self.block2(first))))


class Rrdb(nn.Module):
    """ESRGAN's generator, with its newer names; `old_names` gives those of the first release."""

    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for at in range(4):
                setattr(self, f"conv{at + 1}", nn.Conv2d(8 + 4 * at, 4, 3, padding=1))
            self.conv5 = nn.Conv2d(24, 8, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            maps = [x]
            for at in range(4):
                maps.append(f.leaky_relu(getattr(self, f"conv{at + 1}")(torch.cat(maps, 1)), 0.2))
            return x + 0.2 * self.conv5(torch.cat(maps, 1))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.RDB1, self.RDB2, self.RDB3 = (Rrdb.Dense() for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            return x + 0.2 * self.RDB3(self.RDB2(self.RDB1(x)))

    def __init__(self) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(3, 8, 3, padding=1)
        self.RRDB_trunk = nn.Sequential(self.Block(), self.Block())
        for name in ("trunk_conv", "upconv1", "upconv2", "HRconv"):
            setattr(self, name, nn.Conv2d(8, 8, 3, padding=1))
        self.conv_last = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_first(x)
        x = x + self.trunk_conv(self.RRDB_trunk(x))  # type: ignore[operator]
        for name in ("upconv1", "upconv2"):
            x = f.leaky_relu(getattr(self, name)(f.interpolate(x, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(f.leaky_relu(self.HRconv(x), 0.2))  # type: ignore[operator]

    def old_names(self) -> dict[str, Tensor]:
        ends = {"conv_first": "model.0", "trunk_conv": "model.1.sub.2", "upconv1": "model.3", "upconv2": "model.6"}
        ends |= {"HRconv": "model.8", "conv_last": "model.10"}
        found = {}
        for name, tensor in self.state_dict().items():
            path, _, last = name.rpartition(".")
            path = ends.get(path) or path.replace("RRDB_trunk", "model.1.sub") + ".0"
            found[f"{path}.{last}"] = tensor
        return found


class ConvLayer(nn.Module):
    def __init__(self, width: int, out: int, side: int, stride: int = 1, double: int = 0) -> None:
        super().__init__()
        self.double = double
        self.conv2d, self.edge = nn.Conv2d(width, out, side, stride), side // 2

    def forward(self, x: Tensor) -> Tensor:
        x = f.interpolate(x, scale_factor=self.double, mode="nearest") if self.double else x
        return self.conv2d(f.pad(x, (self.edge,) * 4, mode="reflect"))


class StyleBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.in1 = ConvLayer(width, width, 3), nn.InstanceNorm2d(width, affine=True)
        self.conv2, self.in2 = ConvLayer(width, width, 3), nn.InstanceNorm2d(width, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.in2(self.conv2(f.relu(self.in1(self.conv1(x)))))


class StyleNet(nn.Module):
    """PyTorch's fast neural style; `leftovers` adds what old versions stored of instance normalisation."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((3, 6, 9, 1), (6, 8, 3, 2), (8, 10, 3, 2))
        for at, (a, b, side, stride) in enumerate(widths, 1):
            setattr(self, f"conv{at}", ConvLayer(a, b, side, stride))
            setattr(self, f"in{at}", nn.InstanceNorm2d(b, affine=True))
        for at in range(1, 6):
            setattr(self, f"res{at}", StyleBlock(10))
        self.deconv1, self.in4 = ConvLayer(10, 8, 3, double=2), nn.InstanceNorm2d(8, affine=True)
        self.deconv2, self.in5 = ConvLayer(8, 6, 3, double=2), nn.InstanceNorm2d(6, affine=True)
        self.deconv3 = ConvLayer(6, 3, 9)

    def forward(self, x: Tensor) -> Tensor:
        for at in (1, 2, 3):
            x = f.relu(getattr(self, f"in{at}")(getattr(self, f"conv{at}")(x)))
        for at in range(1, 6):
            x = getattr(self, f"res{at}")(x)
        x = f.relu(self.in4(self.deconv1(x)))
        return self.deconv3(f.relu(self.in5(self.deconv2(x))))

    def leftovers(self) -> dict[str, Tensor]:
        found = dict(self.state_dict())
        for name in self.state_dict():
            if ".in" in f".{name}" and name.endswith("weight"):
                base = name.removesuffix("weight")
                found[f"{base}running_mean"] = torch.randn_like(found[name])
                found[f"{base}running_var"] = torch.rand_like(found[name])
        return found


class CycleNet(nn.Module):
    """CycleGAN's residual generator; `batch` normalises by statistics of training."""

    class Block(nn.Module):
        def __init__(self, norm: Any, bias: bool) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            for at in range(2):
                layers += [nn.ReflectionPad2d(1), nn.Conv2d(8, 8, 3, bias=bias), norm(8)]
                layers += [nn.ReLU(), nn.Dropout(0.5)] if not at else []
            self.conv_block = nn.Sequential(*layers)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.conv_block(x)

    def __init__(self, blocks: int = 6, *, batch: bool = False) -> None:
        super().__init__()
        norm: Any = nn.BatchNorm2d if batch else nn.InstanceNorm2d
        bias = not batch
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, 4, 7, bias=bias), norm(4), nn.ReLU()]
        for a, b in ((4, 6), (6, 8)):
            layers += [nn.Conv2d(a, b, 3, 2, 1, bias=bias), norm(b), nn.ReLU()]
        layers += [self.Block(norm, bias) for _ in range(blocks)]
        for a, b in ((8, 6), (6, 4)):
            layers += [nn.ConvTranspose2d(a, b, 3, 2, 1, 1, bias=bias), norm(b), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(4, 3, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class StarNet(nn.Module):
    """StarGAN's generator, told `labels`; it normalises by the picture's own statistics and yet keeps others."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            for at in range(2):
                layers += [nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.InstanceNorm2d(8, affine=True)]
                layers += [nn.ReLU()] if not at else []
            self.main = nn.Sequential(*layers)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.main(x)

    def __init__(self, labels: int = 5) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(3 + labels, 4, 7, 1, 3, bias=False),
            nn.InstanceNorm2d(4, affine=True),
            nn.ReLU(),
        ]
        for a, b in ((4, 6), (6, 8)):
            layers += [nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.InstanceNorm2d(b, affine=True), nn.ReLU()]
        layers += [self.Block() for _ in range(3)]
        for a, b in ((8, 6), (6, 4)):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.InstanceNorm2d(b, affine=True), nn.ReLU()]
        self.main = nn.Sequential(*layers, nn.Conv2d(4, 3, 7, 1, 3, bias=False), nn.Tanh())

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.main(torch.cat([x, labels[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1))

    def as_saved(self) -> dict[str, Tensor]:
        """Return its tensors, with statistics that the published network keeps although it never uses them."""
        state = dict(self.state_dict())
        for name, module in self.named_modules():
            if isinstance(module, nn.InstanceNorm2d):
                state[f"{name}.running_mean"] = torch.rand(module.num_features)
                state[f"{name}.running_var"] = torch.rand(module.num_features) + 0.5
                state[f"{name}.num_batches_tracked"] = torch.tensor(3)
        return state


class PairedBlock(nn.Module):
    """One level of the best-known pix2pix U-Net, around the next."""

    def __init__(
        self, outer: int, inner: int, sub: PairedBlock | None, *, end: bool = False, drop: bool = False
    ) -> None:
        super().__init__()
        self.end = end
        down: list[nn.Module] = [] if end else [nn.LeakyReLU(0.2, True)]
        down.append(nn.Conv2d(3 if end else outer, inner, 4, 2, 1, bias=False))
        down += [] if end or sub is None else [nn.BatchNorm2d(inner)]
        wide = inner if sub is None else 2 * inner
        up: list[nn.Module] = [nn.ReLU(True), nn.ConvTranspose2d(wide, outer, 4, 2, 1, bias=end)]
        up += [nn.Tanh()] if end else [nn.BatchNorm2d(outer)]
        up += [nn.Dropout(0.5)] if drop else []
        self.model = nn.Sequential(*down, *([] if sub is None else [sub]), *up)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x) if self.end else torch.cat([x, self.model(x)], 1)


class PairedNet(nn.Module):
    def __init__(self, *, drop: bool = True) -> None:
        super().__init__()
        block = PairedBlock(12, 12, None)
        for outer, inner in ((12, 12), (8, 12), (6, 8)):
            block = PairedBlock(outer, inner, block, drop=drop and outer == 12)
        self.model = PairedBlock(3, 6, block, end=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class UpDownNet(nn.Module):
    """The pix2pix U-Net of a well-known collection: instance norms without tensors, a convolution at the end."""

    class Down(nn.Module):
        def __init__(self, a: int, b: int, *, normed: bool = True) -> None:
            super().__init__()
            layers: list[nn.Module] = [nn.Conv2d(a, b, 4, 2, 1, bias=False)]
            layers += [nn.InstanceNorm2d(b)] if normed else []
            self.model = nn.Sequential(*layers, nn.LeakyReLU(0.2))

        def forward(self, x: Tensor) -> Tensor:
            return self.model(x)

    class Up(nn.Module):
        def __init__(self, a: int, b: int) -> None:
            super().__init__()
            self.model = nn.Sequential(
                nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.InstanceNorm2d(b), nn.ReLU(), nn.Dropout(0.5)
            )

        def forward(self, x: Tensor, beside: Tensor) -> Tensor:
            return torch.cat([self.model(x), beside], 1)

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = self.Down(3, 6, normed=False), self.Down(6, 8)
        self.down3, self.down4 = self.Down(8, 10), self.Down(10, 10, normed=False)
        self.up1, self.up2, self.up3 = self.Up(10, 10), self.Up(20, 8), self.Up(16, 6)
        self.final = nn.Sequential(
            nn.Upsample(scale_factor=2), nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(12, 3, 4, padding=1), nn.Tanh()
        )

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x)
        two = self.down2(one)
        three = self.down3(two)
        x = self.up1(self.down4(three), three)
        return self.final(self.up3(self.up2(x, two), one))
