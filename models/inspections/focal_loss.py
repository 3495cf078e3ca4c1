"""Focal loss: what easy negatives, hard negatives and positives contribute to cross-entropy and to focal loss.

The anchors are those of the picture with the model's own logits, computed once; no control runs the network.

Arrays of the Result, by group (easy negatives, hard negatives, positives): `counts` (3,), `entropy` and `focal` (3,)
the sums, `entropy_share` and `focal_share` (3,). `edges` (B + 1,) bins of the highest probability with `bin_counts`,
`bin_entropy` and `bin_focal` (B,) of the negatives; `chances` (P,) with `entropy_curve` and `focal_curve` (P,) of one
positive term. Meta: `groups`, `normaliser`, `text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.detection import focal, training_losses, training_sample
from models.detection.anchor_match import IGNORED
from models.features.detector_training import (
    RPN,
    as_in_training,
    assigned_to,
    key_of,
    learner_of,
    objects_of,
    overlap_of,
)
from models.inspection import Inspection
from models.params import param
from models.types import Pixels, Result

BINS = 24
LEAST = 1e-6
POINTS = 100


@dataclass(frozen=True)
class Params:
    """The exponent and the weight of focal loss, and from which probability on a negative counts as hard."""

    truth: str = param("", "Ground truth", "Path of a COCO file, or of a Pascal VOC or YOLO folder.")
    gamma: float = param(2.0, "Gamma", "How strongly what is already right counts less.", high=5.0, step=0.1)
    alpha: float = param(
        0.25,
        "Alpha",
        "The weight of positives; negatives have one minus it.",
        low=-0.01,
        titles=("No weights",),
    )
    easy: float = param(0.1, "Hard from", "A negative is hard once a class reaches this probability.", low=0.01)


def lacks(model: Any) -> Mapping[str, str]:
    """Return why the model's anchors have no known losses, under "" as it then concerns everything."""
    why = training_losses.reason_without(getattr(model, "net", None))
    return {"": f"{model.card.name} cannot be followed: {why}"} if why else {}


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the contributions of the groups."""
    net = model.net
    stages.progress(None, "objects")
    objects = objects_of(model, pixels, params.truth, stages)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        seen, truth = as_in_training(model, pixels, objects, stages)
        learner = learner_of(net, seen, truth, RPN, stages)
    found = stages.run("overlap with objects", lambda: overlap_of(truth, learner.boxes), RPN, key_of(truth, seen))
    assigned = assigned_to(found, truth, learner, learner.rule, net)
    assert learner.logits is not None
    positive = training_sample.positives_of(assigned)
    used = torch.from_numpy(np.flatnonzero(assigned.state != IGNORED))
    labels = torch.full((len(learner.boxes),), -1)
    names = objects.labels[assigned.row[positive]]
    labels[torch.from_numpy(positive)] = names if learner.logits.shape[1] > 1 else torch.zeros_like(names)
    logits, labels = learner.logits.float().cpu()[used], labels[used]

    def weigh() -> focal.Terms:
        return focal.terms(logits, labels, link=learner.link, gamma=params.gamma, alpha=params.alpha)

    each = stages.time("focal loss", weigh)
    group = focal.groups(labels, each.confidence, easy=params.easy)
    arrays = {"counts": torch.bincount(group, minlength=3).numpy()}
    for name, values in (("entropy", each.entropy), ("focal", each.focal)):
        sums = torch.zeros(3, dtype=torch.float64).index_add_(0, group, values.double()).numpy()
        arrays[name] = sums
        arrays[f"{name}_share"] = sums / max(float(sums.sum()), 1e-12)
    arrays |= _bins(each, group != focal.POSITIVE) | _curves(params)
    meta: dict[str, Any] = {
        "kind": "focal loss",
        "groups": focal.GROUPS,
        "normaliser": max(1, int(arrays["counts"][focal.POSITIVE])),
        "link": learner.link,
        "gamma": params.gamma,
        "alpha": params.alpha,
        "easy": params.easy,
    }
    easy = [float(arrays[f"{name}_share"][focal.EASY]) for name in ("entropy", "focal")]
    meta["text"] = (
        f"{objects.about} Of {len(used):,} anchors {int(arrays['counts'][focal.POSITIVE]):,} are positive. "
        f"The {int(arrays['counts'][focal.EASY]):,} easy negatives are {easy[0]:.1%} of the cross-entropy and "
        f"{easy[1]:.1%} of the focal loss."
    )
    return Result(arrays, meta)


def _bins(each: focal.Terms, negative: torch.Tensor) -> dict[str, np.ndarray]:
    """Return what the negatives contribute by their highest probability, in bins of equal ratio."""
    edges = np.geomspace(LEAST, 1, BINS + 1)
    chance = each.confidence[negative].clamp(LEAST, 1).numpy()
    weights = {"bin_counts": None, "bin_entropy": each.entropy[negative], "bin_focal": each.focal[negative]}
    return {
        "edges": edges,
        **{
            name: np.histogram(chance, edges, weights=None if w is None else w.double().numpy())[0].astype(np.float64)
            for name, w in weights.items()
        },
    }


def _curves(params: Params) -> dict[str, np.ndarray]:
    """Return both losses of one positive term by the probability of its class."""
    chance = np.linspace(0.01, 1, POINTS)
    entropy = -np.log(chance)
    weight = params.alpha if params.alpha >= 0 else 1.0
    return {
        "chances": chance,
        "entropy_curve": entropy,
        "focal_curve": weight * (1 - chance) ** params.gamma * entropy,
    }


INSPECTION = Inspection(
    id="focal_loss",
    title="Focal loss",
    help="What easy negatives, hard negatives and positives contribute to cross-entropy and focal loss on a picture.",
    needs=("Detects",),
    params=Params,
    answer=answer,
    lacks=lacks,
)
