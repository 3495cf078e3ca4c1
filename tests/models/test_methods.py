"""Every method of suppression as detect applies it: thresholds of classes, groups, fused boxes, what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou, distance_box_iou, nms

from models.cards.card import BUNDLED
from models.detection.classes import check, class_groups, class_scores, write_scores
from models.detection.decision import METHODS, Params, decide
from models.engine.engine import Engine
from models.params import ineffective, parameters
from models.pictures.images import read
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Candidates, Failure, Refusal, Result, Source

SAMPLE = Source.file(min((BUNDLED.parent / "samples").glob("*.png")))
SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
CLASSES = ("background", "cat", "dog", "N/A", "owl")
CHANGING = ("soft-gaussian", "soft-linear", "wbf")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


def ask(engine: Engine, model: str = RCNN, **params: Any) -> Result:
    answer = engine.run(Request.make("detect", model, SAMPLE, params))
    assert isinstance(answer, Result), answer
    return answer


def candidates(engine: Engine, model: str = RCNN) -> Candidates:
    stages = CachedStages(Cache(), "test", Context())
    with torch.inference_mode():
        return engine.model(model).candidates(read(SAMPLE).pixels, {}, stages)


def ids(found: Candidates, rows: np.ndarray) -> list[int]:
    return (found.anchor[rows] * 11 + found.label[rows]).tolist()


def survivors(found: Candidates, alive: np.ndarray, group: np.ndarray, iou: float) -> np.ndarray:
    """Return the rows that torchvision's NMS keeps of the live ones, group by group, best first."""
    kept = []
    for one in np.unique(group):
        rows = np.flatnonzero(alive & (group == one))
        boxes, scores = torch.from_numpy(found.boxes[rows]), torch.from_numpy(found.score[rows])
        kept += rows[nms(boxes, scores, iou).numpy()].tolist()
    rows = np.sort(np.array(kept, np.int64))
    return rows[np.argsort(-found.score[rows], kind="stable")]


@pytest.mark.parametrize("ready", [False, True], ids=["plain", "graph"])
@pytest.mark.parametrize("groups", ["", "1+7; 3+8 + 9", "agnostic"])
@pytest.mark.parametrize("scores", ["", "3=0.9, 8=0.02, 1=0.6"])
def test_greedy_suppression_in_groups_after_the_scores_of_classes(groups: str, scores: str, ready: bool) -> None:
    """Fails if a class takes another's threshold, if who is held back acts on others, or if a group is missed."""
    engine = Engine(threads=1)
    found = candidates(engine)
    limit = np.full(len(found), 0.05, np.float32)
    for label, threshold in class_scores(scores, tuple("b0123456789")).items():
        limit[found.label == label] = threshold
    group = found.label.copy()
    if groups == "agnostic":
        group[:] = 0
    elif groups:
        group[np.isin(group, [2, 8])], group[np.isin(group, [4, 9, 10])] = 2, 4
    settings = {"agnostic": True} if groups == "agnostic" else {"groups": groups}
    for iou in (0.2, 0.45):
        wanted = survivors(found, found.score > limit, group, iou)
        if ready:
            ask(engine, score=0.05, iou=iou, class_scores=scores, **settings)
            engine.finish_idle()
        result = ask(engine, score=0.05, iou=iou, class_scores=scores, suppressed=True, **settings)
        assert result.arrays["ids"].tolist() == ids(found, wanted)
        assert len(result.arrays["removed_by"]) == (found.score > limit).sum() - len(wanted)


def test_a_class_with_a_high_threshold_does_not_crowd_the_others_out(engine: Engine) -> None:
    every = ask(engine, score=0.02, iou=1.0, max_detections=1000)
    labels = every.arrays["labels"]
    noisy = int(np.bincount(labels[:20]).argmax())
    name = every.meta["classes"][noisy]
    few = ask(engine, score=0.02, iou=1.0, max_detections=10, class_scores=f"{name}=1")
    assert few.arrays["ids"].tolist() == every.arrays["ids"][labels != noisy][:10].tolist()
    assert noisy not in few.meta["counts"]


