"""The attribution panel: the verdict before the map, targets, layers, how a map is drawn, what is said of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from models.attributions.attribution import Heatmap, Verdict
from models.engine import registry
from models.types import Result
from tests.viewer.explained import NAMES, classifier, picture
from viewer.canvas.painter import render
from viewer.menus import file as file_menu
from viewer.presenters import attribution, heatmap
from viewer.session.document import ABSOLUTE, POSITIVE, Look
from viewer.widgets.pictures.map_readout import AWAY

Make = Callable[..., Any]
POPUP = pytest.mark.qt_log_ignore("This plugin does not support")  # what completes opens a window of its own


@pytest.fixture
def birds(desk: Make, tmp_path: Path) -> Any:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.run("explain")
    d.settle()
    return d


def panel(d: Any) -> Any:
    return d.window.panels["attribution"]


def told(d: Any) -> dict[str, str]:
    rows = panel(d).reading._rows
    return {name.text(): value.text() for name, value in rows if name.text()}


def asked(d: Any) -> dict[str, Any]:
    return d.session.wanted["attribution"].settings


def shows(d: Any, result: Result) -> bool:
    """Whether the map on the canvas is drawn of this one's values."""
    look = d.document.look
    wanted = heatmap.heat_layer(result.arrays["map"], result.meta["extent"], look)
    layer = d.layer("attribution")
    return layer is not None and np.array_equal(layer.values, wanted.values) and layer.extent == wanted.extent


def judge(monkeypatch: pytest.MonkeyPatch, method: str, verdict: Verdict) -> None:
    known = registry.all_attributions()
    changed = dataclasses.replace(known[method], verdict=lambda subject, params, stages: verdict)
    monkeypatch.setitem(known, method, changed)


# the verdict


def test_a_map_is_asked_for_once_its_verdict_is_known(desk: Make, tmp_path: Path, late: Any) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path), lane=late, settle=False)
    late.answer("describe")
    d.until(lambda: d.session.description is not None)
    late.answer("classify")
    d.run("explain")
    waiting = [request.inspection for _, request in late.waiting]
    assert "verdicts" in waiting and "grad_cam" not in waiting
    late.answer("verdicts")
    d.until(lambda: "grad_cam" in [request.inspection for _, request in late.waiting])
    assert panel(d).verdict.text().startswith("Applies")
    late.answer()
    d.until(lambda: d.layer("attribution") is not None)


