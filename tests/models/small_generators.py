"""Small VAEs and generators as people write them, from published descriptions, to save and open again. No test here."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as f

Codes = tuple[Tensor, Tensor]


class HeadedVAE(nn.Module):
    """Linear layers in `encoder` and `decoder`, heads `fc_mu` and `fc_logvar`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.fc_mu, self.fc_logvar = nn.Linear(32, 5), nn.Linear(32, 5)
        self.decoder = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 784), nn.Sigmoid())

    def encode(self, x: Tensor) -> Codes:
        h = self.encoder(x.flatten(1))
        return self.fc_mu(h), self.fc_logvar(h)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z).view(-1, 1, 28, 28)


class NumberedVAE(nn.Module):
    """Two hidden layers each way, heads `fc31` and `fc32`."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(784, 64), nn.Linear(64, 32)
        self.fc31, self.fc32 = nn.Linear(32, 2), nn.Linear(32, 2)
        self.fc4, self.fc5, self.fc6 = nn.Linear(2, 32), nn.Linear(32, 64), nn.Linear(64, 784)

    def encode(self, x: Tensor) -> Codes:
        h = f.relu(self.fc2(f.relu(self.fc1(x.flatten(1)))))
        return self.fc31(h), self.fc32(h)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc6(f.relu(self.fc5(f.relu(self.fc4(z)))))).view(-1, 1, 28, 28)


class VanillaVAE(nn.Module):
    """The convolutional VAE of a well-known collection: norms, Leaky ReLU, tanh."""

    choices = "?output=tanh&activation=leaky_relu_01"

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 4, 8, 12, 16, 20)
        pairs = list(itertools.pairwise(widths))
        down = [nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU()) for a, b in pairs]
        self.encoder = nn.Sequential(*down)
        self.fc_mu, self.fc_var = nn.Linear(80, 10), nn.Linear(80, 10)
        self.decoder_input = nn.Linear(10, 80)
        up = [
            nn.Sequential(nn.ConvTranspose2d(b, a, 3, 2, 1, 1), nn.BatchNorm2d(a), nn.LeakyReLU())
            for a, b in reversed(pairs[1:])
        ]
        self.decoder = nn.Sequential(*up)
        last = [nn.ConvTranspose2d(4, 4, 3, 2, 1, 1), nn.BatchNorm2d(4), nn.LeakyReLU(), nn.Conv2d(4, 3, 3, padding=1)]
        self.final_layer = nn.Sequential(*last, nn.Tanh())

    def encode(self, x: Tensor) -> Codes:
        h = self.encoder(x).flatten(1)
        return self.fc_mu(h), self.fc_var(h)

    def decode(self, z: Tensor) -> Tensor:
        return self.final_layer(self.decoder(self.decoder_input(z).view(-1, 20, 2, 2)))


class DigitsConvVAE(nn.Module):
    """Convolutions of 4 x 4 for 28 px, heads `fc_mu` and `fc_log_var`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 4, 2, 1), nn.Conv2d(8, 16, 4, 2, 1)
        self.fc_mu, self.fc_log_var = nn.Linear(784, 4), nn.Linear(784, 4)
        self.fc = nn.Linear(4, 784)
        self.deconv1, self.deconv2 = nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.ConvTranspose2d(8, 1, 4, 2, 1)

    def encode(self, x: Tensor) -> Codes:
        h = f.relu(self.conv2(f.relu(self.conv1(x)))).flatten(1)
        return self.fc_mu(h), self.fc_log_var(h)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.deconv2(f.relu(self.deconv1(f.relu(self.fc(z)).view(-1, 16, 7, 7)))))


class ConditionalVAE(nn.Module):
    """PyTorch's example VAE with ten classes beside the picture and beside the code."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(794, 64)
        self.fc21, self.fc22 = nn.Linear(64, 6), nn.Linear(64, 6)
        self.fc3, self.fc4 = nn.Linear(16, 64), nn.Linear(64, 784)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(f.relu(self.fc3(z)))).view(-1, 1, 28, 28)


class CourseDCGAN(nn.Module):
    """The generator of a well-known course, for 28 px: strides 2-1-2-2 without padding."""

    dims = 10

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        sizes = [(10, width * 4, 3, 2), (width * 4, width * 2, 4, 1), (width * 2, width, 3, 2)]
        blocks = [
            nn.Sequential(nn.ConvTranspose2d(a, b, side, stride), nn.BatchNorm2d(b), nn.ReLU(inplace=True))
            for a, b, side, stride in sizes
        ]
        self.gen = nn.Sequential(*blocks, nn.Sequential(nn.ConvTranspose2d(width, 1, 4, 2), nn.Tanh()))

    def forward(self, z: Tensor) -> Tensor:
        return self.gen(z[:, :, None, None])


class ExampleDCGAN(nn.Module):
    """The generator of PyTorch's DCGAN example, for 64 px."""

    dims = 12

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b, stride, padding in ((12, 32, 1, 0), (32, 16, 2, 1), (16, 8, 2, 1), (8, width, 2, 1)):
            layers += [nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), nn.BatchNorm2d(b), nn.ReLU()]
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(width, 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z[:, :, None, None])


