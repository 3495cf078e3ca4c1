"""Matching against faster_coco_eval's own per-picture matching, and against the rule written out as a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO
from faster_coco_eval.core.faster_eval_api import COCOeval_faster
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detection.matching import Matches, match, overlaps


def scene(seed: int, *, most: int = 14, classes: int = 3) -> dict[str, Any]:
    """Objects on a grid of quarter pixels, detections near them or anywhere, ties among scores and overlaps."""
    rng = np.random.default_rng(seed)
    objects, found = rng.integers(0, most, 2)
    corner = rng.integers(0, 240, (objects, 2)) / 4
    truth = np.concatenate([corner, corner + rng.integers(8, 120, (objects, 2)) / 4], 1)
    near = truth[rng.integers(0, objects, found)] if objects else np.tile([0.0, 0, 20, 20], (found, 1))
    boxes = near + rng.integers(-16, 17, (found, 4)) / 4 * rng.integers(0, 2, (found, 1))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 0.25)
    return {
        "boxes": boxes.astype(np.float32),
        "scores": (rng.integers(0, 12, found) / 12).astype(np.float32),
        "labels": rng.integers(1, classes + 1, found),
        "truth_boxes": truth.astype(np.float32),
        "truth_labels": rng.integers(1, classes + 1, objects),
        "crowd": rng.random(objects) < 0.2,
    }


def coco(given_: dict[str, Any], iou: float) -> dict[tuple[int, int], float]:
    """The pairs of detection and object that COCOeval matches, with their IoU."""

    def xywh(b: np.ndarray) -> list[float]:
        return [float(b[0]), float(b[1]), float(b[2] - b[0]), float(b[3] - b[1])]

    objects = zip(given_["truth_boxes"], given_["truth_labels"], given_["crowd"], strict=True)
    data = {
        "images": [{"id": 1, "width": 400, "height": 400, "file_name": "a"}],
        "categories": [{"id": c, "name": str(c)} for c in range(1, 4)],
        "annotations": [
            {
                "id": i,
                "image_id": 1,
                "category_id": int(label),
                "bbox": xywh(box),
                "area": xywh(box)[2] * xywh(box)[3],
                "iscrowd": int(crowd),
            }
            for i, (box, label, crowd) in enumerate(objects, 1)
        ],
    }
    detections = zip(given_["boxes"], given_["labels"], given_["scores"], strict=True)
    results = [
        {"image_id": 1, "category_id": int(label), "bbox": xywh(box), "score": float(score)}
        for box, label, score in detections
    ]
    truth = COCO(data)
    run = COCOeval_faster(truth, truth.loadRes(results), iouType="bbox", extra_calc=True, print_function=str)
    run.params.iouThrs, run.params.maxDets = np.array([iou]), [100]
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    run.evaluate()
    pairs = {tuple(int(n) - 1 for n in key.split("_")): value for key, value in run.eval["matched"].items()}
    return {(dt, gt): value for (dt, gt), value in pairs.items()}


def loop(s: dict[str, Any], iou: float) -> tuple[list[int], list[bool]]:
    """COCO's rule as cocoeval.py has it, one comparison at a time: each detection's object, and whether ignored."""
    chosen, ignored = [-1] * len(s["boxes"]), [False] * len(s["boxes"])
    for label in {*s["labels"].tolist()}:
        rows = [i for i in np.argsort(-s["scores"], kind="stable").tolist() if s["labels"][i] == label]
        objects = [j for j in range(len(s["truth_boxes"])) if s["truth_labels"][j] == label]
        objects.sort(key=lambda j: bool(s["crowd"][j]))
        taken: set[int] = set()
        for i in rows:
            best, pick = min(iou, 1 - 1e-10), -1
            for j in objects:
                if j in taken and not s["crowd"][j]:
                    continue
                if pick >= 0 and not s["crowd"][pick] and s["crowd"][j]:
                    break
                here = one(s["boxes"][i], s["truth_boxes"][j], crowd=bool(s["crowd"][j]))
                if here >= best:
                    best, pick = here, j
            if pick >= 0:
                taken.add(pick)
                chosen[i], ignored[i] = pick, bool(s["crowd"][pick])
    return chosen, ignored


def one(a: np.ndarray, b: np.ndarray, *, crowd: bool) -> float:
    """IoU of two boxes in plain numbers; with a crowd, over the first box alone."""
    ax0, ay0, ax1, ay1 = map(float, a)
    bx0, by0, bx1, by1 = map(float, b)
    common = max(0.0, min(ax1, bx1) - max(ax0, bx0)) * max(0.0, min(ay1, by1) - max(ay0, by0))
    own, other = (ax1 - ax0) * (ay1 - ay0), (bx1 - bx0) * (by1 - by0)
    return common / (own if crowd else own + other - common)


def check(s: dict[str, Any], iou: float) -> Matches:
    """Compare with the loop, and what is told of wrong ones and of objects with its definition."""
    m = match(**s, iou=iou)
    chosen, ignored = loop(s, iou)
    taken = m.correct | m.ignored
    assert np.where(taken, m.truth, -1).tolist() == chosen and m.ignored.tolist() == ignored
    assert not (m.correct & m.ignored).any() and (m.wrong == ~taken).all()
    for j in range(len(s["truth_boxes"])):
        by = [i for i in range(len(chosen)) if chosen[i] == j]
        assert m.found[j] == (by[0] if by and not s["crowd"][j] else -1)
        assert m.missed[j] == (not by and not s["crowd"][j])
    table = [[one(a, b, crowd=bool(c)) for b, c in zip(s["truth_boxes"], s["crowd"], strict=True)] for a in s["boxes"]]
    for i in np.flatnonzero(m.wrong).tolist():
        most = max(table[i], default=0.0)
        assert m.iou[i] == pytest.approx(most) and (m.truth[i] >= 0) == (most > 0)
    return m


def test_pairs_are_those_of_coco() -> None:
    pairs = 0
    for seed in range(150):
        s = scene(seed)
        if not len(s["boxes"]) or not len(s["truth_boxes"]):
            continue
        for iou in (0.3, 0.5, 0.75, 1.0):
            m = match(**s, iou=iou)
            ours = {(i, int(m.truth[i])): float(m.iou[i]) for i in np.flatnonzero(m.correct | m.ignored).tolist()}
            theirs = coco(s, iou)
            assert {k: pytest.approx(v) for k, v in theirs.items()} == ours, (seed, iou)
            pairs += len(ours)
    assert pairs > 300


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]))
def test_it_is_the_rule_written_as_a_loop(seed: int, iou: float) -> None:
    check(scene(seed), iou)


def box(*corners: float) -> np.ndarray:
    return np.array([corners], np.float32).reshape(-1, 4)


def test_a_crowd_takes_in_any_number_and_counts_for_nothing() -> None:
    s = {
        "boxes": box(0, 0, 4, 4, 5, 5, 9, 9, 50, 50, 60, 60),
        "scores": np.array([0.9, 0.8, 0.7], np.float32),
        "labels": np.array([1, 1, 1]),
        "truth_boxes": box(0, 0, 40, 40),
        "truth_labels": np.array([1]),
        "crowd": np.array([True]),
    }
    m = check(s, 0.5)
    assert m.ignored.tolist() == [True, True, False] and m.wrong.tolist() == [False, False, True]
    assert m.precision == 0.0 and np.isnan(m.recall) and not m.missed.any()


@pytest.mark.parametrize(("found", "objects"), [(0, 0), (3, 0), (0, 3)])
def test_nothing_on_either_side(found: int, objects: int) -> None:
    s = {
        "boxes": np.tile(box(0, 0, 5, 5), (found, 1)),
        "scores": np.ones(found, np.float32),
        "labels": np.ones(found, np.int64),
        "truth_boxes": np.tile(box(0, 0, 5, 5), (objects, 1)),
        "truth_labels": np.ones(objects, np.int64),
        "crowd": np.zeros(objects, bool),
    }
    m = match(**s, iou=0.5)
    assert m.wrong.sum() == found and m.missed.sum() == objects and not m.correct.any()
    assert (m.precision == 0.0) == (found > 0) and (m.recall == 0.0) == (objects > 0)


def test_boxes_without_area_overlap_nothing() -> None:
    flat = np.array([[3, 3, 3, 3]], np.float32)
    assert overlaps(flat, flat, np.array([False])).tolist() == [[0.0]]
