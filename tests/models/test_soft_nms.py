"""Soft-NMS, DIoU-NMS and weighted boxes fusion against their definitions, written out one box at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torchvision.ops import distance_box_iou

from models.detection import soft_nms
from models.detection.soft_nms import Overlaps, fuse, gaussian, linear, soft
from models.detection.suppression import SuppressionGraph, columns_of, overlap, plain, shift
from models.types import Bool, Float, Int


@dataclass(frozen=True)
class Scene:
    boxes: Float
    score: Float
    group: Int | None
    alive: Bool


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Draw boxes on a coarse grid (equal IoUs, identical, empty and inverted boxes) or with fractions, tied scores."""
    count = draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        boxes = rng.integers(0, draw(st.integers(2, 12)), (count, 4))
        if draw(st.booleans()):
            boxes[:, 2:] = boxes[:, :2] + rng.integers(0, 7, (count, 2))
    else:
        corner = rng.uniform(-20, 100, (count, 2))
        boxes = np.concatenate([corner, corner + np.exp(rng.normal(3, 1.5, (count, 2)))], axis=1)
    score = rng.integers(1, draw(st.sampled_from([1, 4, 1000])) + 1, count) / 1000
    group = draw(st.sampled_from([None, 1, 3]))
    label = None if group is None else rng.integers(0, group, count)
    alive = rng.random(count) < draw(st.sampled_from([0.5, 1.0]))
    return Scene(boxes.astype(np.float32), score.astype(np.float32), label, alive)


def pair_iou(one: Float, other: Float) -> np.float32:
    """Return IoU by its definition; empty and inverted boxes overlap nothing."""
    if min(one[2] - one[0], one[3] - one[1], other[2] - other[0], other[3] - other[1]) <= 0:
        return np.float32(0)
    across = max(np.float32(0), min(one[2], other[2]) - max(one[0], other[0]))
    down = max(np.float32(0), min(one[3], other[3]) - max(one[1], other[1]))
    area, other_area = (one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1])
    return across * down / (area + other_area - across * down)


def together(scene: Scene, one: int, other: int) -> bool:
    return scene.group is None or scene.group[one] == scene.group[other]


def by_rank(scene: Scene) -> list[int]:
    return sorted(np.flatnonzero(scene.alive).tolist(), key=lambda row: -scene.score[row])


def softened(scene: Scene, factor: soft_nms.Decay) -> tuple[list[float], list[int]]:
    """Return Soft-NMS by algorithm 1 of Bodla et al.: final scores, and the order in which boxes were taken."""
    score = [float(s) if a else 0.0 for s, a in zip(scene.score, scene.alive, strict=True)]
    left, taken = by_rank(scene), []
    while left:
        best = max(left, key=lambda row: score[row])  # the first of equal ones: `left` is in order of rank
        left.remove(best)
        taken.append(best)
        for row in left:
            shared = pair_iou(scene.boxes[best], scene.boxes[row])
            if together(scene, best, row) and shared > 0:
                score[row] *= float(factor(np.array([shared]))[0])
    return score, taken


decays = st.one_of(
    st.sampled_from([0.01, 0.1, 0.5, 2.0]).map(lambda sigma: ("gaussian", sigma)),
    st.sampled_from([0.0, 0.3, 0.5, 1 / 3, 1.0]).map(lambda threshold: ("linear", threshold)),
)


@settings(deadline=None, max_examples=150)
@given(scenes(), decays)
def test_soft_nms_is_its_definition(scene: Scene, decay: tuple[str, float]) -> None:
    """Fails for a wrong order of picks, ties included, a missed pair, a decay of the wrong box or of another group."""
    factor = gaussian(decay[1]) if decay[0] == "gaussian" else linear(decay[1])
    wanted, taken = softened(scene, factor)
    found = soft(Overlaps.build(scene.boxes, scene.score, scene.group), scene.score, factor, scene.alive)
    assert found.score.dtype == np.float32 and found.order.dtype == np.int64
    np.testing.assert_allclose(found.score, np.array(wanted, np.float32), rtol=1e-6)
    assert sorted(found.order.tolist()) == list(range(len(scene.score)))
    assert (np.diff(found.score[found.order]) <= 0).all()
    assert set(taken) == set(np.flatnonzero(scene.alive))


