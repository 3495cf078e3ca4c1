"""The losses of torchvision's detectors box by box, from outputs that are computed once; none changes the network.

A `Learner` is one part of a network that learns from boxes: a region proposal network, a box head, or a one-stage
head. Its losses, added up and divided by its `share`, are those that the network returns in training mode.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection._utils import _box_loss
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.models.detection.ssd import SSD
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from models.detection.training_sample import SampleRule

BETA = 1 / 9
ROI_CHUNK = 512
Features = Mapping[str, Tensor]
Part = Literal["rpn", "head"]


@dataclass(frozen=True)
class Learner:
    """N boxes in network pixels with what the network says of them.

    `class_loss(labels)` returns the classification loss (N,) of labels, `background` for none; `box_loss(rows, labels,
    truth)` that of the box (n,) for some rows, and `extra` further losses of the same form. `names` are what the
    network calls them; `share` says whether sums are divided by the number of boxes chosen or by that of positives.
    `levels` are the boxes of each level, where assignment depends on it. `logits` (N, C) are scored by `link`.
    """

    boxes: Tensor
    rule: SampleRule
    names: tuple[str, ...]
    share: Literal["chosen", "positive"]
    class_loss: Callable[[Tensor], Tensor]
    box_loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    extra: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    levels: tuple[int, ...] = ()
    background: int = 0
    logits: Tensor | None = None
    link: Literal["softmax", "sigmoid"] = "softmax"


def reason_without(net: Any) -> str:
    """Return why the losses of a network are not known box by box, "" if they are."""
    known = isinstance(net, FasterRCNN | SSD | RetinaNet | FCOS)
    return "" if known else "its training is not one of torchvision's."


def prepared(net: Any, image: Tensor, boxes: Tensor) -> tuple[ImageList, Tensor]:
    """Return the picture (3, H, W) as in training, and the objects' boxes (M, 4) in its pixels.

    The size is drawn from torch's generator where the network trains at several.
    """
    transform = copy.copy(net.transform)  # shares everything but its mode
    transform.training = True
    images, targets = transform([image], [{"boxes": boxes.clone()}])
    return images, targets[0]["boxes"]


def training_proposals(net: Any, images: ImageList, features: Features) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Return what the RPN says of its anchors, by name, and the proposals that it gives in training."""
    rpn = copy.copy(net.rpn)
    rpn.training = True  # of the copy: other numbers of proposals are kept
    maps = list(features.values())
    objectness, deltas = rpn.head(maps)
    anchors = rpn.anchor_generator(images, maps)
    counts = [m[0].numel() for m in objectness]
    objectness, deltas = concat_box_prediction_layers(objectness, deltas)
    boxes = rpn.box_coder.decode(deltas, anchors).view(1, -1, 4)
    proposals, _ = rpn.filter_proposals(boxes, objectness, images.image_sizes, counts)
    return {"objectness": objectness.flatten(), "deltas": deltas, "anchors": anchors[0]}, proposals


