"""Per-detection outputs of a head (masks, key points), computed only for new detections and cached by detection id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from models.detection.decision import GREEDY, Params, decide, rpn_settings
from models.detection.postprocess import Shown
from models.types import Candidates, Float, Int, Pixels

T = TypeVar("T")
CHUNK = 32
OWN = ("own",)


def shown(model: Any, pixels: Pixels, params: Params, stages: Any) -> tuple[Candidates, Shown, Int]:
    """Return the candidates, the shown ones (best first), and the detection ids of the shown ones."""
    decision = decide(model, pixels, params, stages)
    rows, found = decision.shown.rows, decision.candidates
    return found, decision.shown, found.anchor[rows] * len(model.card.classes) + found.label[rows]


def each(
    name: str, model: Any, params: Params, ids: Int, stages: Any, *, boxes: Float, make: Callable[[Int], Sequence[T]]
) -> list[T]:
    """Return one value for each detection; `make(positions)` computes those at some positions in `ids`.

    Values are cached by id and by box, because fusion moves `boxes` (K, 4). The last bits of a box's numbers depend on
    the batch it is computed in. So at the model's own settings all detections go into one batch, as in the model, and
    values computed under other RPN settings are cached separately.
    """
    kinds = _kinds(model, params)
    values: dict[int, T] = {}
    for at, identity in enumerate(ids.tolist()):
        known = (stages.peek(name, identity, boxes[at].tobytes(), kind) for kind in kinds)
        kept = next((value for value in known if value is not None), None)
        if kept is not None:
            values[at] = kept
    missing = np.setdiff1d(np.arange(len(ids)), list(values))
    size = len(ids) if kinds == OWN else CHUNK
    for start in range(0, len(missing), max(size, 1)):
        stages.progress(start / len(missing), name)
        part = missing[start : start + size]
        for at, value in zip(part.tolist(), stages.time(name, lambda part=part: make(part)), strict=True):
            values[at] = value
            stages.keep(name, value, int(ids[at]), boxes[at].tobytes(), kinds[0])
    return [values[at] for at in range(len(ids))]


def _kinds(model: Any, params: Params) -> tuple[str, ...]:
    """Return the names under which values may be cached; new values go under the first."""
    own = model.defaults
    if any(own[key] != value for key, value in rpn_settings(model, params).items()):
        return ("other proposals",)
    same = all(getattr(params, key) == own[key] for key in ("score", "iou", "max_detections"))
    plain = params.method == GREEDY and not (params.agnostic or params.groups or params.class_scores or params.hidden)
    return OWN if same and plain else ("other", *OWN)
