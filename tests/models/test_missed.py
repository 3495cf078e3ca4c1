"""Why an object was missed: cases made by hand where each stage is the one, and bundled models with a setting spoilt.

A detector of a few boxes, written out with the naive steps of the papers, stands in for the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.cards.card import SAMPLES, Card
from models.detection.evidence import Evidence
from models.detection.missed import overlap
from models.detection.missed_remedy import grid
from models.engine.engine import Engine
from models.inspections import missed
from models.params import Parameter, parameters
from models.requests import Request
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Anchors, Candidates, Failure, Refusal, Result, Source

OBJECT = (10.0, 10.0, 30.0, 30.0)
NEAR, CLOSE, FAR = [10, 10, 30, 28], [12, 10, 32, 30], [60, 60, 90, 90]
NAMES = ("background", "cat", "dog")
PIXELS = np.zeros((100, 100, 3), np.uint8)


def iou(a: Any, b: Any) -> float:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    both = max(w, 0) * max(h, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def greedy(boxes: list[Any], order: list[int], threshold: float) -> list[int]:
    kept: list[int] = []
    for row in order:
        if all(iou(boxes[row], boxes[other]) <= threshold for other in kept):
            kept.append(row)
    return kept


@dataclass
class Toy:
    """Anchors that are their own regions and boxes, each with a score per class; with `objectness` two stages."""

    boxes: list[Any]
    scores: list[Any]
    objectness: list[float] | None = None
    left_out: tuple[int, ...] = ()
    unlisted: tuple[int, ...] = ()

    stages: Any = None
    floor = 0.01
    card = Card("toy", classes=NAMES)
    net = SimpleNamespace(proposal_matcher=SimpleNamespace(high_threshold=0.6))

    def __post_init__(self) -> None:
        self.stages = {} if self.objectness else {"rpn": "{name} has one stage."}

    @property
    def defaults(self) -> dict[str, Any]:
        own: dict[str, Any] = {"score": 0.5, "iou": 0.5, "max_detections": 10}
        return own | ({"rpn_score": 0.0, "rpn_iou": 0.7, "rpn_top_n": 100} if self.objectness else {})

    def proposed(self, settings: Any) -> list[int]:
        rows = [i for i in range(len(self.boxes)) if i not in self.left_out]
        if not self.objectness:
            return rows
        rows = [i for i in rows if self.objectness[i] >= settings.get("rpn_score", 0.0)]
        order = sorted(rows, key=lambda i: -self.objectness[i])  # type: ignore[index]
        return greedy(self.boxes, order, settings.get("rpn_iou", 0.7))[: settings.get("rpn_top_n", 100)]

    def candidates(self, pixels: Any, settings: Any, stages: Any) -> Candidates:
        rows = self.proposed(settings)
        pairs = [(at, i, c) for at, i in enumerate(rows) if i not in self.unlisted for c in (1, 2)]
        pairs = [(at, i, c) for at, i, c in pairs if self.scores[i][c] > self.floor]
        boxes = np.array([self.boxes[i] for _, i, _ in pairs], np.float32).reshape(-1, 4)
        column = lambda k: np.array([p[k] for p in pairs], np.int64)  # noqa: E731
        score = np.array([self.scores[i][c] for _, i, c in pairs], np.float32)
        proposals = np.array([self.boxes[i] for i in rows], np.float32).reshape(-1, 4)
        return Candidates(
            boxes, boxes, score, column(2), column(1), column(0), proposals, np.zeros(len(rows), np.float32)
        )

    def evidence(self, pixels: Any, settings: Any, stages: Any) -> Evidence:
        boxes, scores = np.array(self.boxes, np.float32), np.array(self.scores, np.float32)
        pool = np.array([i for i in range(len(boxes)) if i not in self.left_out], np.int64)
        source = np.array(self.proposed(settings), np.int64)
        table = Anchors(boxes, np.array([[1, len(boxes)]]), np.array([1]), np.array([0, len(boxes)]))
        two: dict[str, Any] = {}
        if self.objectness:
            two = {"objectness": np.array(self.objectness, np.float32), "regions": boxes, "pool": pool}
            two["proposals"] = np.searchsorted(pool, source)
        return Evidence(
            table,
            False,
            source,
            lambda rows: scores[source[rows]],
            lambda rows: np.broadcast_to(boxes[source[rows]][:, None], (len(rows), 3, 4)),
            lambda given: given,
            True,
            **two,
        )


def why(toy: Toy, **given: Any) -> tuple[dict[str, Any], Any]:
    offer = missed.INSPECTION.offer(toy)
    values = {p.name: p.default for p in offer.parameters} | dict(zip(("x0", "y0", "x1", "y1"), OBJECT, strict=True))
    stages = CachedStages(Cache(), "toy", Context())
    result = missed.answer(toy, PIXELS, missed.Params(**(values | given)), stages)
    rungs, stage = result.meta["finding"]["stages"], result.meta["finding"]["stage"]
    assert (stage == "shown") == ("stopped" not in {rung["state"] for rung in rungs})
    assert stage == "shown" or stage in {rung["id"] for rung in rungs if rung["state"] == "stopped"}
    return result.meta["finding"], result.arrays


def changes(finding: dict[str, Any]) -> list[tuple[dict[str, Any], int, int]]:
    return [(r["set"], r["others"], r["lost"]) for r in finding["remedies"]]


CAT, DOG, WEAK = [0.1, 0.85, 0.05], [0.05, 0.05, 0.9], [0.65, 0.3149, 0.03]


def test_what_is_shown_is_found() -> None:
    finding, arrays = why(Toy([NEAR, FAR], [CAT, DOG]))
    assert finding["stage"] == "shown" and finding["verdict"] == "Found as cat 0.85." and finding["remedies"] == []
    assert arrays["best"].tolist() == [NEAR] and finding["best"]["iou"] == pytest.approx(0.9)
    assert {rung["state"] for rung in finding["stages"]} == {"passed"}


def test_where_nothing_overlaps_it_says_how_much_the_nearest_does() -> None:
    half = [20, 10, 40, 30]
    finding, arrays = why(Toy([half, FAR], [CAT, DOG]))
    assert finding["stage"] == "head" and finding["remedies"] == []
    assert finding["verdict"] == "No box of any stage overlaps it by more than 0.33."
    assert arrays["best"].tolist() == [half]
    assert finding["stages"][0]["text"] == "Best IoU 0.33; trained as an object from 0.60"
    assert finding["stages"][0]["state"] == "noted"


def test_a_region_outside_the_best_of_its_level() -> None:
    finding, _ = why(Toy([NEAR, FAR], [CAT, DOG], [0.2, 0.9], left_out=(0,)))
    assert finding["stage"] == "pool" and finding["remedies"] == []
    assert finding["stages"][1]["text"] == "0 of 1 regions over it go on"


def test_proposal_score() -> None:
    toy = Toy([NEAR, FAR], [CAT, DOG], [0.2345, 0.9])
    finding, _ = why(toy, rpn_score=0.5)
    assert finding["stage"] == "rpn_score" and "objectness 0.23" in finding["verdict"]
    assert changes(finding) == [({"rpn_score": 0.23}, 0, 0)]
    assert finding["remedies"][0]["distance"] == pytest.approx(0.27)


def test_the_first_stage_lets_through_what_reaches_its_score_exactly() -> None:
    toy = Toy([NEAR, FAR], [CAT, DOG], [0.25, 0.9])
    assert changes(why(toy, rpn_score=0.5)[0]) == [({"rpn_score": 0.25}, 0, 0)]
    # the second stage asks for more than its score
    even = Toy([NEAR, FAR], [[0.75, 0.25, 0.0], DOG])
    assert changes(why(even)[0]) == [({"score": 0.24}, 0, 0)]


def test_proposal_suppression_names_the_proposal_that_stayed() -> None:
    background = [0.99, 0.005, 0.005]
    toy = Toy([NEAR, CLOSE], [CAT, background], [0.6, 0.9])
    between = iou(NEAR, CLOSE)
    finding, arrays = why(toy, rpn_iou=0.6)
    assert 0.74 < between < 0.75 and finding["stage"] == "rpn_iou"
    assert finding["taker"]["iou"] == pytest.approx(between) and arrays["remover"].tolist() == [CLOSE]
    assert f"IoU {between:.2f}; Proposal NMS IoU is 0.6" in finding["verdict"]
    assert changes(finding)[0] == ({"rpn_iou": 0.75}, 0, 0)


def test_number_of_proposals() -> None:
    toy = Toy([FAR, [0, 60, 20, 90], NEAR], [DOG, DOG, CAT], [0.9, 0.8, 0.7])
    finding, _ = why(toy, rpn_top_n=1)
    assert finding["stage"] == "rpn_top_n" and "number 3 by objectness; Proposals kept is 1." in finding["verdict"]
    assert changes(finding) == [({"rpn_top_n": 3}, 1, 0)]
    assert finding["remedies"][0]["text"] == "Set Proposals kept to 3"


def test_score_is_rounded_to_the_control_and_counts_what_else_it_shows() -> None:
    toy = Toy([NEAR, FAR, [0, 60, 20, 90]], [WEAK, [0.6, 0.0, 0.4], [0.7, 0.3, 0.0]])
    finding, _ = why(toy)
    assert finding["stage"] == "score" and finding["verdict"] == "Its best box scores 0.31 for cat; Score is 0.5."
    assert changes(finding) == [({"score": 0.31}, 1, 0)]
    assert why(toy, score=0.31)[0]["stage"] == "shown" and why(toy, score=0.32)[0]["stage"] == "score"


def test_a_score_below_what_is_kept_cannot_be_brought_back() -> None:
    finding, _ = why(Toy([NEAR, FAR], [[0.995, 0.005, 0.0], DOG]))
    assert finding["stage"] == "score" and finding["remedies"] == [] and "scores 0.005 for cat" in finding["verdict"]


def test_suppression_names_the_box_that_stayed() -> None:
    large = [10, 10, 30, 44]
    toy = Toy([NEAR, large], [[0.15, 0.85, 0.0], [0.05, 0.95, 0.0]])
    between = iou(NEAR, large)
    finding, arrays = why(toy, match_iou=0.7)
    assert 0.52 < between < 0.53 and finding["stage"] == "iou" and arrays["remover"].tolist() == [large]
    assert finding["taker"]["name"] == "cat 0.95" and finding["taker"]["iou"] == pytest.approx(between)
    assert changes(finding) == [({"iou": 0.53}, 0, 0)]


def test_suppression_over_classes_is_undone_by_the_nearer_of_two_controls() -> None:
    toy = Toy([NEAR, [10, 10, 30, 32]], [CAT, DOG])
    finding, _ = why(toy, label="cat", agnostic=True)
    assert finding["stage"] == "iou" and finding["remark"] == "A box over it is shown as dog 0.90."
    assert changes(finding) == [({"iou": 0.82}, 0, 0), ({"agnostic": False}, 0, 0)]
    assert finding["remedies"][1]["text"] == "Switch Class-agnostic NMS off"


def test_a_lower_threshold_may_be_the_way_back() -> None:
    """Its remover is itself removed at a lower threshold, which is nearer than the higher one that spares it."""
    first, second, mine = [10, 52, 30, 74], [10, 26, 30, 56], [10, 10, 30, 38]
    assert 0.08 < iou(first, second) < 0.09 and 0.26 < iou(second, mine) < 0.27 and iou(first, mine) == 0
    toy = Toy([first, second, mine], [[0.05, 0.95, 0.0], [0.1, 0.9, 0.0], [0.2, 0.8, 0.0]])
    finding, _ = why(toy, iou=0.1, match_iou=0.6)
    assert finding["stage"] == "iou" and changes(finding) == [({"iou": 0.08}, 0, 1)]


def test_hidden_class() -> None:
    finding, _ = why(Toy([NEAR, FAR], [CAT, DOG]), hidden="cat,dog")
    assert finding["stage"] == "hidden" and "class cat is hidden" in finding["verdict"]
    assert changes(finding) == [({"hidden": "dog"}, 0, 0)] and finding["remedies"][0]["text"] == "Show class cat"


def test_maximum() -> None:
    finding, _ = why(Toy([FAR, [0, 60, 20, 90], NEAR], [DOG, [0, 0.88, 0], CAT]), max_detections=1)
    assert finding["stage"] == "max_detections" and "is number 3; Maximum detections is 1." in finding["verdict"]
    assert changes(finding) == [({"max_detections": 3}, 1, 0)]


def test_what_the_model_itself_does_not_list() -> None:
    finding, _ = why(Toy([NEAR, FAR], [CAT, DOG], unlisted=(0,)))
    assert finding["stage"] == "limit" and finding["remedies"] == []


def test_the_right_class_can_be_asked_for() -> None:
    finding, _ = why(Toy([NEAR, FAR], [[0.1, 0.2, 0.7], DOG]), label="cat")
    assert finding["stage"] == "score" and finding["remark"] == "A box over it is shown as dog 0.70."
    assert changes(finding) == [({"score": 0.19}, 0, 0)]
    assert why(Toy([NEAR, FAR], [[0.1, 0.2, 0.7], DOG]))[0]["stage"] == "shown"


def test_two_controls_where_one_does_not_suffice() -> None:
    toy = Toy([NEAR, FAR], [WEAK, DOG])
    finding, _ = why(toy, max_detections=1, label="cat")
    assert finding["stage"] == "score"
    assert changes(finding) == [({"score": 0.31, "max_detections": 2}, 0, 0)]
    assert finding["remedies"][0]["text"] == "Set Score to 0.31 and Maximum detections to 2"


def test_the_stage_that_is_nearer_is_named_when_a_worse_box_got_further() -> None:
    toy = Toy([NEAR, CLOSE], [CAT, [0.55, 0.45, 0.0]], [0.6, 0.9])
    finding, _ = why(toy, rpn_iou=0.6)
    assert finding["stage"] == "score" and finding["remark"] == "A better one, cat 0.85, was lost before: Proposal NMS."
    assert [c for c, _, _ in changes(finding)] == [{"score": 0.44}, {"rpn_iou": 0.75}]
    finding, _ = why(Toy([NEAR, CLOSE], [CAT, [0.9, 0.1, 0.0]], [0.6, 0.9]), rpn_iou=0.6)
    assert finding["stage"] == "rpn_iou"
    assert finding["remark"] == "The best box that went on scores 0.10 for cat; Score is 0.5."


def test_settings_it_cannot_follow_are_refused() -> None:
    toy = Toy([OBJECT], [CAT])
    for given in ({"method": "soft-linear"}, {"class_scores": "cat=0.9"}, {"groups": "cat+dog"}):
        with pytest.raises(Refusal, match="cannot follow"):
            why(toy, **given)
    assert why(toy, groups="cat+dog", agnostic=True)[0]["stage"] == "shown"


def test_an_empty_rectangle_is_the_whole_picture_and_one_outside_is_refused() -> None:
    toy = Toy([[0, 0, 100, 95], FAR], [CAT, DOG])
    finding, arrays = why(toy, x0=5.0, x1=5.0)
    assert arrays["region"].tolist() == [[0, 0, 100, 100]] and finding["stage"] == "shown"
    assert why(Toy([NEAR, FAR], [CAT, DOG]), x0=30.0, x1=10.0)[1]["region"].tolist() == [list(OBJECT)]
    with pytest.raises(missed.Refusal, match="outside the picture"):
        why(toy, x0=200.0, x1=300.0)
    with pytest.raises(missed.Refusal, match="no class 'cow'"):
        why(toy, label="cow")


def test_overlap_is_intersection_over_union() -> None:
    boxes = np.array([NEAR, CLOSE, FAR, [10, 10, 10, 30]], np.float32)
    assert overlap(boxes, OBJECT) == pytest.approx([iou(b, OBJECT) for b in (NEAR, CLOSE, FAR)] + [0.0])


def test_the_grid_is_whole_steps_and_both_ends() -> None:
    control = Parameter("score", "Score", "float", 0.5, low=0.001, high=1.0, step=0.25)
    assert grid(control) == [0.001, 0.25, 0.5, 0.75, 1.0]


# the bundled models


@cache
def engine() -> Engine:
    return Engine(threads=1)


def ask(inspection: str, model: str, source: Source, **params: Any) -> Result:
    answer = engine().run(Request.make(inspection, model, source, params))
    assert not isinstance(answer, Failure), answer
    return answer


def spoilt(row: int, score: float, name: str, *, two_stages: bool) -> list[tuple[str, dict[str, Any]]]:
    """Settings at which a shown detection should be gone, each by the control that is named."""
    found: list[tuple[str, dict[str, Any]]] = [("score", {"score": min(1.0, np.ceil(score * 100) / 100)})]
    found += [("hidden", {"hidden": name}), ("iou", {"iou": 0.0}), ("iou", {"iou": 0.0, "agnostic": True})]
    found += [("max_detections", {"max_detections": row})] if row else []
    if two_stages:
        found += [("rpn_top_n", {"rpn_top_n": n}) for n in (1, 20)]
        found += [("rpn_iou", {"rpn_iou": 0.0}), ("rpn_score", {"rpn_score": 0.99})]
    return found


@pytest.mark.parametrize("picture", ["board.png", "slate.png"])
@pytest.mark.parametrize("model", ["digits-ssd", "digits-faster-rcnn"])
def test_a_detection_that_a_control_took_is_explained_and_brought_back(model: str, picture: str) -> None:
    source = Source.file(SAMPLES / picture)
    ground = ask("detect", model, source)
    told = set()
    for row in range(0, len(ground.arrays["ids"]), 3):
        x0, y0, x1, y1 = ground.arrays["boxes"][row].tolist()
        name = ground.meta["classes"][ground.arrays["labels"][row]]
        object_at = {"x0": x0, "y0": y0, "x1": x1, "y1": y1, "label": name}
        score = float(ground.arrays["scores"][row])
        for stage, change in spoilt(row, score, name, two_stages="rcnn" in model):
            finding = ask("missed", model, source, **object_at, **change).meta["finding"]
            after = ask("detect", model, source, **change).arrays
            over = overlap(after["boxes"], (x0, y0, x1, y1)) >= 0.5
            matching = over & (after["labels"] == ground.arrays["labels"][row])
            assert (finding["stage"] == "shown") == bool(matching.any()), (row, change)
            if finding["stage"] == "shown":
                continue
            told.add(stage)
            # Where a worse box got further than a good one, either stage may be the nearer; the other is told too.
            stopped = [rung["id"] for rung in finding["stages"] if rung["state"] == "stopped"]
            earlier = "was lost before: Proposal" in finding["remark"] and stage.startswith("rpn")
            assert stage in stopped or earlier, (row, change, finding)
            assert finding["stage"] == stage or finding["remark"]
            assert finding["remedies"], (row, change, finding)
            for remedy in finding["remedies"]:
                changed = {**change, **remedy["set"]}
                back = ask("missed", model, source, **object_at, **changed).meta["finding"]
                assert back["stage"] == "shown", (row, change, remedy)
                now = ask("detect", model, source, **changed).arrays
                mine = overlap(now["boxes"], (x0, y0, x1, y1)) >= 0.5
                mine &= now["labels"] == ground.arrays["labels"][row]
                new = set(now["ids"].tolist()) - set(after["ids"].tolist()) - set(now["ids"][mine].tolist())
                assert remedy["others"] == len(new)
                assert remedy["lost"] == len(set(after["ids"].tolist()) - set(now["ids"].tolist()))
    assert {"score", "hidden", "max_detections"} <= told
    assert "rcnn" not in model or "rpn_top_n" in told


@pytest.mark.parametrize("model", ["digits-ssd", "digits-faster-rcnn"])
def test_no_smaller_change_of_the_same_control_would_do(model: str) -> None:
    source = Source.file(SAMPLES / "board.png")
    ground = ask("detect", model, source)
    row = len(ground.arrays["ids"]) // 2
    box = dict(zip(("x0", "y0", "x1", "y1"), ground.arrays["boxes"][row].tolist(), strict=True))
    controls = {p.name: p for p in parameters(missed.Params)}
    for change in ({"score": 1.0}, {"max_detections": 1}, {"rpn_top_n": 1}, {"rpn_iou": 0.0}):
        if "digits-ssd" in model and change.keys() & {"rpn_top_n", "rpn_iou"}:
            continue
        for remedy in ask("missed", model, source, **box, **change).meta["finding"]["remedies"]:
            ((name, value),) = remedy["set"].items()
            if isinstance(value, str | bool):
                continue
            now = change.get(name, ground.meta["parameters"][name])
            step = controls[name].step if now > value else -controls[name].step
            nearer = np.arange(value + step, now, step).round(10)[:12]
            for tried in nearer:
                params = {**change, name: int(tried) if isinstance(value, int) else float(tried)}
                assert ask("missed", model, source, **box, **params).meta["finding"]["stage"] != "shown", params
