"""Panoptic fusion and its quality: random partitions against panopticapi's rule, and cases made by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from models.detection import panoptic_fusion as fusion
from models.detection import panoptic_quality
from models.detection.panoptic_fusion import COVERED, EMPTY, LOW, SMALL, TAKEN, Candidates

CLASSES = 4


def reference(
    found: np.ndarray, found_class: list[int], truth: np.ndarray, truth_class: list[int], crowd: set[int]
) -> dict[int, tuple[int, int, int, Fraction]]:
    """PQ's counts by class, pixel by pixel in sets, written after the rule of panopticapi's evaluation."""

    def cells(values: np.ndarray, number: int) -> set[int]:
        return {at for at, value in enumerate(values.ravel().tolist()) if value == number}

    void = cells(truth, 0)
    ours = {n: cells(found, n) for n in range(1, len(found_class))}
    theirs = {n: cells(truth, n) for n in range(1, len(truth_class))}
    counts = {c: [0, 0, 0, Fraction(0)] for c in range(CLASSES)}
    hit_ours, hit_theirs = set(), set()
    for t, true in theirs.items():
        for f, own in ours.items():
            if not true or not own or t in crowd or found_class[f] != truth_class[t]:
                continue
            iou = Fraction(len(own & true), len(own | true) - len(own & void))
            if iou > Fraction(1, 2):
                hit_ours.add(f)
                hit_theirs.add(t)
                counts[truth_class[t]][0] += 1
                counts[truth_class[t]][3] += iou
    for t, true in theirs.items():
        if true and t not in hit_theirs and t not in crowd:
            counts[truth_class[t]][2] += 1
    for f, own in ours.items():
        if not own or f in hit_ours:
            continue
        ignored = set(void)
        for t in crowd:
            ignored |= theirs[t] if truth_class[t] == found_class[f] else set()
        if Fraction(len(own & ignored), len(own)) <= Fraction(1, 2):
            counts[found_class[f]][1] += 1
    return {c: tuple(each) for c, each in counts.items()}  # type: ignore[misc]


def partition(rng: np.random.Generator, *, like: np.ndarray | None = None) -> np.ndarray:
    """Segments numbered from 0 on a grid: blocks, of which some cells are another's."""
    made = rng.integers(0, 7, (4, 5)).repeat(3, 0).repeat(3, 1) if like is None else like.copy()
    wrong = rng.random(made.shape) < rng.uniform(0, 0.5)
    made[wrong] = rng.integers(0, 7, int(wrong.sum()))
    return made


@pytest.mark.parametrize("seed", range(60))
def test_the_quality_is_that_of_panopticapis_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = partition(rng)
    found = partition(rng, like=truth)
    kinds = rng.integers(0, CLASSES, 7)
    others = np.where(rng.random(7) < 0.75, kinds, rng.integers(0, CLASSES, 7))
    crowd = np.flatnonzero(rng.random(7) < 0.2)
    crowd = crowd[crowd > 0]
    made = panoptic_quality.measure(found, others, truth, kinds, classes=CLASSES, crowd=crowd)
    for label, (hits, extra, lost, overlap) in reference(
        found, others.tolist(), truth, kinds.tolist(), set(crowd.tolist())
    ).items():
        assert (made.hits[label], made.extra[label], made.lost[label]) == (hits, extra, lost)
        assert made.overlap[label] == pytest.approx(float(overlap))
        whole = hits + Fraction(extra + lost, 2)
        assert made.panoptic[label] == pytest.approx(float(overlap / whole) if whole else 0.0)
        assert made.panoptic[label] == pytest.approx(made.segmentation[label] * made.recognition[label])


def test_an_iou_of_one_half_is_no_match() -> None:
    truth, found = np.array([[1, 1]]), np.array([[1, 0]])
    made = panoptic_quality.measure(found, np.array([-1, 0]), truth, np.array([-1, 0]), classes=1)
    assert (made.hits[0], made.extra[0], made.lost[0]) == (0, 1, 1)


