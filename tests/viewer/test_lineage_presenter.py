"""From lineages and misses to layers and words: the right boxes, links and numbers. No window."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.cards.card import SAMPLES
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source
from viewer.canvas.layers import CORRECT, MISSED, NO_CLASS, Boxes, Layer, Links
from viewer.presenters import lineage

SAMPLE = Source.file(SAMPLES / "board.png")
SSD, RCNN = "digits-ssd", "digits-faster-rcnn"


def ask(engine: Engine, inspection: str, model: str, **params: Any) -> Result:
    answer = engine.run(Request.make(inspection, model, SAMPLE, params))
    assert isinstance(answer, Result), answer
    return answer


def boxes(layers: list[Layer], name: str) -> Boxes:
    found = next(layer for layer in layers if layer.id == name)
    assert isinstance(found, Boxes)
    return found


@pytest.mark.parametrize(("model", "steps"), [(SSD, ["anchor"]), (RCNN, ["anchor", "proposal"])])
def test_lineage_leads_from_the_anchor_to_the_detection(engine: Engine, model: str, steps: list[str]) -> None:
    detected = ask(engine, "detect", model).arrays
    result = ask(engine, "lineage", model, box=int(detected["ids"][1]))
    layers = lineage.lineage_layers(result)
    names = [layer.id for layer in layers]
    assert [name for name in names if name in (lineage.ANCHOR, lineage.PROPOSAL)] == [f"lineage {s}" for s in steps]
    anchor = boxes(layers, lineage.ANCHOR)
    assert anchor.dashed and anchor.boxes.tolist() == [detected["anchors"][1].tolist()]
    assert anchor.text(0) == f"anchor, level {detected['levels'][1]}"
    if model == RCNN:
        assert boxes(layers, lineage.PROPOSAL).boxes.tolist() == [detected["proposals"][1].tolist()]
    assert lineage.BOX not in names
    alone = boxes(lineage.lineage_layers(result, alone=True), lineage.BOX)
    assert alone.boxes.tolist() == [detected["boxes"][1].tolist()] and not alone.dashed


def test_suppressed_boxes_are_linked_to_the_one_that_stayed(engine: Engine) -> None:
    params = {"score": 0.1, "iou": 0.3}
    box = int(ask(engine, "detect", RCNN, **params).arrays["ids"][0])
    result = ask(engine, "lineage", RCNN, box=box, **params)
    layers = lineage.lineage_layers(result)
    removed, links = boxes(layers, lineage.REMOVED), next(x for x in layers if isinstance(x, Links))
    assert removed.dashed and removed.ids.tolist() == result.arrays["removed_ids"].tolist()
    assert links.segments[0].tolist() == [*removed.boxes[0, :2], *result.arrays["box"][0, :2]]
    assert removed.text(0).endswith(f"IoU {result.arrays['removed_iou'][0]:.2f}")

    other = ask(engine, "lineage", RCNN, box=int(removed.ids[0]), **params)
    layers = lineage.lineage_layers(other)
    remover = boxes(layers, lineage.REMOVER)
    assert remover.ids.tolist() == [box] and remover.boxes.tolist() == result.arrays["box"].tolist()
    assert boxes(layers, lineage.BOX).dashed and boxes(layers, lineage.BOX).text(0).endswith("removed by NMS")
    link = next(x for x in layers if isinstance(x, Links))
    assert link.segments[0].tolist() == [*other.arrays["box"][0, :2], *remover.boxes[0, :2]]


@pytest.mark.parametrize("model", [SSD, RCNN])
def test_the_text_holds_every_number(engine: Engine, model: str) -> None:
    detected = ask(engine, "detect", model)
    result = ask(engine, "lineage", model, box=int(detected.arrays["ids"][2]))
    text, finding = lineage.lineage_text(result), result.meta["finding"]
    name, shown = finding["name"], len(detected.arrays["ids"])
    assert text.startswith(f"{name} {detected.arrays['scores'][2]:.4f} · 3 of {shown} shown · best of 10 classes · ")
    assert f"Cell: row {finding['origin']['row']}, column {finding['origin']['column']}" in text
    for score in result.arrays["class_scores"]:
        assert f": {score:.6f}" in text
    assert ("One stage: no objectness, no proposals" in text) == (model == SSD)
    if model == RCNN:
        found = finding["objectness"]
        assert f"Of all anchors: {found['rank']:,} of {found['of']:,}" in text


def test_class_scores_fall_and_the_background_is_no_class(engine: Engine) -> None:
    result = ask(engine, "lineage", SSD)
    rows = lineage.class_scores(result)
    assert [score for _, _, score in rows] == sorted(result.arrays["class_scores"].tolist(), reverse=True)
    assert [label for label, name, _ in rows if name == "background"] == [NO_CLASS]
    for label, name, score in rows:
        if label != NO_CLASS:
            assert name == result.meta["classes"][label] and score == result.arrays["class_scores"][label]


def test_a_box_that_became_no_proposal_has_no_scores_to_show(engine: Engine) -> None:
    box = int(ask(engine, "detect", RCNN).arrays["ids"][4])
    result = ask(engine, "lineage", RCNN, box=box, rpn_top_n=1)
    assert lineage.BOX not in [layer.id for layer in lineage.lineage_layers(result, alone=True)]
    assert lineage.headline(result.meta["finding"], result.arrays["box"]).endswith("· Not proposed")
    assert lineage.class_scores(result) == []
    assert ("Of proposals", "beyond Proposals kept") in lineage.proposal_facts(
        result.meta["finding"], result.arrays["proposal"]
    )


def test_a_missed_object_is_framed_with_its_best_box(engine: Engine) -> None:
    detected = ask(engine, "detect", SSD).arrays
    x0, y0, x1, y1 = detected["boxes"][4].tolist()
    region = {"x0": x0, "y0": y0, "x1": x1, "y1": y1}
    result = ask(engine, "missed", SSD, **region, max_detections=2)
    layers = lineage.missed_layers((x0, y0, x1, y1), result)
    frame, lost = boxes(layers, lineage.REGION), boxes(layers, lineage.LOST)
    assert frame.colours.tolist() == [MISSED] and frame.boxes.tolist() == [detected["boxes"][4].tolist()]
    assert not frame.hoverable and lost.boxes.tolist() == [detected["boxes"][4].tolist()]
    assert lost.text(0).endswith("· Maximum")
    found = lineage.missed_layers((x0, y0, x1, y1), ask(engine, "missed", SSD, **region))
    assert [layer.id for layer in found] == [lineage.REGION] and boxes(found, lineage.REGION).colours.tolist() == [
        CORRECT
    ]
    assert [layer.id for layer in lineage.missed_layers((x0, y0, x1, y1), None)] == [lineage.REGION]
    assert "Maximum detections to 5" in lineage.missed_text(result)


def test_a_remover_of_a_missed_object_is_linked(engine: Engine) -> None:
    params = {"score": 0.02, "iou": 0.0, "agnostic": True}
    detected = ask(engine, "detect", SSD, score=0.02, iou=0.9, max_detections=1000)
    shown = ask(engine, "detect", SSD, **params, max_detections=1000).arrays["ids"].tolist()
    for row, number in enumerate(detected.arrays["ids"].tolist()):
        corners = dict(zip(("x0", "y0", "x1", "y1"), detected.arrays["boxes"][row].tolist(), strict=True))
        label = detected.meta["classes"][detected.arrays["labels"][row]]
        if number in shown:
            continue
        result = ask(engine, "missed", SSD, **corners, label=label, match_iou=0.95, **params)
        if result.meta["finding"]["stage"] == "iou":
            break
    else:
        pytest.fail("no box was removed by another")
    layers = lineage.missed_layers(tuple(corners.values()), result)
    taker, link = boxes(layers, lineage.TAKER), next(x for x in layers if isinstance(x, Links))
    assert link.segments[0].tolist() == [*boxes(layers, lineage.LOST).boxes[0, :2], *taker.boxes[0, :2]]
    assert taker.text(0).endswith(f"IoU {result.meta['finding']['taker']['iou']:.2f}")


@pytest.mark.parametrize(
    ("others", "lost", "said"),
    [
        (0, 0, "Set Score to 0.3"),
        (1, 0, "Set Score to 0.3 (+1 other box)"),
        (1200, 0, "Set Score to 0.3 (+1,200 other boxes)"),
        (0, 1, "Set Score to 0.3 (1 box fewer)"),
        (2, 3, "Set Score to 0.3 (+2 other boxes, 3 fewer)"),
    ],
)
def test_a_remedy_says_what_else_it_does(others: int, lost: int, said: str) -> None:
    assert lineage.remedy_text({"text": "Set Score to 0.3", "others": others, "lost": lost}) == said


def test_the_size_of_nothing_is_nothing() -> None:
    assert lineage.box_text(np.zeros((0, 4))) == ""
