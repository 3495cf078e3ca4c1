"""A network whose gradients differ from place to place, for it does not pool; its ReLUs are not in place."""

from __future__ import annotations

from torch import Tensor, nn

LAYER = "relu2"


class Uneven(nn.Module):
    """Two convolutions and two linear layers, for 16x16 px.

    Its scores are large: beside gradients like 0.01, the 1e-6 that pytorch-grad-cam adds below a fraction would show.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, 2, 1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(6, 8, 3, 2, 1)
        self.relu2 = nn.ReLU()
        self.hidden = nn.Linear(8 * 16, 12)
        self.relu3 = nn.ReLU()
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return 1000 * self.head(self.relu3(self.hidden(x.flatten(1))))
