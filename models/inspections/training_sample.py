"""Training sample: which boxes of a picture a detector would learn from, and what each costs.

Everything the network says is computed once, as in training; thresholds, quotas and the seed choose among it.

Arrays of the Result, boxes in pixels of the original image. Of the K boxes that cost most: `boxes` (K, 4), `positive`
(K,), `iou` (K,) with their object, `truth` (K,) its row or -1, `class_loss` and `box_loss` (K,), `share` (K,) of
all. Of the M objects: `truth_boxes` (M, 4), `truth_labels` (M,), `truth_loss` (M,) of their positives, `learners` (M,)
how many boxes learn them. `histogram` (20,) counts all boxes by their highest IoU, `positives` (20,) those chosen.

Meta: `losses` as the network names them, `total`, the numbers of `positive`, `negative` and `ignored` boxes, `drawn`
(positives, negatives) with the `quota` of positives, and `text`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import FCOS, FasterRCNN
from torchvision.models.detection.transform import resize_boxes

from models.detection import anchor_match, training_losses, training_sample
from models.detection.anchor_match import Assignment
from models.detection.training_losses import Learner
from models.detection.training_sample import RULES, TITLES, Sample, SampleRule
from models.features.detector_training import (
    RPN,
    Objects,
    as_in_training,
    assigned_to,
    key_of,
    learner_of,
    objects_of,
    overlap_of,
)
from models.inspection import Inspection
from models.params import param
from models.types import Float, Pixels, Refusal, Result

OWN, HEAD = "own", "head"
LISTED = 400
BINS = 20
BY_RULE = ("By the rule",)


@dataclass(frozen=True)
class Params:
    """The ground truth, the rule, its thresholds and quotas where they differ, and the seed of the draw."""

    truth: str = param("", "Ground truth", "Path of a COCO file, or of a Pascal VOC or YOLO folder.")
    part: str = param(
        HEAD,
        "Part",
        "Which part of a two-stage detector learns: the box head from proposals, or the RPN from anchors.",
        choices=(HEAD, RPN),
        titles=("Box head", "Region proposals (RPN)"),
    )
    rule: str = param(
        OWN,
        "Rule",
        "By which rule boxes are positive, negative or ignored, and how many are drawn.",
        choices=(OWN, *RULES),
        titles=("The model's own", *TITLES.values()),
    )
    fg: float = param(-0.01, "Foreground IoU", "Positive from this IoU on.", low=-0.01, titles=BY_RULE)
    bg: float = param(-0.01, "Background IoU", "Negative below this IoU.", low=-0.01, titles=BY_RULE)
    floor: float = param(
        -0.01, "Least IoU", "Negatives below this IoU are left out, as in Fast R-CNN.", low=-0.01, titles=BY_RULE
    )
    count: int = param(
        -1, "Boxes drawn", "How many boxes take part.", low=-1, high=4096, step=1, titles=("By the rule",)
    )
    fraction: float = param(
        -0.01, "Share of positives", "At most this share of the boxes drawn is positive.", low=-0.01, titles=BY_RULE
    )
    seed: int = param(0, "Seed", "The random draw; another seed draws other boxes.", low=0, high=10**6, step=1)


def lacks(model: Any) -> Mapping[str, str]:
    """Return why a model's training is not known, under "" as it then concerns everything."""
    net = getattr(model, "net", None)
    if why := training_losses.reason_without(net):
        return {"": f"{model.card.name} cannot be followed: {why}"}
    if isinstance(net, FasterRCNN):
        return {}
    greyed = {"part": f"{model.card.name} has one stage: there is one part that learns boxes."}
    if isinstance(net, FCOS):
        why = f"{model.card.name} assigns by place and scale, and learns from every cell."
        greyed |= dict.fromkeys(("rule", "fg", "bg", "floor", "count", "fraction"), why)
    return greyed


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the sample and its losses. Raises Refusal for thresholds that contradict each other."""
    net = model.net
    stages.progress(None, "objects")
    objects = objects_of(model, pixels, params.truth, stages)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(params.seed)
        seen, truth = as_in_training(model, pixels, objects, stages)
        learner = learner_of(net, seen, truth, params.part, stages)
        rule = _rule(learner, params)
        found = stages.run(
            "overlap with objects", lambda: overlap_of(truth, learner.boxes), params.part, key_of(truth, seen)
        )
        assigned = assigned_to(found, truth, learner, rule, net)
        sample, class_loss = stages.time("draw", lambda: _drawn(learner, assigned, objects, rule))
    losses, each = _losses(learner, assigned, sample, (truth, objects.labels), class_loss)
    return _told(model, seen, objects, (learner, rule, assigned, sample), (losses, each))


def _rule(learner: Learner, params: Params) -> SampleRule:
    rule = learner.rule if params.rule == OWN else RULES[params.rule]
    given = {name: getattr(params, name) for name in ("fg", "bg", "floor", "count", "fraction")}
    rule = training_sample.adjusted(rule, **given)
    if not rule.floor <= rule.bg <= rule.fg:
        raise Refusal(
            f"The thresholds {rule.floor:g}, {rule.bg:g} and {rule.fg:g} are not in order.",
            advice="The least IoU must not be above the background IoU, nor that above the foreground IoU.",
        )
    return rule


def _drawn(learner: Learner, assigned: Assignment, objects: Objects, rule: SampleRule) -> tuple[Sample, Tensor]:
    """Return the boxes that take part, and the classification loss of every box by what it is assigned."""
    labels = torch.full((len(learner.boxes),), learner.background, device=learner.boxes.device)
    positive = training_sample.positives_of(assigned)
    labels[torch.from_numpy(positive)] = objects.labels[assigned.row[positive]].to(labels.device)
    class_loss = learner.class_loss(labels)
    return training_sample.draw(assigned, rule, class_loss.float().cpu().numpy()), class_loss


def _losses(
    learner: Learner, assigned: Assignment, sample: Sample, objects: tuple[Tensor, Tensor], class_loss: Tensor
) -> tuple[dict[str, float], dict[str, Float]]:
    """Return the losses by name, and the parts of them that each box has, "class" and "box" (N,)."""
    truth, labels = objects
    share = float(sample.chosen.sum()) if learner.share == "chosen" else max(1.0, float(sample.positive.sum()))
    rows = torch.from_numpy(np.flatnonzero(sample.positive))
    wanted = torch.from_numpy(assigned.row[sample.positive])
    box, count = np.zeros(len(learner.boxes), np.float32), len(sample.positive)
    values = [class_loss.cpu() * torch.from_numpy(sample.chosen)]
    for part in (learner.box_loss, learner.extra):
        if part is not None:
            each = torch.zeros(count)
            if len(rows):
                each[rows] = part(rows, labels[wanted], truth[wanted]).float().cpu()
            values.append(each)
    parts = [(value / max(share, 1.0)).double() for value in values]
    losses = {name: float(value.sum()) for name, value in zip(learner.names, parts, strict=True)}
    box = sum(parts[1:], torch.zeros(count)).float().numpy()
    return losses, {"class": parts[0].float().numpy(), "box": box}


def _told(
    model: Any,
    seen: Any,
    objects: Objects,
    drawn: tuple[Learner, SampleRule, Assignment, Sample],
    cost: tuple[dict[str, float], dict[str, Float]],
) -> Result:
    learner, rule, assigned, sample = drawn
    losses, each = cost
    total = each["class"] + each["box"]
    chosen = np.flatnonzero(sample.chosen)
    # The hard negatives come first, the most expensive of them at the top; then the positives.
    order = chosen[np.lexsort((-total[chosen], sample.positive[chosen]))]
    negatives, positives = int(sample.negative.sum()), int(sample.positive.sum())
    keep = np.concatenate([order[: min(negatives, LISTED // 2)], order[negatives : negatives + LISTED // 2]])
    size, original = list(seen.size), list(seen.original)
    truth_loss, learners = np.zeros(len(objects.labels), np.float32), np.zeros(len(objects.labels), np.int64)
    np.add.at(truth_loss, assigned.row[sample.positive], total[sample.positive])
    np.add.at(learners, assigned.row[sample.positive], 1)
    sum_all = max(float(total[chosen].sum()), 1e-12)
    edges = np.linspace(0, 1, BINS + 1)
    arrays = {
        "boxes": resize_boxes(learner.boxes[torch.from_numpy(keep)].cpu(), size, original).numpy(),
        "positive": sample.positive[keep],
        "iou": assigned.iou[keep].astype(np.float32),
        "truth": np.where(sample.positive[keep], assigned.row[keep], -1),
        "class_loss": each["class"][keep],
        "box_loss": each["box"][keep],
        "share": total[keep] / np.float32(sum_all),
        "truth_boxes": objects.boxes.numpy(),
        "truth_labels": objects.labels.numpy(),
        "truth_loss": truth_loss,
        "learners": learners,
        "histogram": np.histogram(assigned.iou, edges)[0].astype(np.int64),
        "positives": np.histogram(assigned.iou[sample.positive], edges)[0].astype(np.int64),
        "negatives": np.histogram(assigned.iou[sample.negative], edges)[0].astype(np.int64),
    }
    able = training_sample.positives_of(assigned)
    meta: dict[str, Any] = {
        "kind": "training sample",
        "classes": model.card.classes,
        "losses": losses,
        "total": float(sum(losses.values())),
        "boxes": len(assigned.state),
        "positive": int(able.sum()),
        "negative": int((assigned.state == anchor_match.BACKGROUND).sum()),
        "ignored": int((assigned.state == anchor_match.IGNORED).sum()),
        "drawn": (positives, negatives),
        "quota": rule.positives,
        "count": rule.count,
        "ratio": rule.ratio,
        "fg": rule.fg,
        "bg": rule.bg,
        "floor": rule.floor,
        "by_place": bool(learner.levels),
    }
    meta["text"] = _words(meta, objects, training_losses.has_other_losses(model.net))
    return Result(arrays, meta)


def _words(meta: dict[str, Any], objects: Objects, others: bool) -> str:
    positives, negatives = meta["drawn"]
    said = [objects.about]
    said.append(
        f"{meta['boxes']:,} boxes: {meta['positive']:,} positive, {meta['negative']:,} negative, "
        f"{meta['ignored']:,} ignored."
    )
    if meta["ratio"]:
        said.append(f"Taken: {positives:,} positives and the {negatives:,} negatives with the highest loss.")
    elif meta["count"]:
        said.append(f"Drawn: {positives:,} positives of at most {meta['quota']:,}, and {negatives:,} negatives.")
        if positives < meta["quota"]:
            said.append("The share of positives is a maximum, not a promise: negatives fill up.")
    else:
        said.append("All of them take part, none is drawn.")
    listed = " + ".join(f"{name} {value:.4f}" for name, value in meta["losses"].items())
    said.append(f"Loss: {listed} = {meta['total']:.4f}.")
    if others:
        said.append("The losses of masks and key points are not part of it.")
    return " ".join(said)


INSPECTION = Inspection(
    id="training_sample",
    title="Training sample",
    help="Which boxes the detector would learn from, by whose rule, and what each of them costs.",
    needs=("Detects",),
    params=Params,
    answer=answer,
    lacks=lacks,
)
