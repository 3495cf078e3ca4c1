"""The IoU family against torchvision's own, on pairs and matrices, degenerate boxes included; and by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torchvision import ops

from models.detection import iou as family

PEERS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., torch.Tensor]]] = {
    "iou": (family.iou, ops.box_iou),
    "giou": (family.giou, ops.generalized_box_iou),
    "diou": (family.diou, ops.distance_box_iou),
    "ciou": (family.ciou, ops.complete_box_iou),
}


def boxes(seed: int, count: int, *, side: float = 200) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-50, 600, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(0.5, side, (count, 2))], 1).astype(np.float32)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("side", [3, 200, 2000])
def test_matrices_and_pairs_equal_torchvisions(name: str, side: float) -> None:
    ours, theirs = PEERS[name]
    a, b = boxes(1, 60, side=side), boxes(2, 80, side=side)
    expected = theirs(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    matrix = ours(a[:, None], b)
    assert matrix.dtype == np.float32 and matrix.shape == (60, 80)
    np.testing.assert_allclose(matrix, expected, atol=2e-6)
    np.testing.assert_array_equal(ours(a, b[:60]), np.diagonal(matrix))


def test_iou_and_giou_are_bit_equal() -> None:
    a, b = boxes(3, 300), boxes(4, 300)
    for name in ("iou", "giou"):
        ours, theirs = PEERS[name]
        np.testing.assert_array_equal(ours(a[:, None], b), theirs(torch.from_numpy(a), torch.from_numpy(b)).numpy())


@pytest.mark.parametrize("name", PEERS)
def test_degenerate_boxes_are_answered_as_torchvision_does(name: str) -> None:
    odd = np.array(
        [[5, 5, 5, 5], [5, 5, 5, 9], [5, 5, 9, 5], [0, 0, 10, 10], [5, 5, 5, 5], [-1, -1, 20, 20], [9, 9, 1, 1]],
        np.float32,
    )
    ours, theirs = PEERS[name]
    expected = theirs(torch.from_numpy(odd), torch.from_numpy(odd)).numpy()
    np.testing.assert_allclose(ours(odd[:, None], odd), expected, atol=1e-6, equal_nan=True)
    assert np.isnan(expected).any()


def test_values_by_hand() -> None:
    """Two squares of side 10, one moved right by 20: enclosing 30 x 10, distance 20, diagonal² 1000."""
    a, b = np.array([0, 0, 10, 10], np.float32), np.array([20, 0, 30, 10], np.float32)
    inter, union = family.areas(a, b)
    assert (float(inter), float(union), float(family.iou(a, b))) == (0, 200, 0)
    assert float(family.giou(a, b)) == pytest.approx(-(300 - 200) / 300)
    assert float(family.diou(a, b)) == float(family.ciou(a, b)) == pytest.approx(-400 / 1000)
    assert float(family.centre_distance(a, b)) == 20
    wide = np.array([0, 0, 20, 10], np.float32)
    v = 4 / np.pi**2 * (np.arctan(1) - np.arctan(2)) ** 2
    assert float(family.ciou(a, wide)) == pytest.approx(0.5 - 25 / 500 - v**2 / (0.5 + v), abs=1e-6)


def test_equal_boxes_overlap_wholly() -> None:
    for ours, _ in PEERS.values():
        np.testing.assert_allclose(ours(boxes(5, 20), boxes(5, 20)), 1, atol=1e-6)
