"""Conditionals that keep what earlier values led to, for the networks of which the layers are known.

For each new value, a gated PixelCNN needs one column of every layer of its horizontal stack, and for each new row one
row of its vertical stack; a NADE adds one row of weights. Logits differ from those of a whole pass by rounding alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.bundled.autoregressive import NADE, PixelCNN, gate
from models.likelihood.sampling import Conditionals, WholePasses


def conditionals(model: Any) -> Conditionals:
    """Return the fastest conditionals for a model."""
    if type(model.net) is PixelCNN and model.device.type == "cpu":
        return CachedPixelCNN(model.net)
    if type(model.net) is NADE and model.device.type == "cpu":
        return CachedNADE(model.net)
    return WholePasses(model)


class CachedPixelCNN:
    """Conditionals of a gated PixelCNN, row by row."""

    def __init__(self, net: PixelCNN) -> None:
        self.net = net
        self._layers: list[Any] = list(net.layers)
        height, width = net.size
        self._row = -1
        kind = next(net.parameters()).dtype
        self._values = torch.full((1, height, width), -1.0, dtype=kind)
        self._known = torch.zeros((height, width), dtype=torch.bool)
        channels = [1, *(layer.out.out_channels for layer in self._layers)]
        # What each layer got: the vertical stack as maps, the horizontal one as columns of the present row.
        self._above = [torch.zeros(c, height, width, dtype=kind) for c in channels]
        self._before = [torch.zeros(width, c, dtype=kind) for c in channels]
        self._down: list[Tensor] = []
        self._weights = [layer.horizontal.weight[:, :, 0].permute(0, 2, 1).flatten(1) for layer in self._layers]

    @torch.no_grad()
    def logits(self, index: tuple[int, int, int]) -> Tensor:
        """Return the logits (K,) of the value at (channel, row, column)."""
        _, row, column = index
        if row != self._row:
            self._begin(row)
        own = self._before[0]
        for place, layer in enumerate(self._layers):
            reach, first = layer.reach, layer.first
            got = self._before[place]
            columns = range(column - reach, column + (not first))
            part = torch.cat([got[c] if c >= 0 else torch.zeros_like(got[0]) for c in columns])
            long = torch.addmv(layer.horizontal.bias, self._weights[place], part)
            gated = gate((long + self._down[place][:, column])[None])[0]
            mixed = torch.addmv(layer.out.bias, layer.out.weight[:, :, 0, 0], gated)
            own = mixed if first else got[column] + mixed
            self._before[place + 1][column] = own
        return self.net.head(own[None, :, None, None])[0, :, 0, 0]

    def set(self, index: tuple[int, int, int], value: int) -> None:
        """Set a value."""
        _, row, column = index
        scaled = 2 * value / (self.net.levels - 1) - 1
        self._above[0][0, row, column] = scaled
        self._before[0][column, 0] = scaled

    def _begin(self, row: int) -> None:
        """Compute the vertical stack of a row, of which all rows above are known."""
        self._row = row
        self._down = []
        for place, layer in enumerate(self._layers):
            reach = layer.reach
            top, bottom = row - reach, row + (not layer.first)
            rows = self._above[place][:, max(0, top) : bottom]
            tall = layer.vertical(functional.pad(rows[None], (reach, reach, max(0, -top), 0)))
            self._above[place + 1][:, row] = gate(tall)[0, :, 0]
            self._down.append(layer.down(tall)[0, :, 0])


class CachedNADE:
    """Conditionals of a NADE: the hidden units as they fill."""

    def __init__(self, net: NADE) -> None:
        self.net = net
        self._width = net.size[1]
        self._state = net.c.detach().clone()

    @torch.no_grad()
    def logits(self, index: tuple[int, int, int]) -> Tensor:
        """Return the logits (2,) of the value at (channel, row, column)."""
        pixel = index[1] * self._width + index[2]
        odds = (self._state.sigmoid() * self.net.V[pixel]).sum() + self.net.b[pixel]
        return torch.stack([torch.zeros_like(odds), odds])

    @torch.no_grad()
    def set(self, index: tuple[int, int, int], value: int) -> None:
        """Set a value."""
        if value:
            self._state = self._state + self.net.W[index[1] * self._width + index[2]]
