"""Base class of generative models: codes to pictures, and pictures to the network's input."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.cards.card import Card
from models.latent.space import Space
from models.types import Float, Pixels, Refusal

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
BATCH = 64


class LatentModel:
    """An opened model with a latent space. Subclasses implement `generate`, and `encode` or `score` where they can."""

    stages: Mapping[str, str] = {
        "Detects": "{name} makes pictures: it finds no boxes.",
        "Classifies": "{name} makes pictures: it gives no classes.",
        "Explains": "{name} makes pictures: it gives no score that a map could explain.",
        "Encodes": "{name} has no encoder: it cannot find the code of a picture.",
        "FindsCodes": "{name} has no encoder: it cannot find the code of a picture.",
        "Scores": "{name} has no discriminator.",
    }

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net: Any = net.eval()
        self.card = card
        self.space = Space.of(getattr(net, "latent", None) or card.about.get("latent", ()))
        low, high = getattr(net, "range", None) or card.about.get("range", (0, 1))
        self.low, self.high = float(low), float(high)

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        tensor = next((t for held in (self.net.parameters(), self.net.buffers()) for t in held), None)
        return tensor.device if tensor is not None else torch.device("cpu")

    def generate(self, codes: Tensor) -> Tensor:
        """Return the network's own output (N, C, H, W) for codes (N, D)."""
        raise NotImplementedError

    def decode(self, codes: Tensor) -> Tensor:
        """Return pictures (N, C, H, W) from 0 to 1 for codes (N, D), C 1 or 3. Differentiable."""
        made = self.generate(codes)
        return made if (self.low, self.high) == (0.0, 1.0) else (made - self.low) / (self.high - self.low)

    def feed(self, pictures: Tensor) -> Tensor:
        """Return pictures (N, C, H, W) from 0 to 1 rescaled to the network's own value range."""
        plain = (self.low, self.high) == (0.0, 1.0)
        return pictures if plain else pictures * (self.high - self.low) + self.low

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a generated picture."""
        with torch.inference_mode():
            made = self.generate(torch.from_numpy(self.space.origin()[None]).to(self.device))
        return int(made.shape[1]), int(made.shape[2]), int(made.shape[3])

    def tensor(self, codes: Float) -> Tensor:
        """Return codes (N, D) as a tensor on the network's device."""
        return torch.from_numpy(np.ascontiguousarray(codes, np.float32)).to(self.device)

    def pictures(self, codes: Float) -> Pixels:
        """Return pictures (N, H, W, 3) uint8 RGB for codes (N, D). Raises Refusal if the output has NaN or infinity."""
        made = [self.decode(self.tensor(codes[at : at + BATCH])) for at in range(0, len(codes), BATCH)]
        return colours(torch.cat(made))

    def input(self, pixels: Pixels) -> tuple[Tensor, str]:
        """Return a picture (H, W, 3) uint8 RGB as (1, C, h, w) from 0 to 1, and a sentence on how it was changed."""
        channels, height, width = self.shape
        x = torch.from_numpy(np.array(pixels)).to(self.device).permute(2, 0, 1)[None].float() / 255
        done = []
        if channels == 1:
            coloured = bool((x[:, 0] != x[:, 1]).any() or (x[:, 0] != x[:, 2]).any())
            done += ["made grey"] if coloured else []
            x = (x * x.new_tensor(GREY).view(1, 3, 1, 1)).sum(1, keepdim=True).clamp(0, 1)
        if x.shape[2:] != (height, width):
            done.insert(0, f"resized from {x.shape[3]} × {x.shape[2]} to {width} × {height} px")
            x = functional.interpolate(x, (height, width), mode="bilinear", antialias=x.shape[2] > height)
        text = " and ".join(done)
        return x.clamp(0, 1), f"The picture was {text} for this model." if text else ""


def colours(pictures: Tensor) -> Pixels:
    """Convert pictures (N, C, H, W) from 0 to 1 to (N, H, W, 3) uint8 RGB.

    Raises Refusal for NaN, infinity, or a number of channels other than 1 and 3.
    """
    if not bool(torch.isfinite(pictures).all()):
        raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")
    if pictures.shape[1] not in (1, 3):
        raise Refusal(f"The network makes {pictures.shape[1]} channels.", advice="Only 1 or 3 can be shown.")
    whole = pictures.clamp(0, 1).mul(255).round().to(torch.uint8).cpu().permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(np.broadcast_to(whole, (*whole.shape[:3], 3)))