@settings(deadline=None, max_examples=100)
@given(scenes(), decays, st.floats(0, 1))
def test_the_blame_falls_on_the_box_that_cost_most(scene: Scene, decay: tuple[str, float], part: float) -> None:
    """Fails if a box is blamed that came later, did not act, is not kept, or cost less than another."""
    factor = gaussian(decay[1]) if decay[0] == "gaussian" else linear(decay[1])
    score, taken = softened(scene, factor)
    found = soft(Overlaps.build(scene.boxes, scene.score, scene.group), scene.score, factor, scene.alive)
    ranked = [row for row in taken if score[row] > 0]
    rows = ranked[: round(part * len(ranked))]
    blamed, shared = found.blame(np.array(rows, np.int64))
    for row in range(len(score)):
        costs = {
            keeper: pair_iou(scene.boxes[keeper], scene.boxes[row])
            for keeper in rows
            if row not in rows and scene.alive[row] and together(scene, keeper, row)
        }
        costs = {keeper: iou for keeper, iou in costs.items() if iou > 0 and factor(np.array([iou]))[0] < 1}
        if not costs:
            assert blamed[row] == -1 and shared[row] == 0
        else:
            assert shared[row] == max(costs.values()) and costs[int(blamed[row])] == shared[row]


@settings(deadline=None, max_examples=60)
@given(scenes(), decays, st.floats(0, 1, width=32))
def test_a_higher_score_threshold_only_masks_soft_nms(scene: Scene, decay: tuple[str, float], least: float) -> None:
    """Fails if a box below the threshold had a say in the score of one above it."""
    factor = gaussian(decay[1]) if decay[0] == "gaussian" else linear(decay[1])
    overlaps = Overlaps.build(scene.boxes, scene.score, scene.group)
    whole = soft(overlaps, scene.score, factor, scene.alive).score
    above = soft(overlaps, scene.score, factor, scene.alive & (scene.score > np.float32(least))).score
    shown = whole > np.float32(least)
    np.testing.assert_array_equal(shown, above > np.float32(least))
    np.testing.assert_array_equal(whole[shown], above[shown])


def test_soft_nms_at_its_limits() -> None:
    """With a small sigma every box that overlaps a better one vanishes; who overlaps nobody keeps its score."""
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [100, 0, 110, 10], [0, 0, 10, 10], [8, 0, 18, 10]], np.float32)
    score = np.array([0.9, 0.8, 0.7, 0.9, 0.6], np.float32)
    hard = soft(Overlaps.build(boxes, score), score, gaussian(1e-6)).score
    assert hard.tolist() == [score[0], 0, score[2], 0, 0]
    apart = boxes + 100 * np.arange(5, dtype=np.float32)[:, None] * np.array([0, 1, 0, 1], np.float32)
    for factor in (gaussian(0.5), linear(0.0)):
        np.testing.assert_array_equal(soft(Overlaps.build(apart, score), score, factor).score, score)
        np.testing.assert_array_equal(
            soft(Overlaps.build(boxes, score, np.arange(5)), score, factor).score, score, "other groups"
        )
    iou = 50 / 150
    found = soft(Overlaps.build(boxes[:2], score[:2]), score[:2], gaussian(0.5)).score
    assert found[1] == pytest.approx(0.8 * np.exp(-(iou**2) / 0.5), rel=1e-6)
    found = soft(Overlaps.build(boxes[:2], score[:2]), score[:2], linear(0.3)).score
    assert found[1] == pytest.approx(0.8 * (1 - iou), rel=1e-6)
    assert soft(Overlaps.build(boxes[:2], score[:2]), score[:2], linear(0.34)).score[1] == score[1]


# DIoU-NMS