@pytest.mark.parametrize("model", [SSD, RCNN])
@pytest.mark.parametrize("method", ["soft-gaussian", "soft-linear"])
def test_soft_nms_lowers_scores_and_says_by_whom(engine: Engine, model: str, method: str) -> None:
    found = candidates(engine, model)
    wanted = found.score.astype(np.float64)
    shared = box_iou(torch.from_numpy(found.boxes), torch.from_numpy(found.boxes)).numpy()
    shared[found.label[:, None] != found.label] = 0
    left = list(range(len(found)))
    while left:
        best = max(left, key=lambda row: (wanted[row], found.score[row], -row))
        left.remove(best)
        for row in left:
            iou = float(shared[best, row])
            wanted[row] *= np.exp(-(iou**2) / 0.3) if method == "soft-gaussian" else 1 - iou if iou > 0.4 else 1
    result = ask(engine, model, method=method, sigma=0.3, iou=0.4, score=0.2, suppressed=True, max_detections=1000)
    arrays = result.arrays
    rows = np.flatnonzero(wanted > 0.2)
    rows = rows[np.argsort(-wanted[rows], kind="stable")]
    assert arrays["ids"].tolist() == ids(found, rows)
    np.testing.assert_allclose(arrays["scores"], wanted[rows], rtol=1e-5)
    np.testing.assert_array_equal(arrays["original_scores"], found.score[rows])
    np.testing.assert_array_equal(arrays["boxes"], found.drawn[rows])
    assert len(arrays["removed_left"]) > 3
    assert (arrays["removed_left"] <= 0.2).all() and (arrays["removed_scores"] > 0.2).all()
    assert (arrays["removed_labels"] == arrays["labels"][arrays["removed_by"]]).all()
    higher = ask(engine, model, method=method, sigma=0.3, iou=0.4, score=0.5, max_detections=1000)
    assert higher.arrays["ids"].tolist() == ids(found, rows[wanted[rows] > 0.5])


def test_diou_says_what_it_decided_on(engine: Engine) -> None:
    arrays = ask(engine, method="diou", iou=0.3, score=0.05, suppressed=True).arrays
    found = candidates(engine)
    place = {identity: row for row, identity in enumerate(ids(found, np.arange(len(found))))}
    keepers = found.boxes[[place[i] for i in arrays["ids"].tolist()]][arrays["removed_by"]]
    lost = found.boxes[[np.flatnonzero((found.drawn == box).all(axis=1))[0] for box in arrays["removed_boxes"]]]
    wanted = distance_box_iou(torch.from_numpy(keepers), torch.from_numpy(lost)).diagonal().numpy()
    np.testing.assert_allclose(arrays["removed_diou"], wanted, atol=1e-5)
    assert len(wanted) > 3 and (wanted > 0.3).all() and (wanted <= arrays["removed_iou"]).all()


