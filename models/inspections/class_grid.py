"""Class x noise: a row for each class that can be asked for, the same noise in each column, and who agrees.

Arrays of the Result: `pictures` (K, N, H, W, 3) uint8 RGB, row k of class k; `codes` (K, N, D); `agreement` (K,), the
share of `judged` pictures of a class that the judge takes for it; `probability` (K,), its mean probability of that
class; `seen` (K, C), how often it sees each class; `named` (K,), the class it sees most; `diversity` (K,), the mean
distance of two pictures of a class, as root of the mean square of their difference, and `noise_ignored` (K,) whether it
is 0. Meta: `classes` the names of the rows, `judge_classes`, `mean_agreement`, `mean_diversity`, `across` the mean
distance of two classes with the same noise, `off_support` whether rows are blends, and `text`, the verdict in words.
Without a judge, the arrays about it are missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.inspection import Inspection
from models.params import param
from models.types import Pixels, Real, Refusal, Result

SLICE = 64
SAME = 1e-3  # distance of pictures, of 1, below which noise or class is ignored
GIVEN, MATCHED = "given", "matched"


@dataclass(frozen=True)
class Params:
    """The noise, the judge, and blends."""

    seed: int = param(
        0, "Seed", "The noise of the first column; each further one has the next seed.", high=999_999_999, step=1
    )
    columns: int = param(8, "Columns", "How many noises are shown.", low=2, high=64, step=1)
    judged: int = param(
        32, "Judged", "How many pictures of each class the numbers are taken over.", low=2, high=1000, step=1
    )
    judge: str = param(
        "digits-lenet", "Judge", "A classifier by its name or file that says what it sees; empty for none."
    )
    order: str = param(
        GIVEN,
        "Classes",
        "Whether class 1 of the generator is class 1 of the judge, or whatever it sees most in it.",
        choices=(GIVEN, MATCHED),
        titles=("In the judge's order", "As the judge sees them"),
    )
    blend: float = param(
        0.0, "Blend", "How far each row goes towards the next class; such codes were never trained.", high=1.0
    )


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the grid and the numbers. Raises Refusal for a judge that is no classifier."""
    part = _classes(model)
    count = max(params.columns, params.judged)
    noise = np.concatenate([model.space.draw(params.seed + at) for at in range(count)])
    rows = part.stop - part.start
    share = (
        np.eye(rows, dtype=np.float32) * (1 - params.blend)
        + np.roll(np.eye(rows, dtype=np.float32), 1, 1) * params.blend
    )
    codes = np.repeat(noise[None], rows, 0)
    codes[:, :, part] = share[:, None]
    made = []
    for row in range(rows):
        for at in range(0, count, SLICE):
            stages.progress((row + at / count) / rows, "generate")
            made.append(model.pictures(codes[row, at : at + SLICE]))
    pictures = np.concatenate(made).reshape(rows, count, *made[0].shape[1:])
    small = pictures[..., 0].reshape(rows, count, -1).astype(np.float32) / 255
    diversity = np.array([_spread(each[: params.judged]) for each in small], np.float32)
    across = float(np.mean([_spread(small[:, at]) for at in range(params.columns)]))
    arrays: dict[str, Any] = {
        "pictures": pictures[:, : params.columns],
        "codes": codes[:, : params.columns],
        "diversity": diversity,
        "noise_ignored": diversity < SAME,
    }
    meta: dict[str, Any] = {
        "kind": "latent",
        "classes": tuple(str(each) for each in model.card.about.get("categories", ())) or tuple(map(str, range(rows))),
        "mean_diversity": float(diversity.mean()),
        "across": across,
        "off_support": params.blend > 0,
        "judge_classes": (),
    }
    if params.judge:
        p, names = _judged(params.judge, pictures[:, : params.judged], stages)
        arrays |= _agreement(p, params.order)
        meta |= {"judge_classes": names, "mean_agreement": float(arrays["agreement"].mean())}
    meta["text"] = _text(meta, arrays, params)
    return Result(arrays, meta)


