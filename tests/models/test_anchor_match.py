"""Anchor matching against torchvision's own matchers, generators and FCOS, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import detection
from torchvision.models.detection._utils import Matcher, SSDMatcher
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from models.adapters.rcnn import RcnnAdapter
from models.adapters.ssd import SsdAdapter
from models.bundled.digits import digits_faster_rcnn, digits_ssd
from models.detection import anchor_design as design
from models.detection import anchor_layout as layout
from models.detection import anchor_match as match
from models.types import Refusal


def some(seed: int, count: int, *, width: int = 400, grid: float = 0) -> torch.Tensor:
    """Boxes; on a `grid` many overlap alike, so that ties come about."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, width, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(4, 120, (count, 2))], 1)
    if grid:
        boxes = np.round(boxes / grid) * grid
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + grid)
    return torch.from_numpy(boxes.astype(np.float32))


CASES = [(seed, objects, grid) for seed, objects in enumerate((1, 2, 7, 30)) for grid in (0, 8, 40)]


@pytest.mark.parametrize(("seed", "objects", "grid"), CASES)
@pytest.mark.parametrize(("fg", "bg"), [(0.7, 0.3), (0.5, 0.4), (0.5, 0.5), (1.0, 0.0), (0.0, 0.0)])
def test_assignments_equal_torchvisions_matchers(
    seed: int, objects: int, grid: float, fg: float, bg: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(match, "PAIRS_AT_ONCE", 700 * objects)
    truth, anchors = some(seed, objects, grid=grid), some(seed + 100, 3000, grid=grid)
    found, quality = match.overlap(truth, anchors), box_iou(truth, anchors)
    for low_quality in (False, True):
        theirs = Matcher(fg, bg, low_quality)(quality.clone()).numpy()
        ours = match.assign(found, match.Rule("iou", fg, bg, low_quality))
        np.testing.assert_array_equal(ours.row, theirs)
        check_states(ours, quality.numpy(), fg, bg)
    theirs = SSDMatcher(fg)(quality.clone()).numpy()
    ours = match.assign(found, match.Rule("best", fg, fg, True))
    np.testing.assert_array_equal(ours.row, theirs)
    check_states(ours, quality.numpy(), fg, fg)


def check_states(ours: match.Assignment, quality: np.ndarray, fg: float, bg: float) -> None:
    for anchor in range(0, quality.shape[1], 17):
        row = ours.row[anchor]
        value = quality[row, anchor] if row >= 0 else quality[:, anchor].max()
        assert ours.iou[anchor] == value
        state = match.STATES[ours.state[anchor]]
        if row >= 0:
            assert state == ("matched" if value >= np.float32(fg) else "forced")
        else:
            assert state == ("background" if value < np.float32(bg) else "ignored")


def test_an_object_no_anchor_touches_is_a_tie_with_all_as_in_torchvision() -> None:
    truth, anchors = torch.tensor([[900.0, 900, 950, 950], [10, 10, 60, 60]]), some(1, 500)
    theirs = Matcher(0.7, 0.3, True)(box_iou(truth, anchors)).numpy()
    ours = match.assign(match.overlap(truth, anchors), match.Rule("iou", 0.7, 0.3, True))
    np.testing.assert_array_equal(ours.row, theirs)
    assert (ours.row >= 0).all()


def test_no_object_makes_all_background() -> None:
    empty = match.no_truth(5)
    assert (empty.row == -1).all() and (empty.state == match.BACKGROUND).all()


NETS: dict[str, Any] = {
    "faster r-cnn": RcnnAdapter.tiny,
    "ssd": SsdAdapter.tiny,
    "digits-faster-rcnn": digits_faster_rcnn,
    "digits-ssd": digits_ssd,
    "retinanet": lambda: detection.retinanet_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3),
    "fcos": lambda: detection.fcos_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3),
    "ssdlite": lambda: detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3),
    "ssd300": lambda: detection.ssd300_vgg16(weights=None, weights_backbone=None, num_classes=3),
}


@pytest.mark.parametrize("name", NETS)
def test_the_layout_equals_the_networks_own_without_running_it(name: str) -> None:
    """Grids, padding and anchors for a picture, against what the generator gets in a real forward pass."""
    torch.manual_seed(0)
    net, seen = NETS[name]().eval(), {}
    before = {k: v.clone() for k, v in net.state_dict().items()}
    generator, _ = layout.parts(net)
    height, width = 150, 211
    if "net" in name or "fcos" in name:
        net.transform.min_size, net.transform.max_size = (160,), 300

    def noted(module: Any, given: tuple[ImageList, list[torch.Tensor]], output: list[torch.Tensor]) -> None:
        seen["images"], seen["maps"], seen["anchors"] = given[0], given[1], output[0]

    handle = generator.register_forward_hook(noted)
    with torch.inference_mode():
        net([torch.zeros(3, height, width)])
    handle.remove()
    size = layout.network_size(net.transform, height, width)
    padded = layout.padded_size(net.transform, size)
    assert seen["images"].image_sizes[0] == size and tuple(seen["images"].tensors.shape[-2:]) == padded
    cells = layout.grids(net, padded)
    assert cells == [tuple(m.shape[-2:]) for m in seen["maps"]]
    torch.testing.assert_close(layout.lay_out(generator, padded, cells), seen["anchors"], rtol=0, atol=0)

    own = layout.own_design(generator)
    again = layout.generator_of(design.parse(own, *own.texts), generator)
    torch.testing.assert_close(layout.lay_out(again, padded, cells), seen["anchors"], rtol=0, atol=0)
    assert own.per_cell == generator.num_anchors_per_location()
    assert all(torch.equal(before[k], v) and not v.is_meta for k, v in net.state_dict().items())