def test_of_a_method_that_does_not_apply_no_map_is_asked_and_none_is_left(
    desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(monkeypatch, "saliency", Verdict("never", "It has no gradient."))
    judge(monkeypatch, "grad_cam", Verdict("partial", "3 of 5 are covered."))
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.run("explain")
    d.settle()
    assert d.layer("attribution") is not None
    assert panel(d).verdict.text() == "Applies in part. 3 of 5 are covered."
    panel(d).methods.chosen.emit("saliency")
    d.settle()
    assert d.document.method == "saliency" and "attribution" not in d.session.wanted
    assert d.layer("attribution") is None and panel(d).verdict.text() == "Does not apply. It has no gradient."
    row = panel(d).methods._rows["saliency"]
    assert "It has no gradient." in row.toolTip(0) and "does not apply" in row.data(
        0, Qt.ItemDataRole.AccessibleTextRole
    )
    assert not d.messages
    names = [offer.id for offer in attribution.methods(d.session.description)]
    d.key(Qt.Key.Key_M)
    assert d.document.method == names[(names.index("saliency") + 1) % len(names)]
    d.run("undo")
    d.run("undo")
    d.settle()
    assert d.document.method == "grad_cam" and d.layer("attribution") is not None


def test_methods_are_chosen_from_the_list_by_keyboard(birds: Any) -> None:
    methods = panel(birds).methods
    methods.setFocus()
    birds.key(Qt.Key.Key_Home)
    assert birds.document.method == "" and birds.layer("attribution") is None
    birds.run("undo")
    birds.settle()
    assert birds.document.method == "grad_cam" and methods.currentItem().text(0) == "Grad-CAM"
    assert shows(birds, birds.direct("grad_cam"))


def test_every_attribution_is_listed_under_its_group(birds: Any) -> None:
    methods, known = panel(birds).methods, registry.all_attributions()
    assert set(methods._rows) == {"", *known}
    for name, item in methods._rows.items():
        assert item.parent() is None if not name else item.parent().text(0) == known[name].group


def test_stepping_through_the_methods_passes_over_those_that_do_not_hold(birds: Any) -> None:
    known, description = (
        [offer.id for offer in attribution.methods(birds.session.description)],
        birds.session.description,
    )
    document = birds.document.with_view(unfit=("saliency", known[0]))
    fit = [name for name in known if name not in ("saliency", known[0])]
    for by, first in ((1, fit[0]), (-1, fit[-1])):
        now, seen = document.explaining(method=""), []
        for _ in fit:
            now = now.explaining(method=attribution.stepped(now, description, by))
            seen.append(now.method)
        assert seen == fit[::by] and seen[0] == first


# targets


@POPUP
def test_the_target_and_its_rival_reach_the_method(birds: Any, qtbot: QtBot) -> None:
    best = NAMES[int(birds.direct("classify").arrays["labels"][0])]
    assert told(birds)["Explains"] == best and asked(birds) == {}
    box = panel(birds).target.target
    box.setFocus()
    box.line.selectAll()
    qtbot.keyClicks(box.line, "ship")
    qtbot.keyClick(box.line, Qt.Key.Key_Return)
    birds.settle()
    panel(birds).target.against.picked.emit("dog")
    birds.settle()
    assert asked(birds) == {"target": "ship", "against": "dog"}
    direct = birds.direct("grad_cam", target="ship", against="dog")
    assert shows(birds, direct) and told(birds)["Explains"] == "ship − dog"
    assert told(birds)["Score"].startswith(attribution.number(direct.meta["score"]))
    panel(birds).target.target_picked.emit("dog")
    assert (birds.document.target, birds.document.against) == ("dog", "")
    birds.run("undo")
    birds.run("undo")
    birds.settle()
    assert shows(birds, birds.direct("grad_cam", target="ship")) and box.currentText() == "ship"


@POPUP
def test_what_is_no_class_is_not_taken(birds: Any, qtbot: QtBot) -> None:
    box = panel(birds).target.target
    box.setFocus()
    box.line.selectAll()
    qtbot.keyClicks(box.line, "unicorn")
    qtbot.keyClick(box.line, Qt.Key.Key_Return)
    assert birds.document.target == "" and box.currentText() == "Highest scoring class"


def test_a_layer_is_shown_chosen_and_given_back(birds: Any, qtbot: QtBot) -> None:
    target = panel(birds).target
    best = birds.direct("verdicts").meta["automatic"]
    assert target.layer.text() == f"Automatic: {best}"
    birds.store.update(birds.document.explaining(layer="layer1"))
    birds.settle()
    assert shows(birds, birds.direct("grad_cam", layer="layer1")) and target.layer.text() == "layer1"
    qtbot.mouseClick(target.own, Qt.MouseButton.LeftButton)
    assert birds.document.layer == ""
    panel(birds).methods.chosen.emit("saliency")
    assert not target.layer.isEnabled()
    qtbot.mouseClick(target.choose, Qt.MouseButton.LeftButton)
    assert not birds.window.docks.by_id["layers"].isHidden()


def test_a_box_of_a_detector_is_explained_and_its_parts(desk: Make, pictures: list[Path]) -> None:
    d = desk(pictures[0])
    d.run("explain")
    d.settle()
    assert asked(d) == {} and "Best box" in panel(d).target.about.text()
    # Which of several boxes of one class is explained is marked on the picture.
    mark, best = d.layer("explained"), int(d.result.arrays["scores"].argmax())
    assert np.array_equal(mark.boxes[0], d.result.arrays["boxes"][best]) and mark.text(0).startswith("Explained: ")
    chosen = int(d.result.arrays["ids"][1])
    d.store.update(d.document.with_selected(chosen))
    d.settle()
    name = d.result.meta["classes"][d.result.arrays["labels"][1]]
    assert asked(d) == {"box": chosen} and panel(d).target.about.text().startswith(f"{name} ")
    assert str(chosen) not in told(d)["Explains"]
    assert np.array_equal(d.layer("explained").boxes[0], d.result.arrays["boxes"][1])
    panel(d).target.part_picked.emit("x1")
    d.settle()
    assert shows(d, d.direct("grad_cam", box=chosen, part="x1")) and not panel(d).target.target.isEnabled()
    ids = [layer.id for layer in d.canvas.layers]
    assert ids.index("attribution") < ids.index("detections")
    d.store.update(d.document.with_region((10.0, 20.0, 60.0, 80.0), "3").explaining(part="score"))
    d.settle()
    assert asked(d) == {"region": "10.0,20.0,60.0,80.0", "target": "3"}
    assert d.layer("explained") is None and d.layer("region") is not None
    assert "missed" in panel(d).target.about.text() and panel(d).target.target.currentText() == "3"
    panel(d).target.target_picked.emit("5")
    assert d.document.region_label == "5"


# how it is drawn


def test_drawing_is_one_step_of_undo_and_asks_nothing(birds: Any) -> None:
    wanted, form = birds.session.wanted["attribution"], panel(birds).look.form
    for value in (0.6, 0.5, 0.4):
        form.changed.emit("opacity", value)
    form.committed.emit("opacity", 0.4)
    form.committed.emit("smooth", "nearest")
    assert birds.layer("attribution").opacity == 0.4 and not birds.layer("attribution").smooth
    assert birds.session.wanted["attribution"] is not None and birds.session.wanted["attribution"] == wanted
    birds.run("undo")
    birds.run("undo")
    assert birds.document.look == Look()


def test_the_scale_is_locked_where_it_is_or_where_it_is_typed(birds: Any, qtbot: QtBot) -> None:
    look, values = panel(birds).look, birds.direct("grad_cam").arrays["map"]
    end = heatmap.end_of(values, birds.document.look)
    assert float(look.end.text()) == pytest.approx(end, rel=1e-3)
    box = look.lock.box
    qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    assert birds.document.look.scale == end
    look.end.setFocus()
    look.end.selectAll()
    qtbot.keyClicks(look.end, "0.5")
    birds.key(Qt.Key.Key_Return)
    assert birds.document.look.scale == 0.5
    ends = lambda: (birds.layer("attribution").low, birds.layer("attribution").high)  # noqa: E731
    negative, positive = heatmap.signs_of(values, birds.document.look)
    assert ends() == (-0.5 * negative, 0.5 * positive)
    look.lock.committed.emit(False)
    assert birds.document.look.scale == 0.0 and ends() == pytest.approx((-end * negative, end * positive))


def test_the_levels_are_dragged_on_a_histogram_of_the_map(birds: Any, tmp_path: Path) -> None:
    """Fails if the canvas or an export is drawn with other levels than those dragged, or an end moves the wrong one."""
    levels, values = panel(birds).levels, birds.direct("grad_cam").arrays["map"]
    birds.store.update(birds.document.with_look(sign="absolute"), title="Sign")
    drawn = heatmap.shown(values, birds.document.look)
    assert levels.counts.sum() == values.size and levels.heights.max() > 0
    low, high = levels.levels
    assert (low, high) == pytest.approx((0.0, heatmap.end_of(values, birds.document.look)))
    levels.region.setRegion((low, high / 2))
    assert birds.document.look.scale == pytest.approx(high / 2) and birds.document.look.floor == 0
    levels.region.setRegion((high / 4, high / 2))
    layer = birds.layer("attribution")
    assert (layer.low, layer.high) == pytest.approx((high / 4, high / 2))
    assert panel(birds).reading.bar.accessibleDescription().startswith("From")
    written = file_menu.export_to(birds.window, tmp_path / "out.png", "png")
    pixels = QImage(str(written[0])).convertToFormat(QImage.Format.Format_RGB32)
    assert pixels == render(birds.canvas.pixels, birds.window.controller.layers())
    assert "from" in levels.accessibleDescription() and drawn.max() > high / 4
    birds.store.update(birds.document.with_look(sign="signed", floor=0.0), title="Sign")
    if all(heatmap.signs_of(values, birds.document.look)):
        levels.region.setRegion((-high / 3, levels.levels[1]))
        assert levels.levels == pytest.approx((-high / 3, high / 3)), "both ends move"


def test_the_start_of_the_scale_can_be_typed(birds: Any, qtbot: QtBot) -> None:
    look = panel(birds).look
    birds.store.update(birds.document.with_look(sign="absolute"), title="Sign")
    look.start.setFocus()
    look.start.selectAll()
    qtbot.keyClicks(look.start, "1e-9")
    birds.key(Qt.Key.Key_Return)
    assert birds.document.look.floor == 1e-9 and birds.layer("attribution").low == 1e-9
    birds.run("undo")
    assert birds.document.look.floor == 0


def test_without_positive_evidence_it_says_so_and_shows_no_noise(
    desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = registry.all_attributions()["grad_cam"]
    values = -np.arange(4, dtype=np.float32).reshape(2, 2)
    more = {"layer": "layer3"}
    attribute = lambda probe, params: Heatmap(values, probe.subject.extent, delta=0.2, more=more, partial=True)  # noqa: E731
    changed = dataclasses.replace(method, attribute=attribute)
    monkeypatch.setitem(registry.all_inspections(), "grad_cam", changed.inspection)
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.run("explain")
    d.until(lambda: d.layer("attribution") is not None)
    warning = panel(d).reading.warning.text()
    assert heatmap.NO_EVIDENCE in warning and "refined" in warning
    assert told(d)["Completeness"].startswith("off by 20.00%, large")
    d.store.update(d.document.with_look(sign=POSITIVE))
    assert d.layer("attribution") is None and heatmap.NO_EVIDENCE in panel(d).reading.warning.text()
    d.store.update(d.document.explaining(method=""))


def test_the_map_is_read_under_the_pointer(birds: Any) -> None:
    result = birds.direct("grad_cam")
    values, (x0, y0, x1, y1) = result.arrays["map"], result.meta["extent"]
    birds.hover(40, 30)
    at = birds.canvas.pointer
    column, row = int((at.x - x0) / (x1 - x0) * values.shape[1]), int((at.y - y0) / (y1 - y0) * values.shape[0])
    birds.store.update(birds.document.with_look(smooth=False))
    assert panel(birds).reading.value.text().startswith(f"{heatmap.number(float(values[row, column]))} in its cell")
    birds.hover(3, 3)
    assert panel(birds).reading.value.text().startswith("Move over")


def test_panel_and_status_bar_read_the_same_and_follow_every_change_at_once(birds: Any) -> None:
    said = lambda: panel(birds).reading.value.text().partition(", at ")[0]  # noqa: E731
    status = lambda: birds.window.status.pixel.text().partition("attribution ")[2]  # noqa: E731
    birds.hover(40, 30)
    at = birds.canvas.pointer
    for change in (
        lambda d: d.with_look(smooth=False),
        lambda d: d.with_look(smooth=True, sign=ABSOLUTE),
        lambda d: d.explaining(method="saliency"),
        lambda d: d.explaining(target=NAMES[1]),
        lambda d: d.explaining(method="grad_cam"),
        lambda d: d.explaining(method="input_x_gradient"),
    ):
        birds.store.update(change(birds.document))
        method, layer = birds.document.method, birds.layer("attribution")
        # Until the new map is there, none is read: not the old one's under the new one's name.
        assert said() == (heatmap.reading(layer, at.x, at.y) if layer is not None else AWAY)
        assert status() == (said() if layer is not None else "")
        birds.settle()
        result, look = birds.direct(method, target=birds.document.target), birds.document.look
        fresh = heatmap.heat_layer(result.arrays["map"], result.meta["extent"], look)
        assert said() == status() == heatmap.reading(fresh, at.x, at.y)
        assert said().endswith("between cells" if look.smooth else "in its cell")
    birds.store.update(birds.document.explaining(method=""))
    assert status() == "" and said() == AWAY


def test_a_map_of_another_picture_or_model_is_not_shown(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), picture(tmp_path, seed=1), model=classifier(tmp_path))
    d.run("explain")
    d.settle()
    first = d.direct("grad_cam")
    d.run("next-picture")
    d.until(lambda: d.document.current == 1)
    assert not shows(d, first)
    d.settle()
    assert shows(d, d.direct("grad_cam")) and not shows(d, first)
    d.session.open_model("digits-ssd")
    d.until(lambda: d.document.model == "digits-ssd")
    d.settle()
    assert shows(d, d.direct("grad_cam"))


def test_what_fails_is_said_and_the_last_map_stays(birds: Any) -> None:
    before = birds.layer("attribution")
    birds.store.update(birds.document.explaining(target="unicorn"))
    birds.until(lambda: "attribution" in birds.session.failed)
    assert "There is no class" in panel(birds).verdict.text() and birds.layer("attribution").values is before.values
    birds.store.update(birds.document.explaining(target=""))
    birds.settle()
    assert panel(birds).verdict.text().startswith("Applies")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.5, "0.5"),
        (-2.3456, "-2.346"),
        (1e-5, "1e-05"),
        (0.00156, "0.00156"),
        (123456.0, "1.23e+05"),
        (12.0, "12"),
    ],
)
def test_numbers_are_written_with_digits_that_count(value: float, text: str) -> None:
    assert attribution.number(value) == text


