"""Networks as people write them, whose passes do more than take a picture to scores, each beside one that does not.

`PAIRS` names both of each. The plain one gives for one picture what the other gives when it has just been made.
"""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the name that everybody knows
from torch import Tensor, nn

SIDE = 32


class Plain(nn.Module):
    """Two convolutions and a linear layer: (N, 3, 32, 32) to (N, 4)."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 8, 5)
        self.pool, self.relu = nn.MaxPool2d(2), nn.ReLU()
        self.fc = nn.Linear(8 * 5 * 5, 4)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.15)

    def body(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(x)))
        return self.pool(self.relu(self.conv2(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(self.before(x)).flatten(1))

    def before(self, x: Tensor) -> Tensor:
        return x


def mean(x: Tensor) -> Tensor:
    return torch.linspace(0.4, 0.6, 3, device=x.device).view(3, 1, 1)


# layout


class View(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x).view(-1, 200))


class FlatFirst(Plain):
    """Cuts the picture up as it lies in memory before anything else."""

    def before(self, x: Tensor) -> Tensor:
        return x.view(-1, 3 * SIDE * SIDE).view(-1, 3, SIDE, SIDE)


class Strided(Plain):
    """Goes by the place in memory and says nothing where that is not what it thinks."""

    def before(self, x: Tensor) -> Tensor:
        return torch.as_strided(x, (len(x), 3, SIDE, SIDE), (3 * SIDE * SIDE, SIDE * SIDE, SIDE, 1))


# in place on the input


class Shifted(Plain):
    def before(self, x: Tensor) -> Tensor:
        return (x - mean(x)) / 0.25


class SubDiv(Plain):
    def before(self, x: Tensor) -> Tensor:
        return x.sub_(mean(x)).div_(0.25)


class ByViews(Plain):
    def before(self, x: Tensor) -> Tensor:
        for channel, value in enumerate((0.4, 0.5, 0.6)):
            x[:, channel] -= value
        x.flatten().mul_(4.0)
        return x


class ByOut(Plain):
    def before(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            torch.sub(x, mean(x), out=x)
            torch.div(x, 0.25, out=x)
        return x


class Normalise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x -= mean(x)
        x /= 0.25
        return x


class BySubmodule(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.normalise = Normalise()

    def before(self, x: Tensor) -> Tensor:
        return self.normalise(x)


class ByData(Plain):
    """Writes where no counter of versions sees it."""

    def before(self, x: Tensor) -> Tensor:
        x.data.sub_(mean(x)).div_(0.25)
        return x


class Rectified(Plain):
    def before(self, x: Tensor) -> Tensor:
        return x.relu()


def rectifies_first() -> nn.Module:
    """Nothing but torch's own modules, the first of them in place on the input."""
    net = Plain()
    body = (net.conv1, nn.ReLU(), nn.MaxPool2d(2), net.conv2, nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(nn.ReLU(inplace=True), *body, nn.Flatten(), net.fc)


# answers that depend on the batch


class OwnNorm(Plain):
    """What batch normalisation without statistics is for one picture."""

    def before(self, x: Tensor) -> Tensor:
        return F.instance_norm(x)


class BatchNorm(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, track_running_stats=False, affine=False)

    def before(self, x: Tensor) -> Tensor:
        return self.norm(x)


class TrainedNorm(Plain):
    """Puts its normalisation into training mode itself, and so moves its running mean, too."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, affine=False)

    def before(self, x: Tensor) -> Tensor:
        self.norm.train()
        return self.norm(x)


class FunctionalNorm(Plain):
    def before(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, training=True)


class OwnBranch(Plain):
    def before(self, x: Tensor) -> Tensor:
        bright = x.mean((1, 2, 3), keepdim=True) > 0
        return torch.where(bright, x, 2 * x + 1)


class Branch(Plain):
    def before(self, x: Tensor) -> Tensor:
        return x if x.mean() > 0 else 2 * x + 1


class ItemBranch(Plain):
    """By a value that two photos may well lie on one side of."""

    def before(self, x: Tensor) -> Tensor:
        return x if x.mean().item() > -50 else 2 * x + 1


class WhereBranch(Plain):
    def before(self, x: Tensor) -> Tensor:
        return torch.where(x.mean() > 0, x, 2 * x + 1)


class OneOnly(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.body(x).reshape(1, 200))


# changes of itself


class Counts(Plain):
    seen: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.calls = 0
        self.history: list[float] = []

    def before(self, x: Tensor) -> Tensor:
        self.seen += 1
        self.calls += 1
        self.history.append(float(self.calls))
        return x * (1 + 0.2 * (self.seen - 1) + 0.1 * (self.calls - 1) + 0.1 * (len(self.history) - 1))


class Average(Plain):
    """Divides by a running average that it keeps as it goes, as Shifted's constant at first."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))

    def before(self, x: Tensor) -> Tensor:
        y = x / self.scale
        self.scale.mul_(0.9).add_(0.1 * x.detach().abs().mean())
        return y


class DriftingWeight(Plain):
    def before(self, x: Tensor) -> Tensor:
        y = x * 1.0
        with torch.no_grad():
            self.fc.weight.data.mul_(1.0)
        return y

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        self.fc.bias.data.add_(0.5)
        return y


# random answers


class Seeded(Plain):
    """Dropout that begins anew each time."""

    def before(self, x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return F.dropout(x, 0.5, training=True)


class Dropout(Plain):
    def before(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5, training=True)


class ModeDropout(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def before(self, x: Tensor) -> Tensor:
        self.drop.train()
        return self.drop(x)


class StaysInTraining(Plain):
    """Keeps its dropout on whatever mode it is put into, as for Monte Carlo dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def train(self, mode: bool = True) -> Any:
        super().train(mode)
        self.drop.training = True
        return self

    def before(self, x: Tensor) -> Tensor:
        return self.drop(x)


class SeededNumpy(Plain):
    def before(self, x: Tensor) -> Tensor:
        random.seed(0)
        np.random.seed(0)
        return Numpy.before(self, x)  # type: ignore[arg-type]


class Numpy(Plain):
    def before(self, x: Tensor) -> Tensor:
        noise = torch.from_numpy(np.random.randn(*x.shape[1:])).to(x)
        return x + noise + random.random()


class SystemNoise(Plain):
    """Nothing can be drawn again here."""

    def before(self, x: Tensor) -> Tensor:
        return x * (1 + int.from_bytes(os.urandom(2), "big") / 65536)


# no gradient


class NoGrad(Plain):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Inference(Plain):
    @torch.inference_mode()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Detached(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class ThroughNumpy(Plain):
    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x).numpy().reshape(len(x), -1)
        return torch.from_numpy(y @ self.fc.weight.numpy().T + self.fc.bias.numpy())


class Rounds(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 1.0


class NoBackward(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return Rounds.apply(super().forward(x))


PAIRS = {
    "View": "Plain",
    "FlatFirst": "Plain",
    "Strided": "Plain",
    "SubDiv": "Shifted",
    "ByViews": "Shifted",
    "BySubmodule": "Shifted",
    "ByData": "Shifted",
    "rectifies_first": "Rectified",
    "BatchNorm": "OwnNorm",
    "TrainedNorm": "OwnNorm",
    "FunctionalNorm": "OwnNorm",
    "Branch": "OwnBranch",
    "WhereBranch": "OwnBranch",
    "ItemBranch": "Plain",
    "OneOnly": "Plain",
    "Counts": "Plain",
    "Average": "Plain",
    "DriftingWeight": "Plain",
    "Dropout": "Seeded",
    "ModeDropout": "Seeded",
    "StaysInTraining": "Seeded",
    "Numpy": "SeededNumpy",
}
NO_GRADIENT = ("NoGrad", "Inference", "Detached", "ThroughNumpy", "NoBackward")
