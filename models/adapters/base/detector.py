"""The first stages of torchvision's detectors (preprocess, backbone), and the mapping back to original pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.transform import resize_boxes

from models.capabilities import Stages
from models.types import Anchors, Float, Pixels, Refusal


@dataclass(frozen=True)
class Front:
    """An image as the network sees it: `images` resized and padded, `original` (height, width), `features`."""

    images: ImageList
    original: tuple[int, int]
    features: OrderedDict[str, Tensor]

    @property
    def nbytes(self) -> int:
        """The size of the input and the feature maps in bytes."""
        return self.images.tensors.nbytes + sum(f.nbytes for f in self.features.values())

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the resized image in network pixels, without padding."""
        return self.images.image_sizes[0]

    def drawn(self, boxes: Tensor) -> Float:
        """Convert boxes (N, 4) from network pixels to original pixels, as torchvision's postprocess does."""
        return self.mapping()(boxes)

    def mapping(self) -> Callable[[Tensor | Float], Float]:
        """Return `drawn` as a function that holds no reference to the feature maps."""
        size, original = list(self.size), list(self.original)

        def drawn(boxes: Tensor | Float) -> Float:
            return resize_boxes(torch.as_tensor(boxes), size, original).cpu().numpy()

        return drawn


def front(net: Any, pixels: Pixels, stages: Stages) -> Front:
    """Run preprocess and backbone on `pixels` (H, W, 3) uint8 RGB, each as a stage.

    Raises Refusal for an image so narrow that resizing leaves a side of 0 pixels.
    """

    def preprocess() -> ImageList:
        device = next(net.parameters()).device
        image = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(2, 0, 1).float() / 255
        try:
            return net.transform([image])[0]
        except RuntimeError as error:
            if "greater than 0" not in str(error):
                raise
            height, width = pixels.shape[:2]
            raise Refusal(
                f"A picture of {width} x {height} pixels is too narrow for this model: a side would shrink to nothing.",
                advice="Crop it.",
            ) from error

    def backbone() -> Front:
        images = stages.time("preprocess", preprocess)
        output: Any = net.backbone(images.tensors)
        features: OrderedDict[str, Tensor] = OrderedDict(output if isinstance(output, dict) else {"0": output})
        return Front(images, (pixels.shape[0], pixels.shape[1]), features)

    return stages.run("backbone", backbone)


def anchor_table(boxes: Float, grids: list[tuple[int, int]], per_cell: list[int]) -> Anchors:
    """Build the table of anchors (N, 4), by level, row, column, anchor; `grids` are the (rows, columns) of each map."""
    counts = np.array([h * w * a for (h, w), a in zip(grids, per_cell, strict=True)], np.int64)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Anchors(boxes, np.array(grids, np.int64).reshape(-1, 2), np.array(per_cell, np.int64), start)
