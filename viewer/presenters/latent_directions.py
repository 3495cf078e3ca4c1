"""Directions in a latent space: moving along them, computing one from two sets of codes, arithmetic of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.latent.space import Space
from models.types import Float, Pixels, Refusal
from viewer.translation import tr


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction (D,) of length 1. `strip` (F, H, W, 3) are pictures along it at `offsets` (F,) from a code (D,)."""

    name: str
    vector: Float
    help: str = ""
    kept: bool = False
    strip: Pixels | None = None
    offsets: Float | None = None
    code: Float | None = None


def along(code: Float, vector: Float) -> float:
    """Return the projection of a code (D,) onto a direction (D,), measured from the prior's mean."""
    return float(code.astype(np.float64) @ vector.astype(np.float64))


def moved(code: Float, vector: Float, by: float, space: Space) -> Float:
    """Return a code (D,) moved along a direction (D,).

    Uniform dimensions are clipped to -1..1, choices do not change.
    """
    made = (code.astype(np.float64) + by * vector.astype(np.float64)).astype(np.float32)
    return _within(made, code, space)


def between(ones: Float, others: Float, space: Space) -> Float:
    """Return the direction (D,) of length 1 from the mean of codes (M, D) to that of others (N, D).

    Categorical dimensions are left out. Raises Refusal if either set is empty or the means are equal.
    """
    if not len(ones) or not len(others):
        raise Refusal(tr("A direction leads from one set to another."), advice=tr("Put codes in both."))
    vector = ones.astype(np.float64).mean(0) - others.astype(np.float64).mean(0)
    for block, part in space.parts():
        if block.kind == "categorical":
            vector[part] = 0
    length = np.linalg.norm(vector)
    if length < 1e-6:
        raise Refusal(
            tr("The two sets have the same mean: there is no direction."), advice=tr("Put other codes in one.")
        )
    return (vector / length).astype(np.float32)


def total(a: Float, b: Float, c: Float, space: Space) -> Float:
    """Return A - B + C of codes (D,): uniform dimensions clipped to -1..1, for each choice the category with the
    largest sum.
    """
    made = (a.astype(np.float64) - b + c).astype(np.float32)
    start = made.copy()
    for block, part in space.parts():
        if block.kind == "categorical":
            start[part] = 0
            start[part.start + int(made[part].argmax())] = 1
    return _within(made, start, space)


def cosines(vectors: Sequence[Float]) -> np.ndarray:
    """Return the cosines between directions (D,) as (m, m): 1 same, 0 independent, -1 opposite."""
    rows = np.array(vectors, np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
    return unit @ unit.T


def likeness(row: int, found: Sequence[Direction]) -> str:
    """Return the cosines of one direction with the others in words, one per line."""
    if len(found) < 2:
        return ""
    values = cosines([each.vector for each in found])[row]
    lines = [f"{each.name}: {value:+.2f}" for each, value in zip(found, values, strict=True) if each is not found[row]]
    return tr("Cosine with\n") + "\n".join(lines).replace("-", "−")


def free_name(wanted: str, kept: Sequence[tuple[str, str]]) -> str:
    """Return a name that no kept direction has: the wanted one, with a number if it is taken."""
    taken, base = {name for name, _ in kept}, wanted.strip() or tr("Direction")
    names = (base, *(f"{base} {number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _within(made: Float, choices: Float, space: Space) -> Float:
    for block, part in space.parts():
        if block.kind == "uniform":
            made[part] = made[part].clip(-1, 1)
        elif block.kind == "categorical":
            made[part] = choices[part]
    return made