class EnlargingGAN(nn.Module):
    """The DCGAN of PyTorch-GAN: a linear layer, enlargements, convolutions, norms with an epsilon of 0.8."""

    dims = 20

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Sequential(nn.Linear(20, 16 * 8 * 8))
        layers: list[nn.Module] = [nn.BatchNorm2d(16)]
        for a, b in ((16, 16), (16, 8)):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b, 0.8)]
            layers.append(nn.LeakyReLU(0.2))
        self.conv_blocks = nn.Sequential(*layers, nn.Conv2d(8, 1, 3, padding=1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.conv_blocks(self.l1(z).view(-1, 16, 8, 8))


class LinearGAN(nn.Module):
    """The first GAN of PyTorch-GAN: linear layers, norms with an epsilon of 0.8, Leaky ReLU."""

    dims = 16

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(16, 32), nn.LeakyReLU(0.2)]
        for a, b in ((32, 64), (64, 96)):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b, 0.8), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Linear(96, 784), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.model(z).view(-1, 1, 28, 28)


class StridedVAE(nn.Module):
    """Kernels of 3 x 3 both ways, a linear layer before the heads, and one grey channel."""

    choices = "?activation=relu&output=sigmoid&unfolded=plain"

    def __init__(self) -> None:
        super().__init__()
        down = [nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, 1), nn.ReLU(), nn.Flatten()]
        self.encoder = nn.Sequential(*down, nn.Linear(392, 16), nn.ReLU())
        self.fc_mu, self.fc_logvar, self.decoder_input = nn.Linear(16, 3), nn.Linear(16, 3), nn.Linear(3, 392)
        up = [nn.ConvTranspose2d(8, 4, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(4, 1, 3, 2, 1, 1), nn.Sigmoid()]
        self.decoder = nn.Sequential(*up)

    def encode(self, x: Tensor) -> Codes:
        h = self.encoder(x)
        return self.fc_mu(h), self.fc_logvar(h)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.decoder_input(z).view(-1, 8, 7, 7))


class WorldVAE(nn.Module):
    """World Models' VAE for 64 px: no padding, from one pixel up; its second head is the logarithm of a deviation."""

    choices = "?activation=relu&output=sigmoid&unfolded=activated"

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Module(), nn.Module()
        for at, (a, b) in enumerate(((3, 4), (4, 6), (6, 8), (8, 10)), 1):
            self.encoder.add_module(f"conv{at}", nn.Conv2d(a, b, 4, 2))
        self.encoder.fc_mu, self.encoder.fc_logsigma = nn.Linear(40, 5), nn.Linear(40, 5)
        self.decoder.fc1 = nn.Linear(5, 40)
        for at, (a, b, side) in enumerate(((40, 8, 5), (8, 6, 5), (6, 4, 6), (4, 3, 6)), 1):
            self.decoder.add_module(f"deconv{at}", nn.ConvTranspose2d(a, b, side, 2))

    def encode(self, x: Tensor) -> Codes:
        for at in range(1, 5):
            x = f.relu(self.encoder.get_submodule(f"conv{at}")(x))
        x = x.flatten(1)
        return self.encoder.fc_mu(x), 2 * self.encoder.fc_logsigma(x)

    def decode(self, z: Tensor) -> Tensor:
        x = f.relu(self.decoder.fc1(z))[:, :, None, None]
        for at in range(1, 4):
            x = f.relu(self.decoder.get_submodule(f"deconv{at}")(x))
        return torch.sigmoid(self.decoder.deconv4(x))


