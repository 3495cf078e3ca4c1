"""The bundled digit classifier: a LeNet with ReLU for 32x32 px."""

from __future__ import annotations

from torch import Tensor, nn

SIZE_PX = 32
CLASSES = tuple(str(digit) for digit in range(10))
MEAN, STD = (0.13, 0.13, 0.13), (0.3, 0.3, 0.3)


class LeNet(nn.Module):
    """Two 5x5 convolutions with pooling and three linear layers (LeCun et al. 1998, figure 2), with ReLU.

    Takes normalised RGB (N, 3, 32, 32) and averages the colours.
    """

    def __init__(self, *, width: int = 16, hidden: int = 96, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 5)
        self.conv2 = nn.Conv2d(width, 2 * width, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(2 * width * 5 * 5, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, classes)
        self.relu = nn.ReLU()

    def features(self, x: Tensor) -> Tensor:
        """Return the activations (N, F) before the last layer."""
        x = x.mean(1, keepdim=True)
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        return self.relu(self.fc2(self.relu(self.fc1(x.flatten(1)))))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc3(self.features(x))


def digits_lenet() -> LeNet:
    """Build the classifier: 0.1 million parameters."""
    return LeNet()
