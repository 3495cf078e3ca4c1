"""Adapter for torchvision's Faster R-CNN: region proposals, then a box head per proposal. No masks, no key points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops import boxes as box_ops

from models.cards import Card
from models.detection.front import Front, anchor_table, front
from models.params import Value
from models.types import Anchors, Candidates, Pixels

LOWEST_SCORE = 0.01
SMALLEST_BOX_PX = 1e-2
CHUNK = 512


@dataclass(frozen=True)
class Pool:
    """What the RPN kept before its own suppression, as columns of equal length P.

    `boxes` (P, 4) in network pixels, clipped; `objectness` (P,) in 0..1; `level` (P,); `anchor` (P,) rows.
    """

    boxes: Tensor
    objectness: Tensor
    level: Tensor
    anchor: Tensor

    @property
    def nbytes(self) -> int:
        """The size of all columns."""
        return sum(t.nbytes for t in (self.boxes, self.objectness, self.level, self.anchor))


class RcnnAdapter:
    """An opened Faster R-CNN: stages preprocess, backbone, rpn, proposals, box head, decode (Ren et al. 2015)."""

    stages: Mapping[str, str] = {}
    proposes = True

    def __init__(self, net: FasterRCNN, card: Card) -> None:
        self.net: Any = net.eval()
        self.card = card

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Tell whether this adapter serves the network."""
        return type(net) is FasterRCNN

    @classmethod
    def tiny(cls) -> FasterRCNN:
        """Return a random-weight miniature for contract tests."""
        from models.networks.pyramid import Pyramid

        torch.manual_seed(0)
        anchors = AnchorGenerator(((16,), (32,), (64,)), ((0.5, 1.0, 2.0),) * 3)
        return FasterRCNN(
            Pyramid(out_channels=16),
            num_classes=None,
            min_size=96,
            max_size=160,
            rpn_anchor_generator=anchors,
            box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], 3, 2),
            box_head=TwoMLPHead(16 * 9, 32),
            box_predictor=FastRCNNPredictor(32, 4),
            rpn_pre_nms_top_n_test=60,
            rpn_post_nms_top_n_test=40,
        )

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
        """The lowest score that candidates are kept for."""
        return min(LOWEST_SCORE, self.net.roi_heads.score_thresh)

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Candidates:
        """Return every (proposal, class) pair above the floor, proposal by proposal as torchvision does.

        At the model's own RPN settings the box head runs on its proposals alone, exactly as in the model; at others
        its outputs for the whole pre-NMS pool are computed once, and each setting is a selection of rows of them.
        """
        own = self.defaults
        wanted = tuple(settings.get(name, own[name]) for name in ("rpn_score", "rpn_iou", "rpn_top_n"))
        exact = wanted == (own["rpn_score"], own["rpn_iou"], own["rpn_top_n"])

        def make() -> Candidates:
            seen = front(self.net, pixels, stages)
            pool = stages.run("rpn", lambda: self._pool(seen))
            rows = stages.run("proposals", lambda: self._propose(pool, *wanted), *wanted)
            if exact:
                logits, deltas = stages.run("box head", lambda: self._box_head(seen, pool.boxes[rows]))
            else:
                every = stages.run("box head on the pool", lambda: self._box_head_chunks(seen, pool.boxes, stages))
                logits, deltas = every[0][rows], every[1][rows]
            return self._decode(seen, pool, rows, logits, deltas)

        return stages.run("decode", make, *wanted, self.floor)

    def anchors(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the RPN's anchors in pixels of the original picture."""

        def make() -> Anchors:
            seen = front(self.net, pixels, stages)
            generator = self.net.rpn.anchor_generator
            boxes = generator(seen.images, list(seen.features.values()))[0]
            grids = [(int(f.shape[-2]), int(f.shape[-1])) for f in seen.features.values()]
            return anchor_table(seen.drawn(boxes), grids, generator.num_anchors_per_location())

        return stages.run("anchors", make)

    def _pool(self, seen: Front) -> Pool:
        rpn = self.net.rpn
        features = list(seen.features.values())
        maps, deltas = rpn.head(features)
        anchors = rpn.anchor_generator(seen.images, features)
        counts = [m[0].numel() for m in maps]
        objectness, deltas = concat_box_prediction_layers(maps, deltas)
        boxes = rpn.box_coder.decode(deltas, anchors).view(-1, 4)

        anchor = rpn._get_top_n_idx(objectness.reshape(1, -1), counts)[0]
        levels = torch.cat([torch.full((n,), i, device=boxes.device) for i, n in enumerate(counts)])
        boxes = box_ops.clip_boxes_to_image(boxes[anchor], seen.size)
        keep = box_ops.remove_small_boxes(boxes, rpn.min_size)
        anchor = anchor[keep]
        return Pool(boxes[keep], objectness.reshape(-1)[anchor].sigmoid(), levels[anchor], anchor)

    def _propose(self, pool: Pool, score: float, iou: float, top_n: int) -> Tensor:
        """Return the rows of the pool that become proposals; the RPN compares with >=, per level."""
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


ADAPTER = RcnnAdapter
