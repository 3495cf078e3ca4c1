"""Box losses: seven losses of a predicted box against the true one, with gradients, along a path, and label smoothing.

Arrays of the Result: `predicted` and `truth` (4,); `values` (7,) and `gradients` (7, 4) in the order of `names`;
`places` (P,), `boxes` (P, 4) and `curves` (7, P) along the path; `torch_target` and `yolo_target` (C,) for the first
class. Meta: `names`, `titles`, `iou`, `text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.attributions.target import region_of
from models.detection import box_losses
from models.detection.iou import iou
from models.inspection import Inspection
from models.params import param
from models.types import Refusal, Result


@dataclass(frozen=True)
class Params:
    """The two boxes, the path along which the curves go, and the label smoothing."""

    predicted: str = param("40,60,140,150", "Predicted box", 'The box that a network gives, "x0,y0,x1,y1".')
    truth: str = param("110,90,220,210", "True box", 'The box that is right, "x0,y0,x1,y1".')
    path: str = param(
        "approach",
        "Curves along",
        "How the predicted box moves where losses are drawn as curves.",
        choices=box_losses.PATHS,
        titles=("To the true box", "Across the true box", "Growing in place"),
    )
    epsilon: float = param(0.1, "Label smoothing", "How much of the target is taken from the right class.", high=0.5)
    classes: int = param(10, "Classes", "How many classes there are.", low=2, high=1000, step=1)


def answer(model: Any, pixels: None, params: Params, stages: Any) -> Result:
    """Return losses, gradients and curves. Raises Refusal for a box without area."""
    stages.progress(None, "losses of two boxes")
    box, truth = _box(params.predicted), _box(params.truth)
    values, gradients = box_losses.losses(box[None], truth)
    stages.progress(None, "losses along a path")
    places, boxes = box_losses.path(box.astype(np.float64), truth.astype(np.float64), params.path)
    curves, _ = box_losses.losses(boxes, truth)
    torch_target, yolo_target = box_losses.smoothed(params.epsilon, params.classes)
    arrays = {
        "predicted": box,
        "truth": truth,
        "values": values[:, 0],
        "gradients": gradients[:, 0],
        "places": places,
        "boxes": boxes.astype(np.float32),
        "curves": curves,
        "torch_target": torch_target,
        "yolo_target": yolo_target,
    }
    shared = float(iou(box, truth))
    meta = {
        "kind": "box losses",
        "names": box_losses.NAMES,
        "titles": box_losses.TITLES,
        "iou": shared,
        "path": params.path,
        "epsilon": params.epsilon,
    }
    flat = shared == 0 and not np.abs(arrays["gradients"][box_losses.NAMES.index("iou")]).any()
    said = [f"IoU {shared:.3f}."]
    if flat:
        said.append("The boxes do not overlap: the IoU loss has no gradient, GIoU, DIoU and CIoU still have one.")
    best = arrays["torch_target"][0], arrays["yolo_target"][0]
    said.append(
        f"Label smoothing {params.epsilon:g} over {params.classes} classes: the right class is to be {best[0]:.4g} "
        f"(torch, softmax) or {best[1]:.4g} (YOLO, independent classes)."
    )
    meta["text"] = " ".join(said)
    return Result(arrays, meta)


def _box(text: str) -> np.ndarray:
    region = region_of(text)
    if region is None:
        raise Refusal("A box is missing.", advice="Write x0,y0,x1,y1.")
    if not np.isfinite(region).all() or np.abs(region).max() > 1e6:
        raise Refusal(f"The box {text} is out of range.", advice="Coordinates go up to a million.")
    return np.array(region, np.float32)


INSPECTION = Inspection(
    id="box_losses",
    title="Box losses",
    help="L1, smooth L1, IoU, GIoU, DIoU and CIoU losses of two boxes with their gradients, and label smoothing.",
    needs=(),
    params=Params,
    answer=answer,
    reads="nothing",
)
