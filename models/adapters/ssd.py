"""Adapter for torchvision's SSD and SSDLite: one stage, default boxes on a pyramid, softmax with background."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD
from torchvision.ops import boxes as box_ops

from models.adapters.base import box_subject as looking
from models.adapters.base.detector import Front, anchor_table, front
from models.cards.card import Card
from models.detection.evidence import Evidence
from models.params import Value
from models.subject import Rect, Subject
from models.types import Anchors, Candidates, Float, Int, Pixels

LOWEST_SCORE = 0.01


class SsdAdapter:
    """An opened SSD: stages preprocess, backbone, head, decode (Liu et al. 2016)."""

    stages: Mapping[str, str] = {"rpn": "{name} is a one-stage detector: it has no region proposals."}

    def __init__(self, net: SSD, card: Card) -> None:
        self.net: Any = net.eval()
        self.card = card

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return isinstance(net, SSD)

    @classmethod
    def tiny(cls) -> SSD:
        """Return a random-weight miniature for contract tests."""
        from models.bundled.pyramid import Pyramid

        torch.manual_seed(0)
        backbone = Pyramid(out_channels=16, extra_level=True)
        backbone.out_channels = [16] * 4
        anchors = DefaultBoxGenerator([[2]] * 4, scales=[0.1, 0.2, 0.35, 0.5, 0.7])
        return SSD(backbone, anchors, size=(96, 96), num_classes=4, score_thresh=0.2, topk_candidates=50)

    @property
    def defaults(self) -> dict[str, Value]:
        """The model's own thresholds."""
        net = self.net
        return {"score": net.score_thresh, "iou": net.nms_thresh, "max_detections": net.detections_per_img}

    @property
    def floor(self) -> float:
        """The lowest score of a candidate."""
        return min(LOWEST_SCORE, self.net.score_thresh)

    def front(self, pixels: Pixels, stages: Any) -> Front:
        """Return the image as the network sees it, with the maps of its backbone."""
        return front(self.net, pixels, stages)

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Candidates:
        """Return the `topk_candidates` best boxes of every class above the floor, by class as in torchvision."""

        def make() -> Candidates:
            seen = front(self.net, pixels, stages)
            return self._decode(seen, *stages.run("head", lambda: self._head(seen)))

        return stages.run("decode", make, self.floor)

    def anchors(self, pixels: Pixels, stages: Any) -> Anchors:
        """Return the default boxes in pixels of the original image."""

        def make() -> Anchors:
            seen = front(self.net, pixels, stages)
            boxes = self.net.anchor_generator(seen.images, list(seen.features.values()))[0]
            grids = [(int(f.shape[-2]), int(f.shape[-1])) for f in seen.features.values()]
            return anchor_table(seen.drawn(boxes), grids, self.net.anchor_generator.num_anchors_per_location())

        return stages.run("anchors", make)

    def evidence(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Evidence:
        """Return the head's scores and boxes of every default box."""
        seen = front(self.net, pixels, stages)
        output, anchors = stages.run("head", lambda: self._head(seen))
        logits, deltas = output["cls_logits"][0], output["bbox_regression"][0]
        size, coder = seen.size, self.net.box_coder

        def scores(wanted: Int) -> Float:
            return logits[torch.from_numpy(wanted).to(logits.device)].softmax(-1).cpu().numpy()

        def decoded(wanted: Int) -> Float:
            at = torch.from_numpy(wanted).to(deltas.device)
            boxes = box_ops.clip_boxes_to_image(coder.decode_single(deltas[at], anchors[at]), size).cpu().numpy()
            return np.broadcast_to(boxes[:, None], (len(wanted), logits.shape[1], 4))

        return Evidence(
            origins=self.anchors(pixels, stages),
            anchor_free=False,
            source=np.arange(len(logits)),
            scores=scores,
            decoded=decoded,
            drawn=seen.mapping(),
            has_background=True,
        )

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: a fixed default box, from which a detection comes or which is nearest to a
        drawn region.
        """
        row, label = looking.chosen(self, pixels, stages, box=box, region=region)
        seen = front(self.net, pixels, stages)
        _, anchors = stages.run("head", lambda: self._head(seen))
        with torch.inference_mode(False):
            held = anchors[[row]].clone()

        def scores(maps: OrderedDict[str, Tensor]) -> tuple[Tensor, Tensor]:
            output = self.net.head(list(maps.values()))
            deltas = output["bbox_regression"][:, row]
            boxes = self.net.box_coder.decode_single(deltas, held.expand(len(deltas), 4))
            return output["cls_logits"][:, row], boxes

        about = "the region drawn" if region is not None else f"box {row * len(self.card.classes) + label}"
        key = ("box", row, label, region)
        return looking.subject(self, pixels, stages, scores, key=key, label=label, about=about, link="softmax")

    def _head(self, seen: Front) -> tuple[dict[str, Tensor], Tensor]:
        maps = list(seen.features.values())
        return self.net.head(maps), self.net.anchor_generator(seen.images, maps)[0]

    def _decode(self, seen: Front, output: dict[str, Tensor], anchors: Tensor) -> Candidates:
        scores = output["cls_logits"][0].softmax(-1)[:, 1:]
        boxes = self.net.box_coder.decode_single(output["bbox_regression"][0], anchors)
        boxes = box_ops.clip_boxes_to_image(boxes, seen.size)

        best = [self._best(column) for column in scores.T]
        anchor = torch.cat(best) if best else torch.zeros(0, dtype=torch.int64, device=scores.device)
        counts = torch.tensor([len(rows) for rows in best], device=scores.device)
        label = torch.arange(len(best), device=scores.device).repeat_interleave(counts) + 1
        score, chosen = scores[anchor, label - 1], boxes[anchor]
        count = len(score)
        return Candidates(
            boxes=chosen.cpu().numpy(),
            drawn=seen.drawn(chosen),
            score=score.cpu().numpy(),
            label=label.cpu().numpy(),
            anchor=anchor.cpu().numpy(),
            proposal=np.full(count, -1, np.int64),
            proposals=np.zeros((0, 4), np.float32),
            objectness=np.zeros(0, np.float32),
        )

    def _best(self, scores: Tensor) -> Tensor:
        """Return the best rows of one class, those above the model's own threshold first, in torchvision's order.

        Which of several equal scores topk picks, and in which order, depends on its other input. So those above the
        model's own threshold are selected among themselves, as in torchvision; the others fill the remaining places.
        """
        own = self.net.score_thresh
        taken = torch.where(scores > own)[0]
        taken = taken[scores[taken].topk(min(self.net.topk_candidates, len(taken))).indices]
        rest = torch.where((scores > self.floor) & (scores <= own))[0]
        room = min(self.net.topk_candidates - len(taken), len(rest))
        return torch.cat([taken, rest[scores[rest].topk(room).indices]])


ADAPTER = SsdAdapter
