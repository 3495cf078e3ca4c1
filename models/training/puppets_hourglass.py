"""Train `puppets-hourglass` on drawn puppets; nothing is read from a data folder.

Run: python -m models.training.puppets_hourglass --data . --out FILE
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from models.bundled.hourglass import MEAN, SIZE_PX, STD, STRIDE, puppets_hourglass
from models.training.loop import Target, arguments, train
from models.training.puppets import compose_crop

SIGMA_CELLS = 1.0
UNSEEN = 0.3  # weight of a point that something hides
SCALE = 100.0  # of the mean square, which the many zeros of a map make small


class Crops(IterableDataset[tuple[Tensor, Target]]):
    """An endless stream of crops around one puppet with its `points` (13, 2) in px and `visible` (13,)."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Target]]:
        cv2.setNumThreads(1)
        index = 0
        while True:
            scene, which = compose_crop(np.random.default_rng((self.seed, index)), side=SIZE_PX)
            index += 1
            picture = torch.from_numpy(scene.image).permute(2, 0, 1).float() / 255
            points, visible = (torch.from_numpy(v[which]) for v in (scene.points, scene.visible))
            yield picture, {"points": points, "visible": visible}


def drawn(points: Tensor, size: tuple[int, int]) -> Tensor:
    """Return heat maps (N, P, h, w) with a Gaussian of height 1 at each of the points (N, P, 2), given in px.

    A cell's centre is at (x + 0.5) times the stride, and a point's peak lies between cells where the point does.
    """
    at = points / STRIDE - 0.5
    y, x = (torch.arange(n, dtype=points.dtype) for n in size)
    across = (x - at[..., :1]) ** 2
    down = (y - at[..., 1:]) ** 2
    return (-(down[..., :, None] + across[..., None, :]) / (2 * SIGMA_CELLS**2)).exp()


def losses_of(net: nn.Module, images: list[Tensor], targets: list[Target]) -> dict[str, Tensor]:
    """Return each stack's mean square distance from the drawn maps, hidden points weighing less."""
    pictures = torch.stack(images)
    mean, std = (pictures.new_tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    made = net((pictures - mean) / std)
    truth = drawn(torch.stack([t["points"] for t in targets]), made.shape[-2:])
    weight = torch.stack([t["visible"] for t in targets]).float().clamp(min=UNSEEN)
    square = ((made - truth[:, None]) ** 2).mean((3, 4)) * weight[:, None]
    return {f"stack {i + 1}": SCALE * square[:, i].mean() for i in range(made.shape[1])}


if __name__ == "__main__":
    options = arguments(__doc__ or "", data="unused: the puppets are drawn")
    train(puppets_hourglass, Crops(seed=options.seed), options, losses_of=losses_of)