def candidates(masks: np.ndarray, scores: list[float], semantic: np.ndarray | None = None) -> Candidates:
    """Instances of class 2 over classes 0 and 1, which are stuff; the left half is 0's."""
    height, width = masks.shape[1:]
    if semantic is None:
        semantic = np.zeros((3, height, width), np.float32)
        semantic[0, :, : width // 2] = 4
        semantic[1, :, width // 2 :] = 4
    count = len(scores)
    labels = np.full(count, 2)
    return Candidates(semantic, np.array([True, True, False]), masks, np.array(scores), labels)


def masked(*columns: tuple[int, int], width: int = 10) -> np.ndarray:
    """Masks (K, 1, width) that are sure between two columns and not outside."""
    made = np.full((len(columns), 1, width), -9.0, np.float32)
    for row, (first, last) in enumerate(columns):
        made[row, :, first:last] = 9.0
    return made


def test_the_better_instance_keeps_its_pixels_and_a_covered_one_is_left_out() -> None:
    given = candidates(masked((0, 4), (1, 5), (3, 7), (8, 9)), [0.9, 0.8, 0.7, 0.2])
    made = fusion.fuse(given, rule=fusion.HEURISTIC, score=0.5, overlap=0.5, area=0)
    assert made.outcome.tolist() == [TAKEN, COVERED, TAKEN, LOW, fusion.ABSENT, TAKEN, fusion.ABSENT]
    assert made.covered.tolist() == [0, 0.75, 0.25, 0] and made.by.tolist() == [-1, 0, 0, -1]
    assert made.map.tolist() == [[1, 1, 1, 1, 3, 3, 3, 6, 6, 6]]


def test_stuff_that_is_too_small_is_no_segment_and_the_limits_are_limits() -> None:
    given = candidates(masked((0, 4)), [0.9])
    small = fusion.fuse(given, rule=fusion.HEURISTIC, score=0.5, overlap=0.5, area=2)
    assert small.outcome.tolist() == [TAKEN, SMALL, TAKEN, fusion.ABSENT] and (small.map[0, 4] == 0)
    every = fusion.fuse(given, rule=fusion.HEURISTIC, score=0.5, overlap=1.0, area=0)
    assert (every.map > 0).all()


@pytest.mark.parametrize("rule", fusion.RULES)
def test_every_pixel_has_one_segment_or_none_and_only_of_candidates_that_were_taken(rule: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        masks = rng.normal(0, 3, (5, 8, 9)).astype(np.float32)
        masks[rng.random(masks.shape) < 0.3] = -np.inf
        scores = np.sort(rng.random(5))[::-1]
        semantic = rng.normal(0, 3, (4, 8, 9)).astype(np.float32)
        labels = rng.integers(2, 4, 5)
        given = Candidates(semantic, np.array([True, True, False, False]), masks, scores, labels)
        made = fusion.fuse(given, rule=rule, score=0.3, overlap=0.6, area=3)
        numbers = np.unique(made.map[made.map > 0])
        assert (made.outcome[numbers - 1] == TAKEN).all()
        assert set(np.flatnonzero(made.outcome == TAKEN) + 1) == set(numbers.tolist())
        assert (made.map[made.unknown] == 0).all()


def test_upsnets_pile_is_its_formula_at_every_pixel() -> None:
    rng = np.random.default_rng(5)
    semantic = rng.normal(0, 2, (4, 3, 4)).astype(np.float32)
    masks = rng.normal(0, 2, (2, 3, 4)).astype(np.float32)
    masks[0, :, 2:] = -np.inf
    labels = np.array([3, 2])
    given = Candidates(semantic, np.array([True, True, False, False]), masks, np.array([0.9, 0.8]), labels)
    made = fusion.fuse(given, rule=fusion.UPSNET, score=0.0, overlap=1.0, area=0)
    for y in range(3):
        for x in range(4):
            logits = semantic[:, y, x].astype(float) - semantic[:, y, x].mean()
            inside = [np.isfinite(masks[k, y, x]) for k in range(2)]
            one = [masks[k, y, x] + logits[labels[k]] if inside[k] else -np.inf for k in range(2)]
            none = max(logits[2], logits[3]) - max(logits[labels[k]] if inside[k] else 0.0 for k in range(2))
            values = {1: one[0], 2: one[1], 3: logits[0], 4: logits[1], 0: none}
            assert made.map[y, x] == max(values, key=values.__getitem__)
            assert made.value[y, x] == pytest.approx(max(values.values()), abs=1e-5)


def test_a_constant_added_to_all_classes_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    semantic, masks = rng.normal(0, 2, (3, 6, 6)), rng.normal(0, 2, (2, 6, 6))
    first = fusion.fuse(candidates(masks, [0.9, 0.8], semantic), rule=fusion.UPSNET, score=0, overlap=1, area=0)
    other = fusion.fuse(candidates(masks, [0.9, 0.8], semantic + 50), rule=fusion.UPSNET, score=0, overlap=1, area=0)
    np.testing.assert_array_equal(first.map, other.map)


def test_instances_of_equal_score_that_change_places_change_only_their_own_pixels() -> None:
    masks = masked((1, 5), (4, 8))
    one = fusion.fuse(candidates(masks, [0.8, 0.8]), rule=fusion.HEURISTIC, score=0, overlap=0.5, area=0).map
    two = fusion.fuse(candidates(masks[::-1], [0.8, 0.8]), rule=fusion.HEURISTIC, score=0, overlap=0.5, area=0).map
    swapped = np.where(two == 1, 2, np.where(two == 2, 1, two))
    assert (one != swapped).sum() == 1 and one[0, 4] == 1 and swapped[0, 4] == 2


def test_an_instance_without_a_pixel_of_its_own_is_empty() -> None:
    made = fusion.fuse(candidates(np.full((1, 1, 10), -2.0), [0.9]), rule=fusion.HEURISTIC, score=0, overlap=1, area=0)
    assert made.outcome[0] == EMPTY
