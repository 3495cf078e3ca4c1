"""Convert pictures to network input: resize or crop, scale values, normalise; and locate the input in the picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as transform
from torchvision.transforms.v2 import functional as transform_v2

from models.subject import Rect
from models.types import Pixels, Refusal

SIZED = ("crop", "stretch", "pad", "corner", "squash")  # every picture gets the same size
FITS = (*SIZED, "whole")
CUT = ("crop", "squash")  # resized, then cropped
PADDED = ("pad", "corner")  # resized to fit inside
ORDERS = ("rgb", "bgr")
TORCHVISION, HUGGING_FACE = ROUNDINGS = ("torchvision", "hugging_face")
INTERPOLATIONS = tuple(mode.value for mode in InterpolationMode)
MOST_SIDE = 1 << 14  # pixels


@dataclass(frozen=True)
class Preprocess:
    """The preprocessing of pictures; the defaults equal torchvision's classification preset bit for bit.

    `crop` is the side of the input in px, or its height and width. `fit` says how a picture gets that size: "crop"
    resizes its shorter side to `resize` px and crops the centre; "stretch" resizes it to the size without keeping
    proportions; "pad" resizes it to fit inside and pads with the mean colour, or with the grey value `fill` (0 to 255);
    "corner" does the same with the picture in the upper left corner; "squash" resizes both sides to `resize` px without
    keeping proportions and crops the centre, as some timm models were trained; "whole" resizes its shorter side to
    `resize` px without cropping, torchvision's segmentation preset. Then the channels are put in `order`, values are
    scaled to 0..`range`, `mean` is subtracted, and the result divided by `std`; both are given in that order and range.
    `rounding` says whose: "hugging_face" is that of the processors of transformers, which resize in whole numbers and
    cut a centre that lies between two pixels at the lower one.
    """

    resize: int = 256
    crop: int | tuple[int, int] = 224
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"
    fit: str = "crop"
    order: str = "rgb"
    range: float = 1.0
    fill: float | None = None
    antialias: bool = True
    rounding: str = TORCHVISION

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Preprocess:
        """Return the Preprocess of a card's `preprocessing`; `resize` is optional.

        Raises Refusal for invalid values.
        """
        if not isinstance(given, Mapping):
            raise Refusal(
                "The card's preprocessing is not a set of names and values.",
                advice="Correct it in the card's JSON file.",
            )
        known: dict[str, Any] = {name: given[name] for name in cls.__dataclass_fields__ if name in given}
        try:
            known |= {name: tuple(float(v) for v in known[name]) for name in ("mean", "std") if name in known}
            known |= {name: float(known[name]) for name in ("range", "fill") if known.get(name) is not None}
            known |= {name: bool(known[name]) for name in ("antialias",) if name in known}
            if "crop" in known and not isinstance(known["crop"], int):
                height, width = known["crop"]
                known["crop"] = int(height), int(width)
            made = cls(**known)
            made = made if "resize" in known else cls(**known, resize=min(made.size))
            numbers = (*made.size, made.resize)
            if not all(type(one) is int and one <= MOST_SIDE for one in numbers):
                raise ValueError(f"sides are whole numbers up to {MOST_SIDE:,}")
            if not all(math.isfinite(one) for one in (*made.mean, *made.std, made.range)):
                raise ValueError("a number is not finite")
        except (TypeError, ValueError) as error:
            raise Refusal(
                f"The card's preprocessing cannot be read ({error}).", advice="Correct it in the card's JSON file."
            ) from error
        made._check()
        return made

    def _check(self) -> None:
        choices = {"fit": FITS, "order": ORDERS, "interpolation": INTERPOLATIONS, "rounding": ROUNDINGS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                value = getattr(self, name)
                raise Refusal(
                    f"The card's preprocessing has {name} {value!r}.", advice=f"It is one of {', '.join(known)}."
                )
        if not (
            len(self.mean) == len(self.std) == 3 and all(self.std) and min(*self.size, self.resize, self.range) > 0
        ):
            raise Refusal(
                "The card's preprocessing makes no picture.",
                advice="Sizes and range must be above 0; mean and std have three numbers each, none of std 0.",
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input."""
        return (self.crop, self.crop) if isinstance(self.crop, int) else self.crop

    @property
    def about(self) -> dict[str, Any]:
        """The values as stored in a card."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}

    def input(self, pixels: Pixels, device: torch.device) -> Tensor:
        """Return the network's input (1, 3, h, w) for pixels (H, W, 3) uint8 RGB."""
        image = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).to(device)
        image = image.flip(0) if self.order == "bgr" else image
        mode = InterpolationMode(self.interpolation)
        if self.fit == "whole":
            image = self._resized(image, [self.resize], mode)
        elif self.fit in CUT:
            sides = [self.resize] * (2 if self.fit == "squash" else 1)
            image = self._resized(image, sides, mode)
            image = self._cut(image)
        else:
            inside, _ = self._placed(pixels.shape[1], pixels.shape[0])
            image = self._resized(image, [*inside], mode, antialias=self.antialias)
        image = transform.convert_image_dtype(image, torch.float)
        if self.fit in PADDED and self.fill is not None:
            image = functional.pad(image, self._margins(pixels), value=self.fill / 255)
        image = image if self.range == 1 else image * self.range
        image = transform.normalize(image, list(self.mean), list(self.std))
        if self.fit in PADDED and self.fill is None:
            image = functional.pad(image, self._margins(pixels))
        return image[None]

    def plain(self, x: Tensor) -> Tensor:
        """Return inputs (N, 3, h, w) as pictures RGB from 0 to 1, without their normalisation."""
        mean, std = (x.new_tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        made = (x * std + mean) / self.range
        return made.flip(1) if self.order == "bgr" else made

    def _resized(self, image: Tensor, sides: list[int], mode: InterpolationMode, *, antialias: bool = True) -> Tensor:
        if self.rounding == HUGGING_FACE:
            return transform_v2.resize(image.contiguous(), sides, mode, antialias=antialias)
        return transform.resize(image, sides, mode, antialias=antialias)

    def _corner(self, width: int, height: int) -> tuple[int, int]:
        """Return where the centre crop of a resized picture begins: left and top, below 0 where it is padded."""
        nearest = int if self.rounding == HUGGING_FACE else round
        return nearest((width - self.size[1]) / 2.0), nearest((height - self.size[0]) / 2.0)

    def _cut(self, image: Tensor) -> Tensor:
        """Return the centre of a resized picture (3, H, W)."""
        (high, wide), (tall, broad) = image.shape[-2:], self.size
        if self.rounding == TORCHVISION or tall > high or broad > wide:
            return transform.center_crop(image, [tall, broad])
        left, top = self._corner(wide, high)
        return transform.crop(image, top, left, tall, broad)

    def _margins(self, pixels: Pixels) -> tuple[int, int, int, int]:
        """Return the padding in px: left, right, top, bottom."""
        (inner_h, inner_w), (top, left) = self._placed(pixels.shape[1], pixels.shape[0])
        height, width = self.size
        return left, width - inner_w - left, top, height - inner_h - top

    def extent(self, width: int, height: int) -> Rect:
        """Return the input's position, x0 y0 x1 y1 in pixels of a picture of this size.

        Padding lies outside the picture.
        """
        if self.fit == "whole":
            return 0.0, 0.0, float(width), float(height)
        if self.fit in CUT:
            short = min(width, height)
            squash = self.fit == "squash"
            wide, high = (self.resize if squash else int(self.resize * side / short) for side in (width, height))
            scale_x, scale_y = width / wide, height / high
            left, top = self._corner(wide, high)
        else:
            (inner_h, inner_w), (top, left) = self._placed(width, height)
            scale_x, scale_y = width / inner_w, height / inner_h
            left, top = -left, -top
        return left * scale_x, top * scale_y, (left + self.size[1]) * scale_x, (top + self.size[0]) * scale_y

    def black(self, device: torch.device) -> Tensor:
        """Return a black pixel (1, 3, 1, 1), normalised as network input."""
        mean, std = torch.tensor(self.mean, device=device), torch.tensor(self.std, device=device)
        return (-mean / std).view(1, 3, 1, 1)

    def _placed(self, width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (height, width) of the resized picture in the input, and its (top, left) there."""
        tall, wide = self.size
        if self.fit == "stretch":
            return (tall, wide), (0, 0)
        scale = min(tall / height, wide / width)
        if self.fit == "corner":
            return (max(1, int(height * scale)), max(1, int(width * scale))), (0, 0)
        inner = min(tall, max(1, round(height * scale))), min(wide, max(1, round(width * scale)))
        return inner, ((tall - inner[0]) // 2, (wide - inner[1]) // 2)
