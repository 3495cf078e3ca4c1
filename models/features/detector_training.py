"""What training would make of a picture: its objects, the maps at the training size, and the parts that learn.

Everything comes from cached stages of the model; nothing changes the network or puts it into training mode.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN
from torchvision.ops import batched_nms

from models.detection import anchor_match, training_losses, training_sample
from models.detection.anchor_match import Assignment, Overlap
from models.detection.training_losses import Learner
from models.detection.training_sample import SampleRule
from models.truth import read
from models.types import Int, Pixels, Refusal, Source

RPN = "rpn"
SURE = 0.5


@dataclass(frozen=True)
class Objects:
    """What is to be learnt: boxes (M, 4) in pixels of the picture and labels (M,), and where they come from."""

    boxes: Tensor
    labels: Tensor
    about: str


def objects_of(model: Any, pixels: Pixels, truth: str, stages: Any) -> Objects:
    """Return the objects of the ground truth; without any, the model's own detections stand for them."""
    page = read.truth_at(Source.file(truth), progress=stages.progress) if truth else None
    picture = page.of(stages.source.path) if page is not None and stages.source is not None else None
    if page is not None and picture is not None:
        labels = page.label_ids(model.card.classes)[picture.labels]
        boxes = np.ascontiguousarray(picture.boxes, np.float32).reshape(-1, 4)
        used = (labels >= 0) & ~picture.crowd & (boxes[:, 2:] > boxes[:, :2]).all(1)
        count = int(used.sum())
        left = len(used) - count
        about = f"{count} objects of {page.name}."
        about += f" {left} are left out: crowds, empty boxes, or classes that the model does not have." if left else ""
        return Objects(torch.from_numpy(boxes[used]), torch.from_numpy(labels[used]).long(), about)
    if page is not None:
        raise Refusal(
            f"{page.name} has no entry for this picture.", advice="Open one of its pictures, or other ground truth."
        )
    found = model.candidates(pixels, {}, stages)
    kept = _suppressed(found, model.net)
    boxes, labels = torch.from_numpy(found.drawn[kept].copy()), torch.from_numpy(found.label[kept].copy()).long()
    whole = (boxes[:, 2:] > boxes[:, :2]).all(1)
    about = f"No ground truth is open: the model's own {int(whole.sum())} detections stand for the objects."
    return Objects(boxes[whole], labels[whole], about)


def _suppressed(found: Any, net: Any) -> Int:
    threshold = getattr(net, "nms_thresh", None) or net.roi_heads.nms_thresh
    sure = np.flatnonzero(found.score >= SURE)
    boxes, scores, labels = (torch.from_numpy(a[sure]) for a in (found.boxes, found.score, found.label))
    kept = batched_nms(boxes, scores, labels, threshold)
    return sure[kept.numpy()]


def as_in_training(model: Any, pixels: Pixels, objects: Objects, stages: Any) -> tuple[Any, Tensor]:
    """Return backbone maps at the size that training uses, and the objects' boxes in its pixels."""
    net = model.net
    device = next(net.parameters()).device
    image = torch.from_numpy(np.ascontiguousarray(pixels)).to(device).permute(2, 0, 1).float() / 255
    images, truth = training_losses.prepared(net, image, objects.boxes.to(device))
    usual = model.front(pixels, stages)
    if images.image_sizes == usual.images.image_sizes and images.tensors.shape == usual.images.tensors.shape:
        return usual, truth

    def backbone() -> Any:
        output: Any = net.backbone(images.tensors)
        maps = output if isinstance(output, dict) else {"0": output}
        return replace(usual, images=images, features=maps)

    return stages.run("backbone at the training size", backbone, images.image_sizes[0]), truth


def key_of(truth: Tensor, seen: Any) -> tuple[object, ...]:
    """Return what the overlap with the objects depends on."""
    return seen.size, tuple(truth.flatten().tolist())


def learner_of(net: Any, seen: Any, truth: Tensor, part: str, stages: Any) -> Learner:
    """Return the part that learns; what the network says of its boxes is cached."""
    maps = seen.features
    if not isinstance(net, FasterRCNN):

        def head() -> tuple[dict[str, Tensor], Tensor]:
            output = {name: value[0] for name, value in net.head(list(maps.values())).items()}
            return output, net.anchor_generator(seen.images, list(maps.values()))[0]

        output, anchors = stages.run("head in training", head, seen.size)
        cells = [int(m.shape[-2] * m.shape[-1]) for m in maps.values()]
        return training_losses.of_one_stage(
            net, output, anchors, [count * len(anchors) // max(sum(cells), 1) for count in cells]
        )
    said, proposals = stages.run(
        "proposals in training", lambda: training_losses.training_proposals(net, seen.images, maps), seen.size
    )
    rpn = training_losses.of_rpn(net, said)
    if part == RPN:
        return rpn
    # The RPN draws its anchors first: the same seed then draws the same proposals as in training.
    found = stages.run("overlap with objects", lambda: overlap_of(truth, rpn.boxes), RPN, key_of(truth, seen))
    training_sample.draw(
        training_sample.assign(found, len(rpn.boxes), rpn.rule), rpn.rule, np.zeros(len(rpn.boxes), np.float32)
    )
    boxes = torch.cat([proposals[0], truth])

    def scores(rows: Tensor) -> tuple[Tensor, Tensor]:
        return training_losses.region_scores(net, maps, rows, seen.images.image_sizes)

    first = stages.run("box head in training", lambda: scores(proposals[0]), seen.size)
    added = stages.run("box head on the objects", lambda: scores(truth), key_of(truth, seen))
    return training_losses.of_box_head(net, boxes, *(torch.cat(pair) for pair in zip(first, added, strict=True)))


def overlap_of(truth: Tensor, boxes: Tensor) -> Overlap | None:
    """Return the overlap of boxes (N, 4) with the objects (M, 4), None without objects."""
    return anchor_match.overlap(truth.cpu(), boxes.cpu()) if len(truth) else None


def assigned_to(found: Overlap | None, truth: Tensor, learner: Learner, rule: SampleRule, net: Any) -> Assignment:
    """Return what each box of a learner is assigned to by a rule."""
    if found is not None and learner.levels:
        row = anchor_match.assign_by_centre(
            truth.cpu(), learner.boxes.cpu(), list(learner.levels), net.center_sampling_radius
        )
        return anchor_match.centre_assignment(row, found)
    return training_sample.assign(found, len(learner.boxes), rule)
