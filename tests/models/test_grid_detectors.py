"""Recognised detectors of others have the stages that a grid has: cells, levels, objectness, class scores, NMS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from detector_outputs import LAYOUTS, SIZE, V5, Scene
from torch import Tensor, nn

from models.adapters.base.row_outputs import Rows
from models.adapters.cells import CellsAdapter
from models.adapters.decoded import DecodedAdapter
from models.adapters.offsets import OffsetsAdapter
from models.cards.card import Card
from models.inspections import lineage, missed
from models.interpretation.recognise import propose
from models.loading.preprocess import Preprocess
from models.loading.probe_network import BOXES, DECODED, Found
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.types import Result

PIXELS = np.zeros((*SIZE, 3), np.uint8)  # of the network's own size, so that both pixels are the same


class Recorded(nn.Module):
    """A network that gives the outputs of one planted scene, whatever it is shown."""

    def __init__(self, outputs: list[tuple[str, np.ndarray]]) -> None:
        super().__init__()
        self.made = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in outputs}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return self.made


def opened(layout: str, kind: type[Rows], *, anchors: str = "") -> tuple[Any, Scene]:
    outputs, told = LAYOUTS[layout](0)
    net = Recorded(outputs)
    found = [one.layout for one in propose([list(net.made.items())], SIZE)]
    best = next(one for one in found if one.code.anchors == anchors)
    found = Found(BOXES, Preprocess(resize=SIZE[0], crop=SIZE, fit="stretch"), 3, 0, False, boxes=DECODED, layout=best)
    names = tuple(f"class {number}" for number in range(best.class_count))
    return kind(net, Card("planted", classes=names), found), told


def ask(inspection: Any, model: Any, **params: Any) -> Result:
    stages = CachedStages(Cache(), "planted", Context())
    return inspection.answer(model, PIXELS, inspection.Params(score=0.3, **params), stages)


def best_row(told: Scene, number: int) -> int:
    """The row, in the order of `told`, that is surest of an object."""
    owner = np.abs(told.boxes[:, None] - told.objects[None]).sum(2).argmin(1)
    return int(np.where(owner == number, told.scores[:, told.labels[number]], -1).argmax())


@pytest.mark.parametrize("layout", ["yolox of 80 classes", "v8 of 80 classes", "nanodet", "fcos"])
def test_the_lineage_of_a_box_begins_at_its_cell(layout: str) -> None:
    model, told = opened(layout, CellsAdapter)
    result = ask(lineage, model)
    finding, classes = result.meta["finding"], len(model.card.classes)
    row = finding["id"] // classes
    assert finding["origin"]["kind"] == "cell"
    assert finding["origin"]["level"] == told.level[row]
    assert [finding["origin"][name] for name in ("column", "row")] == told.cells[row].tolist()
    cell = told.cells[row] * told.stride[row]
    np.testing.assert_allclose(result.arrays["origin"][0], [*cell, *(cell + told.stride[row])], atol=1e-3)
    assert "Region proposals" in finding["absent"]
    if layout.startswith("yolox"):
        assert finding["objectness"]["value"] == pytest.approx(told.objectness[row], rel=1e-4)
        assert finding["objectness"]["rank"] == 1 + int((told.objectness > told.objectness[row]).sum())
        assert finding["objectness"]["alone"] == pytest.approx(told.classes[row, finding["label"]], rel=1e-3)
    else:
        assert finding["objectness"] is None
        assert "Objectness" in finding["absent"]


@pytest.mark.parametrize("layout", ["v5, raw maps", "v5, packed maps"])
def test_yolos_anchors_are_shown_in_the_order_of_a_table(layout: str) -> None:
    model, told = opened(layout, OffsetsAdapter, anchors="yolov5")
    stages = CachedStages(Cache(), "planted", Context())
    table = model.anchors(PIXELS, stages)
    # A table goes by level, row, column, anchor; the network by level, anchor, row, column.
    order = np.lexsort((told.anchor, told.cells[:, 0], told.cells[:, 1], told.level))
    sides, centres = V5[told.level, told.anchor], (told.cells + 0.5) * told.stride[:, None]
    wanted = np.concatenate([centres - sides / 2, centres + sides / 2], 1)[order]
    np.testing.assert_allclose(table.boxes, wanted, atol=1e-3)
    evidence = model.evidence(PIXELS, {}, stages)
    some = np.argsort(-told.objectness[order])[:40]
    reach = (told.boxes[:, 2:] - told.boxes[:, :2]) / sides  # YOLOv5's code reaches four times the anchor
    some = some[(reach[order][some] < 3.9).all(1)]
    assert len(some) > 20
    np.testing.assert_allclose(evidence.factor[some], told.objectness[order][some], rtol=1e-3)
    np.testing.assert_allclose(evidence.decoded(some)[:, 0], told.boxes[order][some].clip(0, SIZE[0]), atol=2)
    finding = ask(lineage, model).meta["finding"]
    assert finding["origin"]["kind"] == "anchor"
    assert finding["origin"]["per_cell"] == 3


def test_why_an_object_was_missed_names_the_factor_that_holds_it_down() -> None:
    model, told = opened("yolox of 80 classes", CellsAdapter)
    row = best_row(told, 0)
    x0, y0, x1, y1 = (float(v) for v in told.boxes[row])
    score = float(told.scores.max())
    result = missed.answer(
        model,
        PIXELS,
        missed.Params(score=min(0.999, score + 0.02), x0=x0, y0=y0, x1=x1, y1=y1),
        CachedStages(Cache(), "planted", Context()),
    )
    finding = result.meta["finding"]
    assert finding["stage"] == "score"
    rungs = {rung["id"]: rung for rung in finding["stages"]}
    inside = (told.cells + 0.5) * told.stride[:, None]
    inside = ((inside > [x0, y0]) & (inside < [x1, y1])).all(1)
    for level in range(3):
        count = int((inside & (told.level == level)).sum())
        assert f"{count:,} of level {level}" in rungs["cell"]["text"] or not count
    assert f"level {told.level[row]}, row {told.cells[row, 1]}, column {told.cells[row, 0]}" in rungs["cell"]["text"]
    assert f"{told.objectness[row]:.2f} of its best box" in rungs["objectness"]["text"]
    assert "holds it down" in finding["remark"]
    weak = "objectness" if told.objectness[row] < told.classes[row, told.labels[0]] else "class score"
    assert f"the {weak} holds it down" in finding["remark"]
    assert (rungs["Region proposals"]["state"], rungs["iou"]["state"]) == ("unreached", "unreached")
    assert any("Score" in remedy["text"] for remedy in finding["remedies"])


@pytest.mark.parametrize("layout", ["detr", "final, rows"])
def test_boxes_of_no_place_say_what_stages_there_are_not(layout: str) -> None:
    model, told = opened(layout, DecodedAdapter)
    assert "nms" in model.stages
    finding = ask(lineage, model).meta["finding"]
    assert finding["origin"]["kind"] == "query"
    assert set(finding["absent"]) == {"Region proposals", "Objectness", "Cells", "NMS"}
    row = best_row(told, 0)
    x0, y0, x1, y1 = (float(v) for v in told.boxes[row])
    case = missed.answer(
        model,
        PIXELS,
        missed.Params(score=0.999, iou=1.0, x0=x0, y0=y0, x1=x1, y1=y1),
        CachedStages(Cache(), "planted", Context()),
    ).meta["finding"]
    assert case["stage"] == "score"
    rungs = {rung["title"]: rung for rung in case["stages"]}
    assert all(rungs[title]["state"] == "unreached" and rungs[title]["text"] for title in finding["absent"])
    assert all(set(remedy["set"]) <= {"score"} for remedy in case["remedies"]) and case["remedies"]
