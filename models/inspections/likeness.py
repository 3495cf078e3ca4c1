"""Likeness: which published architectures have most of the tensors of weights whose network is unknown.

Vitrine's own are compared and torchvision's; of its classifiers, those with about as many parameters, and such of timm
if it is installed. Nothing is loaded: tensors are compared by their shapes. Arrays of the Result: `shares` (N,), the
share of the tensors that each architecture has, the largest first. Meta: `names` (N,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.cards import zoo_catalogue
from models.inspection import Inspection
from models.loading import likeness
from models.types import Result
from models.zoo import alike


@dataclass(frozen=True)
class Params:
    """There are none."""


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return the architectures that are alike."""
    state = model.net.state_dict()
    found = dict(likeness.ranked(state, alike.near(zoo_catalogue.TORCHVISION, state)))
    found |= alike.of_timm(state, lambda part: stages.progress(part, "comparing architectures"))
    names = sorted(found, key=lambda name: (-found[name], name))[: likeness.MOST]
    return Result({"shares": np.array([found[name] for name in names])}, {"names": tuple(names)})


def _lacks(model: Any) -> dict[str, str]:
    known = not model.card.about.get("unknown")
    return {"": f"The network of {model.card.name} is known: there is nothing to compare."} if known else {}


INSPECTION = Inspection(
    id="likeness",
    title="Likeness",
    help="Which published architectures have most of the tensors of weights whose network is unknown.",
    needs=(),
    params=Params,
    answer=answer,
    reads="nothing",
    lacks=_lacks,
)
