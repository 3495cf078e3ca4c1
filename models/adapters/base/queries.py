"""What detectors share that give one box for each of their queries (DETR and its descendants), without suppression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from models.adapters.base.detector import anchor_table
from models.adapters.base.hugging_face import corners, inside, prepared, settled
from models.adapters.base.row_outputs import LOWEST_SCORE, NO_OBJECTNESS, NO_PLACE, NO_PROPOSALS, Output, Rows
from models.cards.card import Card
from models.detection.evidence import Evidence
from models.params import Value
from models.subject import Rect, Subject
from models.types import Candidates, Float, Pixels

FINAL = "{name} gives one box for each of its queries (end-to-end): there is nothing left to suppress."


@dataclass(frozen=True)
class Scoring:
    """How a family's scores are read: a softmax with "no object" last, or a sigmoid for each class.

    With a sigmoid the `best` pairs of query and class are candidates, as many as there are queries for 0.
    """

    softmax: bool = False
    best: int = 0


class QueryRows(Rows):
    """An opened detector with queries: stages network, decode. A subclass gives its `scoring` and runs the network."""

    stages: Mapping[str, str] = {
        **Rows.stages,
        "nms": FINAL,
        "HasAnchors": "{name} finds boxes with learned queries: it has no anchors.",
    }
    scoring: Scoring = Scoring()
    _final = True
    default_score: ClassVar[float] = 0.5

    def __init__(self, net: nn.Module, card: Card, preprocess: Any = None) -> None:
        self.card = card
        self.preprocess: Any = prepared(card, preprocess)
        self.net: Any = settled(net, self.preprocess)

    @property
    def defaults(self) -> dict[str, Value]:
        """The library's own threshold; as many boxes as the family gives at most."""
        queries = self.scoring.best or int(getattr(self.net.config, "num_queries", 0) or 100)
        return {"score": self.default_score, "iou": 1.0, "max_detections": min(queries, 1000)}

    def outputs(self, x: Tensor, pixels: Pixels) -> tuple[Tensor, Tensor]:
        """Return scores (N, Q, K) before softmax or sigmoid, and boxes (N, Q, 4) as centre and size in shares."""
        raise NotImplementedError

    def output(self, pixels: Pixels, stages: Any) -> Output:
        """Return the network's output for an image, with boxes as corners in network pixels."""

        def make() -> Output:
            with torch.inference_mode(False), torch.no_grad():
                scores, boxes = self.outputs(self.preprocess.input(pixels, self.device), pixels)
            return Output(scores[0].float(), corners(boxes[0].float()) * self._scale(pixels, boxes))

        return stages.run("network", make)

    def _scale(self, pixels: Pixels, like: Tensor) -> Tensor:
        tall, wide = inside(self.preprocess, pixels.shape[1], pixels.shape[0])
        return like.new_tensor((wide, tall, wide, tall))

    def _decode(self, pixels: Pixels, output: Output) -> Candidates:
        """Return the candidates, best first, as the library's `post_process_object_detection` chooses them."""
        if self.scoring.softmax:
            score, label = output.scores.softmax(-1)[:, :-1].max(-1)
            order = score.argsort(descending=True, stable=True)
            score, label, query = score[order], label[order], order
        else:
            count, classes = output.scores.shape
            score, flat = output.scores.sigmoid().flatten().topk(min(self.scoring.best or count, count * classes))
            label, query = flat % classes, flat // classes
        keep = (score > self.floor) & output.boxes[query].isfinite().all(1)
        score, label, query = score[keep], label[keep], query[keep]
        boxes = output.boxes[query].cpu().numpy()
        return Candidates(
            boxes=boxes,
            drawn=self.mapping(pixels)(boxes),
            score=score.cpu().numpy(),
            label=label.cpu().numpy(),
            anchor=query.cpu().numpy(),
            proposal=np.full(len(boxes), -1, np.int64),
            proposals=np.zeros((0, 4), np.float32),
            objectness=np.zeros(0, np.float32),
        )

    @property
    def floor(self) -> float:
        """The lowest score of a candidate."""
        return LOWEST_SCORE

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Evidence:
        """Return the scores and boxes of every query; a query comes from no place in the picture."""
        output, place = self.output(pixels, stages), self.mapping(pixels)
        chances = self.chances(pixels, stages).cpu().numpy()
        boxes = np.nan_to_num(output.boxes.cpu().numpy())
        absent = {"Region proposals": NO_PROPOSALS, "Objectness": NO_OBJECTNESS, "Cells": NO_PLACE}
        return Evidence(
            origins=anchor_table(place(boxes), [(1, len(boxes))], [1]),
            anchor_free=True,
            source=np.arange(len(boxes)),
            scores=lambda wanted: chances[wanted],
            decoded=lambda wanted: np.broadcast_to(boxes[wanted][:, None], (len(wanted), chances.shape[1], 4)),
            drawn=place,
            has_background=False,
            queries=True,
            absent={**absent, "NMS": FINAL.format(name=self.card.name)},
        )

    def chances(self, pixels: Pixels, stages: Any) -> Tensor:
        """Return the score of each class for each query (Q, C), as candidates have them."""
        scores = self.output(pixels, stages).scores
        return scores.softmax(-1)[:, :-1] if self.scoring.softmax else scores.sigmoid()

    def mapping(self, pixels: Pixels) -> Callable[[Float], Float]:
        """Return a function that converts boxes (N, 4) from network pixels to pixels of the original image."""
        height, width = pixels.shape[:2]
        tall, wide = inside(self.preprocess, width, height)
        scale = np.array([width / wide, height / tall] * 2, np.float32)
        return lambda boxes: np.asarray(boxes * scale, np.float32)

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: the query of a detection, or that whose box is nearest to a region."""
        query, label = self._chosen(pixels, stages, box=box, region=region)
        height, width = pixels.shape[:2]

        def scores(x: Tensor) -> Tensor:
            logits, boxes = self.outputs(x, pixels)
            logits = logits[:, query].log_softmax(-1)[:, :-1] if self.scoring.softmax else logits[:, query]
            return torch.cat([logits, corners(boxes[:, query]) * boxes.new_tensor((width, height) * 2)], 1)

        with torch.inference_mode(False):
            return Subject(
                net=self.net,
                input=self.preprocess.input(pixels, self.device),
                scores=scores,
                classes=self.card.classes,
                extent=self.preprocess.extent(width, height),
                black=self.preprocess.black(self.device),
                link="exp" if self.scoring.softmax else "sigmoid",
                key=("box", query, label, region),
                about="the region drawn" if region is not None else f"box {query * len(self.card.classes) + label}",
                label=label,
                spread=2,
                **self.behaviour.about,
            )