def region_scores(net: Any, features: Features, boxes: Tensor, sizes: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
    """Return the box head's logits (N, C) and offsets (N, 4 C) for regions (N, 4), in chunks."""
    heads, parts = net.roi_heads, []
    for start in range(0, max(len(boxes), 1), ROI_CHUNK):
        pooled = heads.box_roi_pool(dict(features), [boxes[start : start + ROI_CHUNK]], sizes)
        parts.append(heads.box_predictor(heads.box_head(pooled)))
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


def of_rpn(net: Any, said: Mapping[str, Tensor]) -> Learner:
    """Return the region proposal network as a learner of its anchors."""
    rpn = net.rpn
    objectness, deltas, anchors = said["objectness"], said["deltas"], said["anchors"]

    def class_loss(labels: Tensor) -> Tensor:
        wanted = (labels > 0).to(objectness.dtype)
        return functional.binary_cross_entropy_with_logits(objectness, wanted, reduction="none")

    def box_loss(rows: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
        return _smooth_l1(deltas[rows], rpn.box_coder.encode_single(truth, anchors[rows]), BETA)

    names = ("loss_objectness", "loss_rpn_box_reg")
    scored: dict[str, Any] = {"logits": objectness[:, None], "link": "sigmoid"}
    return Learner(anchors, _rule(rpn), names, "chosen", class_loss, box_loss, **scored)


def of_box_head(net: Any, boxes: Tensor, logits: Tensor, deltas: Tensor) -> Learner:
    """Return the box head as a learner of proposals (N, 4), the objects themselves among them."""
    heads = net.roi_heads
    by_class = deltas.reshape(len(deltas), -1, 4)

    def class_loss(labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, reduction="none")

    def box_loss(rows: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
        return _smooth_l1(by_class[rows, labels], heads.box_coder.encode_single(truth, boxes[rows]), BETA)

    return Learner(
        boxes, _rule(heads), ("loss_classifier", "loss_box_reg"), "chosen", class_loss, box_loss, logits=logits
    )


def of_one_stage(net: Any, output: Mapping[str, Tensor], anchors: Tensor, levels: list[int]) -> Learner:
    """Return a one-stage head as a learner of its anchors (N, 4), from its `output` for one picture."""
    logits, deltas = output["cls_logits"], output["bbox_regression"]
    if isinstance(net, SSD):
        matcher = net.proposal_matcher
        rule = SampleRule(
            matcher.high_threshold,
            matcher.low_threshold,
            forced=True,
            kind="best",
            ratio=float(net.neg_to_pos_ratio),
        )

        def entropy(labels: Tensor) -> Tensor:
            return functional.cross_entropy(logits, labels, reduction="none")

        def offsets(rows: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
            return _smooth_l1(deltas[rows], net.box_coder.encode_single(truth, anchors[rows]), 1.0)

        names = ("classification", "bbox_regression")
        return Learner(anchors, rule, names, "positive", entropy, offsets, logits=logits)

    scored: dict[str, Any] = {"background": -1, "logits": logits, "link": "sigmoid"}
    background = sigmoid_focal_loss(logits, torch.zeros_like(logits)).sum(1)

    def focal(labels: Tensor) -> Tensor:
        found = background.clone()
        rows = torch.where(labels >= 0)[0]
        wanted = torch.zeros_like(logits[rows])
        wanted[torch.arange(len(rows)), labels[rows]] = 1
        found[rows] = sigmoid_focal_loss(logits[rows], wanted).sum(1)
        return found

    if isinstance(net, RetinaNet):
        matcher = net.proposal_matcher
        rule = SampleRule(matcher.high_threshold, matcher.low_threshold, forced=matcher.allow_low_quality_matches)
        head: Any = net.head
        kind, coder = head.regression_head._loss_type, head.regression_head.box_coder

        def corners(rows: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
            if kind == "l1":
                return (deltas[rows] - coder.encode_single(truth, anchors[rows])).abs().sum(1)
            pairs = zip(rows.tolist(), truth, strict=True)
            values = [_box_loss(kind, coder, anchors[[r]], t[None], deltas[[r]]) for r, t in pairs]
            return torch.stack(values) if values else torch.zeros(0)

        names = ("classification", "bbox_regression")
        return Learner(anchors, rule, names, "positive", focal, corners, **scored)

    def overlap(rows: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
        decoded = net.box_coder.decode(deltas[rows], anchors[rows])
        return generalized_box_iou_loss(decoded, truth, reduction="none")

    def centred(rows: Tensor, labels: Tensor, truth: Tensor) -> Tensor:
        sides = net.box_coder.encode(anchors[rows], truth)
        ratios = [s.min(1)[0] / s.max(1)[0] for s in (sides[:, [0, 2]], sides[:, [1, 3]])]
        wanted = torch.sqrt(ratios[0] * ratios[1])
        given = output["bbox_ctrness"][rows, 0]
        return functional.binary_cross_entropy_with_logits(given, wanted, reduction="none")

    names = ("classification", "bbox_regression", "bbox_ctrness")
    rule = SampleRule(0.0, 0.0, kind="centre")
    return Learner(anchors, rule, names, "positive", focal, overlap, centred, tuple(levels), **scored)


def has_other_losses(net: nn.Module) -> bool:
    """Return whether a network also learns masks or key points, whose losses are not among those here."""
    heads: Any = getattr(net, "roi_heads", None)
    return heads is not None and (heads.has_mask() or heads.has_keypoint())


def _rule(part: Any) -> SampleRule:
    """Return how a region proposal network or a box head matches and draws boxes."""
    matcher, sampler = part.proposal_matcher, part.fg_bg_sampler
    return SampleRule(
        matcher.high_threshold,
        matcher.low_threshold,
        forced=matcher.allow_low_quality_matches,
        count=sampler.batch_size_per_image,
        fraction=sampler.positive_fraction,
    )


def _smooth_l1(given: Tensor, wanted: Tensor, beta: float) -> Tensor:
    return functional.smooth_l1_loss(given, wanted, beta=beta, reduction="none").sum(1)
