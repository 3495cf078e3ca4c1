"""Average precision equals COCO's own, by faster-coco-eval, on random data sets; matching equals picture by picture."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from datasets import CLASSES, Dataset, dataset, matched, shown

from models.detection.matching import match as match_one
from models.evaluation.matched import COCO_IOUS
from models.evaluation.precision import average_precision


def coco(data: Dataset, score: float, maximum: int) -> np.ndarray:
    """The AP of faster-coco-eval (10, C), -1 where undefined."""
    from faster_coco_eval import COCO, COCOeval_faster

    truth: dict[str, Any] = {"images": [], "annotations": []}
    truth["categories"] = [{"id": i, "name": str(i)} for i in range(1, CLASSES + 1)]
    found = []
    for number, (picture, (boxes, scores, labels)) in enumerate(
        zip(data.truth, shown(data, score, maximum), strict=True), 1
    ):
        truth["images"].append({"id": number, "width": 500, "height": 500})
        for box, label, crowd in zip(picture.boxes.astype(float), picture.labels, picture.crowd, strict=True):
            x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
            row = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": int(label) + 1}
            truth["annotations"].append({**row, "bbox": [x, y, w, h], "area": w * h, "iscrowd": int(crowd)})
        for corners, s, label in zip(boxes.astype(float), scores.tolist(), labels.tolist(), strict=True):
            box = [corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]]
            found.append({"image_id": number, "category_id": label, "bbox": box, "score": s})
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = COCO(truth)
        evaluation = COCOeval_faster(oracle, oracle.loadRes(found), "bbox", print_function=lambda *_: None)
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return precision.mean(axis=1)


def ours(data: Dataset, score: float, maximum: int) -> np.ndarray:
    found = matched(data, maximum=maximum)
    hits = [one.above(score) for one in found.coco]
    return np.stack([average_precision(h.kind, h.place, found.positives) for h in hits])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", [{}, {"crowds": 0.5}, {"tied": True}, {"whole": True, "crowds": 0.3}], ids=str)
@pytest.mark.parametrize(("score", "maximum"), [(0.0, 100), (0.4, 100), (0.0, 4)])
def test_it_equals_faster_coco_eval(seed: int, kind: dict[str, Any], score: float, maximum: int) -> None:
    data = dataset(seed, **kind)
    wanted = coco(data, score, maximum)
    assert wanted[0, -1] == -1 and (wanted[0, :-1] >= 0).any()
    np.testing.assert_allclose(ours(data, score, maximum), wanted, atol=1e-6)


def test_more_than_a_hundred_of_a_class_are_cut_as_coco_does() -> None:
    rng = np.random.default_rng(0)
    data = dataset(3, pictures=4)
    many = data.candidates[3]
    rows = rng.integers(0, len(many), 400)
    crowded = type(many)(
        *(getattr(many, name)[rows] for name in ("boxes", "drawn")),
        rng.random(400).astype(np.float32),
        np.ones(400, np.int64),
        *(getattr(many, n) for n in ("anchor", "proposal", "proposals", "objectness")),
    )
    data.candidates[3] = crowded
    np.testing.assert_allclose(ours(data, 0.0, 1000), coco(data, 0.0, 1000), atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("iou", [0.1, 0.5, 0.75])
def test_turns_of_all_pictures_at_once_are_those_of_each(seed: int, iou: float) -> None:
    data = dataset(seed, pictures=20, crowds=0.3)
    found = matched(data, match_iou=iou)
    correct, ignored = np.zeros(len(found.alive), bool), np.zeros(len(found.alive), bool)
    correct[found.hits.candidate] = True
    ignored[found.rows] = found.ignored
    start = found.table.start
    for number, (boxes, scores, labels) in enumerate(shown(data)):
        truth = data.truth[number]
        one = match_one(boxes, scores, labels, truth.boxes, truth.labels + 1, truth.crowd, iou=iou)
        part = slice(start[number], start[number + 1])
        np.testing.assert_array_equal(correct[part], one.correct)
        np.testing.assert_array_equal(ignored[part], one.ignored)


def test_coco_thresholds_are_cocos_own() -> None:
    assert len(COCO_IOUS) == 10 and COCO_IOUS[0] == 0.5 and COCO_IOUS[5] == np.linspace(0.5, 0.95, 10)[5]
