"""The two stages that torchvision's R-CNN family shares: region proposals, then a box head per proposal."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import boxes as box_ops

from models.adapters.base import box_subject as looking
from models.adapters.base.detector import Front, anchor_table, front
from models.cards.card import Card
from models.detection.evidence import Evidence
from models.params import Value
from models.subject import Rect, Subject
from models.types import Anchors, Candidates, Float, Int, Pixels

LOWEST_SCORE = 0.01
SMALLEST_BOX_PX = 1e-2
CHUNK = 512
RPN = ("rpn_score", "rpn_iou", "rpn_top_n")


@dataclass(frozen=True)
class Regions:
    """The RPN head's output for all N anchors: `logits` (N,) of objectness, `boxes` (N, 4) in network pixels, not
    clipped; `counts` are the anchors per level.
    """

    logits: Tensor
    boxes: Tensor
    counts: list[int]

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return self.logits.nbytes + self.boxes.nbytes


@dataclass(frozen=True)
class Pool:
    """The P regions that enter the RPN's suppression.

    `boxes` (P, 4) in network pixels, clipped; `objectness` (P,) in 0..1; `level` (P,); `anchor` (P,) rows.
    """

    boxes: Tensor
    objectness: Tensor
    level: Tensor
    anchor: Tensor

    @property
    def nbytes(self) -> int:
        """The size of all columns in bytes."""
        return sum(t.nbytes for t in (self.boxes, self.objectness, self.level, self.anchor))


class TwoStage:
    """An opened two-stage detector: stages preprocess, backbone, rpn head, rpn, proposals, box head, decode.

    Ren et al. 2015. A subclass adds `match`, `tiny` and outputs beyond boxes.
    """

    stages: ClassVar[Mapping[str, str]] = {}
    proposes = True

    def __init__(self, net: FasterRCNN, card: Card) -> None:
        self.net: Any = net.eval()
        self.card = card

    @property
    def defaults(self) -> dict[str, Value]:
        """The model's own thresholds."""
        heads, rpn = self.net.roi_heads, self.net.rpn
        return {
            "score": heads.score_thresh,
            "iou": heads.nms_thresh,
            "max_detections": heads.detections_per_img,
            "rpn_score": rpn.score_thresh,
            "rpn_iou": rpn.nms_thresh,
            "rpn_top_n": rpn.post_nms_top_n(),
        }

    @property
    def floor(self) -> float:
        """The lowest score of a candidate."""
        return min(LOWEST_SCORE, self.net.roi_heads.score_thresh)

    def front(self, pixels: Pixels, stages: Any) -> Front:
        """Return the image as the network sees it, with the maps of its backbone."""
        return front(self.net, pixels, stages)

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Candidates:
        """Return every (proposal, class) pair above the floor, proposal by proposal as torchvision does.

        At the model's own RPN settings the box head runs on the proposals only, exactly as in the model. At other
        settings it runs once on the whole pool before suppression, and each setting selects rows of the result.
        """

        def make() -> Candidates:
            seen = front(self.net, pixels, stages)
            pool, rows, logits, deltas = self.second_stage(seen, settings, stages)
            return self._decode(seen, pool, rows, logits, deltas)

        return stages.run("decode", make, *self._wanted(settings), self.floor)

    def anchors(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the RPN's anchors in pixels of the original image."""

        def make() -> Anchors:
            seen = front(self.net, pixels, stages)
            generator = self.net.rpn.anchor_generator
            boxes = generator(seen.images, list(seen.features.values()))[0]
            grids = [(int(f.shape[-2]), int(f.shape[-1])) for f in seen.features.values()]
            return anchor_table(seen.drawn(boxes), grids, generator.num_anchors_per_location())

        return stages.run("anchors", make)

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Evidence:
        """Return the values of both stages; the scored boxes are the proposals at the RPN's `settings`."""

        def make() -> Evidence:
            seen = front(self.net, pixels, stages)
            pool, rows, logits, deltas = self.second_stage(seen, settings, stages)
            every: Regions = stages.run("rpn head", lambda: self._regions(seen))
            proposals, size, coder = pool.boxes[rows], seen.size, self.net.roi_heads.box_coder

            def scores(wanted: Int) -> Float:
                return logits[torch.from_numpy(wanted).to(logits.device)].softmax(-1).cpu().numpy()

            def decoded(wanted: Int) -> Float:
                at = torch.from_numpy(wanted).to(deltas.device)
                boxes = coder.decode(deltas[at], [proposals[at]]).reshape(len(wanted), -1, 4)
                return box_ops.clip_boxes_to_image(boxes, size).cpu().numpy()

            return Evidence(
                origins=self.anchors(pixels, stages),
                anchor_free=False,
                source=pool.anchor[rows].cpu().numpy(),
                scores=scores,
                decoded=decoded,
                drawn=seen.mapping(),
                has_background=True,
                objectness=every.logits.sigmoid().cpu().numpy(),
                regions=box_ops.clip_boxes_to_image(every.boxes, size).cpu().numpy(),
                pool=pool.anchor.cpu().numpy(),
                proposals=rows.cpu().numpy(),
            )

        return stages.run("evidence", make, *self._wanted(settings))

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: the box head on a fixed proposal, from which a box comes, or on a drawn
        region as the proposal.
        """
        anchor, label = looking.chosen(self, pixels, stages, box=box, region=region)
        seen = front(self.net, pixels, stages)
        heads = self.net.roi_heads
        device = seen.images.tensors.device
        if region is not None:
            held = looking.network_region(seen, region).to(device)
        else:
            every: Regions = stages.run("rpn head", lambda: self._regions(seen))
            held = box_ops.clip_boxes_to_image(every.boxes[[anchor]], seen.size)
        with torch.inference_mode(False):
            held = held.clone()

        def scores(maps: OrderedDict[str, Tensor]) -> tuple[Tensor, Tensor]:
            count = len(next(iter(maps.values())))
            proposals = [held] * count
            pooled = heads.box_roi_pool(maps, proposals, [seen.size] * count)
            logits, deltas = heads.box_predictor(heads.box_head(pooled))
            boxes = heads.box_coder.decode(deltas, proposals).reshape(count, -1, 4)
            return logits, boxes[:, label if label >= 0 else 0]

        about = "the region drawn" if region is not None else f"box {anchor * len(self.card.classes) + label}"
        key = ("box", anchor, label, region)
        link = "softmax"
        return looking.subject(self, pixels, stages, scores, key=key, label=label, about=about, link=link)

    def _wanted(self, settings: Mapping[str, Any]) -> tuple[Any, ...]:
        own = self.defaults
        return tuple(settings.get(name, own[name]) for name in RPN)

    def second_stage(
        self, seen: Front, settings: Mapping[str, Any], stages: Any
    ) -> tuple[Pool, Tensor, Tensor, Tensor]:
        """Return the pool, its rows that become proposals, and the box head's logits and deltas for those rows."""
        own, wanted = self.defaults, self._wanted(settings)
        every: Regions = stages.run("rpn head", lambda: self._regions(seen))
        pool = stages.run("rpn", lambda: self._pool(seen, every))
        rows = stages.run("proposals", lambda: self._propose(pool, *wanted), *wanted)
        if wanted == tuple(own[name] for name in RPN):
            logits, deltas = stages.run("box head", lambda: self._box_head(seen, pool.boxes[rows]))
        else:
            whole = stages.run("box head on the pool", lambda: self._box_head_chunks(seen, pool.boxes, stages))
            logits, deltas = whole[0][rows], whole[1][rows]
        return pool, rows, logits, deltas

    def _regions(self, seen: Front) -> Regions:
        rpn = self.net.rpn
        features = list(seen.features.values())
        maps, deltas = rpn.head(features)
        anchors = rpn.anchor_generator(seen.images, features)
        counts = [m[0].numel() for m in maps]
        objectness, deltas = concat_box_prediction_layers(maps, deltas)
        return Regions(objectness.reshape(-1), rpn.box_coder.decode(deltas, anchors).view(-1, 4), counts)

    def _pool(self, seen: Front, every: Regions) -> Pool:
        rpn = self.net.rpn
        anchor = rpn._get_top_n_idx(every.logits.reshape(1, -1), every.counts)[0]
        levels = torch.cat([torch.full((n,), i, device=anchor.device) for i, n in enumerate(every.counts)])
        boxes = box_ops.clip_boxes_to_image(every.boxes[anchor], seen.size)
        keep = box_ops.remove_small_boxes(boxes, rpn.min_size)
        anchor = anchor[keep]
        return Pool(boxes[keep], every.logits[anchor].sigmoid(), levels[anchor], anchor)

    def _propose(self, pool: Pool, score: float, iou: float, top_n: int) -> Tensor:
        """Return the rows of the pool that become proposals. As in torchvision's RPN, the score is compared with >=,
        and suppression runs per level.
        """
        rows = torch.where(pool.objectness >= score)[0]
        keep = box_ops.batched_nms(pool.boxes[rows], pool.objectness[rows], pool.level[rows], iou)
        return rows[keep[:top_n]]

    def _box_head(self, seen: Front, boxes: Tensor) -> tuple[Tensor, Tensor]:
        heads = self.net.roi_heads
        pooled = heads.box_roi_pool(seen.features, [boxes], seen.images.image_sizes)
        return heads.box_predictor(heads.box_head(pooled))

    def _box_head_chunks(self, seen: Front, boxes: Tensor, stages: Any) -> tuple[Tensor, Tensor]:
        parts = []
        for start in range(0, max(len(boxes), 1), CHUNK):
            stages.progress(start / max(len(boxes), 1), "box head on every proposal")
            parts.append(self._box_head(seen, boxes[start : start + CHUNK]))
        return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])

    def _decode(self, seen: Front, pool: Pool, rows: Tensor, logits: Tensor, deltas: Tensor) -> Candidates:
        proposals = pool.boxes[rows]
        boxes = self.net.roi_heads.box_coder.decode(deltas, [proposals])
        boxes = box_ops.clip_boxes_to_image(boxes, seen.size)[:, 1:]
        scores = logits.softmax(-1)[:, 1:]
        classes = scores.shape[1]

        flat = scores.reshape(-1)
        keep = torch.where(flat > self.floor)[0]
        chosen = boxes.reshape(-1, 4)[keep]
        large = box_ops.remove_small_boxes(chosen, SMALLEST_BOX_PX)
        keep, chosen = keep[large], chosen[large]
        proposal = keep // max(classes, 1)
        return Candidates(
            boxes=chosen.cpu().numpy(),
            drawn=seen.drawn(chosen),
            score=flat[keep].cpu().numpy(),
            label=(keep % max(classes, 1) + 1).cpu().numpy(),
            anchor=pool.anchor[rows][proposal].cpu().numpy(),
            proposal=proposal.cpu().numpy(),
            proposals=seen.drawn(proposals),
            objectness=pool.objectness[rows].cpu().numpy(),
        )
