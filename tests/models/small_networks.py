"""Small networks as people write them, from published descriptions, to save and to open again. No test is here."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as f


class MnistExample(nn.Module):
    """PyTorch's MNIST example."""

    side, channels = 28, 1

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1), nn.Conv2d(32, 64, 3, 1)
        self.fc1, self.fc2 = nn.Linear(9216, 128), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = f.max_pool2d(f.relu(self.conv2(f.relu(self.conv1(x)))), 2)
        return self.fc2(f.relu(self.fc1(x.flatten(1))))


class OldMnistExample(nn.Module):
    """PyTorch's MNIST example before 2019."""

    side, channels = 28, 1

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1, self.fc2 = nn.Linear(320, 50), nn.Linear(50, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = f.relu(f.max_pool2d(self.conv1(x), 2))
        x = f.relu(f.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        return self.fc2(f.relu(self.fc1(x.view(-1, 320))))


class CifarTutorial(nn.Module):
    """PyTorch's CIFAR-10 tutorial."""

    side, channels = 32, 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.pool, self.conv2 = nn.Conv2d(3, 6, 5), nn.MaxPool2d(2, 2), nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(f.relu(self.conv2(self.pool(f.relu(self.conv1(x))))))
        return self.fc3(f.relu(self.fc2(f.relu(self.fc1(x.flatten(1))))))


class Lenet5(nn.Module):
    """LeNet-5 with tanh and mean pooling (LeCun et al. 1998, without the partial connections)."""

    side, channels = 32, 1

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c3, self.c5 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.f6, self.output = nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = f.avg_pool2d(torch.tanh(self.c1(x)), 2)
        x = torch.tanh(self.c5(f.avg_pool2d(torch.tanh(self.c3(x)), 2))).flatten(1)
        return self.output(torch.tanh(self.f6(x)))


class TwoStages(nn.Module):
    """The convolutional network of a well-known course: stages of convolution, norm, ReLU and pooling."""

    side, channels = 28, 1

    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 16, 5, 1, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2, 2))
        self.layer2 = nn.Sequential(nn.Conv2d(16, 32, 5, 1, 2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2, 2))
        self.fc = nn.Linear(7 * 7 * 32, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.layer2(self.layer1(x)).flatten(1))


class ThreeConvolutions(nn.Module):
    """Three padded convolutions, each halved, norms declared after them, for 32 px in colour."""

    side, channels = 32, 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
        self.conv3 = nn.Conv2d(12, 16, 3, padding=1)
        self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(8), nn.BatchNorm2d(12), nn.BatchNorm2d(16)
        self.fc1, self.fc2 = nn.Linear(16 * 4 * 4, 20), nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = f.max_pool2d(f.relu(norm(conv(x))), 2)
        return self.fc2(f.relu(self.fc1(x.flatten(1))))


class Perceptron(nn.Module):
    """A perceptron on flattened digits."""

    side, channels = 28, 1

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1))


