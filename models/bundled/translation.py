"""The bundled networks from pictures to pictures: enlarging, two worlds of digits, colouring, inks of digits.

All take and return RGB pictures (N, 3, H, W) from 0 to 1. `directions` names what each of its generators does.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
SLOPE = 0.2
SIZE_PX = 32


class Translating(nn.Module):
    """A network with one generator for each of its directions; `groups` of labels, of each of which one is asked for.

    `back` gives for each direction the one that leads back, -1 for none; `names` the worlds from and to which each
    leads, where it has names. `sizes` is the side in px that it was made for, 0 for any.
    """

    directions: ClassVar[tuple[str, ...]] = ("translate",)
    back: ClassVar[tuple[int, ...]] = (-1,)
    groups: ClassVar[tuple[tuple[str, ...], ...]] = ()
    size: ClassVar[int] = 0

    def translate(self, x: Tensor, direction: int = 0, condition: Tensor | None = None) -> Tensor:
        """Return the pictures made of pictures (N, 3, H, W) from 0 to 1, for labels (N, L) if it has any."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Return the pictures of the first direction."""
        return self.translate(x)


class Residual(nn.Module):
    """Two convolutions whose output is added to their input."""

    def __init__(self, width: int, *, norm: bool) -> None:
        super().__init__()
        self.one, self.two = _conv(width, width, norm=norm), _conv(width, width, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.two(functional.relu(self.one(x)))


def _conv(inputs: int, outputs: int, side: int = 3, *, stride: int = 1, norm: bool = False) -> nn.Sequential:
    border = "reflect" if norm else "zeros"
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, side, stride, side // 2, padding_mode=border)]
    return nn.Sequential(*layers, *([nn.InstanceNorm2d(outputs, affine=True)] if norm else []))


class PhotosUpscaler(Translating):
    """Twice the sides: what residual blocks find on the small picture is added to the bicubic enlargement.

    Pixels are rearranged at the end (Shi et al. 2016); the blocks are EDSR's (Lim et al. 2017).
    """

    directions: ClassVar[tuple[str, ...]] = ("enlarge",)

    def __init__(self, *, width: int = 32, blocks: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(width, norm=False) for _ in range(blocks)))
        self.last = nn.Conv2d(width, 12, 3, padding=1)

    def translate(self, x: Tensor, direction: int = 0, condition: Tensor | None = None) -> Tensor:
        """Return pictures (N, 3, 2H, 2W)."""
        first = self.first(x)
        added = functional.pixel_shuffle(self.last(first + self.blocks(first)), 2)
        return functional.interpolate(x, scale_factor=2, mode="bicubic", align_corners=False) + added


class Generator(nn.Module):
    """CycleGAN's residual generator (Zhu et al. 2017), with one halving; pictures from -1 to 1."""

    def __init__(self, *, inputs: int = 3, width: int = 20, blocks: int = 3) -> None:
        super().__init__()
        self.first = _conv(inputs, width, 7, norm=True)
        self.down = _conv(width, 2 * width, 3, stride=2, norm=True)
        self.blocks = nn.Sequential(*(Residual(2 * width, norm=True) for _ in range(blocks)))
        self.up = _conv(2 * width, width, 3, norm=True)
        self.last = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.down(functional.relu(self.first(x))))
        x = functional.interpolate(self.blocks(x), scale_factor=2, mode="nearest")
        return torch.tanh(self.last(functional.relu(self.up(x))))


class PatchCritic(nn.Sequential):
    """A critic of patches (Isola et al. 2017): logits (N, 1, H/4, W/4), each of a patch of 22 px."""

    def __init__(self, *, inputs: int = 3, width: int = 24) -> None:
        super().__init__(
            nn.Conv2d(inputs, width, 4, 2, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(width, 2 * width, 4, 2, 1),
            nn.InstanceNorm2d(2 * width, affine=True),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(2 * width, 1, 3, 1, 1),
        )


class DigitsCycleGAN(Translating):
    """Digits white on black, and ink on ruled paper: a generator for each direction, a critic for each world."""

    directions: ClassVar[tuple[str, ...]] = ("white on black to paper", "paper to white on black")
    back: ClassVar[tuple[int, ...]] = (1, 0)
    size: ClassVar[int] = SIZE_PX

    def __init__(self, *, width: int = 20, blocks: int = 3) -> None:
        super().__init__()
        self.generators = nn.ModuleList(Generator(width=width, blocks=blocks) for _ in range(2))
        self.critics = nn.ModuleList(PatchCritic() for _ in range(2))

    def translate(self, x: Tensor, direction: int = 0, condition: Tensor | None = None) -> Tensor:
        """Return pictures of the same size; a side must be a multiple of 2."""
        return (self.generators[direction](2 * x - 1) + 1) / 2

    def critic_map(self, x: Tensor, direction: int = 0) -> Tensor:
        """Return the logits (N, 1, h, w) of patches: above 0 looks like the world to which the direction leads."""
        return self.critics[direction](2 * x - 1)


class Colourer(nn.Module):
    """A small U-Net (Ronneberger et al. 2015) from luminance (N, 1, H, W) from 0 to 1 to Cb and Cr around 0."""

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        one, two, three = width, 2 * width, 3 * width
        self.enter, self.down1, self.down2 = _pair(1, one), _pair(one, two, 2), _pair(two, three, 2)
        self.inner = nn.Sequential(_pair(three, three, 2), Residual(three, norm=False), nn.ReLU())
        self.up2, self.up1, self.up0 = _pair(2 * three, two), _pair(2 * two, one), _pair(2 * one, one)
        self.last = nn.Conv2d(one, 2, 1)

    def forward(self, y: Tensor) -> Tensor:
        a = self.enter(2 * y - 1)
        b = self.down1(a)
        c = self.down2(b)
        x = self.up2(_joined(self.inner(c), c))
        x = self.up1(_joined(x, b))
        return 0.5 * torch.tanh(self.last(self.up0(_joined(x, a))))


def _pair(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE)
    )


