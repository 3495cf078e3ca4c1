"""Predictions: what the model says of every picture.

Of a classifier the columns `prediction` (row of its classes) and `confidence`, and the array `probabilities` (R, C), or
`values` of a regression. Of a detector `prediction` and `confidence` of its best detection, -1 and 0 if there is none,
and `detections`, how many it shows at its own thresholds. Of other models nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from models.dataset_pass.batch import Batch
from models.dataset_pass.forward import Forward
from models.dataset_pass.product import Collecting
from models.detection.suppression import ranking
from models.loading.heads import Head
from models.quantity import VALUE
from models.types import Candidates, Refusal


@dataclass(frozen=True)
class Predictions:
    """The model's answers."""

    name: ClassVar[str] = "predictions"
    version: ClassVar[int] = 1

    @property
    def wants_inputs(self) -> tuple[str, ...]:
        """No module's inputs."""
        return ()

    def collector(self, forward: Forward) -> Collecting:
        """Return a collector for a classifier, a detector or neither."""
        if forward.classifies:
            return _Classes(forward)
        return _Boxes(forward) if forward.kind == "boxes" else _Nothing()


class _Nothing(Collecting):
    def add(self, batch: Batch) -> None:
        """Keep nothing."""


class _Classes(Collecting):
    def __init__(self, forward: Forward) -> None:
        super().__init__()
        head = getattr(forward.model, "head", None) or Head()
        self._link, self._plain = head.link, head.quantity == VALUE

    def check(self, batch: Batch) -> None:
        """Raise Refusal for numbers that are not finite."""
        if batch.scores is None or not bool(batch.scores.isfinite().all()):
            raise Refusal("The network's output is not a number (NaN or infinite).", advice="Look at its weights.")

    def add(self, batch: Batch) -> None:
        """Keep the probabilities of a batch."""
        assert batch.scores is not None
        scores = batch.scores.double().cpu().numpy()
        if self._plain:
            self.array("values", scores.astype(np.float32))
            return
        chances = linked(scores, self._link)
        best = chances.argmax(1)
        self.column("prediction", best.tolist())
        self.column("confidence", [round(float(v), 6) for v in chances[np.arange(len(best)), best]])
        self.array("probabilities", chances.astype(np.float32))


class _Boxes(Collecting):
    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self._model = forward.model

    def add(self, batch: Batch) -> None:
        """Keep the best detection of a picture, and how many there are at the model's own thresholds."""
        for found in batch.candidates:
            best = int(found.score.argmax()) if len(found) else -1
            self.column("prediction", [int(found.label[best]) if best >= 0 else -1])
            self.column("confidence", [round(float(found.score[best]), 6) if best >= 0 else 0.0])
            self.column("detections", [self._shown(found)])

    def _shown(self, found: Candidates) -> int:
        from torchvision.ops import batched_nms

        own = self._model.defaults
        keep = found.score > float(own["score"])
        boxes, score, label = found.boxes[keep], found.score[keep], found.label[keep]
        if not len(score):
            return 0
        order = ranking(score)
        iou = float(own.get("iou", 1.0))
        at, sure, kind = (torch.from_numpy(np.ascontiguousarray(each[order])) for each in (boxes, score, label))
        kept = len(batched_nms(at, sure, kind, iou)) if iou < 1 else len(score)
        return min(kept, int(own.get("max_detections", kept)))


def linked(scores: NDArray[np.float64], link: str) -> NDArray[np.float64]:
    """Return probabilities (N, C) of scores (N, C); any other link than sigmoid and exp means softmax."""
    match link:
        case "sigmoid":
            return np.asarray(1 / (1 + np.exp(-scores)))
        case "exp":
            return np.exp(scores)
    chances = np.exp(scores - scores.max(1, keepdims=True))
    return chances / chances.sum(1, keepdims=True)