class CifarVGG(nn.Module):
    """VGG for CIFAR: convolutions with norms, five poolings, one linear layer."""

    side, channels = 32, 3

    def __init__(
        self, plan: tuple[int, ...] = (8, 0, 16, 0, 24, 24, 0, 32, 32, 0, 32, 32, 0), classes: int = 10
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 3
        for out in plan:
            if out:
                layers += [nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
                width = out
            else:
                layers.append(nn.MaxPool2d(2, 2))
        layers.append(nn.AvgPool2d(1, 1))
        self.features, self.classifier = nn.Sequential(*layers), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


class ShiftBlock(nn.Module):
    """A residual block for CIFAR whose shortcut takes every second pixel and adds zeros (option A)."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
        self.more = out - width

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = f.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return f.relu(out + x)


class CifarResNet(nn.Module):
    """The 6n + 2 layer network for CIFAR (He et al. 2016, section 4.2), with a third of its width."""

    side, channels = 32, 3

    def __init__(self, blocks: int = 3) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, 1, 1, bias=False), nn.BatchNorm2d(4)
        width = 4
        for number, out in enumerate((4, 8, 16), 1):
            stage = []
            for at in range(blocks):
                stage.append(ShiftBlock(width, out, 2 if number > 1 and not at else 1))
                width = out
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.linear = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = f.relu(self.bn1(self.conv1(x)))
        for number in (1, 2, 3):
            x = self.get_submodule(f"layer{number}")(x)
        return self.linear(f.avg_pool2d(x, x.shape[3]).flatten(1))


class BesideBlock(nn.Module):
    """A residual block with a convolution on its shortcut; `deep` is a bottleneck, `before` normalises first."""

    def __init__(
        self, width: int, plane: int, stride: int, *, deep: bool, before: bool, groups: int, squeeze: bool
    ) -> None:
        super().__init__()
        out = plane * (4 if deep else 1)
        sizes = (
            [(width, plane, 1), (plane, plane, 3), (plane, out, 1)] if deep else [(width, plane, 3), (plane, out, 3)]
        )
        self.before, self.count = before, len(sizes)
        for at, (a, b, side) in enumerate(sizes, 1):
            step = stride if at == (2 if deep else 1) else 1
            conv = nn.Conv2d(a, b, side, step, side // 2, groups=groups if side == 3 else 1, bias=False)
            parts = [(f"bn{at}", nn.BatchNorm2d(a if before else b)), (f"conv{at}", conv)]
            for name, part in parts if before else reversed(parts):
                setattr(self, name, part)
        self.beside = stride > 1 or width != out
        if self.beside:
            conv = nn.Conv2d(width, out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv) if before else nn.Sequential(conv, nn.BatchNorm2d(out))
        self.squeeze = squeeze
        if squeeze:
            self.fc1, self.fc2 = nn.Conv2d(out, out // 4, 1), nn.Conv2d(out // 4, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        out, beside = x, x
        for at in range(1, self.count + 1):
            conv, norm = getattr(self, f"conv{at}"), getattr(self, f"bn{at}")
            if self.before:
                out = f.relu(norm(out))
                beside = self.shortcut(out) if at == 1 and self.beside else beside
                out = conv(out)
            else:
                out = norm(conv(out))
                out = f.relu(out) if at < self.count else out
        if self.squeeze:
            out = out * torch.sigmoid(self.fc2(f.relu(self.fc1(f.adaptive_avg_pool2d(out, 1)))))
        if self.before:
            return out + beside
        return f.relu(out + (self.shortcut(x) if self.beside else x))


class CollectionResNet(nn.Module):
    """The residual networks of the best-known collection for CIFAR-10, narrow."""

    side, channels = 32, 3

    def __init__(
        self,
        *,
        deep: bool = False,
        before: bool = False,
        groups: int = 1,
        squeeze: bool = False,
        stem_norm: bool = True,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.stem_norm = stem_norm
        if stem_norm:
            self.bn1 = nn.BatchNorm2d(8)
        width = 8
        for number, plane in enumerate((8, 12, 16, 20), 1):
            stage = []
            for at in range(2):
                stride = 2 if number > 1 and not at else 1
                stage.append(
                    BesideBlock(width, plane, stride, deep=deep, before=before, groups=groups, squeeze=squeeze)
                )
                width = plane * (4 if deep else 1)
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.linear = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = f.relu(self.bn1(x)) if self.stem_norm else x
        for number in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{number}")(x)
        return self.linear(f.avg_pool2d(x, 4).flatten(1))


def settled(net: nn.Module, *, side: int, channels: int, seed: int = 0) -> nn.Module:
    """Return a network with random weights whose normalisation has seen photographs, as after a short training."""
    from models.cards.card import DIGITS, PHOTOS
    from models.families.proposal import grey
    from models.loading.rebuilt_networks import prepared
    from models.pictures import images

    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.momentum = None  # keeps the mean of all that it sees
    folder = PHOTOS.glob("*.jpg") if channels == 3 else DIGITS.glob("*.png")
    made = prepared("cifar10" if channels == 3 else "mnist", side)
    x = torch.cat([made.input(images.read(path).pixels, torch.device("cpu")) for path in sorted(folder)])
    net.train()
    with torch.no_grad():
        net(grey(x) if channels == 1 else x)
    return net.eval()


class Double(nn.Module):
    """Two convolutions with norms."""

    def __init__(self, width: int, out: int, inner: int = 0) -> None:
        super().__init__()
        inner = inner or out
        layers: list[nn.Module] = []
        for a, b in ((width, inner), (inner, out)):
            layers += [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True)]
        self.double_conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)


class UNet(nn.Module):
    """The best-known plain U-Net, narrow."""

    def __init__(self, channels: int, classes: int, *, bilinear: bool, width: int = 4) -> None:
        super().__init__()
        half = 2 if bilinear else 1
        self.inc = Double(channels, width)
        sizes = [width, 2 * width, 4 * width, 8 * width, 16 * width // half]
        for at, (a, b) in enumerate(itertools.pairwise(sizes), 1):
            down = nn.Module()
            down.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), Double(a, b))
            self.add_module(f"down{at}", down)
        for at, both in enumerate((16 * width, 8 * width, 4 * width, 2 * width), 1):
            up = nn.Module()
            out = both // 2 // (half if at < 4 else 1)
            up.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            up.conv = Double(both, out, both // 2)
            if not bilinear:
                up.up, up.conv = nn.ConvTranspose2d(both, both // 2, 2, 2), Double(both, both // 2)
            self.add_module(f"up{at}", up)
        self.outc = nn.Module()
        self.outc.conv = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.inc(x)]
        for at in (1, 2, 3, 4):
            maps.append(self.get_submodule(f"down{at}.maxpool_conv")(maps[-1]))
        x = maps.pop()
        for at in (1, 2, 3, 4):
            beside = maps.pop()
            x = self.get_submodule(f"up{at}.up")(x)
            tall, wide = beside.shape[2] - x.shape[2], beside.shape[3] - x.shape[3]
            x = f.pad(x, (wide // 2, wide - wide // 2, tall // 2, tall - tall // 2))
            x = self.get_submodule(f"up{at}.conv")(torch.cat([beside, x], 1))
        return self.get_submodule("outc.conv")(x)
