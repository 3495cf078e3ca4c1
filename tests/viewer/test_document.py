"""Document, store and plan: undo takes back exactly what was done, and the plan only reads. No Qt."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from models.inspection import Description, Offer
from models.params import Parameter
from models.requests import Request
from models.types import Source
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store

PICTURES = tuple(Source(f"/p/{name}.png") for name in "abc")
MODELS = ("one", "two")
VALUES = st.one_of(st.floats(0, 1).map(lambda v: round(v, 3)), st.booleans(), st.integers(1, 900))
SETTINGS = st.tuples(st.just("set"), st.sampled_from(["score", "iou", "agnostic", "hidden"]), VALUES | st.none())
CHANGES = st.one_of(
    SETTINGS,
    st.tuples(st.just("own")),
    st.tuples(st.just("model"), st.sampled_from(MODELS)),
    st.tuples(st.just("current"), st.integers(0, 2)),
    st.tuples(st.just("sources"), st.integers(1, 3)),
    st.tuples(st.just("view"), st.sampled_from(["labels", "boxes"]), st.booleans()),
    st.tuples(st.just("anchors"), st.sampled_from(["off", "here", "density", "lineage"])),
    st.tuples(st.just("pin"), st.tuples(st.floats(0, 99), st.floats(0, 99)) | st.none()),
)
START = Document(sources=PICTURES, model="one")


def changed(document: Document, change: tuple[Any, ...]) -> Document:
    match change:
        case ("set", name, value):
            return document.with_value("detect", **{name: value})
        case ("own",):
            return document.with_own("detect")
        case ("model", name):
            return document.with_model(name)
        case ("current", index):
            return document.with_current(index)
        case ("sources", count):
            return document.with_sources(PICTURES[:count])
        case ("view", name, value):
            return document.with_view(**{name: value})
        case ("anchors", mode):
            return document.with_view(anchors=mode)
        case (_, place):
            return document.with_view(anchor_at=place)


@given(st.lists(CHANGES, max_size=12))
def test_undoing_everything_leads_back_and_redoing_everything_forth(changes: list[tuple[Any, ...]]) -> None:
    store = Store(START)
    passed = [START]
    for change in changes:
        store.update(changed(store.document, change), title=change[0])
        if store.document != passed[-1]:
            passed.append(store.document)
    for document in passed[-2::-1]:
        assert store.previous == document
        store.undo()
        assert store.document == document
    assert store.undo_title == "" and store.previous is None
    store.undo()
    assert store.document == START
    for document in passed[1:]:
        assert store.following == document
        store.redo()
        assert store.document == document
    assert store.redo_title == "" and store.following is None


@given(st.lists(st.floats(0.01, 1).map(lambda v: round(v, 2)), min_size=1, max_size=20))
def test_a_drag_is_one_step_and_none_if_it_ends_where_it_began(values: list[float]) -> None:
    store = Store(START)
    for value in values:
        store.update(store.document.with_value("detect", score=value), title="Score", merge="detect.score")
    assert store.history == ["Score"]
    last = store.document
    store.undo()
    assert store.document == START
    store.redo()
    assert store.document == last
    store.undo()
    store.update(START.with_value("detect", score=0.5), title="Score", merge="detect.score")
    store.update(START, title="Score", merge="detect.score")
    assert store.history == []


def test_two_drags_are_two_steps() -> None:
    store = Store(START)
    for value in (0.1, 0.2, None, 0.3, 0.4):
        if value is None:
            store.settle()
        else:
            store.update(store.document.with_value("detect", score=value), title="Score", merge="detect.score")
    store.update(store.document.with_value("detect", iou=0.4), title="NMS IoU", merge="detect.iou")
    assert store.history == ["Score", "Score", "NMS IoU"]
    store.undo()
    store.undo()
    assert store.document.values("detect") == {"score": 0.2}


def test_a_new_change_ends_redo_and_what_changes_nothing_is_no_step() -> None:
    store = Store(START)
    store.update(START.with_value("detect", score=0.3), title="Score")
    store.undo()
    assert store.redo_title == "Score"
    store.update(START, title="Nothing")
    assert store.redo_title == "Score" and store.history == []
    store.update(START.with_model("two"), title="Open two")
    assert store.redo_title == "" and store.undo_title == "Open two"


def test_a_selection_is_no_step_and_outlives_undo_on_the_same_picture() -> None:
    store = Store(START)
    store.update(START.with_value("detect", score=0.3), title="Score")
    store.update(store.document.with_selected(7))
    assert store.history == ["Score"]
    store.undo()
    assert store.document == START.with_selected(7)
    store.redo()
    assert store.document == START.with_value("detect", score=0.3).with_selected(7)
    store.update(store.document.with_current(1), title="Go to b.png")
    assert store.document.selected == -1
    store.update(store.document.with_selected(3))
    store.undo()
    assert store.document.source == PICTURES[0] and store.document.selected == 7


def test_listeners_hear_of_every_change_once() -> None:
    store, heard = Store(START), []
    store.listen(lambda before, after: heard.append((before, after)))
    other = START.with_model("two")
    store.update(other, title="Open two")
    store.update(other, title="Open two")
    store.undo()
    assert heard == [(START, other), (other, START)]


@given(st.lists(CHANGES, max_size=8), st.floats(0.01, 1))
def test_settings_belong_to_a_model_and_stay_when_the_picture_changes(
    changes: list[tuple[Any, ...]], score: float
) -> None:
    document = START
    for change in changes:
        document = changed(document, change)
    document = document.with_value("detect", score=score)
    kept = document.values("detect")
    for index in range(len(document.sources)):
        assert document.with_current(index).values("detect") == kept
    other = document.with_model("three")
    assert other.values("detect") == {}
    assert other.with_value("detect", score=0.9).with_model(document.model).values("detect") == kept
    assert document.with_value("anchors", score=None).values("detect") == kept


@given(st.lists(SETTINGS, max_size=8), st.permutations(range(8)))
def test_the_same_settings_are_the_same_document(settings: list[tuple[Any, ...]], order: list[int]) -> None:
    """In whatever order they were made: only then may a document be a key."""
    final = {name: value for _, name, value in settings}
    one = START
    for change in settings:
        one = changed(one, change)
    two = START
    for place in order:
        if place < len(final):
            name = list(final)[place]
            two = two.with_value("detect", **{name: final[name]})
    assert one == two and hash(one) == hash(two)


def test_a_place_on_one_picture_is_not_kept_for_another() -> None:
    pinned = START.with_view(anchors="here", anchor_at=(3.0, 4.0), anchor_level=2).with_selected(5)
    for other in (pinned.with_current(1), pinned.with_sources(PICTURES[1:])):
        assert other.view.anchor_at is None and other.selected == -1 and other.view.anchors == "here"
    assert pinned.with_model("two").view.anchor_level == -1
    assert pinned.with_current(0) == pinned
    assert pinned.with_current(99).current == 2 and pinned.with_current(-9).current == 0


# the plan

NAMES = ("score", "iou", "rpn_score")


def description(*, greyed: Mapping[str, str] | None = None, reason: str = "", anchors: bool = True) -> Description:
    declared = tuple(Parameter(name, name, "float", 0.5) for name in NAMES)
    offers = {"detect": Offer("detect", "", "", reason, declared, greyed or {})}
    if anchors:
        offers["anchors"] = Offer("anchors", "", "", "", (), {})
    return Description("one", "One", "SSD", ("b", "a"), ("Detects",), {}, offers, "cpu", "", {})


WANTS = [("detect", request_plan.detect), ("anchors", request_plan.anchors)]


@given(st.lists(CHANGES, max_size=10), st.booleans())
def test_the_plan_is_pure(changes: list[tuple[Any, ...]], described: bool) -> None:
    document = START
    for change in changes:
        document = changed(document, change)
    before, known = copy.deepcopy(document), description() if described else None
    first, second = request_plan.plan(document, known, WANTS), request_plan.plan(document, known, WANTS)
    assert first == second and document == before
    assert first[request_plan.DESCRIBE_SLOT] == Request("describe", document.model)
    assert all(r.model == document.model for r in first.values())
    assert first["detect"].source == document.source
    assert ("anchors" in first) == (document.view.anchors in ("here", "density"))


@given(st.lists(CHANGES, max_size=10))
def test_how_answers_are_drawn_asks_nothing_new(changes: list[tuple[Any, ...]]) -> None:
    document = START
    for change in changes:
        document = changed(document, change)
    drawn = document.with_view(boxes=False, labels=False, anchor_at=(1.0, 2.0), anchor_level=1).with_selected(4)
    assert request_plan.plan(drawn, None, WANTS) == request_plan.plan(document, None, WANTS)


def test_what_the_model_lacks_is_not_asked_but_kept() -> None:
    document = START.with_value("detect", score=0.3, rpn_score=0.2, unknown=1.0)
    assert request_plan.plan(document, None, WANTS)["detect"].settings == {
        "score": 0.3,
        "rpn_score": 0.2,
        "unknown": 1.0,
    }
    known = description(greyed={"rpn_score": "no proposals"})
    assert request_plan.plan(document, known, WANTS)["detect"].settings == {"score": 0.3}
    assert document.values("detect")["rpn_score"] == 0.2


def test_an_inspection_that_does_not_apply_is_not_asked() -> None:
    assert set(request_plan.plan(START, description(reason="no boxes"), WANTS)) == {request_plan.DESCRIBE_SLOT}
    shown = START.with_view(anchors="density")
    assert set(request_plan.plan(shown, description(anchors=False), WANTS)) == {request_plan.DESCRIBE_SLOT, "detect"}
    assert set(request_plan.plan(Document(model="one"), description(), WANTS)) == {request_plan.DESCRIBE_SLOT}


def test_a_document_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        START.model = "two"  # type: ignore[misc]
