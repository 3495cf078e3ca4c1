"""Peaks of heat maps: drawn Gaussians decode exactly, plateaus give one peak, each pair of corners has a reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.ops import box_iou

from models.adapters.centernet import layout
from models.bundled.centernet import STRIDE
from models.detection import peaks
from models.detection.gaussian_radius import CORRECTED, PUBLISHED, gaussian_radius
from models.detection.peaks import Corners
from models.interpretation import heat_map_outputs
from models.training.centre_maps import drawn

SIDE = 96
CELLS = SIDE // STRIDE


def outputs(boxes: torch.Tensor, labels: torch.Tensor, classes: int = 2) -> list[torch.Tensor]:
    """The maps `hm`, `wh`, `reg` and those of corners that a perfect network would give for boxes in px."""
    cells = boxes / STRIDE
    sides = cells[:, 2:] - cells[:, :2]
    made: list[torch.Tensor] = []
    for place in ((cells[:, :2] + cells[:, 2:]) / 2, cells[:, :2], cells[:, 2:]):
        heat, at = drawn(place, labels, sides, (classes, CELLS, CELLS))
        offset, size, tag = torch.zeros(2, CELLS, CELLS), torch.zeros(2, CELLS, CELLS), torch.zeros(1, CELLS, CELLS)
        for row, (x, y) in enumerate(at.tolist()):
            offset[:, y, x] = place[row] - at[row]
            size[:, y, x] = sides[row]
            tag[:, y, x] = 5.0 * row
        made += [torch.logit(heat, eps=1e-4), size, offset] if not made else [torch.logit(heat, eps=1e-4), tag, offset]
    return [each[None] for each in made]


BOXES = torch.tensor([[10.3, 12.7, 41.9, 55.1], [50.2, 20.4, 83.6, 60.8]])
LABELS = torch.tensor([0, 1])


def test_a_gaussian_drawn_at_a_place_between_cells_decodes_to_its_box() -> None:
    maps = heat_map_outputs.read(layout(2, (SIDE, SIDE)), outputs(BOXES, LABELS), (SIDE, SIDE), lambda rows: rows)
    found = peaks.find(maps.scores, most=100, least=0.5)
    assert found.label.tolist() == [0, 1]
    np.testing.assert_allclose(maps.boxes[found.cell], BOXES.numpy(), atol=1e-4)
    np.testing.assert_allclose(maps.centres[found.cell], (BOXES[:, :2] + BOXES[:, 2:]).numpy() / 2, atol=1e-4)
    np.testing.assert_allclose(maps.sides[found.cell], (BOXES[:, 2:] - BOXES[:, :2]).numpy() / STRIDE, atol=1e-4)
    found = peaks.find(maps.scores, most=100, least=0.2)
    assert len(found.killed) and all(abs(found.killed - found.by) <= CELLS + 1)


def test_detection_takes_the_same_peaks() -> None:
    own = layout(2, (SIDE, SIDE))
    boxes, scores = own.decode(outputs(BOXES, LABELS), (SIDE, SIDE))
    row, label = (scores[0] > 0.5).nonzero(as_tuple=True)
    order = label.argsort()
    np.testing.assert_allclose(boxes[0, row[order]].numpy(), BOXES.numpy(), atol=1e-4)


@pytest.mark.parametrize("window", [3, 5])
def test_of_equal_neighbours_the_first_is_the_one_peak(window: int) -> None:
    maps = torch.zeros(1, 1, 8, 9)
    maps[0, 0, 3, 4] = maps[0, 0, 3, 5] = 0.9
    assert peaks.surviving(maps, window)[0, 0].nonzero().tolist() == [[0, 0], [3, 4]]
    flat = peaks.find(np.full((1, 6, 6), 0.5, np.float32), window=window)
    assert flat.cell.tolist() == [0], "a plateau has one peak"


@pytest.mark.parametrize("window", [1, 3, 5])
def test_without_ties_peaks_are_those_of_max_pooling(window: int) -> None:
    maps = torch.rand(2, 3, 17, 13, generator=torch.Generator().manual_seed(window))
    pooled = functional.max_pool2d(maps, window, 1, window // 2)
    assert torch.equal(peaks.surviving(maps, window), maps == pooled)


def test_k_may_exceed_the_number_of_cells() -> None:
    scores = np.random.default_rng(0).random((2, 4, 5), np.float32)
    found = peaks.find(scores, window=1, most=1000)
    assert len(found.cell) == 40 and (np.diff(found.score) <= 0).all() and not len(found.killed)
    assert len(peaks.find(scores, window=1, most=7).cell) == 7


def test_each_pair_of_corners_is_a_box_or_has_its_reason() -> None:
    maps = heat_map_outputs.read(layout(2, (SIDE, SIDE)), outputs(BOXES, LABELS), (SIDE, SIDE), lambda rows: rows)
    assert maps.corners is not None
    found = peaks.pair(maps.corners, window=3, most=10, least=0.5, distance=1.0)
    assert found.reason.tolist() == [[peaks.PAIRED, peaks.OTHER_CLASS], [peaks.OTHER_CLASS, peaks.PAIRED]]
    np.testing.assert_allclose(maps.corners[0].points[found.first.cell], BOXES[:, :2].numpy(), atol=1e-4)
    np.testing.assert_allclose(maps.corners[1].points[found.second.cell], BOXES[:, 2:].numpy(), atol=1e-4)
    same = outputs(BOXES, torch.zeros(2, dtype=torch.long), 3)
    maps = heat_map_outputs.read(layout(3, (SIDE, SIDE)), same, (SIDE, SIDE), lambda rows: rows)
    assert maps.corners is not None
    near = peaks.pair(maps.corners, window=3, most=10, least=0.5, distance=1.0)
    assert near.reason.tolist() == [[peaks.PAIRED, peaks.TAGS_APART], [peaks.TAGS_APART, peaks.PAIRED]]
    wide = peaks.pair(maps.corners, window=3, most=10, least=0.5, distance=10.0)
    assert wide.reason.tolist() == [[peaks.PAIRED, peaks.PAIRED], [peaks.NOT_CORNERS, peaks.PAIRED]]


def test_corners_are_read_only_where_there_are_all_of_them() -> None:
    own, made = layout(2, (SIDE, SIDE)), outputs(BOXES, LABELS)
    assert heat_map_outputs.corners(own, made[:8], lambda rows: rows) is None
    assert isinstance((heat_map_outputs.corners(own, made, lambda rows: rows) or (None,))[0], Corners)


def test_the_corrected_radius_keeps_the_overlap_and_the_published_one_does_not() -> None:
    """For 10 x 10 at an IoU of 0.7: 0.82 against 2.73, whose shrunk box has an IoU of 0.21."""
    right, wrong = (gaussian_radius(10, 10, formula=formula) for formula in (CORRECTED, PUBLISHED))
    assert right == pytest.approx(0.82, abs=0.01) and wrong == pytest.approx(2.73, abs=0.01)
    assert _worst(10, 10, wrong) == pytest.approx(0.21, abs=0.01)
    for w, h in ((10, 10), (4, 30), (25, 7)):
        assert _worst(w, h, gaussian_radius(w, h)) == pytest.approx(0.7, abs=1e-6)


def _worst(width: float, height: float, radius: float) -> float:
    """The lowest IoU of a box with one whose corners each moved by the radius along both axes."""
    true = torch.tensor([[0.0, 0.0, width, height]], dtype=torch.float64)
    moves = torch.tensor([[a, a, b, b] for a in (-radius, radius) for b in (-radius, radius)], dtype=torch.float64)
    return float(box_iou(true, true + moves).min())
