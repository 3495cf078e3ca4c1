"""Train `puppets-parts` on drawn puppets, from the hourglasses of `puppets-hourglass`, without a data folder.

Run: python -m models.training.puppets_parts --data . --out FILE
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import IterableDataset

from models.bundled.puppet_parts import MEAN, PARTS, SEMANTIC, SIZE_PX, STD, STUFF, PuppetsParts
from models.bundled.yolo import STRIDES, decoded, places
from models.cards.card import BUNDLED
from models.loading import weights
from models.training import grid_rows
from models.training.loop import Target, arguments, train
from models.training.puppets import Scene, compose

SIDES_PX = ((0.0, 75.0), (45.0, 1e4), (85.0, 1e4))  # of the puppets that each level finds
LEAST_PX = 20  # visible pixels of a puppet that is a box to find
PADDED = 0.4  # the share of pictures that do not fill the input
SHAPES = [(SIZE_PX[0] // stride, SIZE_PX[1] // stride) for stride in STRIDES]
WEIGHTS = {"semantic": 1.0, "parts": 2.0, "chart": 10.0}


class Scenes(IterableDataset[tuple[Tensor, Target]]):
    """An endless stream of pictures (3, H, W) with `boxes` (K, 4) in px, `labels`, `masks` (K, H, W), and maps at half
    size: `semantic` (4, h, w) and `parts` (11, h, w) shares of a cell, `part` (h, w) and its `chart` (2, h, w).
    """

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, Target]]:
        cv2.setNumThreads(1)
        index = 0
        while True:
            rng = np.random.default_rng((self.seed, index))
            index += 1
            height, width = SIZE_PX
            if rng.random() < PADDED:
                low = rng.uniform(0.6, 1)
                height, width = (height, round(width * low)) if rng.random() < 0.4 else (round(height * low), width)
            scene = compose(rng, width=width, height=height)
            yield sample(scene, SIZE_PX)


def sample(scene: Scene, size: tuple[int, int]) -> tuple[Tensor, Target]:
    """Return a scene in the middle of an input of `size` (h, w), the mean colour around it, with its targets."""
    height, width = scene.figure.shape
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    margins = (left, size[1] - width - left, top, size[0] - height - top)

    def padded(values: np.ndarray, fill: float) -> Tensor:
        return functional.pad(torch.from_numpy(values), margins, value=fill)

    picture = padded(scene.image.transpose(2, 0, 1).astype(np.float32) / 255, MEAN[0])
    figure, part = padded(scene.figure, 0), padded(scene.part, 0)
    known = padded(np.ones(scene.figure.shape, np.float32), 0)
    kind = torch.where(figure > 0, len(STUFF), padded(scene.stuff, 0))
    seen = torch.bincount(figure.flatten(), minlength=len(scene.boxes) + 1)[1:]
    clipped = torch.from_numpy(scene.boxes) + torch.tensor([left, top] * 2)
    low, high = torch.tensor([left, top]), torch.tensor([left + width, top + height])
    clipped = torch.cat([clipped[:, :2].maximum(low), clipped[:, 2:].minimum(high)], 1).float()
    kept = (seen >= LEAST_PX).nonzero()[:, 0]
    shares = functional.one_hot(part, 1 + len(PARTS)).permute(2, 0, 1).float()
    parts = functional.avg_pool2d(shares[None], 2)[0]
    most = parts.argmax(0)
    same = (part == most.repeat_interleave(2, 0).repeat_interleave(2, 1)).float()
    chart = padded(scene.chart.transpose(2, 0, 1), 0) * same
    count = functional.avg_pool2d(same[None, None], 2)[0]
    kinds = functional.one_hot(kind, len(SEMANTIC)).permute(2, 0, 1).float() * known
    return picture, {
        "boxes": clipped[kept],
        "labels": torch.zeros(len(kept), dtype=torch.int64),
        "masks": torch.stack([figure == k + 1 for k in kept.tolist()]) if len(kept) else figure[None][:0] > 0,
        "semantic": functional.avg_pool2d(kinds[None], 2)[0],
        "parts": parts,
        "part": most,
        "chart": functional.avg_pool2d(chart[None], 2)[0] / count.clamp_min(0.25),
    }


class Training(PuppetsParts):
    """The network while it trains, which gives raw rows."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = True
        state = weights.read(BUNDLED / "puppets-hourglass.safetensors")
        self.trunk.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})


def losses_of(net: nn.Module, images: list[Tensor], targets: list[Target]) -> dict[str, Tensor]:
    """Return the losses of one batch: those of the rows and masks, and of each map of cells."""
    assert isinstance(net, PuppetsParts)
    pictures = torch.stack(images)
    mean, std = (pictures.new_tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    made = net((pictures - mean) / std)
    rows = made["rows"]
    about = {"place": places(SHAPES, rows), "targets": targets, "classes": net.classes, "sides": SIDES_PX}
    found = grid_rows.losses(rows, made["prototypes"], decoded(rows, SHAPES, net.classes), **about)
    wanted = {name: torch.stack([t[name] for t in targets]) for name in ("semantic", "parts", "part", "chart")}
    for name in ("semantic", "parts"):
        each = -(wanted[name] * made[name].log_softmax(1)).sum(1)
        found[name] = WEIGHTS[name] * each.sum() / wanted[name].sum().clamp_min(1)
    own = (wanted["part"] - 1).clamp_min(0)[:, None]
    charts = made["chart"].unflatten(1, (len(PARTS), 2))
    said = charts.gather(1, own[:, :, None].expand(-1, -1, 2, -1, -1))[:, 0]
    seen = (wanted["part"] > 0)[:, None].float()
    error = (said - wanted["chart"]).abs() * seen
    found["chart"] = WEIGHTS["chart"] * error.sum() / (2 * seen.sum()).clamp_min(1)
    return found


if __name__ == "__main__":
    options = arguments(__doc__ or "", data="unused: the puppets are drawn")
    train(Training, Scenes(seed=options.seed), options, losses_of=losses_of)