# a rectangle drawn


def test_a_rectangle_on_a_classifiers_picture_is_what_ablation_hides(birds: Any) -> None:
    """Fails if the search for a missed object opens, which a classifier has none of, or another method asks anew."""
    d = birds
    before = asked(d)
    start, end = d.place(20, 30), d.place(60, 70)
    shift = Qt.KeyboardModifier.ShiftModifier
    d.qtbot.mousePress(d.canvas, Qt.MouseButton.LeftButton, shift, start)
    for place in (QPoint((start.x() + end.x()) // 2, (start.y() + end.y()) // 2), end):
        d.qtbot.mouseMove(d.canvas, place)
    d.qtbot.mouseRelease(d.canvas, Qt.MouseButton.LeftButton, shift, end)
    d.settle()
    assert d.document.region is not None and d.window.docks.by_id["missed"].isHidden()
    assert asked(d) == before and attribution.HIDES in d.messages
    np.testing.assert_allclose(d.layer("hidden region").boxes[0], d.document.region, atol=1e-3)
    d.store.update(d.document.explaining(method="ablation"))
    d.settle()
    assert asked(d)["mask"] == ",".join(f"{v:.1f}" for v in d.document.region)
    d.store.update(d.document.with_region(None))
    d.settle()
    assert not asked(d).get("mask") and d.layer("hidden region") is None
