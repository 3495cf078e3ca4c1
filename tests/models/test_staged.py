"""Staged detection against torchvision's own forward pass, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import detection

from models.cards.card import Card
from models.engine import registry
from models.inspections import detect
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages

SIZES = [(120, 160), (97, 51), (1, 1), (30, 400)]
NETWORKS = (
    *(detection.FasterRCNN, detection.MaskRCNN, detection.KeypointRCNN),
    *(detection.RetinaNet, detection.FCOS, detection.ssd.SSD),
)
# The adapters made for torchvision's networks. Other detectors are held to oracles of their own (test_hugging_face.py,
# test_mtcnn.py): they take tensors, and have no anchors.
DETECTORS = [
    adapter
    for adapter in registry.adapter_classes()
    if hasattr(adapter, "candidates")
    and not hasattr(adapter, "serves")
    and any(adapter.match(kind.__new__(kind)) for kind in NETWORKS)
]


def picture(height: int, width: int, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (max(2, height // 16), max(2, width // 16), 3))
    large = np.kron(coarse, np.ones((16, 16, 1)))[:height, :width]
    full = np.zeros((height, width, 3))
    full[: large.shape[0], : large.shape[1]] = large
    return (full * 0.8 + rng.integers(0, 50, full.shape)).clip(0, 255).astype(np.uint8)


def spread(net: nn.Module, *, factor: float) -> nn.Module:
    """Standardise the class logits of random weights over one picture, so that scores spread as trained ones do."""
    net.eval()
    seen: dict[nn.Module, torch.Tensor] = {}
    hooks = [
        layer.register_forward_hook(lambda layer, _, out: seen.__setitem__(layer, out.detach()))
        for name, layer in net.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and ("cls_score" in name or "classification_head" in name)
    ]
    torch.manual_seed(1)
    expected(net, picture(120, 160))
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        for layer, out in seen.items():
            if layer.bias is None or out.numel() < 2 * out.shape[1]:
                continue
            flat = out.transpose(0, 1).flatten(1)
            scale = factor / flat.std(1).clamp(min=1e-6)
            layer.weight.mul_(scale.view(-1, *[1] * (layer.weight.ndim - 1)))
            layer.bias.copy_((layer.bias - flat.mean(1)) * scale)
    return net


def expected(net: nn.Module, pixels: np.ndarray) -> dict[str, torch.Tensor]:
    image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    with torch.inference_mode():
        return net([image])[0]


def answered(model: Any, pixels: np.ndarray, **changed: Any) -> Any:
    stages = CachedStages(Cache(), "test", Context())
    values = {**{p.name: p.default for p in detect.INSPECTION.offer(model).parameters}, **changed}
    with torch.inference_mode():
        return detect.answer(model, pixels, detect.Params(**values), stages)


def assert_same(result: Any, oracle: dict[str, torch.Tensor]) -> None:
    assert np.array_equal(result.arrays["boxes"], oracle["boxes"].numpy())
    assert np.array_equal(result.arrays["scores"], oracle["scores"].numpy())
    assert np.array_equal(result.arrays["labels"], oracle["labels"].numpy())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("adapter", DETECTORS, ids=lambda a: a.__name__)
def test_tiny_equals_torchvision(adapter: Any, size: tuple[int, int]) -> None:
    net = spread(adapter.tiny(), factor=2.0)
    model = registry.adapt(net, Card("tiny", classes=("background", "a", "b", "c")))
    pixels = picture(*size)
    oracle = expected(net, pixels)
    assert_same(answered(model, pixels), oracle)
    if size == SIZES[0]:
        assert len(oracle["boxes"]) > 3


@pytest.mark.parametrize(
    "builder",
    [
        detection.ssd300_vgg16,
        detection.ssdlite320_mobilenet_v3_large,
        detection.fasterrcnn_mobilenet_v3_large_320_fpn,
        detection.fasterrcnn_resnet50_fpn,
    ],
    ids=lambda b: b.__name__,
)
def test_torchvision_builds_equal_their_own_forward(builder: Any) -> None:
    torch.manual_seed(0)
    small = {"min_size": 224, "max_size": 320} if "rcnn" in builder.__name__ else {}
    net = spread(builder(weights=None, weights_backbone=None, num_classes=6, **small), factor=2.0)
    model = registry.adapt(net, Card("random", classes=("background", *"abcde")))
    pixels = picture(180, 240)
    oracle = expected(net, pixels)
    assert len(oracle["boxes"]) > 3
    assert_same(answered(model, pixels), oracle)


@pytest.mark.parametrize("name", ["cells-faster-rcnn", "digits-faster-rcnn", "digits-ssd"])
def test_bundled_models_equal_torchvision(name: str) -> None:
    model = registry.open_model(name)
    pixels = picture(200, 300)
    assert_same(answered(model, pixels), expected(model.net, pixels))


@pytest.mark.parametrize("adapter", DETECTORS, ids=lambda a: a.__name__)
def test_raised_score_and_iou_equal_a_rerun_of_the_model(adapter: Any) -> None:
    net = spread(adapter.tiny(), factor=2.0)
    model = registry.adapt(net, Card("tiny", classes=("background", "a", "b", "c")))
    pixels = picture(120, 160)
    heads = getattr(net, "roi_heads", net)
    seen = set()
    for score, iou, most in [(0.3, 0.5, 100), (0.5, 0.3, 100), (0.35, 0.7, 5), (0.25, 0.95, 400)]:
        result = answered(model, pixels, score=score, iou=iou, max_detections=most)
        before = heads.score_thresh, heads.nms_thresh, heads.detections_per_img
        heads.score_thresh, heads.nms_thresh, heads.detections_per_img = score, iou, most
        oracle = expected(net, pixels)
        heads.score_thresh, heads.nms_thresh, heads.detections_per_img = before
        assert_same(result, oracle)
        seen.add(len(oracle["boxes"]))
    assert len(seen) > 2


def test_rpn_settings_select_rows_of_the_box_head() -> None:
    from models.adapters.rcnn import RcnnAdapter

    net = spread(RcnnAdapter.tiny(), factor=2.0)
    model = registry.adapt(net, Card("tiny", classes=("background", "a", "b", "c")))
    pixels = picture(120, 160)
    counts = set()
    boxes: dict[int, np.ndarray] = {}
    for score, iou, top in [(0.0, 0.3, 40), (0.5, 0.7, 40), (0.0, 0.7, 7), (0.45, 0.9, 60)]:
        result = answered(model, pixels, rpn_score=score, rpn_iou=iou, rpn_top_n=top, score=0.2)
        rpn = net.rpn
        before = rpn.score_thresh, rpn.nms_thresh, rpn._post_nms_top_n["testing"], net.roi_heads.score_thresh
        rpn.score_thresh, rpn.nms_thresh, rpn._post_nms_top_n["testing"] = score, iou, top
        net.roi_heads.score_thresh = 0.2
        oracle = expected(net, pixels)
        rpn.score_thresh, rpn.nms_thresh, rpn._post_nms_top_n["testing"], net.roi_heads.score_thresh = before
        assert len(result.arrays["boxes"]) == len(oracle["boxes"])
        np.testing.assert_allclose(result.arrays["boxes"], oracle["boxes"].numpy(), atol=1e-3)
        np.testing.assert_allclose(result.arrays["scores"], oracle["scores"].numpy(), atol=1e-5)
        counts.add(result.meta["proposals"])
        for identity, box in zip(result.arrays["ids"], result.arrays["boxes"], strict=True):
            known = boxes.setdefault(int(identity), box)
            np.testing.assert_allclose(box, known, atol=1e-3)
    assert len(counts) > 2


@pytest.mark.parametrize("adapter", DETECTORS, ids=lambda a: a.__name__)
def test_every_removed_box_overlaps_its_remover_as_said(adapter: Any) -> None:
    from torchvision.ops import box_iou

    net = spread(adapter.tiny(), factor=2.0)
    model = registry.adapt(net, Card("tiny", classes=("background", "a", "b", "c")))
    result = answered(model, picture(96, 96), score=0.25, iou=0.3, suppressed=True, max_detections=1000)
    removed = result.arrays
    by = removed["removed_by"]
    assert len(by) > 3
    said = removed["removed_iou"]
    true = box_iou(torch.from_numpy(removed["removed_boxes"]), torch.from_numpy(removed["boxes"][by])).diagonal()
    np.testing.assert_allclose(said, true.numpy(), atol=1e-4)
    assert (said > 0.3).all()
    assert (removed["removed_scores"] <= removed["scores"][by]).all()
    assert (removed["removed_labels"] == removed["labels"][by]).all()


def test_hidden_classes_leave_before_the_maximum() -> None:
    from models.adapters.ssd import SsdAdapter

    net = spread(SsdAdapter.tiny(), factor=2.0)
    model = registry.adapt(net, Card("tiny", classes=("background", "a", "b", "c")))
    full = answered(model, picture(120, 160), max_detections=1000)
    best = int(full.arrays["labels"][0])
    name = ("background", "a", "b", "c")[best]
    some = answered(model, picture(120, 160), hidden=name, max_detections=2)
    agnostic = answered(model, picture(120, 160), agnostic=True, iou=0.3, hidden=name, suppressed=True)
    assert best not in agnostic.arrays["removed_labels"]
    wanted = full.arrays["ids"][full.arrays["labels"] != best][:2]
    assert np.array_equal(some.arrays["ids"], wanted)
    assert some.meta["counts"] == full.meta["counts"]
