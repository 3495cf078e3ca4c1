"""Inversion: find the code whose picture is nearest to a given one, by gradient descent from many starts.

The loss is the mean squared error over pixels from 0 to 1, plus `pull` times (|z| / sqrt(D) - 1)^2 over the D normal
numbers, which keeps the code near the shell where the prior has its mass. This is the method of Zhu et al. (2016),
section 4.1, without their encoder. All starts run as one batch; the worse half is dropped after a sixth of the steps,
and again after a third.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.latent.space import Space
from models.types import Float, Refusal

EDGE = 0.999
CUTS = (6, 3)


@dataclass(frozen=True)
class Found:
    """The best code (D,) so far, its mean squared error over pixels, and the best error after each step so far."""

    code: Float
    error: float
    curve: Float
    step: int


def invert(
    decode: Callable[[Tensor], Tensor],
    target: Tensor,
    space: Space,
    *,
    starts: int = 16,
    steps: int = 300,
    rate: float = 0.05,
    pull: float = 0.01,
    seed: int = 0,
) -> Iterator[Found]:
    """Yield the best code after each step. `target` is (1, C, H, W) from 0 to 1, in the form `decode` returns.

    The starts are drawn from the prior. Uniform numbers stay within their bounds. Categorical blocks keep the category
    of their start, and the starts are spread evenly over the categories. The caller must enable gradients. Raises
    Refusal when the pictures do not depend on the code.
    """
    drawn = torch.from_numpy(spread(space, starts, seed)).to(target)
    free, mask = _free(drawn, space)
    best = Found(drawn[0].cpu().numpy(), float("inf"), np.zeros(0, np.float32), 0)
    curve: list[float] = []
    fixed = drawn
    moments = [torch.zeros_like(free), torch.zeros_like(free)]
    for step in range(steps):
        leaf = free.detach().requires_grad_(True)
        codes = _codes(leaf, fixed, mask)
        errors = (decode(codes) - target).square().flatten(1).mean(1)
        if not errors.requires_grad:
            raise Refusal("The picture does not depend on the code.", advice="This model cannot be inverted.")
        # A start that has diverged to NaN must never be the best.
        low = int(errors.detach().nan_to_num(float("inf")).argmin())
        if float(errors[low].detach()) < best.error:
            best = Found(codes[low].detach().cpu().numpy().copy(), float(errors[low].detach()), best.curve, step)
        curve.append(best.error)
        (gradient,) = torch.autograd.grad((errors + pull * _away(codes, space)).sum(), leaf)
        free = _adam(leaf.detach(), gradient, moments, step, rate)
        if len(free) > 1 and step + 1 in [steps // cut for cut in CUTS]:
            kept = errors.detach().nan_to_num(float("inf")).argsort()[: max(1, len(free) // 2)]
            free, fixed, moments = free[kept], fixed[kept], [moment[kept] for moment in moments]
        yield Found(best.code, best.error, np.array(curve, np.float32), step + 1)


def spread(space: Space, count: int, seed: int) -> Float:
    """Return codes (count, D) drawn from the prior, with their categories spread evenly."""
    codes = space.draw(seed, count=count)
    for block, part in space.parts():
        if block.kind == "categorical":
            codes[:, part] = np.eye(block.size, dtype=np.float32)[np.arange(count) % block.size]
    return codes


def _free(codes: Tensor, space: Space) -> tuple[Tensor, dict[str, Any]]:
    """Return the variables to optimise, uniform numbers through the inverse of tanh, and masks (D,) by block kind."""
    kinds = np.concatenate([[block.kind] * block.size for block in space.blocks])
    mask = {kind: torch.from_numpy(kinds == kind).to(codes.device) for kind in ("uniform", "categorical")}
    inside = codes.clamp(-EDGE, EDGE).atanh()
    return torch.where(mask["uniform"], inside, codes), mask


def _codes(free: Tensor, fixed: Tensor, mask: dict[str, Any]) -> Tensor:
    bounded = torch.where(mask["uniform"], free.tanh(), free)
    return torch.where(mask["categorical"], fixed, bounded)


def _away(codes: Tensor, space: Space) -> Tensor:
    """Return each code's (N, D) squared distance from the shell where the prior has its mass, (|z| / sqrt(D) - 1)^2."""
    parts = [codes[:, part] for block, part in space.parts() if block.kind == "gaussian"]
    if not parts:
        return codes.new_zeros(len(codes))
    z = torch.cat(parts, 1)
    return (z.square().mean(1).clamp(min=1e-12).sqrt() - 1).square()


def _adam(values: Tensor, gradient: Tensor, moments: list[Tensor], step: int, rate: float) -> Tensor:
    """Return the values after one step of Adam (Kingma and Ba 2015).

    Written out, and not torch.optim.Adam, so that rows and their moments can be dropped between steps.
    """
    gradient = gradient.nan_to_num(0.0)
    moments[0] = moments[0].lerp(gradient, 0.1)
    moments[1] = moments[1].lerp(gradient.square(), 0.001)
    first, second = moments[0] / (1 - 0.9 ** (step + 1)), moments[1] / (1 - 0.999 ** (step + 1))
    return values - rate * first / (second.sqrt() + 1e-8)
