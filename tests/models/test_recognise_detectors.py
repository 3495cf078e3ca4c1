"""Detectors recognised by their outputs: every layout of the families, and the real files of others, on photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from detector_outputs import LAYOUTS, SIZE, Scene
from torchvision.ops import box_iou

from models.interpretation.examine import may_detect
from models.interpretation.layout import DetectorLayout
from models.interpretation.recognise import Stated, propose

PICTURES = 4
LEAST_SCORE = 0.25
Outputs = list[tuple[str, torch.Tensor]]


def planted(layout: str) -> tuple[list[Outputs], list[Scene]]:
    made = [LAYOUTS[layout](seed) for seed in range(PICTURES)]
    outputs = [[(name, torch.from_numpy(np.ascontiguousarray(a))) for name, a in out] for out, _ in made]
    return outputs, [told for _, told in made]


def found(layout: DetectorLayout, outputs: Outputs, told: Scene) -> Sequence[bool]:
    """Tell of each planted object whether a sure row has its box and its class."""
    boxes, scores = layout.decode([tensor for _, tensor in outputs], SIZE)
    best, label = scores[0].max(1)
    wanted = torch.from_numpy(told.objects).float()
    ious = box_iou(wanted, boxes[0].float().nan_to_num(0))
    labels = torch.from_numpy(told.labels).clamp_max(layout.class_count - 1)
    return [
        bool(((iou > 0.5) & (best > LEAST_SCORE) & (label == own)).any()) for iou, own in zip(ious, labels, strict=True)
    ]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_is_recognised_and_finds_what_was_planted(name: str) -> None:
    pictures, scenes = planted(name)
    best = propose(pictures, SIZE)[0]
    for outputs, told in zip(pictures, scenes, strict=True):
        assert all(found(best.layout, outputs, told)), (name, best.layout, best.evidence)
    assert best.evidence


@pytest.mark.parametrize(
    "name", ["v5 of 80 classes", "yolox of 80 classes", "v5 of 1 class, raw maps", "v6", "v8 of 80 classes"]
)
def test_objectness_is_told_from_a_class(name: str) -> None:
    pictures, _ = planted(name)
    best = propose(pictures, SIZE)[0].layout
    assert (best.objectness is not None) == ("v8" not in name)
    assert best.class_count == (1 if "of 1 class" in name else 80)


def sizes_off(anchors: str) -> list[float]:
    """How far off the sides of found boxes are, as a factor, of YOLOv5's raw maps under one set of anchors."""
    pictures, scenes = planted("v5, raw maps")
    layout = next(
        p.layout for p in propose(pictures, SIZE) if p.layout.code.anchors == anchors and "5" in p.layout.code.name
    )
    found = []
    for outputs, told in zip(pictures, scenes, strict=True):
        boxes, scores = layout.decode([tensor for _, tensor in outputs], SIZE)
        best = boxes[0][scores[0].max(1).values.argmax()]
        side = (told.objects[:, 2:] - told.objects[:, :2])[:, 0]
        found.append(float((best[2] - best[0]) / side[np.abs(side - float(best[2] - best[0])).argmin()]))
    return found


def test_yolov5s_anchors_come_before_those_of_yolov7_which_agree_as_well() -> None:
    for name, code in (("v5, raw maps", "yolov5"), ("v5, packed maps", "yolov5"), ("v3, packed maps", "yolov3")):
        proposals = propose(planted(name)[0], SIZE)
        assert (proposals[0].layout.code.name, proposals[0].layout.code.anchors) == (code, "yolov5"), name
        assert "judge by the boxes' size" in proposals[0].evidence[0]
        others = [p.layout.code.anchors for p in proposals if p.layout.code.name == code]
        assert "yolov7" in others, "one click away"
    assert np.allclose(sizes_off("yolov5"), 1, atol=0.2)


def test_metadata_settle_objectness() -> None:
    pictures, _ = planted("v8 of 3 classes")
    assert propose(pictures, SIZE, stated=Stated(classes=3))[0].layout.objectness is None
    assert propose(pictures, SIZE, stated=Stated(classes=2))[0].layout.objectness is not None


def test_extras_are_told_from_classes() -> None:
    for name, part, classes in (
        ("pose", "landmarks", 1),
        ("oriented boxes", "angle", 15),
        ("segments", "coefficients", 80),
    ):
        best = propose(planted(name)[0], SIZE)[0].layout
        assert getattr(best, part) is not None, name
        assert best.class_count == classes, name


def test_noise_is_no_detector() -> None:
    torch.manual_seed(0)
    pictures = [[("out", torch.randn(1, 3549, 85))] for _ in range(PICTURES)]
    assert all(proposal.fit < 0.35 for proposal in propose(pictures, SIZE))
    assert not propose([[("out", torch.randn(1, 1000))] for _ in range(PICTURES)], SIZE)


def test_decoding_lets_gradients_through() -> None:
    pictures, _ = planted("yolox of 80 classes")
    layout = propose(pictures, SIZE)[0].layout
    raw = pictures[0][0][1].clone().requires_grad_()
    boxes, scores = layout.decode([raw], SIZE)
    (boxes[0, 100].sum() + scores[0, 100].sum()).backward()
    assert raw.grad is not None
    assert bool(raw.grad[0, 100].abs().sum() > 0)
    assert float(raw.grad[0, :100].abs().sum()) == 0


def test_networks_of_other_kinds_are_not_taken_for_detectors_before_anything_is_tried() -> None:
    others = {
        "five classes": torch.zeros(1, 5),
        "a number": torch.zeros(()),
        "numbers of a batch": torch.zeros(7),
        "a map of features": torch.zeros(1, 512, 13, 13),
        "classes of pixels": torch.zeros(1, 21, 52, 52),
        "tokens": torch.zeros(1, 170, 384),
    }
    for name, tensor in others.items():
        assert not may_detect([("out", tensor)], SIZE), name
    for name in LAYOUTS:
        assert may_detect(planted(name)[0][0], SIZE), name
