"""Base class of models that give each value of a picture a distribution, given the values before it in an order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.cards.card import Card
from models.latent.generative_model import GREY
from models.runtime.forward_passes import INNOCENT, Behaviour, through
from models.types import Int, Pixels, Real, Refusal

THRESHOLD = 128  # grey values that are lit in black and white


class PixelModel:
    """An opened model of pictures of `shape` (C, H, W) with `levels` values, in an order of `ranks` (C, H, W).

    Subclasses set these and implement `network_logits`. Values are whole numbers from 0, the darkest, to levels - 1.
    """

    stages: Mapping[str, str] = {
        "Detects": "{name} gives the likelihood of pictures: it finds no boxes.",
        "Classifies": "{name} gives the likelihood of pictures: it tells no classes.",
        "Explains": "{name} gives each pixel a distribution: the Causality panel shows what that depends on.",
        "Generates": "{name} draws pixel by pixel, without a latent code: see the Sampling panel.",
    }
    net: Any
    card: Card
    behaviour: Behaviour = INNOCENT
    shape: tuple[int, int, int]
    levels: int
    ranks: Int
    order_title: str = ""

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net = net.eval()
        self.card = card

    @property
    def device(self) -> torch.device:
        """The device of the network; the CPU if it has no tensors."""
        tensor = next(iter(self.net.parameters()), None)
        tensor = next(iter(self.net.buffers()), None) if tensor is None else tensor
        return torch.device("cpu") if tensor is None else tensor.device

    def network_logits(self, values: Tensor) -> Tensor:
        """Return the logits (N, K, C, H, W) of values (N, C, H, W) of any floating type; differentiable."""
        raise NotImplementedError

    def pixel_logits(self, values: Tensor) -> Tensor:
        """Return the logits (N, K, C, H, W) of each value's levels given those before it, for values (N, C, H, W)."""
        return through(self.behaviour, self.network_logits)(values.to(self.device))

    def values(self, pixels: Pixels) -> tuple[Int, str]:
        """Return a picture (H, W, 3) uint8 RGB as values (C, H, W), and a sentence on how it was changed."""
        channels, height, width = self.shape
        x = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float()
        done = []
        if x.shape[2:] != (height, width):
            done.append(f"resized from {x.shape[3]} × {x.shape[2]} to {width} × {height} px")
            x = functional.interpolate(x, (height, width), mode="bilinear", antialias=x.shape[2] > height)
        if channels == 1:
            done += ["made grey"] if bool((x[:, :1] != x).any()) else []
            x = (x * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True)
        x = x[0].clamp(0, 255)
        if self.levels == 2:
            done += [f"lit from grey value {THRESHOLD} on"] if bool(((x > 0) & (x < 255)).any()) else []
            found = x.round() >= THRESHOLD
        else:
            found = (x / 255 * (self.levels - 1)).round()
            exact = bool((x.round() % (255 / (self.levels - 1)) == 0).all())
            done += [] if exact else [f"rounded to {self.levels} levels"]
        text = ", ".join(done)
        note = f"The picture was {text} for this model." if text else ""
        return found.numpy().astype(np.int64), note

    def pictures(self, values: Int) -> Pixels:
        """Return values (N, C, H, W) as pictures (N, H, W, 3) uint8 RGB."""
        shades = np.round(values * (255 / (self.levels - 1))).astype(np.uint8)
        if shades.shape[1] == 1:
            shades = np.repeat(shades, 3, 1)
        return np.ascontiguousarray(shades.transpose(0, 2, 3, 1))


def log_probabilities(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Return the log-probabilities (N, K, C, H, W), in double precision, of logits divided by a temperature.

    Raises Refusal for NaN or infinity.
    """
    logits = logits.double()
    if not bool(torch.isfinite(logits).all()):
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    return (logits / temperature).log_softmax(1)


def chosen(log_p: Tensor, values: Tensor) -> Tensor:
    """Return the log-probabilities (N, C, H, W) of the values that pictures have."""
    return log_p.gather(1, values[:, None])[:, 0]


def nats(model: Any, values: Tensor) -> Real:
    """Return -log p (N,) of values (N, C, H, W), in nats."""
    log_p = log_probabilities(model.pixel_logits(values.float()))
    return -chosen(log_p, values.to(log_p.device)).flatten(1).sum(1).detach().cpu().numpy()
