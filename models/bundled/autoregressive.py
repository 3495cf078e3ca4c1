"""The bundled autoregressive networks of black and white digits, 28x28 px: a gated PixelCNN and a NADE.

Both give every pixel's distribution given the pixels before it, row by row from the top left, so that the product over
the pixels is the exact probability of a picture. Values are 0 or 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE_PX = 28
LEVELS = 2


class GatedLayer(nn.Module):
    """One layer of the gated PixelCNN (van den Oord et al. 2016b, figure 2).

    The vertical stack of a pixel sees the rows above it, as a square without the blind spot of a masked convolution;
    the horizontal stack sees the pixels before it in its row, and the vertical stack. Cut kernels take the place of
    masks: the first layer's end before the pixel, those of later layers with it.
    """

    def __init__(self, inputs: int, width: int, *, size: int, first: bool) -> None:
        super().__init__()
        self.first, self.reach = first, size // 2
        rows = self.reach + (not first)
        self.vertical = nn.Conv2d(inputs, 2 * width, (rows, size))
        self.horizontal = nn.Conv2d(inputs, 2 * width, (1, rows))
        self.down = nn.Conv2d(2 * width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, above: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vertical and the horizontal stack (N, C, H, W) of the next layer."""
        reach, height, width = self.reach, above.shape[-2], above.shape[-1]
        tall = self.vertical(functional.pad(above, (reach, reach, reach, 0)))[..., :height, :]
        long = self.horizontal(functional.pad(before, (reach, 0, 0, 0)))[..., :width]
        mixed = self.out(gate(long + self.down(tall)))
        return gate(tall), mixed if self.first else before + mixed


class PixelCNN(nn.Module):
    """A gated PixelCNN of one channel: logits (N, K, H, W) of every pixel's value for values (N, 1, H, W) in 0..K-1."""

    def __init__(
        self,
        *,
        width: int = 16,
        layers: int = 5,
        hidden: int = 32,
        levels: int = LEVELS,
        size: tuple[int, int] = (SIZE_PX, SIZE_PX),
    ) -> None:
        super().__init__()
        self.levels, self.size = levels, size
        gated = [GatedLayer(1, width, size=7, first=True)]
        gated += [GatedLayer(width, width, size=5, first=False) for _ in range(layers - 1)]
        self.layers = nn.ModuleList(gated)
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(width, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, levels, 1))

    def forward(self, x: Tensor) -> Tensor:
        above = before = 2 * x / (self.levels - 1) - 1
        for layer in self.layers:
            above, before = layer(above, before)
        return self.head(before)


class NADE(nn.Module):
    """A neural autoregressive distribution estimator (Larochelle, Murray 2011): logits (N, 2, H, W) for values in 0, 1.

    The hidden units of pixel i are sigmoid(c + the sum of W[:, j] over the lit pixels j before it): one row of `W` per
    pixel, in reading order.
    """

    def __init__(self, *, hidden: int = 128, size: tuple[int, int] = (SIZE_PX, SIZE_PX)) -> None:
        super().__init__()
        self.levels, self.size = LEVELS, size
        pixels = size[0] * size[1]
        self.W = nn.Parameter(torch.randn(pixels, hidden) * 0.01)
        self.c = nn.Parameter(torch.zeros(hidden))
        self.V = nn.Parameter(torch.randn(pixels, hidden) * 0.01)
        self.b = nn.Parameter(torch.zeros(pixels))

    def forward(self, x: Tensor) -> Tensor:
        lit, each = x.flatten(1), x.shape[-1]
        state, logits = self.c.expand(len(x), -1), []
        for at in range(
            0, lit.shape[1], each
        ):  # one row of the picture at a time, which stays in the processor's cache
            added = (lit[:, at : at + each, None] * self.W[at : at + each]).cumsum(1)
            before = torch.cat([state[:, None], state[:, None] + added[:, :-1]], 1)
            logits.append((before.sigmoid() * self.V[at : at + each]).sum(2) + self.b[at : at + each])
            state = state + added[:, -1]
        log_odds = torch.cat(logits, 1).view_as(x)
        return torch.cat([torch.zeros_like(log_odds), log_odds], 1)


def gate(x: Tensor) -> Tensor:
    """Return tanh of half of the channels times the sigmoid of the others (van den Oord et al. 2016b, equation 2)."""
    value, gates = x.chunk(2, 1)
    return value.tanh() * gates.sigmoid()


def digits_pixelcnn() -> PixelCNN:
    """Build the gated PixelCNN: 5 layers of 16 channels, 45 thousand parameters."""
    return PixelCNN()


def digits_nade() -> NADE:
    """Build the NADE: 128 hidden units, 0.2 million parameters."""
    return NADE()
