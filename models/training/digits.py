"""Training pictures of the digit detectors: an endless stream of composed scenes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from models.training.scene import compose, mnist


class Scenes(IterableDataset[tuple[Tensor, dict[str, Tensor]]]):
    """An endless stream of scenes; scene i depends only on the seed, i and `how` they are composed.

    With `masks`, targets have the masks (N, H, W) of the digits too.
    """

    def __init__(self, data: Path, *, seed: int, how: Mapping[str, Any] | None = None, masks: bool = False) -> None:
        self.glyphs = mnist(data, split="train")
        self.seed = seed
        self.how = dict(how or {})
        self.masks = masks

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        cv2.setNumThreads(1)
        index = 0
        while True:
            scene = compose(self.glyphs, np.random.default_rng((self.seed, index)), **self.how)
            index += 1
            if len(scene.digits) == 0:
                continue
            image = torch.from_numpy(scene.image).permute(2, 0, 1).float() / 255
            target = {"boxes": torch.from_numpy(scene.boxes), "labels": torch.from_numpy(scene.digits + 1)}
            yield image, {**target, "masks": torch.from_numpy(scene.masks())} if self.masks else target