def _classes(model: Any) -> slice:
    """Return the part of a code that says the class: the largest categorical block."""
    found = [(block.size, part) for block, part in model.space.parts() if block.kind == "categorical"]
    if not found:
        raise Refusal(f"{model.card.name} takes no class: its codes are noise alone.", advice=ASK)
    return max(found, key=lambda one: one[0])[1]


def _spread(vectors: Real) -> float:
    """Return the mean distance of two of (N, P) vectors, as root of the mean square of their difference."""
    squares = (vectors**2).sum(1)
    apart = np.maximum(squares[:, None] + squares - 2 * vectors @ vectors.T, 0) / vectors.shape[1]
    count = len(vectors)
    return float(np.sqrt(apart)[~np.eye(count, dtype=np.bool_)].mean()) if count > 1 else 0.0


def _judged(name: str, pictures: Pixels, stages: Any) -> tuple[Real, tuple[str, ...]]:
    """Return the probabilities (K, N, C) that a classifier gives pictures (K, N, H, W, 3), and its classes."""
    judge = stages.model(name)
    if not hasattr(judge, "preprocess") or not hasattr(judge, "logits"):
        raise Refusal(f"{name} is not a classifier.", advice="Choose one, such as digits-lenet.")
    rows, count = pictures.shape[:2]
    flat, found = pictures.reshape(rows * count, *pictures.shape[2:]), []
    with torch.inference_mode(False), torch.no_grad():
        for at in range(0, len(flat), SLICE):
            stages.progress(at / len(flat), f"ask {name}")
            batch = torch.cat([judge.preprocess.input(one, judge.device) for one in flat[at : at + SLICE]])
            found.append(judge.scores(batch).float().softmax(1).cpu().numpy())
    p = np.concatenate(found)
    return p.reshape(rows, count, -1), tuple(judge.card.classes)


def _agreement(p: Real, order: str) -> dict[str, Any]:
    """Return what a judge sees in rows of pictures, from its probabilities (K, N, C)."""
    rows, count, classes = p.shape
    label = p.argmax(2)
    seen = np.stack([np.bincount(each, minlength=classes) for each in label])
    named = seen.argmax(1)
    wanted = named if order == MATCHED else np.arange(rows)
    inside = wanted < classes
    agreement = np.where(inside, seen[np.arange(rows), np.minimum(wanted, classes - 1)] / count, 0.0)
    probability = np.where(inside, p.mean(1)[np.arange(rows), np.minimum(wanted, classes - 1)], 0.0)
    return {
        "seen": seen,
        "named": named,
        "agreement": agreement.astype(np.float32),
        "probability": probability.astype(np.float32),
    }


def _text(meta: dict[str, Any], arrays: dict[str, Any], params: Params) -> str:
    """Return the verdict in words."""
    parts = []
    if "mean_agreement" in meta:
        each = arrays["agreement"]
        parts.append(
            f"{params.judge} sees the asked class in {meta['mean_agreement']:.1%} of the pictures, "
            f"at least in {each.min():.1%} of a class."
        )
        distinct = len(set(arrays["named"].tolist()))
        if params.order == GIVEN and meta["mean_agreement"] < 0.5 and distinct > len(each) // 2:
            parts.append("Its classes seem to be in another order: choose “As the judge sees them”.")
    if meta["across"] < SAME:
        parts.append("The class is ignored: rows do not differ.")
    if bool(arrays["noise_ignored"].all()):
        parts.append("The noise is ignored: pictures of a class do not differ.")
    if meta["off_support"]:
        parts.append("Blends of two classes were never trained: these codes are off the prior's support.")
    return " ".join(parts)


ASK = "If its code holds a class, say so with the assumption Code in the Model panel."


def _lacks(model: Any) -> dict[str, str]:
    """Return why a model has no classes to ask for."""
    try:
        _classes(model)
    except Refusal as refusal:
        return {"": f"{refusal} {refusal.advice}"}
    return {}


INSPECTION = Inspection(
    id="class_grid",
    title="Class x noise",
    help="Pictures of every class a generator can be asked for, with the same noise, and what a classifier sees.",
    needs=("Generates",),
    params=Params,
    answer=answer,
    reads="nothing",
    lacks=_lacks,
)
