"""From a picture to a classifier's input: resize the shorter side, cut the middle, normalise. Says where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transform

from models.subject import Rect
from models.types import Pixels


@dataclass(frozen=True)
class Preprocess:
    """Resize the shorter side to `resize` px, cut the middle `crop` x `crop` px, scale to 0..1, subtract `mean`, divide
    by `std`, per colour in RGB: torchvision's preset for classification, bit for bit. With `squash` both sides are
    resized, whatever that does to the shape, as some of timm's models were trained. With `crop` 0 nothing is cut off:
    the preset for segmentation.
    """

    resize: int
    crop: int = 0
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"
    squash: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Preprocess:
        """Read it from a card's `preprocessing`."""
        known: dict[str, Any] = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        known |= {name: tuple(known[name]) for name in ("mean", "std") if name in known}
        return cls(**known)

    def input(self, pixels: Pixels, device: torch.device) -> Tensor:
        """Return the network's input (1, 3, crop, crop), with no crop (1, 3, h, w), for pixels (H, W, 3) uint8 RGB."""
        image = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).to(device)
        mode = InterpolationMode(self.interpolation)
        sides = [self.resize] * (2 if self.squash else 1)
        image = transform.resize(image, sides, mode, antialias=True)
        image = transform.center_crop(image, [self.crop]) if self.crop else image
        image = transform.convert_image_dtype(image, torch.float)
        return transform.normalize(image, list(self.mean), list(self.std))[None]

    def extent(self, width: int, height: int) -> Rect:
        """Return where the input lies, x0 y0 x1 y1 in pixels of a picture of this size."""
        if not self.crop:
            return 0.0, 0.0, float(width), float(height)
        short = min(width, height)
        wide, high = (self.resize if self.squash else int(self.resize * side / short) for side in (width, height))
        scale_x, scale_y = width / wide, height / high
        left = round((wide - self.crop) / 2.0)
        top = round((high - self.crop) / 2.0)
        return left * scale_x, top * scale_y, (left + self.crop) * scale_x, (top + self.crop) * scale_y

    def black(self, device: torch.device) -> Tensor:
        """Return a black pixel (1, 3, 1, 1) as the network gets it."""
        mean, std = torch.tensor(self.mean, device=device), torch.tensor(self.std, device=device)
        return (-mean / std).view(1, 3, 1, 1)
