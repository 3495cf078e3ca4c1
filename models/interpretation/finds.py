"""What each reading of a network's outputs finds on a picture, as a sentence and as arrays that can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import batched_nms

from models.detection.box_rows import FIRST, LAST, Boxes
from models.interpretation.layout import DetectorLayout
from models.interpretation.network_reading import Reading
from models.loading.heads import Head
from models.loading.preprocess import Preprocess
from models.loading.returned_tensors import numbers, rows
from models.quantity import VALUE, in_digits

LEAST_SCORE, OVERLAP, MOST_BOXES = 0.3, 0.45, 50
MOST_TOLD = 3
Outputs = Sequence[tuple[str, Tensor]]


@dataclass(frozen=True)
class Finds:
    """What a reading finds: a sentence, what kind of thing `shows` it, and its arrays by name.

    "boxes": `boxes` (K, 4) xyxy in pixels of the original image, `scores`, `labels` (K,). "points": `points` (P, 3) x,
    y and score. "labels": `labels` (h, w) classes of the input's pixels. "map": `map` (h, w) float32. "picture":
    `picture` (h, w, 3) uint8. "numbers": `numbers` (K,). "" shows nothing. Maps lie at the input's place.
    """

    text: str
    shows: str = ""
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


def finds(
    reading: Reading,
    outputs: Outputs,
    x: Tensor,
    *,
    preprocess: Preprocess,
    picture: tuple[int, int],
    classes: Sequence[str],
) -> Finds:
    """Return what a reading finds in the outputs for input `x` (1, 3, h, w) of a `picture` of width and height px."""
    how, tensors = reading.how, [tensor.detach().cpu() for _, tensor in outputs]
    floats = [rows(tensor, 1).float() for tensor in numbers(outputs)]
    match how:
        case DetectorLayout():
            boxes, scores = how.decode(tensors, preprocess.size)
            return _of_boxes(boxes[0], scores[0], preprocess, picture, classes)
        case Boxes():
            scores = how.probabilities(floats[reading.part][0])
            first, last = how.background == FIRST, how.background == LAST
            scores[:, 0 if first else -1] *= 0.0 if first or last else 1.0
            return _of_boxes(how.corners(floats[how.part][0], preprocess.size), scores, preprocess, picture, classes)
        case Head():
            return _of_vector(how, floats[reading.part].flatten(1), classes)
        case None:
            return Finds(_plain(reading, floats))
    return how.finds(floats, x.detach().cpu(), preprocess=preprocess, picture=picture, classes=classes)


def placed(points: NDArray[Any], preprocess: Preprocess, picture: tuple[int, int]) -> NDArray[np.float32]:
    """Return points (..., 2) or boxes (..., 4) in pixels of the input as pixels of the original image."""
    x0, y0, x1, y1 = preprocess.extent(*picture)
    tall, wide = preprocess.size
    times = points.shape[-1] // 2
    scale, first = np.array([(x1 - x0) / wide, (y1 - y0) / tall] * times), np.array([x0, y0] * times)
    return np.asarray(points * scale + first, np.float32)


def name_of(classes: Sequence[str], label: int) -> str:
    """Return the name of a class, its number where there is none."""
    return classes[label] if label < len(classes) else f"class {label}"


def _of_boxes(
    boxes: Tensor, scores: Tensor, preprocess: Preprocess, picture: tuple[int, int], classes: Sequence[str]
) -> Finds:
    """Return the boxes (R, 4) in px of the input whose best score (R, C) is sure, without those that others cover."""
    best, label = torch.where(boxes.isfinite().all(1, keepdim=True), scores, scores.new_zeros(())).max(1)
    sure = (best >= LEAST_SCORE).nonzero()[:, 0]
    if not len(sure):
        top = int(best.argmax()) if len(best) else -1
        said = f", the surest {name_of(classes, int(label[top]))} at {float(best[top]):.2f}" if top >= 0 else ""
        return Finds(
            f"no box from {LEAST_SCORE:.2f} on{said}", "boxes", _box_arrays(boxes[sure], best[sure], label[sure])
        )
    kept = sure[batched_nms(boxes[sure], best[sure], label[sure], OVERLAP)][:MOST_BOXES]
    texts = [f"{name_of(classes, int(label[row]))} {float(best[row]):.2f}" for row in kept[:MOST_TOLD]]
    count = f"{len(kept)} box{'es' if len(kept) > 1 else ''}"
    arrays = _box_arrays(boxes[kept], best[kept], label[kept])
    arrays["boxes"] = placed(arrays["boxes"], preprocess, picture)
    return Finds(f"{count}: {', '.join(texts)}{', …' if len(kept) > MOST_TOLD else ''}", "boxes", arrays)


def _box_arrays(boxes: Tensor, scores: Tensor, labels: Tensor) -> dict[str, NDArray[Any]]:
    return {"boxes": boxes.float().numpy(), "scores": scores.float().numpy(), "labels": labels.numpy()}


def _of_vector(head: Head, values: Tensor, classes: Sequence[str]) -> Finds:
    """Return what a vector (1, K) says under a head: the best classes with their probabilities, or the numbers."""
    scores = head.scores(values)[0]
    if not scores.isfinite().all():
        return Finds("not a number (NaN or infinite)")
    if head.quantity == VALUE:
        names = classes if len(classes) == len(scores) else ("",) * len(scores)
        texts = [f"{name} {in_digits(float(value))}".strip() for name, value in zip(names, scores, strict=True)]
        more = ", …" if len(texts) > MOST_TOLD else ""
        return Finds(f"{', '.join(texts[:MOST_TOLD])}{more}", "numbers", {"numbers": scores.numpy()})
    link = {"softmax": lambda s: s.softmax(0), "sigmoid": torch.sigmoid, "exp": torch.exp}[head.link]
    chances = link(scores)
    best = chances.topk(min(MOST_TOLD, len(chances)))
    if head.distribution or head.single:
        kept = list(range(len(best.values)))
    else:
        kept = [place for place, value in enumerate(best.values) if value >= 0.5] or [0]
    texts = [f"{name_of(classes, int(best.indices[at]))} {float(best.values[at]):.1%}" for at in kept]
    return Finds(", ".join(texts), "numbers", {"numbers": chances.numpy()})


def _plain(reading: Reading, floats: Sequence[Tensor]) -> str:
    """Return in words what there is of outputs that have no meaning of their own."""
    if reading.part >= len(floats):
        return ""
    shape = floats[reading.part].shape
    if len(shape) == 4:
        return f"{shape[1]:,} maps of {shape[3]} x {shape[2]} cells"
    return f"{shape[1]:,} rows of {shape[2]:,} numbers" if len(shape) == 3 else f"{shape[-1]:,} numbers"
