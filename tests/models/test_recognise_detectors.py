"""Detectors recognised by their outputs: every layout of the families, and the real files of others, on photographs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from detector_outputs import LAYOUTS, SIZE, Scene
from torchvision.ops import box_iou

from models.interpretation.layout import DetectorLayout
from models.interpretation.recognise import propose

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


def test_metadata_settle_objectness() -> None:
    pictures, _ = planted("v8 of 3 classes")
    assert propose(pictures, SIZE, classes=3)[0].layout.objectness is None
    assert propose(pictures, SIZE, classes=2)[0].layout.objectness is not None


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
