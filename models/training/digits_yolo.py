"""Train `digits-yolo` on scenes composed from MNIST, on the frozen pyramid of `digits-ssd`.

Run: python -m models.training.digits_yolo --data DIR --out FILE
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.bundled.digits import MEAN, STD
from models.bundled.yolo import STRIDES, DigitsYolo, places
from models.training import frozen_trunk, grid_rows
from models.training.digits import Scenes
from models.training.loop import Target, arguments, train

SIDE_PX, COUNT = 192, (2, 6)
SHAPES = [(SIDE_PX // stride, SIDE_PX // stride) for stride in STRIDES]


class Training(DigitsYolo):
    """The network while it trains, which gives raw rows."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = True
        frozen_trunk.load(self.backbone, frozen_trunk.WHOLE)

    def train(self, mode: bool = True) -> Training:
        super().train(mode)
        frozen_trunk.keep_statistics(self.backbone, frozen_trunk.WHOLE)
        return self


def losses_of(net: nn.Module, images: list[Tensor], targets: list[Target]) -> dict[str, Tensor]:
    """Return the losses of one batch."""
    assert isinstance(net, DigitsYolo)
    pictures = torch.stack(images)
    mean, std = (pictures.new_tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    made = net((pictures - mean) / std)
    rows = made["rows"]
    own = [{**target, "labels": target["labels"] - 1} for target in targets]
    decoded = net.decoded(rows, SHAPES)
    about = {"place": places(SHAPES, rows), "targets": own, "classes": net.classes}
    return grid_rows.losses(rows, made["prototypes"], decoded, **about)


if __name__ == "__main__":
    options = arguments(__doc__ or "", data="folder with mnist.npz")
    how = {"width": SIDE_PX, "height": SIDE_PX, "count": COUNT}
    train(Training, Scenes(options.data, seed=options.seed, how=how, masks=True), options, losses_of=losses_of)