@settings(deadline=None, max_examples=60)
@given(scenes())
def test_the_distance_is_torchvisions(scene: Scene) -> None:
    """Fails for a distance that is not squared, a diagonal that is not of the enclosing box, or corners for centres."""
    sound = (scene.boxes[:, 2:] > scene.boxes[:, :2]).all(axis=1)
    boxes = scene.boxes[sound]
    columns = columns_of(boxes)
    found = overlap(columns[:, :, None], columns[:, None]) - shift(columns[:, :, None], columns[:, None])
    wanted = distance_box_iou(torch.from_numpy(boxes), torch.from_numpy(boxes)).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@settings(deadline=None, max_examples=120)
@given(scenes(), st.sampled_from([0.0, 0.05, 0.1, 0.2, 0.31, 0.5, 0.7]))
def test_diou_nms_is_its_definition(scene: Scene, threshold: float) -> None:
    """Fails if plain IoU removes, if a pair is lost, or if boxes that are not alive remove others."""
    tensor = torch.from_numpy(scene.boxes)
    diou = distance_box_iou(tensor, tensor).numpy() if len(tensor) else np.zeros((0, 0))
    kept: list[int] = []
    by = {}
    for row in by_rank(scene):
        for keeper in kept:
            shared = pair_iou(scene.boxes[keeper], scene.boxes[row])
            if not together(scene, keeper, row) or shared == 0:
                continue
            assume(abs(diou[keeper, row] - threshold) > 1e-5)
            if diou[keeper, row] > threshold:
                by[row] = keeper, shared
                break
        else:
            kept.append(row)
    for floor in {threshold, min(threshold, 0.1)}:
        graph = SuppressionGraph.build(scene.boxes, scene.score, scene.group, floor=floor, distance=True)
        found = graph.tick(threshold, scene.alive)
        assert found.kept.tolist() == kept
        for row in range(len(scene.score)):
            assert (found.removed_by[row], found.removed_iou[row]) == by.get(row, (-1, 0))


def test_diou_nms_spares_a_box_whose_centre_lies_apart() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 30, 10], [0.5, 0, 10.5, 10]], np.float32)
    score = np.array([0.9, 0.8, 0.7], np.float32)
    iou, distance = 100 / 300, 10**2 / (30**2 + 10**2)
    graph = SuppressionGraph.build(boxes, score, distance=True)
    assert graph.tick(0.3).kept.tolist() == [0, 1] and iou > 0.3 > iou - distance
    assert SuppressionGraph.build(boxes, score).tick(0.3).kept.tolist() == [0]


@settings(deadline=None, max_examples=80)
@given(scenes(), st.sampled_from([0.1, 0.25, 1 / 3, 0.5, 0.75]))
def test_who_is_not_alive_takes_no_part_in_greedy_suppression(scene: Scene, iou: float) -> None:
    """Fails if a graph over all candidates differs from a graph over the live ones alone, removers included."""
    rows = np.flatnonzero(scene.alive)
    label = None if scene.group is None else scene.group[rows]
    wanted = plain(scene.boxes[rows], scene.score[rows], label, iou)
    by, shared = np.full(len(scene.score), -1), np.zeros(len(scene.score), np.float32)
    beaten = wanted.removed_by >= 0
    by[rows[beaten]], shared[rows] = rows[wanted.removed_by[beaten]], wanted.removed_iou
    graph = SuppressionGraph.build(scene.boxes, scene.score, scene.group)
    for found in (graph.tick(iou, scene.alive), plain(scene.boxes, scene.score, scene.group, iou, scene.alive)):
        np.testing.assert_array_equal(found.kept, rows[wanted.kept])
        np.testing.assert_array_equal(found.removed_by, by)
        np.testing.assert_array_equal(found.removed_iou, shared)


# weighted boxes fusion


