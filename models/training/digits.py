"""Training pictures of the digit detectors: an endless stream of composed scenes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from models.training.scene import compose, mnist


class Scenes(IterableDataset[tuple[Tensor, dict[str, Tensor]]]):
    """An endless stream of scenes; scene i depends only on the seed and i."""

    def __init__(self, data: Path, *, seed: int) -> None:
        self.glyphs = mnist(data, split="train")
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        cv2.setNumThreads(1)
        index = 0
        while True:
            scene = compose(self.glyphs, np.random.default_rng((self.seed, index)))
            index += 1
            if len(scene.digits) == 0:
                continue
            image = torch.from_numpy(scene.image).permute(2, 0, 1).float() / 255
            yield image, {"boxes": torch.from_numpy(scene.boxes), "labels": torch.from_numpy(scene.digits + 1)}