def test_a_changed_design_equals_a_generator_built_with_its_numbers() -> None:
    net = RcnnAdapter.tiny().eval()
    generator, _ = layout.parts(net)
    changed = design.parse(layout.own_design(generator), "10 14.5; 30; 66 80 91", "0.4 1 3")
    cells = layout.grids(net, (96, 160))
    built = AnchorGenerator(((10, 14.5), (30,), (66, 80, 91)), ((0.4, 1, 3),) * 3)
    expected = layout.lay_out(built, (96, 160), cells)
    torch.testing.assert_close(layout.lay_out(layout.generator_of(changed, generator), (96, 160), cells), expected)
    assert len(expected) == sum(h * w * a for (h, w), a in zip(cells, changed.per_cell, strict=True))

    net = SsdAdapter.tiny().eval()
    generator, _ = layout.parts(net)
    changed = design.parse(layout.own_design(generator), "0.05; 0.2; 0.3; 0.5; 0.8", "2; 2 3; 2; 1.5")
    cells = layout.grids(net, (96, 96))
    built = DefaultBoxGenerator([[2], [2, 3], [2], [1.5]], scales=[0.05, 0.2, 0.3, 0.5, 0.8])
    expected = layout.lay_out(built, (96, 96), cells)
    torch.testing.assert_close(layout.lay_out(layout.generator_of(changed, generator), (96, 96), cells), expected)


@pytest.mark.parametrize(
    ("scales", "ratios", "says"),
    [
        ("10; 20", "", "2 groups of scales, but 3 are needed"),
        ("", "1; 2", "2 groups of ratios, but 3 are needed"),
        ("ten", "", "are not scales"),
        ("10; 20; -3", "", "must be above 0"),
        ("10; 20; nan", "", "must be above 0"),
        ("10; ; 30", "", "Each level takes 1 to 16 scales"),
        ("", " ".join(["1"] * 17), "Each level takes 1 to 16 ratios"),
    ],
)
def test_a_design_that_cannot_be_is_refused_in_words(scales: str, ratios: str, says: str) -> None:
    own = layout.own_design(layout.parts(RcnnAdapter.tiny())[0])
    with pytest.raises(Refusal, match=says):
        design.parse(own, scales, ratios)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (427, 640), (333, 500), (1, 900), (37, 41), (1200, 200)])
def test_sizes_are_those_of_torchvisions_transform(height: int, width: int) -> None:
    net = detection.fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None, num_classes=2).eval()
    boxes = torch.tensor([[1.0, 0.2, 5, 0.9]])
    images, _ = net.transform([torch.zeros(3, height, width)], [{"boxes": boxes}])
    size = layout.network_size(net.transform, height, width)
    assert images.image_sizes[0] == size and tuple(images.tensors.shape[-2:]) == layout.padded_size(net.transform, size)


@pytest.mark.parametrize("objects", [1, 6, 40])
@pytest.mark.parametrize("grid", [0, 16])
def test_fcos_assigns_as_torchvision_does(objects: int, grid: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match, "PAIRS_AT_ONCE", 999)
    net = NETS["fcos"]()
    generator, matcher = layout.parts(net)
    cells = [(50, 60), (25, 30), (13, 15), (7, 8), (4, 4)]
    anchors, truth = layout.lay_out(generator, (400, 480), cells), some(objects, objects, width=380, grid=grid)
    caught: list[torch.Tensor] = []
    monkeypatch.setattr(net.head, "compute_loss", lambda t, o, a, matched: caught.extend(matched) or {})
    counts = [h * w for h, w in cells]
    net.compute_loss([{"boxes": truth, "labels": torch.ones(objects)}], {}, [anchors], counts)
    ours = match.assign_by_centre(truth, anchors, counts, net.center_sampling_radius)
    np.testing.assert_array_equal(ours, caught[0].numpy())
    assert ((ours >= 0).sum() > 3 or objects == 1) and match.rule_of(matcher).kind == "centre"


def test_rules_are_read_from_the_model() -> None:
    assert match.rule_of(layout.parts(NETS["digits-faster-rcnn"]())[1]) == match.Rule("iou", 0.7, 0.3, True)
    assert match.rule_of(layout.parts(NETS["retinanet"]())[1]) == match.Rule("iou", 0.5, 0.4, True)
    assert match.rule_of(layout.parts(NETS["digits-ssd"]())[1]) == match.Rule("best", 0.5, 0.5, True)