def fused(scene: Scene, iou: float) -> list[tuple[list[int], list[float]]]:
    """Return the clusters of section 3 of Solovyev et al. in the order in which they were opened, with fused boxes."""
    clusters: list[list[int]] = []
    boxes: list[list[float]] = []
    for row in by_rank(scene):
        shared = [
            double_iou(box, scene.boxes[row].tolist()) if together(scene, members[0], row) else 0.0
            for members, box in zip(clusters, boxes, strict=True)
        ]
        best = max(range(len(shared)), key=lambda at: shared[at], default=-1)
        if best < 0 or not shared[best] > iou:
            clusters.append([])
            boxes.append([])
            best = len(clusters) - 1
        elif any(at != best and abs(s - shared[best]) < 1e-9 for at, s in enumerate(shared)):
            assume(False)  # two clusters overlap it alike: either may take it
        assume(not shared or abs(max(shared) - iou) > 1e-9 or max(shared) == iou)
        clusters[best].append(row)
        weight = [float(scene.score[m]) for m in clusters[best]]
        sides = [[float(scene.boxes[m][side]) for m in clusters[best]] for side in range(4)]
        boxes[best] = [float(np.dot(side, weight) / sum(weight)) for side in sides]
    return list(zip(clusters, boxes, strict=True))


def double_iou(one: list[float], other: list[float]) -> float:
    if min(one[2] - one[0], one[3] - one[1], other[2] - other[0], other[3] - other[1]) <= 0:
        return 0.0
    across = max(0.0, min(one[2], other[2]) - max(one[0], other[0]))
    down = max(0.0, min(one[3], other[3]) - max(one[1], other[1]))
    union = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - across * down
    return across * down / union


@settings(deadline=None, max_examples=120)
@given(scenes(), st.sampled_from([0.2, 0.4, 0.55, 0.7]))
def test_fusion_is_its_definition(scene: Scene, iou: float) -> None:
    """Fails if boxes join by their overlap with a member, if weights are off, or if clusters mix groups."""
    wanted = fused(scene, iou)
    found = fuse(scene.boxes, scene.score, scene.group, iou, scene.alive)
    assert len(found.rows) == len(wanted)
    for members, box in wanted:
        at = found.cluster[members[0]]
        assert np.flatnonzero(found.cluster == at).tolist() == sorted(members)
        assert found.rows[at] == members[0]
        assert found.score[at] == pytest.approx(np.mean([float(scene.score[m]) for m in members]), rel=1e-6)
        np.testing.assert_allclose(found.boxes[at], box, rtol=1e-5, atol=1e-4)
    assert (found.cluster[~scene.alive] == -1).all()
    assert (np.diff(found.score) <= 0).all()
    if len(found.rows):
        np.testing.assert_allclose(found.mean(2 * scene.boxes, scene.score), 2 * found.boxes, rtol=1e-5, atol=1e-4)


def test_fusion_by_hand() -> None:
    """Two boxes of one place become their weighted mean, in the mean of their scores; the third stays as it is."""
    boxes = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], np.float32)
    score = np.array([0.9, 0.3, 0.8], np.float32)
    found = fuse(boxes, score, None, 0.5, np.ones(3, np.bool_))
    assert found.rows.tolist() == [2, 0] and found.cluster.tolist() == [1, 1, 0]
    assert found.score.tolist() == pytest.approx([0.8, 0.6])
    np.testing.assert_allclose(found.boxes, [[50, 50, 60, 60], [0.5, 0, 10.5, 10]], rtol=1e-6)


def test_nothing_is_nothing() -> None:
    boxes, score, label = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64)
    for group in (None, label):
        found = soft(Overlaps.build(boxes, score, group), score, gaussian(0.5))
        assert len(found.score) == len(found.order) == len(found.blame(label)[0]) == 0
        empty = fuse(boxes, score, group, 0.5, np.zeros(0, np.bool_))
        assert len(empty.rows) == len(empty.score) == len(empty.cluster) == 0 and empty.boxes.shape == (0, 4)
        assert len(SuppressionGraph.build(boxes, score, group, distance=True).tick(0.5).kept) == 0


def test_more_pairs_than_memory_has_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft_nms, "MOST_EDGES", 100)
    boxes = np.tile(np.array([[0, 0, 9, 9]], np.float32), (15, 1))
    with pytest.raises(MemoryError, match="100 pairs"):
        Overlaps.build(boxes, np.ones(15, np.float32))
