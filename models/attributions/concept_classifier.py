"""The linear classifier whose weights are a concept activation vector, as captum's `Classifier`; imports captum.

Logistic regression with a quadratic penalty, solved exactly by Newton's method in the space that the examples span, so
the same examples always give the same vector. captum's own needs scikit-learn and gives another one at each call.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import captum.concept
import torch
from torch import Tensor

PENALTY = 0.01  # per example, for activations scaled to a mean square of 1
TURNS = 30
TESTED = 0.33  # the share of the examples that the accuracy is measured on


class ConceptClassifier(captum.concept.Classifier):
    """Tells two sets of activations apart; `seed` picks the examples that are kept for the accuracy."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._weights = torch.zeros(0)
        self._classes: list[int] = []

    def train_and_eval(self, dataloader: Iterable[tuple[Tensor, Tensor]], **kwargs: Any) -> dict[str, Tensor]:
        """Learn from batches of activations (N, F) and concept ids (N,); return the accuracy as "accs"."""
        batches = list(dataloader)
        x = torch.cat([values.reshape(len(values), -1) for values, _ in batches]).double()
        y = torch.cat([labels.reshape(-1) for _, labels in batches]).long()
        first, second = (int(one) for one in torch.unique(y))
        self._classes = [first, second]
        learned, tested = _split(y, self._seed)
        sign = torch.where(y == second, 1.0, -1.0).double()
        weight, bias = logistic(x[learned], sign[learned])
        self._weights = torch.stack([-weight, weight]).float()
        right = ((x[tested] @ weight + bias) > 0) == (sign[tested] > 0)
        return {"accs": right.double().mean()}

    def weights(self) -> Tensor:
        """Return the vectors (2, F) that point to each of the two sets."""
        return self._weights

    def classes(self) -> list[int]:
        """Return the ids of the two sets, in the order of the weights."""
        return self._classes


def logistic(x: Tensor, sign: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights (F,) and bias () of a logistic regression on x (N, F) with signs (N,) of 1 and -1."""
    middle = x.mean(0)
    centred = x - middle
    scale = centred.square().mean().sqrt().clamp(min=1e-12)
    kernel = (centred @ centred.T) / scale.square()
    # The bias is one more feature of a constant 1, hardly penalised.
    kernel = kernel / x.shape[1] + 1.0
    count = len(x)
    alpha = torch.zeros(count, dtype=x.dtype, device=x.device)
    target = (sign + 1) / 2
    ridge = PENALTY * torch.eye(count, dtype=x.dtype, device=x.device)
    for _ in range(TURNS):
        chance = (kernel @ alpha).sigmoid()
        slope = (chance * (1 - chance)).clamp(min=1e-9)
        # Newton's step for sum of log losses + PENALTY / 2 * alpha' K alpha.
        step = torch.linalg.solve(slope[:, None] * kernel + ridge, chance - target + PENALTY * alpha)
        alpha = alpha - step
        if float(step.abs().max()) < 1e-10:
            break
    weight = centred.T @ alpha / scale.square() / x.shape[1]
    return weight, alpha.sum() - middle @ weight


def _split(y: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return the rows to learn from and those to test on, the same share of each set."""
    generator = torch.Generator().manual_seed(seed)
    learned, tested = [], []
    for one in torch.unique(y):
        rows = torch.nonzero(y == one).flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        count = max(1, round(TESTED * len(rows)))
        tested.append(rows[:count])
        learned.append(rows[count:])
    return torch.cat(learned), torch.cat(tested)