def _joined(x: Tensor, kept: Tensor) -> Tensor:
    return torch.cat([functional.interpolate(x, size=kept.shape[-2:], mode="nearest"), kept], 1)


class PhotosColouring(Translating):
    """Grey photographs to coloured ones, by two networks that differ in their loss alone; brightness is kept."""

    directions: ClassVar[tuple[str, ...]] = ("colour, L1 alone", "colour, L1 and GAN")
    back: ClassVar[tuple[int, ...]] = (-1, -1)
    size: ClassVar[int] = SIZE_PX

    def __init__(self, *, width: int = 24) -> None:
        super().__init__()
        self.colourers = nn.ModuleList(Colourer(width=width) for _ in range(2))

    def translate(self, x: Tensor, direction: int = 0, condition: Tensor | None = None) -> Tensor:
        """Return pictures of the same size, whose luminance is the input's."""
        y = luminance(x)
        return coloured(y, self.colourers[direction](y))


class DigitsStarGAN(Translating):
    """Digits in one of four inks, thick or thin, by one generator that is told what to make (Choi et al. 2018).

    Other than there, it finds what is to be added to the picture, by four convolutions that see 9 px: ink is local.
    """

    directions: ClassVar[tuple[str, ...]] = ("to the attributes",)
    back: ClassVar[tuple[int, ...]] = (0,)
    groups: ClassVar[tuple[tuple[str, ...], ...]] = (("red", "green", "blue", "black"), ("thin", "thick"))
    size: ClassVar[int] = SIZE_PX

    def __init__(self, *, width: int = 16) -> None:
        super().__init__()
        labels = sum(map(len, self.groups))
        self.generator = nn.Sequential(
            *_step(3 + labels, width), *_step(width, width), *_step(width, width), nn.Conv2d(width, 3, 3, padding=1)
        )
        self.critic = AttributeCritic(labels)

    def translate(self, x: Tensor, direction: int = 0, condition: Tensor | None = None) -> Tensor:
        """Return pictures with the attributes whose labels (N, L) are 1; the first of each group without labels."""
        labels = self.usual(len(x)).to(x) if condition is None else condition.to(x)
        planes = labels[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        return x + torch.tanh(self.generator(torch.cat([2 * x - 1, planes], 1)))

    def usual(self, count: int) -> Tensor:
        """Return the labels (count, L) of the first of each group."""
        row = [float(place == 0) for group in self.groups for place in range(len(group))]
        return torch.tensor(row).expand(count, -1)

    def critic_map(self, x: Tensor, direction: int = 0) -> Tensor:
        """Return the scores (N, 1, h, w) of patches; higher looks more real."""
        return self.critic(2 * x - 1)[0]

    def attributes(self, x: Tensor) -> Tensor:
        """Return the logits (N, L) of the attributes that the critic sees in pictures from 0 to 1."""
        return self.critic(2 * x - 1)[1]


def _step(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE)


class AttributeCritic(nn.Module):
    """A critic that returns scores of patches (N, 1, H/8, W/8) and logits of attributes (N, L)."""

    def __init__(self, labels: int, *, width: int = 24) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, width), (width, 2 * width), (2 * width, 4 * width)):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.01)]
        self.body = nn.Sequential(*layers)
        self.score = nn.Conv2d(4 * width, 1, 3, 1, 1)
        self.label = nn.Conv2d(4 * width, labels, SIZE_PX // 8)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.body(x)
        return self.score(x), self.label(x).mean((2, 3))


def luminance(x: Tensor) -> Tensor:
    """Return the luminance (N, 1, H, W) of RGB pictures."""
    return (x * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)


def coloured(y: Tensor, chroma: Tensor) -> Tensor:
    """Return RGB pictures of luminance (N, 1, H, W) and Cb, Cr (N, 2, H, W) around 0, of full range (JPEG)."""
    cb, cr = chroma[:, :1], chroma[:, 1:]
    red, blue = y + 2 * (1 - GREY[0]) * cr, y + 2 * (1 - GREY[2]) * cb
    return torch.cat([red, (y - GREY[0] * red - GREY[2] * blue) / GREY[1], blue], 1)


def chroma(x: Tensor) -> Tensor:
    """Return Cb and Cr (N, 2, H, W) around 0 of RGB pictures from 0 to 1."""
    y = luminance(x)
    return torch.cat([(x[:, 2:] - y) / (2 * (1 - GREY[2])), (x[:, :1] - y) / (2 * (1 - GREY[0]))], 1)


def photos_upscaler() -> PhotosUpscaler:
    """Build the network that doubles the sides: 4 blocks of width 32."""
    return PhotosUpscaler()


def digits_cyclegan() -> DigitsCycleGAN:
    """Build the pair of generators between two drawn worlds, with their critics."""
    return DigitsCycleGAN()


def photos_colouring() -> PhotosColouring:
    """Build the pair of colouring networks."""
    return PhotosColouring()


def digits_stargan() -> DigitsStarGAN:
    """Build the generator of inks with its critic."""
    return DigitsStarGAN()


BUILDERS = {made.__name__: made for made in (photos_upscaler, digits_cyclegan, photos_colouring, digits_stargan)}