class UnnamedVAE(nn.Module):
    """Its heads are `fc1` and `fc2`, which no name tells from layers of a chain."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 32), nn.ReLU())
        self.fc1, self.fc2, self.fc3 = nn.Linear(32, 6), nn.Linear(32, 6), nn.Linear(6, 32)
        self.decoder = nn.Sequential(nn.ReLU(), nn.Linear(32, 784), nn.Sigmoid())

    def encode(self, x: Tensor) -> Codes:
        h = self.encoder(x.flatten(1))
        return self.fc1(h), self.fc2(h)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(self.fc3(z)).view(-1, 1, 28, 28)


def enlarging(a: int, b: int) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b, 0.8), nn.LeakyReLU(0.2)]


class LeastSquaresGAN(nn.Module):
    """PyTorch-GAN's LSGAN: no norm between the linear layer and the first enlargement."""

    dims = 20

    def __init__(self) -> None:
        super().__init__()
        self.l1 = nn.Sequential(nn.Linear(20, 16 * 8 * 8))
        layers = [*enlarging(16, 16), *enlarging(16, 8), nn.Conv2d(8, 3, 3, padding=1), nn.Tanh()]
        self.conv_blocks = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        return self.conv_blocks(self.l1(z).view(-1, 16, 8, 8))


class UnfoldingGAN(nn.Module):
    """Two linear layers and two transposed convolutions, as in InfoGAN's paper."""

    dims = 62

    def __init__(self) -> None:
        super().__init__()
        wide = 8 * 7 * 7
        layers = [
            nn.Linear(62, 32),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Linear(32, wide),
            nn.BatchNorm1d(wide),
            nn.ReLU(),
        ]
        self.fc = nn.Sequential(*layers)
        up = [nn.ConvTranspose2d(8, 6, 4, 2, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.ConvTranspose2d(6, 1, 4, 2, 1)]
        self.deconv = nn.Sequential(*up, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.deconv(self.fc(z).view(-1, 8, 7, 7))


class NamedLinearGAN(nn.Module):
    """Linear layers named fc1 to fc4, Leaky ReLU."""

    dims = 20

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(20, 32), nn.Linear(32, 48)
        self.fc3, self.fc4 = nn.Linear(48, 64), nn.Linear(64, 784)

    def forward(self, z: Tensor) -> Tensor:
        for layer in (self.fc1, self.fc2, self.fc3):
            z = f.leaky_relu(layer(z), 0.2)
        return torch.tanh(self.fc4(z)).view(-1, 1, 28, 28)


class ConcatenatedGAN(nn.Module):
    """PyTorch-GAN's conditional GAN: an embedding's row, then the noise, through linear layers."""

    noise, classes = 20, 10

    def __init__(self) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(10, 10)
        layers: list[nn.Module] = [nn.Linear(30, 32), nn.LeakyReLU(0.2)]
        for a, b in ((32, 48), (48, 64)):
            layers += [nn.Linear(a, b), nn.BatchNorm1d(b, 0.8), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Linear(64, 1024), nn.Tanh())

    def made(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.model(torch.cat((self.label_emb(labels), z), 1)).view(-1, 1, 32, 32)


class MultipliedGAN(nn.Module):
    """PyTorch-GAN's ACGAN: an embedding's row times the noise."""

    noise, classes = 20, 7

    def __init__(self) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(7, 20)
        self.l1 = nn.Sequential(nn.Linear(20, 16 * 8 * 8))
        layers = [nn.BatchNorm2d(16), *enlarging(16, 16), *enlarging(16, 8), nn.Conv2d(8, 1, 3, padding=1), nn.Tanh()]
        self.conv_blocks = nn.Sequential(*layers)

    def made(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.conv_blocks(self.l1(self.label_emb(labels) * z).view(-1, 16, 8, 8))


class EmbeddedDCGAN(nn.Module):
    """A tutorial's conditional WGAN: noise, then an embedding's row, through transposed convolutions."""

    noise, classes = 12, 10

    def __init__(self) -> None:
        super().__init__()
        parts = []
        for a, b, stride, padding in ((20, 32, 1, 0), (32, 16, 2, 1), (16, 8, 2, 1), (8, 6, 2, 1)):
            parts.append(
                nn.Sequential(nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            )
        self.net = nn.Sequential(*parts, nn.ConvTranspose2d(6, 3, 4, 2, 1), nn.Tanh())
        self.embed = nn.Embedding(10, 8)

    def made(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.net(torch.cat([z, self.embed(labels)], 1)[:, :, None, None])


def settled(net: nn.Module, dims: int) -> nn.Module:
    """Return a generator with random weights whose norms have seen what codes make, as after training."""
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.momentum = None
    net.train()
    with torch.no_grad():
        if hasattr(net, "made"):
            net.made(torch.randn(256, dims), torch.arange(256) % net.classes)
        else:
            net(torch.randn(256, dims))
    return net.eval()
