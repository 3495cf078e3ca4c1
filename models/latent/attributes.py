"""Attribute vectors: the latent direction from codes without an attribute towards codes with it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.types import Refusal

PENALTY = 1.0  # weight of half the squared norm against the summed loss; the same as scikit-learn's C = 1
TURNS = 200


def difference(codes: Tensor, has: Tensor, *, beside: Tensor | None = None) -> Tensor:
    """Return the mean of the codes (N, D) with an attribute minus the mean of those without it, (D,).

    `beside` (N,) holds labels of a second attribute that correlates with the first in this data, such as gender with
    smiling. The difference is then computed within each of its groups and averaged, which balances the groups (White
    2016, 1609.04468, section 3.3). Raises Refusal if no group has codes of both sorts.
    """
    with_it = has.bool()
    groups = [None] if beside is None else beside.unique().tolist()
    found = []
    for group in groups:
        inside = torch.ones_like(with_it) if beside is None or group is None else beside == group
        if (inside & with_it).any() and (inside & ~with_it).any():
            found.append(codes[inside & with_it].mean(0) - codes[inside & ~with_it].mean(0))
    if not found:
        raise Refusal("There must be pictures both with and without it.", advice="Add some of the missing sort.")
    return torch.stack(found).mean(0)


@dataclass(frozen=True)
class Boundary:
    """A hyperplane separating codes with an attribute from those without it.

    `normal` (D,) has length 1 and points towards the codes with the attribute; on the plane normal · z + offset = 0, in
    units of codes. `auc` is the area under the ROC curve on the `held_out` codes left out of the fit: 0.5 at chance
    level, 1 if the side of the plane decides the attribute.
    """

    normal: Tensor
    offset: float
    auc: float
    held_out: int


def boundary(codes: Tensor, has: Tensor, *, held_out: float = 0.25, seed: int = 0) -> Boundary:
    """Fit a logistic regression of an attribute (N,) on codes (N, D) and return its decision boundary.

    The normal is the direction InterFaceGAN uses (Shen et al. 2020, 1907.10786), there from a support vector machine. A
    share `held_out` of each sort, drawn with `seed`, is kept out of the fit. Raises Refusal for fewer than two codes of
    either sort.
    """
    kept, aside = _split(has.bool(), held_out, seed)
    weight, bias = logistic(codes[kept], has[kept])
    length = weight.norm().clamp(min=1e-30)
    auc = ranked(codes[aside].double() @ weight, has[aside])
    return Boundary((weight / length).float(), float(bias / length), auc, len(aside))


def logistic(codes: Tensor, has: Tensor, *, penalty: float = PENALTY) -> tuple[Tensor, Tensor]:
    """Return the weights (D,) and bias () of a logistic regression with a ridge penalty on the weights, in float64."""
    x, y = codes.detach().double(), has.double()
    free = torch.zeros(x.shape[1] + 1, dtype=torch.float64, device=x.device, requires_grad=True)
    solver = torch.optim.LBFGS([free], max_iter=TURNS, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(x @ free[:-1] + free[-1], y, reduction="sum")
        total = loss + 0.5 * penalty * (free[:-1] ** 2).sum()
        total.backward()
        return total

    solver.step(closure)
    return free[:-1].detach(), free[-1].detach()


def ranked(scores: Tensor, has: Tensor) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative, counting ties as half."""
    yes, no = scores[has.bool()], scores[~has.bool()]
    above = (yes[:, None] > no).double() + 0.5 * (yes[:, None] == no).double()
    return float(above.mean())


def cosines(directions: Tensor) -> Tensor:
    """Return the cosine similarities (m, m) of directions (m, D): 1 the same, 0 orthogonal, -1 opposite."""
    unit = functional.normalize(directions.double(), dim=1)
    return (unit @ unit.T).float()


def _split(has: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the rows to fit and the rows to hold out, the same share of both sorts."""
    generator = torch.Generator().manual_seed(seed)
    kept, aside = [], []
    for sort in (has, ~has):
        rows = sort.nonzero()[:, 0].cpu()
        if len(rows) < 2:
            raise Refusal("There are fewer than two pictures with it, or without it.", advice="Add some.")
        rows = rows[torch.randperm(len(rows), generator=generator)]
        cut = min(len(rows) - 1, max(1, round(share * len(rows))))
        aside.append(rows[:cut])
        kept.append(rows[cut:])
    return torch.cat(kept), torch.cat(aside)
