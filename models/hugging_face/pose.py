"""How pose networks (ViTPose) see a figure: the box around it, turned into an input, and its heat maps turned back."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.hugging_face.library import library
from models.hugging_face.preparation import Prepared
from models.subject import Rect
from models.types import Float, Pixels, Refusal

KIND = "VitPoseImageProcessor"
UNIT = 200.0  # px of a box's `scale` of 1
PADDING = 1.25  # of a box


class PoseCrop(Prepared):
    """The processor itself, which cuts out the box of a figure; without a region that is the whole picture."""

    def __init__(self, processor: Any) -> None:
        if find_spec("scipy") is None:
            message = "The preparation of pictures for ViTPose needs scipy, which is not installed."
            raise Refusal(message, advice="Install it where Vitrine is: pip install scipy.")
        super().__init__(processor)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input."""
        size = self.processor.size
        return int(size["height"]), int(size["width"])

    def input(self, pixels: Pixels, device: torch.device, region: Rect | None = None) -> Tensor:
        """Return the network's input (1, 3, h, w) for the figure in a region of pixels (H, W, 3) uint8 RGB."""
        box = _coco(region or _whole(pixels))
        with torch.inference_mode(False), torch.no_grad():
            given = {"boxes": [[box]], "return_tensors": "pt", "input_data_format": "channels_last"}
            return self.processor(images=np.array(pixels), **given)["pixel_values"].float().to(device)

    def crop(self, region: Rect) -> tuple[Float, Float]:
        """Return the centre (2,) and the sides (2,) in pixels of the picture of what is cut out for a region."""
        x0, y0, x1, y1 = region
        height, width = self.size
        wide = max(x1 - x0, (y1 - y0) * width / height)
        sides = np.array([wide, wide * height / width], np.float32) * PADDING
        return np.array([(x0 + x1) / 2, (y0 + y1) / 2], np.float32), sides

    def extent(self, width: int, height: int, region: Rect | None = None) -> Rect:
        """Return where the input lies in a picture of this size, x0 y0 x1 y1.

        The first and the last of its pixels lie on the sides of what is cut out, so their edges lie beyond.
        """
        centre, sides = self.crop(region or (0.0, 0.0, float(width), float(height)))
        cells = np.array(self.size[::-1])
        half = sides * cells / (cells - 1) / 2
        (x0, y0), (x1, y1) = centre - half + 0.5, centre + half + 0.5
        return float(x0), float(y0), float(x1), float(y1)

    def inside(self, width: int, height: int) -> tuple[int, int]:
        """Return the height and width of the input: what lies around the picture is part of what is cut out."""
        return self.size


def decoded(processor: Any, maps: Tensor, centre: Float, sides: Float) -> Float:
    """Return the points (P, 3), x, y and score, of heat maps (1, P, h, w) by the library's own decoding (DARK)."""
    heat = maps.detach().float().cpu().numpy()
    points, scores = processor.keypoints_from_heatmaps(heat, centre[None], sides[None] / UNIT)
    return np.concatenate([points[0], scores[0]], 1).astype(np.float32)


def usual() -> Any:
    """Return the library's processor with its usual settings, for networks whose pictures are prepared otherwise."""
    return getattr(library(), KIND)()


def _whole(pixels: Pixels) -> Rect:
    return 0.0, 0.0, float(pixels.shape[1]), float(pixels.shape[0])


def _coco(region: Rect) -> list[float]:
    x0, y0, x1, y1 = region
    return [x0, y0, x1 - x0, y1 - y0]
