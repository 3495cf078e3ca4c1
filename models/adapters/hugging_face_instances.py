"""Adapter for Hugging Face's networks with a mask for each query: Mask2Former, MaskFormer, and DETR with masks.

One network answers as instances (a box and a mask each), as classes of pixels, and as panoptic segments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.adapters.base.hugging_face import class_names, corners, inside, named
from models.adapters.base.queries import FINAL, QueryRows, Scoring
from models.adapters.base.row_outputs import Output
from models.detection.panoptic import Fusion, fused
from models.runtime.forward_passes import through
from models.subject import Rect, Subject
from models.types import Candidates, Float, Int, Pixels

CELLS = 56  # of a mask's side, within its box
SIDE = {"mask2former": (384, 384)}  # to which a family's own post-processing brings its masks
LEAST, SMALLEST = 1e-12, 1e-38
SPREAD = 3**0.5  # half the side of a box, in standard deviations of its places


@dataclass(frozen=True)
class Queries:
    """The network's output for a picture: `scores` (Q, K + 1), `masks` (Q, h, w) logits over the whole input, and
    `boxes` (Q, 4) in network pixels, of the network's own or around the masks.
    """

    scores: Tensor
    masks: Tensor
    boxes: Tensor

    @property
    def nbytes(self) -> int:
        """The size of the tensors in bytes."""
        return self.scores.nbytes + self.masks.nbytes + self.boxes.nbytes


class HuggingFaceInstances(QueryRows):
    """An opened network with mask queries: stages network, decode."""

    stages: Mapping[str, str] = {**QueryRows.stages, "nms": FINAL}
    scoring = Scoring(softmax=True)
    masks_by_id = True

    @staticmethod
    def match(net: nn.Module) -> bool:
        """Return whether this adapter fits the network."""
        return named(net).endswith(("ForUniversalSegmentation", "ForInstanceSegmentation", "DetrForSegmentation"))

    class_names = staticmethod(class_names)

    @classmethod
    def tiny(cls) -> nn.Module:
        """Return a random-weight miniature for contract tests."""
        from transformers import DetrConfig, MaskFormerConfig, MaskFormerForInstanceSegmentation, SwinConfig

        torch.manual_seed(0)
        stages = ["stage1", "stage2", "stage3", "stage4"]
        body: dict[str, Any] = {"depths": [1] * 4, "num_heads": [1, 1, 2, 2], "window_size": 2, "out_features": stages}
        heads: dict[str, Any] = {
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "num_queries": 8,
            "use_timm_backbone": False,
        }
        sizes: dict[str, Any] = {
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_ffn_dim": 32,
            "decoder_ffn_dim": 32,
        }
        more: dict[str, Any] = {"fpn_feature_size": 32, "mask_feature_size": 32, "num_labels": 4}
        config = MaskFormerConfig(
            backbone_config=SwinConfig(image_size=64, patch_size=4, embed_dim=8, **body),
            decoder_config=DetrConfig(**heads, **sizes).to_dict(),
            **more,
        )
        return MaskFormerForInstanceSegmentation._from_config(config, attn_implementation="eager")

    def queries(self, pixels: Pixels, stages: Any) -> Queries:
        """Return the network's output for an image."""

        def make() -> Queries:
            with torch.inference_mode(False), torch.no_grad():
                x = self.preprocess.input(pixels, self.device)
                scores, masks, boxes = self._run_queries(x)
            size = SIDE.get(self.net.config.model_type)
            if size is not None:
                masks = functional.interpolate(masks, size=size, mode="bilinear", align_corners=False)
            tall, wide = x.shape[-2:]
            if boxes is None:
                found = _around(masks[0] > 0) * masks.new_tensor((wide, tall) * 2)
            else:
                high, broad = inside(self.preprocess, pixels.shape[1], pixels.shape[0])
                found = corners(boxes[0]) * masks.new_tensor((broad, high) * 2)
            return Queries(scores[0].float(), masks[0].float(), found.float())

        return stages.run("network", make)

    def output(self, pixels: Pixels, stages: Any) -> Output:
        """Return the class scores (Q, K + 1) and the boxes (Q, 4) in network pixels."""
        found = self.queries(pixels, stages)
        return Output(found.scores, found.boxes)

    def candidates(self, pixels: Pixels, settings: Mapping[str, Any], stages: Any) -> Candidates:
        """Return the candidates, best first, as the library's `post_process_instance_segmentation` chooses them.

        A score is that of the class times the mean of its mask where that is above one half; those of DETR, which has
        boxes of its own, are its classes'.
        """

        def make() -> Candidates:
            found = self.queries(pixels, stages)
            if self._own_boxes:
                return self._decode(pixels, Output(found.scores, found.boxes))
            chances = self.chances(pixels, stages)
            classes = chances.shape[1]
            flat = found.scores.softmax(-1)[:, :-1].flatten().topk(len(chances)).indices
            label, query = flat % classes, flat // classes
            score = chances[query, label]
            there = (found.masks > 0).flatten(1)
            order = score.argsort(descending=True, stable=True)
            order = order[(score[order] > self.floor) & (there.sum(1)[query[order]] > 0)]
            boxes = found.boxes[query[order]].cpu().numpy()
            return Candidates(
                boxes=boxes,
                drawn=self.mapping(pixels)(boxes),
                score=score[order].cpu().numpy(),
                label=label[order].cpu().numpy(),
                anchor=query[order].cpu().numpy(),
                proposal=np.full(len(boxes), -1, np.int64),
                proposals=np.zeros((0, 4), np.float32),
                objectness=np.zeros(0, np.float32),
            )

        return stages.run("decode", make, self.floor)

    def chances(self, pixels: Pixels, stages: Any) -> Tensor:
        """Return the score of each class for each query (Q, C): its chance times the mean of its mask."""
        found = self.queries(pixels, stages)
        chances = found.scores.softmax(-1)[:, :-1]
        if self._own_boxes:
            return chances
        there = (found.masks > 0).float().flatten(1)
        return chances * ((found.masks.sigmoid().flatten(1) * there).sum(1) / (there.sum(1) + 1e-6))[:, None]

    def masks(self, pixels: Pixels, boxes: Float, labels: Int, stages: Any, ids: Int | None = None) -> Float:
        """Return mask probabilities (K, h, w) within boxes (K, 4) in network pixels, each of the box's own query.

        Without the detections' `ids` that is the query with the nearest box.
        """
        found = self.queries(pixels, stages)
        if not len(boxes):
            return np.zeros((0, CELLS, CELLS), np.float32)
        wanted = torch.from_numpy(np.asarray(boxes)).to(found.boxes)
        if ids is None:
            query = torch.cdist(wanted, found.boxes, p=1).argmin(1)
        else:
            query = torch.from_numpy(ids // len(self.card.classes)).to(wanted.device)
        x = self.preprocess.input(pixels, self.device)
        size = wanted.new_tensor((x.shape[-1], x.shape[-2]))
        cells = (torch.arange(CELLS, device=wanted.device) + 0.5) / CELLS
        first, side = wanted[:, :2], wanted[:, 2:] - wanted[:, :2]
        across = (first[:, None, 0] + cells * side[:, None, 0]) / size[0] * 2 - 1
        down = (first[:, None, 1] + cells * side[:, None, 1]) / size[1] * 2 - 1
        grid = torch.stack([across[:, None].expand(-1, CELLS, -1), down[:, :, None].expand(-1, -1, CELLS)], -1)
        seen = functional.grid_sample(
            found.masks[query][:, None], grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        return seen[:, 0].sigmoid().cpu().numpy()

    def class_maps(self, pixels: Pixels, stages: Any) -> Float:
        """Return for each class (C, h, w) the logarithm of the sum of its queries' chances times their masks."""
        found = self.queries(pixels, stages)

        def make() -> Tensor:
            chances = found.scores.softmax(-1)[:, :-1]
            return torch.einsum("qc,qhw->chw", chances, found.masks.sigmoid()).clamp_min(SMALLEST).log()

        return stages.time("classes", make).cpu().numpy()

    def panoptic(self, pixels: Pixels, stages: Any, *, score: float, mask: float, overlap: float) -> Fusion:
        """Return the segments that every pixel has at most one of, at the masks' own resolution over the input."""
        found = self.queries(pixels, stages)
        return fused(found.scores, found.masks, score=score, mask=mask, overlap=overlap)

    def subject(self, pixels: Pixels, stages: Any, *, box: int = -1, region: Rect | None = None) -> Subject:
        """Return what attributions explain: the classes of a query, and where its mask lies.

        The coordinates are those of the box that has the mask's mean place and spread, or the network's own.
        """
        query, label = self._chosen(pixels, stages, box=box, region=region)
        height, width = pixels.shape[:2]
        extent = self.preprocess.extent(width, height)
        run = through(self.behaviour, lambda x: self._columns(x, query, extent, (width, height)))
        with torch.inference_mode(False):
            return Subject(
                net=self.net,
                input=self.preprocess.input(pixels, self.device),
                scores=run,
                classes=self.card.classes,
                extent=extent,
                black=self.preprocess.black(self.device),
                link="exp",
                key=("box", query, label, region),
                about="the region drawn" if region is not None else f"box {query * len(self.card.classes) + label}",
                label=label,
                spread=2,
                **self.behaviour.about,
            )

    def _columns(self, x: Tensor, query: int, extent: Rect, size: tuple[int, int]) -> Tensor:
        scores, masks, boxes = self._run_queries(x)
        chances = scores[:, query].log_softmax(-1)[:, :-1]
        if boxes is not None:
            return torch.cat([chances, corners(boxes[:, query]) * boxes.new_tensor(size * 2)], 1)
        weight = masks[:, query].sigmoid() + LEAST
        sides = []
        for axis, (low, high) in ((1, (extent[0], extent[2])), (2, (extent[1], extent[3]))):
            share = weight.sum(axis)
            cells = (torch.arange(share.shape[1], device=x.device) + 0.5) / share.shape[1] * (high - low) + low
            share = share / share.sum(1, keepdim=True)
            mean = (share * cells).sum(1)
            sides.append((mean, SPREAD * ((share * cells**2).sum(1) - mean**2).clamp_min(LEAST).sqrt()))
        (across, wide), (down, tall) = sides
        return torch.cat([chances, torch.stack([across - wide, down - tall, across + wide, down + tall], 1)], 1)

    @property
    def _own_boxes(self) -> bool:
        return self.net.config.model_type == "detr"

    def _run_queries(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return scores (N, Q, K + 1), mask logits (N, Q, h, w) and boxes (N, Q, 4) in shares, None without them."""
        made = self.net(pixel_values=x)
        if self._own_boxes:
            return made.logits, made.pred_masks, made.pred_boxes
        return made.class_queries_logits, made.masks_queries_logits, None


def _around(masks: Tensor) -> Tensor:
    """Return the boxes (Q, 4) around masks (Q, h, w), in shares of their sides; zeros for an empty one."""
    rows, columns = masks.any(2), masks.any(1)
    found = []
    for axis in (columns, rows):
        count = axis.shape[1]
        first = axis.float().argmax(1)
        last = count - axis.flip(1).float().argmax(1)
        empty = ~axis.any(1)
        found.append((first.masked_fill(empty, 0) / count, last.masked_fill(empty, 0) / count))
    (x0, x1), (y0, y1) = found
    return torch.stack([x0, y0, x1, y1], 1)


ADAPTER = HuggingFaceInstances
