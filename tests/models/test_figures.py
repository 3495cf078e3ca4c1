"""Figures of a data set against naive ones: survival, confusion, curves, funnel; collecting, stopping, omissions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import CLASSES, dataset, matched, shown
from torchvision.ops import box_iou, nms

from models.cards import card
from models.cards.card import BUNDLED
from models.dataset_pass.products import measurements
from models.detection.anchor_fit import best_overlaps
from models.detection.matching import overlaps
from models.engine.engine import Engine
from models.evaluation import curve
from models.evaluation.figures import confusion, pictures_of_cell
from models.evaluation.funnel import best_scores, funnel
from models.evaluation.matched import survivors
from models.evaluation.survival import LEVELS, at, survival
from models.pictures import images
from models.requests import Request
from models.types import Failure, Result, Source

SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
SSD, RCNN = "digits-ssd", "digits-faster-rcnn"


# suppression at every level


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("agnostic", [False, True])
def test_survival_is_torchvisions_nms_at_every_level(seed: int, agnostic: bool) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.integers(0, 40, (120, 2))
    boxes = np.concatenate([corner, corner + rng.integers(4, 30, (120, 2))], 1).astype(np.float32)
    score = np.sort(rng.random(120).astype(np.float32))[::-1].copy()
    label = rng.integers(0, 3, 120)
    bits = survival(boxes, score, None if agnostic else label)
    removed = 0
    for level in range(LEVELS):
        wanted = np.zeros(120, bool)
        for group in [np.arange(120)] if agnostic else [np.flatnonzero(label == k) for k in range(3)]:
            keep = nms(torch.from_numpy(boxes[group]), torch.from_numpy(score[group]), level / 100)
            wanted[group[keep.numpy()]] = True
        np.testing.assert_array_equal(at(bits.T, level), wanted)
        removed += int((~wanted).sum())
    assert removed > 1000


def test_between_two_levels_it_is_worked_out() -> None:
    table = dataset(1, pictures=20).table()
    exact, near = survivors(table, 0.505, agnostic=False), survivors(table, 0.51, agnostic=False)
    assert (~exact).sum() > 0
    for number in range(table.pictures):
        part = slice(table.start[number], table.start[number + 1])
        one = table.measured[number]
        for label in np.unique(one.label):
            rows = np.flatnonzero(one.label == label)
            keep = nms(torch.from_numpy(one.boxes[rows]), torch.from_numpy(one.score[rows]), 0.505).numpy()
            assert set(rows[keep]) == set(rows[exact[part][rows]])
    assert exact.sum() <= near.sum() + 5


# confusion, curves, funnel


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("score", "maximum", "iou"), [(0.0, 100, 0.5), (0.5, 100, 0.3), (0.2, 3, 0.5)])
def test_confusion_equals_going_through_it_detection_by_detection(
    seed: int, score: float, maximum: int, iou: float
) -> None:
    data = dataset(seed, crowds=0.2)
    wanted = np.zeros((CLASSES + 1, CLASSES + 1), int)
    each = []  # what every picture adds
    for truth, (boxes, _, labels) in zip(data.truth, shown(data, score, maximum), strict=True):
        before = wanted.copy()
        table = overlaps(boxes, truth.boxes, truth.crowd)
        free = {row for row in range(len(truth)) if not truth.crowd[row]}
        for row, label in enumerate(labels - 1):
            near = [(table[row, item], item) for item in free if table[row, item] >= iou]
            if near:
                item = max(near)[1]
                free.discard(item)
                wanted[truth.labels[item], label] += 1
            elif not any(table[row, item] >= iou for item in np.flatnonzero(truth.crowd)):
                wanted[-1, label] += 1
        for item in free:
            wanted[truth.labels[item], -1] += 1
        each.append(wanted - before)
    of = matched(data, maximum=maximum, match_iou=iou)
    found = confusion(of, score)
    np.testing.assert_array_equal(found, wanted)
    for row, column in np.argwhere(wanted).tolist():
        pictures, counts = pictures_of_cell(of, score, row, column)
        assert dict(zip(pictures.tolist(), counts.tolist(), strict=True)) == {
            number: count for number, added in enumerate(each) if (count := added[row, column])
        }
        assert (np.diff(counts) <= 0).all()
    assert wanted[:-1, :-1].sum() > np.trace(wanted[:-1, :-1]) > 0


@pytest.mark.parametrize("seed", range(4))
def test_rates_and_the_best_f1_equal_counting_at_every_threshold(seed: int) -> None:
    data = dataset(seed, tied=seed % 2 == 0, crowds=0.2)
    found = matched(data)
    whole, *each = curve.curves(found)

    def f1(score: float) -> float:
        correct, wrong, missed = (int(column.sum()) for column in curve.operating_point(found, score))
        assert correct + wrong <= int((found.score > score).sum()) and correct + missed == found.positives.sum()
        return 2 * correct / (2 * correct + wrong + missed)

    assert whole.best_f1 == pytest.approx(max(f1(float(t)) for t in [0.0, *np.unique(found.score)]))
    assert f1(whole.best_score) == pytest.approx(whole.best_f1)
    for score in (0.2, 0.5):
        precision, recall, _ = curve.rates(*(column.sum() for column in curve.operating_point(found, score)))
        assert (np.hypot(whole.recall - recall, whole.precision - precision) < 0.05).any() or seed % 2 == 0
    assert len(each) == CLASSES and each[-1].best_f1 == 0 and len(each[-1].score) == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_funnel_equals_asking_each_object(seed: int) -> None:
    data = dataset(seed, crowds=0.2)
    found = matched(data, maximum=5, match_iou=0.6)
    alive, of = funnel(found, best_scores(found), 0.4)
    wanted = np.zeros((4, 4 + CLASSES), int)
    total = np.zeros(4 + CLASSES, int)
    every, above, few = shown(data), shown(data, 0.4), shown(data, 0.4, 5)
    for number, truth in enumerate(data.truth):
        for item in np.flatnonzero(~truth.crowd):
            box = truth.boxes[item : item + 1]
            area = float((box[0, 2] - box[0, 0]) * (box[0, 3] - box[0, 1]))
            size = 1 if area < 32**2 else 2 if area < 96**2 else 3
            groups = [0, size, 4 + truth.labels[item]]
            total[groups] += 1
            for stage, pictures in enumerate((every, above, above, few)):
                boxes, _, labels = pictures[number]
                near = overlaps(boxes, box, np.zeros(1, bool))[:, 0] >= 0.6
                wanted[stage, groups] += bool((near & (labels == truth.labels[item] + 1)).any())
    np.testing.assert_array_equal(alive[3:], wanted)
    np.testing.assert_array_equal(of, total)
    assert (alive[:3] == -1).all() and wanted[0, 0] > wanted[1, 0] > wanted[3, 0] > 0


def test_the_nearest_anchor_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    boxes, grid, per_cell = [], [(9, 12), (4, 5), (1, 1)], [3, 2, 1]
    for (rows, columns), count in zip(grid, per_cell, strict=True):
        step = 90 / rows
        shapes = rng.uniform(5, 60, (count, 2))
        y, x = np.mgrid[:rows, :columns] * step
        centre = np.stack([x, y], -1)[:, :, None]
        boxes.append(np.concatenate([centre - shapes / 2, centre + shapes / 2], -1).reshape(-1, 4))
    anchors = np.concatenate(boxes).astype(np.float32)
    corner = rng.uniform(-10, 110, (60, 2))
    objects = np.concatenate([corner, corner + rng.uniform(3, 70, (60, 2))], 1).astype(np.float32)
    wanted = box_iou(torch.from_numpy(anchors), torch.from_numpy(objects)).amax(0).numpy()
    np.testing.assert_allclose(best_overlaps(objects, anchors, grid, per_cell), wanted, atol=1e-6)
    assert (wanted > 0.3).any()


# the inspection


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture
def folder(tmp_path: Path, engine: Engine) -> Path:
    """The samples with ground truth: what digits-ssd finds on them, moved a little, one class unknown to it."""
    truth: dict[str, Any] = {"images": [], "annotations": []}
    names = [*card.bundled()[SSD].classes[1:], "zebra"]
    truth["categories"] = [{"id": i, "name": name} for i, name in enumerate(names, 1)]
    for number, sample in enumerate(SAMPLES, 1):
        (tmp_path / sample.name).write_bytes(sample.read_bytes())
        width, height = images.size(sample)
        truth["images"].append({"id": number, "file_name": sample.name, "width": width, "height": height})
        found = engine.run(Request.make("detect", SSD, Source.file(sample), {"score": 0.6}))
        assert isinstance(found, Result)
        for box, label in zip(found.arrays["boxes"].tolist(), found.arrays["labels"].tolist(), strict=True):
            row = {"id": len(truth["annotations"]) + 1, "image_id": number, "category_id": label, "iscrowd": 0}
            truth["annotations"].append(
                {**row, "bbox": [box[0] + 1, box[1], box[2] - box[0], box[3] - box[1]], "area": 1}
            )
    truth["annotations"].append(
        {"id": 10_000, "image_id": 1, "category_id": len(names), "bbox": [5, 5, 20, 20], "area": 400, "iscrowd": 0}
    )
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return tmp_path


def ask(engine: Engine, folder: Path, model: str = SSD, **params: Any) -> Result:
    answer = engine.run(Request.make("figures", model, Source.file(folder / "truth.json"), params))
    assert isinstance(answer, Result), answer
    return answer


@pytest.mark.parametrize("model", [SSD, RCNN])
@pytest.mark.parametrize("params", [{"score": 0.3}, {"score": 0.05, "iou": 0.3, "agnostic": True}], ids=str)
def test_detections_counted_are_those_of_the_live_picture(
    engine: Engine, folder: Path, model: str, params: dict[str, Any]
) -> None:
    ask(engine, folder, model, **params)
    engine.finish_idle()
    result = ask(engine, folder, model, **params)
    assert result.meta["complete"] and not result.meta["partial"]
    live = 0
    for sample in SAMPLES:
        answer = engine.run(Request.make("detect", model, Source.file(sample), params))
        assert isinstance(answer, Result)
        live += len(answer.arrays["boxes"])
    assert int(result.arrays["correct"].sum() + result.arrays["wrong"].sum()) == live > 0
    assert int(result.arrays["confusion"][:, :-1].sum()) == live
    assert (result.arrays["funnel"][0] >= 0).all()
    assert (result.arrays["funnel"][1] >= 0).all() == (model == RCNN)


def test_figures_come_in_parts_and_can_be_stopped(engine: Engine, folder: Path) -> None:
    engine = Engine(threads=1)
    first = ask(engine, folder)
    assert first.meta["partial"] and first.meta["collected"] == 0 and first.meta["map"] == -1
    engine.work_idle(0.0001)
    engine.work_idle(0.0001)
    part = ask(engine, folder)
    assert 0 < part.meta["collected"] < part.meta["of"] and part.meta["partial"]
    stopped = ask(engine, folder, collect=False)
    assert not stopped.meta["partial"] and not stopped.meta["complete"]
    engine.finish_idle()
    assert ask(engine, folder, collect=False).meta["collected"] == part.meta["collected"]
    ask(engine, folder)
    engine.finish_idle()
    whole = ask(engine, folder)
    assert whole.meta["complete"] and whole.meta["pictures"] == len(SAMPLES) and whole.meta["map50"] > 0.8
    assert len([key for key in engine.cache._values if "backbone" in str(key)]) == 0


def test_only_the_newest_question_is_collected_for(engine: Engine, folder: Path) -> None:
    engine = Engine(threads=1)
    ask(engine, folder, RCNN)
    ask(engine, folder, RCNN, rpn_iou=0.3)
    engine.finish_idle()
    assert ask(engine, folder, RCNN, rpn_iou=0.3).meta["complete"]
    assert ask(engine, folder, RCNN, collect=False).meta["collected"] == 0


def test_what_cannot_be_used_is_listed_and_the_rest_goes_on(engine: Engine, folder: Path) -> None:
    (folder / SAMPLES[0].name).write_bytes(b"no picture")
    truth = json.loads((folder / "truth.json").read_text())
    truth["images"][1]["width"] += 7
    (folder / "truth.json").write_text(json.dumps(truth))
    ask(engine, folder)
    engine.finish_idle()
    result = ask(engine, folder)
    assert result.meta["failed"] == 2 and result.meta["collected"] == len(SAMPLES) - 2 and result.meta["complete"]
    assert result.meta["problems"][0].startswith(SAMPLES[0].name)
    assert "was annotated at" in result.meta["problems"][1]
    assert any("zebra" in note for note in result.meta["notes"])


def test_a_picture_that_fails_oddly_is_listed_and_the_rest_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, real, seen = Engine(threads=1), measurements.measure, []

    def odd(*given: Any) -> Any:
        seen.append(given)
        if len(seen) == 1:
            raise ValueError("odd")
        return real(*given)

    monkeypatch.setattr(measurements, "measure", odd)
    ask(engine, folder)
    engine.finish_idle()
    result = ask(engine, folder)
    assert result.meta["complete"] and result.meta["failed"] == 1 and result.meta["problems"][0].endswith("odd")


def test_hidden_classes_are_left_out(engine: Engine, folder: Path) -> None:
    ask(engine, folder)
    engine.finish_idle()
    whole, less = ask(engine, folder), ask(engine, folder, hidden="3, 5")
    assert set(whole.arrays["labels"]) - set(less.arrays["labels"]) == {4, 6}
    rows = [row for row, label in enumerate(whole.arrays["labels"]) if label not in (4, 6)]
    np.testing.assert_allclose(less.arrays["ap"], whole.arrays["ap"][rows])
    assert less.arrays["confusion"].shape == (len(rows) + 1,) * 2


@pytest.mark.parametrize("params", [{"method": "wbf"}, {"groups": "1+7"}, {"class_scores": "1=0.7"}], ids=str)
def test_settings_it_cannot_follow_are_refused(engine: Engine, folder: Path, params: dict[str, Any]) -> None:
    answer = engine.run(Request.make("figures", SSD, Source.file(folder / "truth.json"), params))
    assert isinstance(answer, Failure) and "cannot follow" in answer.message and answer.advice


def test_a_model_that_knows_none_of_the_classes_is_refused(engine: Engine, folder: Path) -> None:
    truth = json.loads((folder / "truth.json").read_text())
    for number, category in enumerate(truth["categories"]):
        category["name"] = f"thing {number}"
    (folder / "truth.json").write_text(json.dumps(truth))
    answer = engine.run(Request.make("figures", SSD, Source.file(folder / "truth.json"), {}))
    assert isinstance(answer, Failure) and "knows none of the classes" in answer.message
