"""Masks and key points against torchvision's own, bit for bit; outlines against its pasted masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skimage.draw import polygon2mask
from test_staged import SIZES, expected, picture, spread
from torch import nn
from torchvision.models import detection
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints, paste_masks_in_image

from models.adapters.keypoint_rcnn import KeypointRcnnAdapter
from models.adapters.mask_rcnn import MaskRcnnAdapter
from models.cards.card import Card
from models.detection import mask_outlines
from models.engine import registry
from models.inspections import detect, keypoints, masks
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Cancelled, Result

INSPECTIONS = {"detect": detect, "masks": masks, "keypoints": keypoints}


def tiny(adapter: Any) -> Any:
    net = spread(adapter.tiny(), factor=2.0)
    return registry.adapt(net, Card("tiny", classes=("background", "a", "b", "c")))


def answered(model: Any, kind: str, pixels: np.ndarray, stages: Any = None, **changed: Any) -> Result:
    module = INSPECTIONS[kind]
    values = {**{p.name: p.default for p in module.INSPECTION.offer(model).parameters}, **changed}
    with torch.inference_mode():
        return module.answer(model, pixels, module.Params(**values), stages or CachedStages(Cache(), "test", Context()))


def torchvision_masks(net: Any, pixels: np.ndarray) -> torch.Tensor:
    """The 28 x 28 probabilities before torchvision pastes them."""
    kept: list[dict[str, torch.Tensor]] = []
    hook = net.roi_heads.register_forward_hook(lambda layer, _, out: kept.append(dict(out[0][0])))
    expected(net, pixels)
    hook.remove()
    return kept[0]["masks"]


def small(builder: Any, **kwargs: Any) -> Any:
    few = {"min_size": 160, "max_size": 224, "rpn_post_nms_top_n_test": 40, "box_detections_per_img": 12}
    torch.manual_seed(0)
    net = builder(weights=None, weights_backbone=None, num_classes=4, **few, **kwargs)
    return registry.adapt(spread(net, factor=2.0), Card("random", classes=("background", "a", "b", "c")))


def check_masks(model: Any, pixels: np.ndarray) -> int:
    oracle = expected(model.net, pixels)
    found = answered(model, "masks", pixels).arrays
    assert np.array_equal(found["boxes"], oracle["boxes"].numpy())
    if len(found["boxes"]):
        raw = torchvision_masks(model.net, pixels)
        assert np.array_equal(found["masks"], raw[:, 0].numpy())
    drawn = torch.from_numpy(found["boxes"])
    pasted = paste_masks_in_image(torch.from_numpy(found["masks"])[:, None], drawn, pixels.shape[:2])
    assert np.array_equal(pasted.numpy(), oracle["masks"].numpy())
    return len(drawn)


def check_points(model: Any, pixels: np.ndarray) -> int:
    oracle = expected(model.net, pixels)
    found = answered(model, "keypoints", pixels).arrays
    assert np.array_equal(found["boxes"], oracle["boxes"].numpy())
    assert np.array_equal(found["points"], oracle["keypoints"].numpy())
    assert np.array_equal(found["point_scores"], oracle["keypoints_scores"].numpy())
    return len(found["boxes"])


@pytest.mark.parametrize("size", SIZES)
def test_tiny_masks_equal_torchvision(size: tuple[int, int]) -> None:
    assert check_masks(tiny(MaskRcnnAdapter), picture(*size)) > 3 or size == (1, 1)


@pytest.mark.parametrize("size", SIZES)
def test_tiny_key_points_equal_torchvision(size: tuple[int, int]) -> None:
    assert check_points(tiny(KeypointRcnnAdapter), picture(*size)) > 3 or size == (1, 1)


def test_masks_of_torchvisions_build_equal_its_own() -> None:
    assert check_masks(small(detection.maskrcnn_resnet50_fpn), picture(120, 160)) > 3


def test_key_points_of_torchvisions_build_equal_its_own() -> None:
    model = small(detection.keypointrcnn_resnet50_fpn, num_keypoints=5)
    assert check_points(model, picture(120, 160)) > 3
    assert model.point_names == ("point 1", "point 2", "point 3", "point 4", "point 5")


def filled(arrays: Any, row: int, shape: tuple[int, int]) -> np.ndarray:
    """A mask drawn from its rings by another library, odd-even: pixel centres inside, in (row, column) order."""
    inside = np.zeros(shape, bool)
    for ring in np.flatnonzero(arrays["ring_of"] == row):
        points = arrays["outline"][arrays["ring_start"][ring] : arrays["ring_start"][ring + 1]]
        assert np.array_equal(points[0], points[-1])
        inside ^= polygon2mask(shape, points[:, ::-1] - 0.5)
    return inside


@pytest.mark.parametrize("size", [(480, 640), (97, 51)])
def test_outlines_enclose_what_torchvision_pastes(size: tuple[int, int]) -> None:
    model = tiny(MaskRcnnAdapter)
    pixels = picture(*size)
    oracle = expected(model.net, pixels)["masks"][:, 0].numpy() > 0.5
    arrays = answered(model, "masks", pixels).arrays
    compared = 0
    for row, pasted in enumerate(oracle):
        if min(arrays["places"][row, 2:]) < 20 or pasted.sum() < 50:
            continue
        drawn = filled(arrays, row, size)
        assert (drawn & pasted).sum() / (drawn | pasted).sum() > 0.97
        compared += 1
    assert compared > 5


@pytest.mark.parametrize("seed", range(6))
def test_rings_of_noise_are_closed_and_cross_one_half(seed: int) -> None:
    """Noise has every case of a cell, saddles included; each grid point lies in an odd number of rings if inside."""
    mask = np.random.default_rng(seed).random((9, 9)).astype(np.float32)
    rings = mask_outlines.outline(mask, np.array([0, 0, 11 * 8, 11 * 8]))
    inside = np.zeros((88, 88), bool)
    for ring in rings:
        assert np.array_equal(ring[0], ring[-1])
        inside ^= polygon2mask((88, 88), ring[:, ::-1] - 0.5)
    padded = np.pad(mask, 1)
    large = torch.nn.functional.interpolate(torch.from_numpy(padded)[None, None], size=(88, 88), mode="bilinear")
    pasted = large[0, 0].numpy() > 0.5
    assert (inside & pasted).sum() / (inside | pasted).sum() > 0.97


def test_an_even_mask_fills_its_box() -> None:
    """A mask of ones crosses one half midway between its outer cells' centres and the border's: at its box."""
    place = mask_outlines.placed(np.array([[100.0, 50.0, 381.0, 331.0]], np.float32), side=28)[0]
    (ring,) = mask_outlines.outline(np.ones((28, 28), np.float32), place)
    np.testing.assert_allclose(ring.min(0), [100, 50], atol=1)
    np.testing.assert_allclose(ring.max(0), [381, 331], atol=1)
    assert mask_outlines.outline(np.zeros((28, 28), np.float32), place) == []


@pytest.mark.parametrize("adapter", [MaskRcnnAdapter, KeypointRcnnAdapter])
def test_a_moved_slider_computes_only_new_boxes(adapter: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(adapter)
    name, kind = ("masks", "masks") if adapter is MaskRcnnAdapter else ("key_points", "keypoints")
    counts: list[int] = []
    whole = getattr(model, name)

    def counted(pixels: Any, boxes: Any, *rest: Any) -> Any:
        counts.append(len(boxes))
        return whole(pixels, boxes, *rest)

    monkeypatch.setattr(model, name, counted)
    stages = CachedStages(Cache(), "test", Context())
    pixels = picture(120, 160)
    few = answered(model, kind, pixels, stages, score=0.4)
    assert sum(counts) == len(few.arrays["ids"]) > 0
    counts.clear()
    more = answered(model, kind, pixels, stages, score=0.3)
    assert sum(counts) == len(more.arrays["ids"]) - len(few.arrays["ids"]) > 0
    counts.clear()
    again = answered(model, kind, pixels, stages, score=0.4)
    assert counts == []
    fresh = answered(model, kind, pixels, score=0.3)
    exact = {"boxes", "scores", "labels", "ids", "places"}
    assert all(np.array_equal(more.arrays[k], fresh.arrays[k]) for k in exact & more.arrays.keys())
    values = "masks" if kind == "masks" else "point_scores"
    np.testing.assert_allclose(more.arrays[values], fresh.arrays[values], atol=1e-5)
    assert all(np.array_equal(v, few.arrays[k]) for k, v in again.arrays.items())


def test_at_own_settings_the_numbers_are_the_models_whatever_was_asked_before() -> None:
    model, pixels = tiny(MaskRcnnAdapter), picture(97, 51)
    stages = CachedStages(Cache(), "test", Context())
    for score in (0.4, 0.2, 0.1):
        answered(model, "masks", pixels, stages, score=score)
    found = answered(model, "masks", pixels, stages).arrays
    assert len(found["masks"]) > 32
    assert np.array_equal(found["masks"], torchvision_masks(model.net, pixels)[:, 0].numpy())


def test_many_boxes_go_in_chunks_and_can_be_called_off() -> None:
    model = tiny(MaskRcnnAdapter)
    told: list[float] = []
    context = Context(report=lambda fraction, text: told.append(fraction or 0), cancelled=lambda: len(told) > 8)
    stages = CachedStages(Cache(), "test", context)
    with pytest.raises(Cancelled):
        answered(model, "masks", picture(120, 160), stages, score=0.05, iou=0.95, max_detections=1000)
    assert max(told) > 0


def test_heat_maps_are_those_the_points_were_found_in() -> None:
    model = tiny(KeypointRcnnAdapter)
    plain = answered(model, "keypoints", picture(120, 160)).arrays
    assert "heat" not in plain
    row = 2
    found = answered(model, "keypoints", picture(120, 160), heat_of=int(plain["ids"][row])).arrays
    assert np.array_equal(found["heat_box"], plain["boxes"][row])
    with torch.inference_mode():
        images, _ = model.net.transform([torch.zeros(3, 120, 160)])
    ratio = np.array(images.image_sizes[0]) / (120, 160)
    box = torch.from_numpy(found["heat_box"] * ratio[[1, 0, 1, 0]]).float()
    points, scores = heatmaps_to_keypoints(torch.from_numpy(found["heat"])[None], box[None])
    np.testing.assert_allclose(points[0, :, :2].numpy() / ratio[::-1], plain["points"][row][:, :2], atol=0.01)
    np.testing.assert_allclose(scores[0].numpy(), plain["point_scores"][row], atol=1e-5)


def test_a_users_subclass_is_served_by_its_family() -> None:
    class Own(detection.MaskRCNN):
        pass

    net = MaskRcnnAdapter.tiny()
    net.__class__ = Own
    assert isinstance(registry.adapt(net, Card("own", classes=("background",))), MaskRcnnAdapter)


def test_no_family_takes_anothers() -> None:
    families = [adapter for adapter in registry.adapter_classes() if not hasattr(adapter, "serves")]
    for adapter in families:
        net: nn.Module = adapter.tiny()
        assert [a for a in families if a.match(net)] == [adapter]


@pytest.mark.parametrize(("adapter", "kind"), [(MaskRcnnAdapter, "masks"), (KeypointRcnnAdapter, "keypoints")])
@pytest.mark.parametrize("method", ["soft-gaussian", "wbf"])
def test_they_are_of_the_boxes_that_the_method_leaves(adapter: Any, kind: str, method: str) -> None:
    model, pixels, stages = tiny(adapter), picture(97, 51), CachedStages(Cache(), "test", Context())
    plain = answered(model, kind, pixels, stages)
    changed = {"method": method, "iou": 0.2, "score": 0.2}
    shown, found = (answered(model, one, pixels, stages, **changed) for one in ("detect", kind))
    for column in ("boxes", "scores", "labels", "ids"):
        assert np.array_equal(found.arrays[column], shown.arrays[column])
    every = answered(model, "detect", pixels, stages, score=0.2, iou=1.0).arrays["boxes"]
    moved = not np.isin(found.arrays["boxes"], every).all()
    assert moved == (method == "wbf")
    part = "masks" if kind == "masks" else "points"
    fresh = answered(model, kind, pixels, **changed)
    np.testing.assert_allclose(found.arrays[part], fresh.arrays[part], atol=1e-4)
    again = answered(model, kind, pixels, stages)
    assert np.array_equal(again.arrays[part], plain.arrays[part])
    # What another method made first is not taken for the model's own, bit for bit.
    mixed = CachedStages(Cache(), "test", Context())
    answered(model, kind, pixels, mixed, method=method)
    assert np.array_equal(answered(model, kind, pixels, mixed).arrays[part], plain.arrays[part])
