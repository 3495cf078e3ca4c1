"""Train `digits-centernet` on scenes composed from MNIST, on the frozen trunk of `digits-ssd`.

Run: python -m models.training.digits_centernet --data DIR --out FILE
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.bundled.centernet import STRIDE, DigitsCenterNet
from models.bundled.digits import MEAN, STD
from models.training import frozen_trunk
from models.training.centre_maps import losses
from models.training.digits import Scenes
from models.training.loop import Target, arguments, train

SIDE_PX, COUNT = 192, (2, 6)


class Training(DigitsCenterNet):
    """The network while it trains."""

    def __init__(self) -> None:
        super().__init__()
        frozen_trunk.load(self.backbone, frozen_trunk.BOTTOM_UP)

    def train(self, mode: bool = True) -> Training:
        super().train(mode)
        frozen_trunk.keep_statistics(self.backbone, frozen_trunk.BOTTOM_UP)
        return self


def losses_of(net: nn.Module, images: list[Tensor], targets: list[Target]) -> dict[str, Tensor]:
    """Return the losses of one batch."""
    pictures = torch.stack(images)
    mean, std = (pictures.new_tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    maps = net((pictures - mean) / std)
    return losses(maps, [t["boxes"] for t in targets], [t["labels"] - 1 for t in targets], stride=STRIDE)


if __name__ == "__main__":
    options = arguments(__doc__ or "", data="folder with mnist.npz")
    how = {"width": SIDE_PX, "height": SIDE_PX, "count": COUNT}
    train(Training, Scenes(options.data, seed=options.seed, how=how), options, losses_of=losses_of)
