"""Selective search on drawn pictures whose regions are known."""

from __future__ import annotations

import numpy as np
import pytest

from models.detection import selective_search
from models.detection.selective_search import Hierarchy


def found(pixels: np.ndarray) -> Hierarchy:
    return selective_search.search(pixels, scale=150, sigma=0.8, smallest=20)


def test_a_picture_of_two_colours_ends_with_its_two_boxes_among_the_first() -> None:
    pixels = np.full((60, 80, 3), (200, 40, 40), np.uint8)
    pixels[15:45, 20:50] = (30, 60, 220)
    rng = np.random.default_rng(0)
    noisy = (pixels.astype(int) + rng.integers(-8, 9, pixels.shape)).clip(0, 255).astype(np.uint8)
    for each in (pixels, noisy):
        tree = found(each)
        first = tree.boxes[tree.proposals()[:4]].tolist()
        assert [0, 0, 80, 60] in first
        assert np.abs(np.array(first) - [20, 15, 50, 45]).max(1).min() <= 1, "smoothing may move an edge by a pixel"


def test_superpixels_are_connected_and_at_least_the_smallest() -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    labels = selective_search.superpixels(pixels, scale=50, sigma=0.8, smallest=20)
    sizes = np.bincount(labels.ravel())
    assert sizes.min() >= 20 and sizes.sum() == 2000
    whole = selective_search.superpixels(np.zeros((9, 9, 3), np.uint8), scale=1, sigma=0, smallest=1)
    assert whole.max() == 0


def test_the_hierarchy_is_a_tree_that_the_slider_cuts_anywhere() -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (30, 30, 3), dtype=np.uint8)
    tree = selective_search.search(pixels, scale=30, sigma=0.5, smallest=8)
    count = tree.count
    assert count > 3 and len(tree.merged) == count - 1 and len(tree.boxes) == 2 * count - 1
    assert sorted(tree.merged.ravel().tolist()) == list(range(2 * count - 2)), "each region merges once"
    for left in (1, 2, count // 2, count):
        assert len({*tree.cut(left).tolist()}) == left
    for row, (one, other) in enumerate(tree.merged.tolist()):
        both = tree.boxes[[one, other]]
        wanted = [*both[:, :2].min(0), *both[:, 2:].max(0)]
        assert tree.boxes[count + row].tolist() == wanted
    plain = selective_search.search(np.zeros((8, 8, 3), np.uint8), scale=1, sigma=0, smallest=1)
    assert plain.count == 1 and plain.cut(1).tolist() == [0] and len(plain.proposals()) == 1


def test_recall_counts_the_objects_that_the_first_boxes_reach() -> None:
    truth = np.array([[0, 0, 10, 10], [20, 20, 40, 40]], np.float32)
    boxes = np.array([[100, 100, 120, 120], [20, 20, 40, 38], [0, 0, 10, 10]], np.float32)
    shares = selective_search.recall(boxes, truth, np.array([1, 2, 3]))
    assert shares.tolist() == pytest.approx([0, 0.5, 1])
