"""Suppression against torchvision's kernel, and its provenance against greedy suppression written out by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import nms

from models.detection import suppression
from models.detection.suppression import Suppression, SuppressionGraph, plain
from models.types import Float, Int

FLOOR = 0.1


@dataclass(frozen=True)
class Scene:
    boxes: Float
    score: Float
    group: Int | None


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Draw boxes on a coarse grid (equal IoUs, identical, empty and inverted boxes) or with fractions, tied scores."""
    count = draw(st.integers(0, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        boxes = rng.integers(0, draw(st.integers(2, 12)), (count, 4))
        if draw(st.booleans()):
            boxes[:, 2:] = boxes[:, :2] + rng.integers(0, 7, (count, 2))
    else:
        corner = rng.uniform(-20, 100, (count, 2)) * draw(st.sampled_from([1, 1e-3, 1e4]))
        boxes = np.concatenate([corner, corner + np.exp(rng.normal(3, 1.5, (count, 2)))], axis=1)
    score = rng.integers(0, draw(st.sampled_from([1, 4, 1000])) + 1, count) / 1000
    group = draw(st.sampled_from([None, 1, 3, 91]))
    label = None if group is None else rng.integers(0, group, count)
    return Scene(boxes.astype(np.float32), score.astype(np.float32), label)


thresholds = st.one_of(st.sampled_from([0.1, 0.2, 0.25, 1 / 3, 0.5, 0.6, 2 / 3, 0.75, 1.0]), st.floats(FLOOR, 1))


def stock(scene: Scene, iou: float) -> Int:
    """Return torchvision's survivors, class by class, merged by stable descending score."""
    group = np.zeros(len(scene.score), np.int64) if scene.group is None else scene.group
    alive = np.zeros(len(group), np.bool_)
    for one in np.unique(group):
        rows = np.flatnonzero(group == one)
        alive[rows[nms(torch.tensor(scene.boxes[rows]), torch.tensor(scene.score[rows]), iou).numpy()]] = True
    order = torch.tensor(scene.score).sort(stable=True, descending=True).indices.numpy()
    return order[alive[order]]


def greedy(scene: Scene, iou: float) -> tuple[list[int], list[int], list[np.float32]]:
    """Return kept, removed_by and removed_iou by the definition, one pair at a time in float32."""
    count = len(scene.score)
    kept, removed_by, removed_iou = [], [-1] * count, [np.float32(0)] * count
    for box in sorted(range(count), key=lambda row: -scene.score[row]):
        for keeper in kept:
            same = scene.group is None or scene.group[box] == scene.group[keeper]
            shared = pair(scene.boxes[keeper], scene.boxes[box])
            if same and float(shared) > iou:
                removed_by[box], removed_iou[box] = keeper, shared
                break
        else:
            kept.append(box)
    return kept, removed_by, removed_iou


@np.errstate(invalid="ignore")
def pair(one: Float, other: Float) -> np.float32:
    across = max(np.float32(0), min(one[2], other[2]) - max(one[0], other[0]))
    down = max(np.float32(0), min(one[3], other[3]) - max(one[1], other[1]))
    area, other_area = (one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1])
    return across * down / (area + other_area - across * down)


def same(found: Suppression, expected: Suppression) -> None:
    for name in ("kept", "removed_by", "removed_iou"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, err_msg=name)


@settings(deadline=None, max_examples=200)
@given(scenes(), st.lists(thresholds, min_size=1, max_size=4), st.data())
def test_kept_as_torchvision_keeps(scene: Scene, positions: list[float], data: st.DataObject) -> None:
    """Fails for a wrong tie order, `>=`, a threshold rounded to float32, a pruned pair, or state left by a tick."""
    graph = SuppressionGraph.build(scene.boxes, scene.score, scene.group, floor=FLOOR)
    if graph.edges:
        exact = float(graph._iou[data.draw(st.integers(0, graph.edges - 1))])
        positions = [*positions, exact, float(np.nextafter(exact, 0)), float(np.nextafter(exact, 2))]
    for iou in positions:
        if iou < FLOOR:
            continue
        expected = stock(scene, iou)
        kept = graph.tick(iou).kept
        assert kept.dtype == np.int64
        np.testing.assert_array_equal(kept, expected)
        np.testing.assert_array_equal(plain(scene.boxes, scene.score, scene.group, iou).kept, expected)


@settings(deadline=None, max_examples=80)
@given(scenes(), thresholds)
def test_provenance_is_the_first_box_that_removes(scene: Scene, iou: float) -> None:
    """Fails if a removed box, or the box of largest IoU instead of best rank, is named as the remover."""
    kept, removed_by, removed_iou = greedy(scene, iou)
    expected = Suppression(
        np.array(kept, np.int64), lambda: (np.array(removed_by, np.int64), np.array(removed_iou, np.float32))
    )
    same(SuppressionGraph.build(scene.boxes, scene.score, scene.group, floor=FLOOR).tick(iou), expected)
    same(plain(scene.boxes, scene.score, scene.group, iou), expected)


@settings(deadline=None, max_examples=80)
@given(scenes(), thresholds)
def test_fast_nms_keeps_a_subset_of_greedy_nms(scene: Scene, iou: float) -> None:
    """By YOLACT's definition: the largest IoU with a better box, removed or not, is at most the threshold."""
    graph = SuppressionGraph.build(scene.boxes, scene.score, scene.group, floor=FLOOR)
    fast, ranked = graph.fast(iou), np.argsort(-scene.score, kind="stable").tolist()
    kept = [
        row
        for place, row in enumerate(ranked)
        if not any(
            (scene.group is None or scene.group[row] == scene.group[better])
            and float(pair(scene.boxes[better], scene.boxes[row])) > iou
            for better in ranked[:place]
        )
    ]
    assert fast.kept.tolist() == kept
    assert set(kept) <= set(graph.tick(iou).kept.tolist())
    removed = np.setdiff1d(np.arange(len(scene.score)), fast.kept)
    assert set(fast.removed_by[removed].tolist()) <= set(kept), "a shown box is named, if need be by way of others"
    assert (fast.removed_by[fast.kept] == -1).all()


@settings(deadline=None, max_examples=60)
@given(scenes(), st.sampled_from([0.0, 0.04, 0.3]))
def test_a_floor_is_itself_a_threshold(scene: Scene, floor: float) -> None:
    """Fails if pairs just above the floor, or barely touching boxes at a floor of 0, are pruned."""
    graph = SuppressionGraph.build(scene.boxes, scene.score, scene.group, floor=floor)
    same(graph.tick(floor), plain(scene.boxes, scene.score, scene.group, floor))


@settings(deadline=None, max_examples=60)
@given(scenes(), thresholds, st.floats(0, 1, width=32))
def test_a_higher_score_threshold_only_masks(scene: Scene, iou: float, least: float) -> None:
    """Fails if a box of lower score can remove one of higher score."""
    above = np.flatnonzero(scene.score > np.float32(least))
    floor = SuppressionGraph.build(scene.boxes, scene.score, scene.group).tick(iou).kept
    label = None if scene.group is None else scene.group[above]
    again = SuppressionGraph.build(scene.boxes[above], scene.score[above], label).tick(iou).kept
    np.testing.assert_array_equal(floor[scene.score[floor] > np.float32(least)], above[again])


@pytest.mark.parametrize("classes", [None, 7])
def test_a_crowd_in_many_tiles_and_blocks(classes: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if a pair is lost or doubled at the border of a tile or of a block, or across the octaves of size."""
    monkeypatch.setattr(suppression, "PAIRS", 1 << 11)
    rng = np.random.default_rng(3)
    size = np.exp(rng.uniform(1, 6, (1500, 1)) + rng.normal(0, 0.4, (1500, 2)))
    centre = rng.uniform(0, 500, (30, 2))[rng.integers(0, 30, 1500)] + rng.normal(0, 8, (1500, 2))
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1).astype(np.float32)
    label = None if classes is None else rng.integers(0, classes, 1500)
    scene = Scene(boxes, rng.random(1500).astype(np.float32), label)
    graph = SuppressionGraph.build(scene.boxes, scene.score, scene.group)
    for iou in (0.1, 0.3, 0.5, 0.7, 0.9):
        np.testing.assert_array_equal(graph.tick(iou).kept, stock(scene, iou))
        same(graph.tick(iou), plain(scene.boxes, scene.score, scene.group, iou))


@pytest.mark.parametrize("height", [10.002, 10.1, 10.5])
def test_areas_as_unequal_as_the_floor_allows(height: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if the bound on the ratio of areas prunes a pair that lies just above the floor."""
    monkeypatch.setattr(suppression, "TILE", 1)
    boxes, score = np.array([[0, 0, 100, 100], [0, 7, 100, 7 + height]], np.float32), np.array([1, 2], np.float32)
    for rows in (slice(None), slice(None, None, -1)):
        graph = SuppressionGraph.build(boxes[rows], score)
        assert graph.edges == 1
        assert graph.tick(0.1).kept.tolist() == [1]


def test_boxes_without_an_iou_are_kept() -> None:
    """Fails if an empty, inverted or infinite box warns, removes or is removed, or breaks the tiling of the others."""
    nan, inf, huge, tiny = np.nan, np.inf, 1e30, 1e-30
    empty = [
        [5, 5, 5, 9],
        [5, 5, 5, 9],
        [9, 9, 1, 1],
        [0, 0, tiny, tiny],
        [0, 0, tiny, tiny],
        [1e38, 0, 2e38, 1e-45],
    ]
    endless = [[0, 0, inf, 9], [-inf, 0, 9, 9], [-inf, -inf, inf, inf], [nan, 0, 9, 9], [-huge, -huge, huge, huge]]
    boxes = np.array([*empty, *endless, [0, 0, 9, 9], [0, 0, 9, 8]], np.float32)
    score = np.linspace(0.9, 0.2, len(boxes), dtype=np.float32)
    for found in (SuppressionGraph.build(boxes, score).tick(0.5), plain(boxes, score, None, 0.5)):
        assert found.kept.tolist() == list(range(12)) == stock(Scene(boxes, score, None), 0.5).tolist()
        assert found.removed_by.tolist() == [-1] * 12 + [11]
        assert found.removed_iou[12] == np.float32(72) / np.float32(81)


def test_an_iou_equal_to_the_threshold_removes_nothing() -> None:
    """Fails if the threshold is rounded up or down to float32: the nearest float32 to 1/3 lies above 1/3."""
    boxes, score = np.array([[0, 0, 2, 2], [0, 0, 2, 1], [1, 0, 3, 2]], np.float32), np.array([3, 1, 2], np.float32)
    graph = SuppressionGraph.build(boxes, score)
    assert graph.tick(0.5).kept.tolist() == [0, 2, 1]
    assert graph.tick(0.49).kept.tolist() == [0, 2]
    assert graph.tick(1 / 3).kept.tolist() == stock(Scene(boxes, score, None), 1 / 3).tolist() == [0]
    assert graph.tick(float(np.float32(1 / 3))).kept.tolist() == [0, 2]


def test_below_the_floor_is_refused() -> None:
    """Fails if a tick below the floor answers from a graph that lacks the edges."""
    boxes, score = np.array([[0, 0, 9, 9], [5, 0, 14, 9]], np.float32), np.array([0.9, 0.8], np.float32)
    graph = SuppressionGraph.build(boxes, score, floor=0.2)
    assert graph.tick(0.2).kept.tolist() == [0]
    for iou in (0.19, 0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="below the graph's floor"):
            graph.tick(iou)
    with pytest.raises(ValueError, match="0 or more"):
        SuppressionGraph.build(boxes, score, floor=-0.1)


def test_steps_give_what_build_gives() -> None:
    """Fails if a slice changes the graph, or if interleaved builds share state."""
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 60, (400, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(2, 40, (400, 2))], axis=1).astype(np.float32)
    score = rng.random(400).astype(np.float32)
    graphs, running = [], [SuppressionGraph.steps(boxes, score), SuppressionGraph.steps(boxes, score)]
    while running:
        for stage in list(running):
            try:
                next(stage)
            except StopIteration as done:
                graphs.append(done.value)
                running.remove(stage)
    whole = SuppressionGraph.build(boxes, score)
    for graph in graphs:
        assert (graph.edges, graph.floor) == (whole.edges, whole.floor)
        for iou in (0.1, 0.4, 0.8):
            same(graph.tick(iou), whole.tick(iou))


def test_nothing_and_one_box() -> None:
    """Fails if an empty picture or a single candidate needs an edge to exist."""
    none = Scene(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int64))
    one = Scene(np.array([[0, 0, 4, 4]], np.float32), np.array([0.5], np.float32), np.array([3]))
    for scene in (none, one):
        for group in (None, scene.group):
            graph = SuppressionGraph.build(scene.boxes, scene.score, group)
            assert graph.edges == 0
            same(graph.tick(0.5), plain(scene.boxes, scene.score, group, 0.5))
            assert graph.tick(0.5).kept.tolist() == list(range(len(scene.score)))


def test_a_graph_too_large_for_memory_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.detection.suppression.MOST_EDGES", 100)
    boxes = np.tile(np.array([[0, 0, 9, 9]], np.float32), (15, 1))
    with pytest.raises(MemoryError, match="100 pairs"):
        SuppressionGraph.build(boxes, np.ones(15, np.float32))
    assert SuppressionGraph.build(boxes[:14], np.ones(14, np.float32)).edges == 91
