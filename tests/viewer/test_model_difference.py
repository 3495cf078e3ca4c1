"""Two models in numbers: pairs against a naive matching, correlations against scipy, what is asked of the second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.ops import box_iou

from models import model_name
from models.inspection import Description, Offer
from models.params import Parameter
from models.types import Result, Source
from viewer.canvas.layers import ONLY_A, ONLY_B, Boxes
from viewer.presenters import model_difference
from viewer.session import request_plan, second_model
from viewer.session.document import Document, Look

A_NAMES, B_NAMES = ("background", "cat", "dog", "bird"), ("dog", "horse", "cat")
BOX = tuple[str, float, float, float, float, float]


def detections(names: Sequence[str], *rows: BOX) -> Result:
    """Detections from rows of class name, score, x0, y0, x1, y1; ids are the rows plus 100."""
    numbers = np.array([row[1:] for row in rows], np.float32).reshape(-1, 5)
    labels = np.array([names.index(row[0]) for row in rows], np.int64)
    ids = np.arange(len(rows), dtype=np.int64) + 100
    arrays = {"ids": ids, "labels": labels, "scores": numbers[:, 0], "boxes": numbers[:, 1:]}
    return Result(arrays, {"classes": tuple(names)})


def naive(a: Result, b: Result) -> set[tuple[int, int]]:
    """Pairs by class name and IoU of 0.5 or more: the largest IoU of all first, each box once."""
    if not len(a.arrays["boxes"]) or not len(b.arrays["boxes"]):
        return set()
    iou = box_iou(*(torch.from_numpy(each.arrays["boxes"]) for each in (a, b))).numpy()
    found: set[tuple[int, int]] = set()
    while True:
        best, pair = 0.5, None
        for i, one in enumerate(a.arrays["labels"]):
            for j, other in enumerate(b.arrays["labels"]):
                taken = any(i == p or j == q for p, q in found)
                if (
                    not taken
                    and A_NAMES[one] == B_NAMES[other]
                    and iou[i, j] >= best
                    and (pair is None or iou[i, j] > best)
                ):
                    best, pair = iou[i, j], (i, j)
        if pair is None:
            return found
        found.add(pair)


def some(names: Sequence[str], seed: int, count: int) -> Result:
    rng = np.random.default_rng(seed)
    centres, sizes = rng.uniform(20, 60, (count, 2)), rng.uniform(10, 30, (count, 2))
    rows: list[Any] = [
        (names[1 + rng.integers(len(names) - 1)], rng.uniform(0.1, 1), *(c - s / 2), *(c + s / 2))
        for c, s in zip(centres, sizes, strict=True)
    ]
    return detections(names, *rows)


@given(st.integers(0, 10_000), st.integers(0, 14), st.integers(0, 14))
@settings(max_examples=60, deadline=None)
def test_boxes_of_two_models_are_paired_by_name_and_place(seed: int, many: int, others: int) -> None:
    a, b = some(A_NAMES, seed, many), some(B_NAMES, seed + 1, others)
    found = model_difference.boxes(a, b)
    pairs = {(i, j) for i, j in found.matched.tolist()}
    assert pairs == naive(a, b)
    assert sorted([*found.only_a.tolist(), *(i for i, _ in pairs)]) == list(range(many))
    assert sorted([*found.only_b.tolist(), *(j for _, j in pairs)]) == list(range(others))
    for (i, j), iou in zip(found.matched.tolist(), found.iou.tolist(), strict=True):
        boxes = (torch.from_numpy(r.arrays["boxes"][[k]]) for r, k in ((a, i), (b, j)))
        assert iou == pytest.approx(float(box_iou(*boxes)[0, 0]), abs=1e-6)


def test_the_list_begins_with_what_one_model_alone_found_then_with_the_largest_change() -> None:
    a = detections(A_NAMES, ("cat", 0.9, 0, 0, 10, 10), ("dog", 0.8, 20, 0, 30, 10), ("bird", 0.7, 40, 0, 50, 10))
    b = detections(B_NAMES, ("dog", 0.3, 20, 0, 30, 11), ("cat", 0.8, 0, 0, 10, 10), ("horse", 0.6, 40, 0, 50, 10))
    found = model_difference.boxes(a, b)
    texts = [found.texts(row, at) for at, row in enumerate(found.rows)]
    assert texts == [
        ("bird", "0.700", "", "", ""),
        ("horse", "", "0.600", "", ""),
        ("dog", "0.800", "0.300", "-0.5000", "0.909"),
        ("cat", "0.900", "0.800", "-0.1000", "1.000"),
    ]
    assert [found.ids(row) for row in found.rows] == [(102, -1), (-1, 102), (101, 100), (100, 101)]
    assert found.counts == {"matched": 2, "only_a": 1, "only_b": 1}


def test_what_one_model_alone_found_is_marked_in_its_own_pane() -> None:
    a = detections(A_NAMES, ("cat", 0.9, 0, 0, 10, 10), ("bird", 0.7, 40, 0, 50, 10))
    b = detections(B_NAMES, ("cat", 0.8, 0, 0, 10, 10), ("horse", 0.6, 40, 0, 50, 10))
    found = model_difference.boxes(a, b)
    for result, first, role, text in ((a, True, ONLY_A, "bird only in A"), (b, False, ONLY_B, "horse only in B")):
        labels, names = result.arrays["labels"], ("cat", text.split()[0])
        layer = Boxes("detections", result.arrays["boxes"], labels, names, ids=result.arrays["ids"])
        other = replace(layer, id="anchors")
        marked: list[Any] = model_difference.marked([layer, other], found, first=first)
        assert marked[0].colours.tolist() == [labels[0], role] and marked[0].texts == ["cat", text]
        assert marked[1] is other


def test_one_class_name_has_one_colour_in_both_panes() -> None:
    b = detections(B_NAMES, ("dog", 0.9, 0, 0, 10, 10), ("horse", 0.8, 9, 9, 20, 20), ("cat", 0.7, 40, 0, 50, 10))
    boxes = Boxes("detections", b.arrays["boxes"], b.arrays["labels"])
    roles = replace(boxes, colours=np.array([ONLY_B, -2, 2]))
    levels = replace(boxes, id="anchors")
    found: list[Any] = model_difference.recoloured([boxes, roles, levels], B_NAMES, A_NAMES)
    assert found[0].colours.tolist() == [A_NAMES.index("dog"), len(A_NAMES), A_NAMES.index("cat")]
    assert found[1].colours.tolist() == [ONLY_B, -2, A_NAMES.index("cat")] and found[2] is levels
    assert model_difference.recoloured([boxes], A_NAMES, A_NAMES)[0] is boxes


def test_the_counterpart_of_a_box_has_its_name_and_its_place() -> None:
    a = detections(A_NAMES, ("cat", 0.9, 0, 0, 10, 10), ("bird", 0.7, 40, 0, 50, 10))
    b = detections(
        B_NAMES,
        ("dog", 0.9, 0, 0, 10, 10),  # the place, but not the class
        ("cat", 0.2, 0, 0, 10, 8),
        ("cat", 0.9, 0, 0, 10, 6),  # overlaps less
    )
    assert second_model.counterpart(a, 100, b) == 101
    assert second_model.counterpart(a, 101, b) == -1 and second_model.counterpart(a, 7, b) == -1
    assert second_model.counterpart(a, 100, detections(B_NAMES)) == -1


def ranked(names: Sequence[str], *chances: float) -> Result:
    order = np.argsort(-np.array(chances), kind="stable")
    return Result({"labels": order, "probabilities": np.array(chances)[order]}, {"classes": tuple(names)})


def test_classes_meet_by_name_and_their_distance_is_half_the_sum_of_differences() -> None:
    found = model_difference.classes(
        ranked(("cat", "dog", "bird"), 0.7, 0.2, 0.1), ranked(("dog", "cat", "ship"), 0.5, 0.3, 0.2)
    )
    assert found.rows == (("cat", 0.7, 0.3), ("dog", 0.2, 0.5), ("ship", None, 0.2), ("bird", 0.1, None))
    assert found.best == ("cat", "dog") and found.distance == pytest.approx(0.5 * (0.4 + 0.3 + 0.2 + 0.1))
    same = ranked(("cat", "dog"), 0.6, 0.4)
    assert model_difference.classes(same, same).distance == 0
    assert model_difference.classes(ranked(("cat",), 1.0), ranked(("dog",), 1.0)).distance == 1


def heat_map(values: Any, extent: tuple[float, ...] = (0, 0, 80, 60)) -> Result:
    return Result({"map": np.asarray(values, np.float32)}, {"extent": extent, "signed": True})


def test_maps_on_one_grid_correlate_as_scipy_says() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(6, 8)).round(1), rng.normal(size=(6, 8)).round(1)  # rounded, so that values are equal
    found = model_difference.map_numbers(heat_map(a), heat_map(b))
    assert found is not None and found.shape == (6, 8) and found.share == 1
    assert found.pearson == pytest.approx(stats.pearsonr(a.ravel(), b.ravel()).statistic, abs=1e-5)
    assert found.spearman == pytest.approx(stats.spearmanr(a.ravel(), b.ravel()).statistic, abs=1e-5)
    flat = model_difference.map_numbers(heat_map(a), heat_map(np.ones((6, 8))))
    assert flat is not None and (flat.pearson, flat.spearman) == (0, 0)


def test_maps_of_other_grids_and_places_meet_where_both_lie() -> None:
    across = np.tile(np.arange(8, dtype=np.float32), (6, 1))
    found = model_difference.map_numbers(heat_map(across), heat_map(across[:, :4] * 3 + 1, (0, 0, 40, 60)))
    assert found is not None and found.share == 0.5
    assert found.pearson == pytest.approx(1, abs=1e-6), "both rise to the right, in whatever units"
    assert model_difference.map_numbers(heat_map(across), heat_map(across, (80, 0, 160, 60))) is None


def test_the_difference_of_maps_is_of_shares_of_each_scale() -> None:
    look = Look(clip=100.0)
    found = model_difference.map_difference(heat_map([[2.0, 0.0]]), heat_map([[0.0, -50.0]]), look)
    assert found is not None and found.values.tolist() == [[1.0, 1.0]]
    layer = model_difference.difference_layer(found, look)
    assert layer.id == "difference" and layer.low == -layer.high and layer.colour_map == "diverging"


def test_activations_have_a_cosine_where_their_shapes_agree() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(3, 2, 2)), rng.normal(size=(3, 2, 2))
    one, other = (Result({"maps": v}, {"layer": name}) for v, name in ((a, "layer3"), (b, "block")))
    found = model_difference.activity(one, other)
    flat = [torch.from_numpy(v) for v in (a, b)]
    cosine = torch.nn.functional.cosine_similarity
    assert found.cosine == pytest.approx(float(cosine(flat[0].flatten(), flat[1].flatten(), dim=0)))
    assert found.channel == pytest.approx(float(cosine(flat[0].flatten(1), flat[1].flatten(1)).mean()))
    assert found.norms == pytest.approx([float(v.norm()) for v in flat]) and found.layers == ("layer3", "block")
    short = model_difference.activity(one, Result({"maps": b[:2]}, {"layer": "block"}))
    assert short.cosine is None and short.channel is None and short.shapes[1] == (2, 2, 2)


# what is asked of the second model


def offer(inspection: str, *parameters: Parameter, **greyed: str) -> Offer:
    return Offer(inspection, inspection, "", "", parameters, greyed)


def described(name: str, classes: Sequence[str], *offers: Offer, **about: Any) -> Description:
    return Description(name, name, "", tuple(classes), ("Detects",), {}, {o.id: o for o in offers}, "cpu", "", about)


def number(name: str, default: float, low: float = 0.0, high: float = 1.0) -> Parameter:
    return Parameter(name, name, "float", default, low, high)


def text(name: str) -> Parameter:
    return Parameter(name, name, "text", "")


A = described(
    "a", A_NAMES, offer("detect", number("score", 0.3), number("iou", 0.5), number("rpn", 0.7), text("hidden"))
)
B = described("b", B_NAMES, offer("detect", number("score", 0.5, low=0.2), number("iou", 0.5), text("hidden")))


def test_what_the_panel_shows_holds_for_both_within_the_seconds_ranges_and_names() -> None:
    document = Document(sources=(Source.file("a.png"),), model="a").with_beside("b")
    made = second_model.derived(document, A, B)
    assert (made.model, made.beside, made.source) == ("b", "", document.source)
    assert made.values("detect") == {"score": 0.3}, "A's own value holds for B too; what B has anyway is not said"
    lower = second_model.derived(document.with_value("detect", score=0.05, iou=0.4, rpn=0.1), A, B)
    assert lower.values("detect") == {"score": 0.2, "iou": 0.4, "rpn": 0.1}, "B keeps no candidates below its floor"
    assert request_plan.given(lower, "detect", B) == {"score": 0.2, "iou": 0.4}, "what B does not have is not asked"
    hidden = second_model.derived(document.with_value("detect", hidden="bird,dog"), A, B)
    assert hidden.values("detect")["hidden"] == "dog"


def test_classes_and_layers_are_asked_for_by_names_that_the_second_model_has() -> None:
    document = Document(model="a").with_beside("b").explaining(target="cat", against="bird", layer="layer3")
    made = second_model.derived(document, A, B)
    assert (made.target, made.against, made.layer) == ("cat", "", "")
    assert second_model.derived(document, A, B, calls={"layer3"}).layer == "layer3"
    twin = replace(document, model="net.pt").with_beside("net.pt?activation=relu")
    assert second_model.derived(twin, A, A).layer == "layer3", "another assumption changes no layer's name"
    assert second_model.derived(document.explaining(target="2"), A, B).target == "dog", (
        "class 2 of A is another number in B"
    )


def test_settings_of_groups_and_of_single_classes_keep_the_names_there_are() -> None:
    declared = [Parameter(name, name, "text", "") for name in ("groups", "class_scores")]
    values: dict[str, Any] = {"groups": "cat+bird; cat+dog+bird", "class_scores": "bird=0.4, dog=0.7"}
    kept = second_model.suited(values, offer("detect", *declared), B_NAMES)
    assert kept == {"groups": "cat+dog", "class_scores": "dog=0.7"}
    greyed = offer("detect", number("score", 0.5), score="has no score")
    assert second_model.suited({"score": 0.1, "chosen": 3}, greyed, ()) == {"chosen": 3}, "a panel's own value stays"


def test_swapping_carries_the_settings_over_and_twice_is_nothing() -> None:
    document = Document(sources=(Source.file("a.png"),), model="a").with_beside("b").with_value("detect", iou=0.4)
    document = document.with_selected(7).with_other(9)
    made = second_model.swapped(document, second_model.derived(document, A, B))
    assert (made.model, made.beside, made.selected, made.other) == ("b", "a", 9, 7)
    assert made.values("detect") == {"score": 0.3, "iou": 0.4}
    back = second_model.swapped(made, second_model.derived(made, B, A))
    assert (back.model, back.beside, back.selected, back.other) == ("a", "b", 7, 9)
    assert back.values("detect") == {"iou": 0.4}


def test_a_code_is_for_models_of_its_length_and_a_seed_for_all() -> None:
    generator = described("g", (), latent=[{"kind": "gaussian", "size": 3}])
    assert not second_model.code_reason(Document().with_latent(code="seed:4"), generator)
    assert not second_model.code_reason(Document().with_latent(code="0.1,0.2,0.3"), generator)
    assert "3 numbers, this one 2" in second_model.code_reason(Document().with_latent(code="0.1,0.2"), generator)


def test_models_are_called_by_their_file_and_what_is_assumed() -> None:
    assert model_name.title("digits-ssd") == "digits-ssd"
    assert (
        model_name.title("/a/b/net.pt?activation=relu&precision=bfloat16")
        == "net.pt · activation relu, precision bfloat16"
    )


def test_another_model_beside_is_dropped_where_it_becomes_the_first() -> None:
    document = Document(model="a").with_beside("b")
    assert document.with_model("b").beside == "" and document.with_model("c").beside == "b"
    assert document.with_beside("a").beside == ""
