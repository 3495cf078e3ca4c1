"""What torchvision's one-stage detectors with sigmoid heads share: RetinaNet and FCOS."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import boxes as box_ops

from models.adapters.base import box_subject as looking
from models.adapters.base.detector import Front, anchor_table, front
from models.cards.card import Card
from models.detection.evidence import Evidence
from models.params import Value
from models.subject import Rect, Subject
from models.types import Anchors, Candidates, Float, Int, Pixels

LOWEST_SCORE = 0.01


@dataclass(frozen=True)
class Head:
    """The head's output for every origin, ordered by level, row, column, anchor.

    `output` are torchvision's tensors (N, ...) by name, `origins` (N, 4) the anchors or cells in network pixels,
    `counts` the number of origins per level.
    """

    output: dict[str, Tensor]
    origins: Tensor
    counts: list[int]

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return sum(t.nbytes for t in self.output.values()) + self.origins.nbytes


class Dense:
    """An opened one-stage detector with a sigmoid per class and no background column: the label is the column.

    Stages preprocess, backbone, head, decode. A subclass defines how the head's outputs become scores and boxes.
    """

    stages: ClassVar[Mapping[str, str]] = {"rpn": "{name} is a one-stage detector: it has no region proposals."}
    anchor_free: ClassVar[bool] = False

    def __init__(self, net: nn.Module, card: Card) -> None:
        self.net: Any = net.eval()
        self.card = card

    @property
    def defaults(self) -> dict[str, Value]:
        """The model's own thresholds."""
        net = self.net
        return {"score": net.score_thresh, "iou": net.nms_thresh, "max_detections": net.detections_per_img}

    @property
    def floor(self) -> float:
        """The lowest score of a candidate."""
        return min(LOWEST_SCORE, self.net.score_thresh)

    def scores_of(self, output: Mapping[str, Tensor]) -> Tensor:
        """Return the score of each class (..., C) from rows of the head's outputs."""
        raise NotImplementedError

    def boxes_of(self, output: Mapping[str, Tensor], origins: Tensor) -> Tensor:
        """Return the boxes (n, 4) in network pixels, unclipped, from rows of the head's outputs and their origins."""
        raise NotImplementedError

    def front(self, pixels: Pixels, stages: Any) -> Front:
        """Return the image as the network sees it, with the maps of its backbone."""
        return front(self.net, pixels, stages)

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Candidates:
        """Return the `topk_candidates` best (anchor, class) pairs of every level above the floor, level by level."""

        def make() -> Candidates:
            seen = front(self.net, pixels, stages)
            return self._decode(seen, stages.run("head", lambda: self._head(seen)))

        return stages.run("decode", make, self.floor)

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Evidence:
        """Return the head's scores and boxes of every origin."""
        seen = front(self.net, pixels, stages)
        head: Head = stages.run("head", lambda: self._head(seen))
        size = seen.size

        def rows_of(wanted: Int) -> tuple[dict[str, Tensor], Tensor]:
            at = torch.from_numpy(wanted).to(head.origins.device)
            return {name: value[at] for name, value in head.output.items()}, head.origins[at]

        def scores(wanted: Int) -> Float:
            return self.scores_of(rows_of(wanted)[0]).cpu().numpy()

        def decoded(wanted: Int) -> Float:
            output, origins = rows_of(wanted)
            boxes = box_ops.clip_boxes_to_image(self.boxes_of(output, origins), size).cpu().numpy()
            return np.broadcast_to(boxes[:, None], (len(boxes), output["cls_logits"].shape[-1], 4))

        return Evidence(
            origins=self.origins(pixels, stages),
            anchor_free=self.anchor_free,
            source=np.arange(len(head.origins)),
            scores=scores,
            decoded=decoded,
            drawn=seen.mapping(),
            has_background=False,
        )

    def origins(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the anchors, or the cells of an anchor-free detector, in pixels of the original image."""

        def make() -> Anchors:
            seen = front(self.net, pixels, stages)
            maps = list(seen.features.values())
            boxes = self.net.anchor_generator(seen.images, maps)[0]
            grids = [(int(m.shape[-2]), int(m.shape[-1])) for m in maps]
            return anchor_table(seen.drawn(boxes), grids, self.net.anchor_generator.num_anchors_per_location())

        return stages.run("anchors", make)

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: a fixed anchor or cell, from which a box comes or which is nearest to a
        drawn region.
        """
        row, label = looking.chosen(self, pixels, stages, box=box, region=region)
        seen = front(self.net, pixels, stages)
        head: Head = stages.run("head", lambda: self._head(seen))
        with torch.inference_mode(False):
            origin = head.origins[[row]].clone()

        def scores(maps: OrderedDict[str, Tensor]) -> tuple[Tensor, Tensor]:
            output = {name: value[:, row] for name, value in self.net.head(list(maps.values())).items()}
            count = len(output["cls_logits"])
            return output["cls_logits"], self.boxes_of(output, origin.expand(count, 4))

        about = "the region drawn" if region is not None else f"box {row * len(self.card.classes) + label}"
        key = ("box", row, label, region)
        return looking.subject(self, pixels, stages, scores, key=key, label=label, about=about, link="sigmoid")

    def _head(self, seen: Front) -> Head:
        maps = list(seen.features.values())
        output = {name: value[0] for name, value in self.net.head(maps).items()}
        origins = self.net.anchor_generator(seen.images, maps)[0]
        cells = [int(m.shape[-2] * m.shape[-1]) for m in maps]
        per_cell = len(output["cls_logits"]) // sum(cells)
        return Head(output, origins, [count * per_cell for count in cells])

    def _decode(self, seen: Front, head: Head) -> Candidates:
        classes = head.output["cls_logits"].shape[-1]
        boxes, scores, anchors, labels = [], [], [], []
        start = 0
        for count in head.counts:
            level = {name: value[start : start + count] for name, value in head.output.items()}
            flat = self.scores_of(level).flatten()
            pairs = self._best(flat)
            anchor = pairs // classes
            rows = {name: value[anchor] for name, value in level.items()}
            decoded = self.boxes_of(rows, head.origins[start : start + count][anchor])
            boxes.append(box_ops.clip_boxes_to_image(decoded, seen.size))
            scores.append(flat[pairs])
            anchors.append(anchor + start)
            labels.append(pairs % classes)
            start += count
        chosen, score = torch.cat(boxes), torch.cat(scores)
        return Candidates(
            boxes=chosen.cpu().numpy(),
            drawn=seen.drawn(chosen),
            score=score.cpu().numpy(),
            label=torch.cat(labels).cpu().numpy(),
            anchor=torch.cat(anchors).cpu().numpy(),
            proposal=np.full(len(score), -1, np.int64),
            proposals=np.zeros((0, 4), np.float32),
            objectness=np.zeros(0, np.float32),
        )

    def _best(self, flat: Tensor) -> Tensor:
        """Return the best pairs of one level, those above the model's own threshold first, in torchvision's order.

        Which of several equal scores topk picks depends on its other input. So the pairs above the model's own
        threshold are selected among themselves, as in torchvision; the others fill the remaining places.
        """
        room, found = self.net.topk_candidates, []
        own = self.net.score_thresh
        for wanted in (flat > own, (flat > self.floor) & (flat <= own)):
            at = torch.where(wanted)[0]
            found.append(at[flat[at].topk(min(room, len(at))).indices])
            room -= len(found[-1])
        return torch.cat(found)