def test_a_fused_box_is_the_mean_of_its_members(engine: Engine) -> None:
    result = ask(engine, method="wbf", iou=0.5, score=0.1, suppressed=True, max_detections=1000)
    arrays, found = result.arrays, candidates(engine)
    place = {identity: row for row, identity in enumerate(ids(found, np.arange(len(found))))}
    rows = np.array([place[i] for i in arrays["ids"].tolist()])
    assert len(arrays["removed_by"]) + len(rows) == (found.score > 0.1).sum() and len(arrays["removed_by"]) > 5
    np.testing.assert_array_equal(arrays["original_scores"], found.score[rows])
    for at, row in enumerate(rows):
        inside = arrays["removed_by"] == at
        boxes = np.concatenate([found.drawn[[row]], arrays["removed_boxes"][inside]]).astype(np.float64)
        scores = np.concatenate([found.score[[row]], arrays["removed_scores"][inside]]).astype(np.float64)
        np.testing.assert_allclose(arrays["boxes"][at], np.average(boxes, axis=0, weights=scores), atol=1e-3)
        assert arrays["scores"][at] == pytest.approx(scores.mean(), rel=1e-6)
        assert scores.max() == arrays["original_scores"][at]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains_itself_alike(engine: Engine, method: str) -> None:
    """Fails if ids, anchors, counts or the reasons do not fit the boxes that are shown."""
    plain = ask(engine, method=method, score=0.05)
    assert len(plain.arrays["removed_by"]) == 0
    result = ask(engine, method=method, score=0.05, suppressed=True)
    arrays = result.arrays
    assert len({len(arrays[name]) for name in ("boxes", "scores", "labels", "ids", "anchors", "objectness")}) == 1
    assert len(set(arrays["ids"].tolist())) == len(arrays["ids"])
    assert (np.diff(arrays["scores"]) <= 0).all() and (arrays["scores"] > np.float32(0.05)).all()
    assert result.meta["counts"] == {int(k): int((arrays["labels"] == k).sum()) for k in np.unique(arrays["labels"])}
    assert ("original_scores" in arrays) == (method in CHANGING) and ("removed_diou" in arrays) == (method == "diou")
    model, stages = engine.model(RCNN), CachedStages(Cache(), "test", Context())
    with torch.inference_mode():
        values = {**model.defaults, "score": 0.05, "method": method}
        decision = decide(model, read(SAMPLE).pixels, Params(**values), stages, explain=True)
    assert (decision.suppression is None) == (method in CHANGING)
    assert set(decision.shown.rows) <= set(decision.kept) and (decision.limits == np.float32(0.05)).all()
    np.testing.assert_array_equal(decision.shown.drawn, arrays["boxes"])
    np.testing.assert_array_equal(decision.shown.removed_scores, decision.outcome.score[decision.shown.removed])


def test_texts_of_classes_are_read_and_refused_with_advice() -> None:
    assert class_groups(" owl + cat ;dog;", CLASSES) == ((1, 4), (2,)) and class_groups("", CLASSES) == ()
    assert class_scores("owl=0.5,cat = 1e-1", CLASSES) == {4: 0.5, 1: 0.1} and class_scores("", CLASSES) == {}
    assert class_scores(write_scores({"cat": 0.25, "dog": 1.0}), CLASSES) == {1: 0.25, 2: 1.0}
    for text, read_text in (("cow+cat", class_groups), ("cow=0.5", class_scores), ("background=0.5", class_scores)):
        with pytest.raises(Refusal, match="There is no class") as refused:
            read_text(text, CLASSES)
        assert refused.value.advice.endswith("Classes: cat, dog, owl.") and "as in" in refused.value.advice
    with pytest.raises(Refusal, match="'cat' is named twice"):
        class_groups("cat+dog; owl+cat", CLASSES)
    for text in ("cat", "cat=", "cat=2", "cat=-0.1", "cat=nan", "=0.5", "cat=0.5=x"):
        with pytest.raises(Refusal):
            class_scores(text, CLASSES)
    with pytest.raises(Refusal, match="two thresholds"):
        class_scores("cat=0.1, cat=0.2", CLASSES)
    for name, text in (("hidden", "cow"), ("groups", "cow"), ("class_scores", "cat")):
        with pytest.raises(Refusal):
            check({name: text}, CLASSES)
    check({"hidden": "cat", "groups": "cat+dog", "class_scores": "cat=0.5", "score": 0.5}, CLASSES)


def test_the_engine_refuses_a_class_there_is_not(engine: Engine) -> None:
    for params in ({"groups": "1+x"}, {"class_scores": "x=0.5"}):
        answer = engine.run(Request.make("detect", SSD, SAMPLE, params))
        assert isinstance(answer, Failure) and "no class 'x'" in answer.text and "Classes: 0, 1, 2" in answer.text


def test_parameters_that_have_no_say_say_why() -> None:
    declared = parameters(Params)
    assert set(ineffective(declared, {})) == {"sigma"}
    assert set(ineffective(declared, {"method": "soft-gaussian", "agnostic": True})) == {"iou", "groups"}
    reasons = ineffective(declared, {"method": "wbf", "agnostic": True})
    assert reasons == {
        "sigma": "Not used with Box fusion (WBF).",
        "groups": "Not used with Class-agnostic NMS on.",
    }
    (method,) = (p for p in declared if p.name == "method")
    assert method.text("soft-linear") == "Soft-NMS, linear" and len(method.titles) == len(method.choices)
