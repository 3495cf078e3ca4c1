"""A second model beside the first that classifies, explains, generates; how it is chosen, and both on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QApplication

from models import recipe
from models.cards.zoo_catalogue import Entry
from models.requests import Request
from tests.viewer.explained import classifier, picture
from tests.viewer.second import CAT, RCNN, SAMPLES, SSD, Make, b_answer, beside_of, in_force, layer, panel
from viewer.canvas.painter import pixels_of, render
from viewer.menus import second_model
from viewer.panels.second_model import NOTHING
from viewer.presenters import heatmap, model_difference
from viewer.saving import session_file
from viewer.window import model_zoo

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def both(desk: Make) -> Any:
    return beside_of(desk(SAMPLES[0], model=RCNN), SSD)


# classifiers


def test_classes_of_two_classifiers_meet_by_name(desk: Make) -> None:
    d = beside_of(desk(CAT, model="photos-resnet"), "photos-vit")
    a, b = (d.direct("classify", model=name, top=1000).arrays for name in ("photos-resnet", "photos-vit"))
    names = d.session.description.classes
    two = panel(d)
    rows = {row[0]: row[1:] for row in two.ranking.rows}
    assert set(rows) == set(names)
    for name, (one, other, change) in rows.items():
        label = names.index(name)
        chances = [float(each["probabilities"][each["labels"].tolist().index(label)]) for each in (a, b)]
        assert [one, other, change] == [f"{chances[0]:.4f}", f"{chances[1]:.4f}", f"{chances[1] - chances[0]:+.4f}"]
    assert "cat 40.5%" in d.window.panes.heads[1].facts.text()
    assert two.classes.text().startswith("Both say cat")


def test_maps_of_two_models_are_shown_correlated_and_subtracted(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.run("explain")
    d.settle()
    (tmp_path / "other").mkdir()
    beside_of(d, classifier(tmp_path / "other", seed=1))
    d.until(lambda: d.session.beside.answer("attribution") is not None)
    d.settle()
    a, b = d.session.results["attribution"][1], b_answer(d, "attribution")
    assert not np.array_equal(a.arrays["map"], b.arrays["map"])
    drawn = heatmap.heat_layer(b.arrays["map"], b.meta["extent"], d.document.look)
    assert np.array_equal(layer(d, "attribution").values, drawn.values)
    for canvas, result in ((d.canvas, a), (d.window.panes.canvas, b)):
        low, high, colours = heatmap.range_of(result.arrays["map"], d.document.look)
        (scale,) = canvas.legend.legend.scales
        assert (scale.low, scale.high) == (heatmap.number(low), heatmap.number(high)) and canvas.legend.isVisible()
        assert scale.colour_map == colours and scale.title == result.meta["method"]
    found = model_difference.map_numbers(a, b)
    assert found is not None and f"Pearson: {found.pearson:+.3f}" in panel(d).maps.text
    panel(d).subtract.click()
    d.settle()
    wanted = model_difference.map_difference(a, b, d.document.look)
    assert wanted is not None and layer(d, "attribution") is None
    drawn = model_difference.difference_layer(wanted, d.document.look)
    assert np.array_equal(layer(d, "difference").values, drawn.values)
    assert d.layer("attribution") is not None, "A keeps its own map"
    d.store.update(d.document.explaining(target="ship"))
    d.settle()
    both = d.session.results["attribution"][1], b_answer(d, "attribution")
    assert both[0] is not a and both[1] is not b
    wanted = model_difference.map_difference(*both, d.document.look)
    assert wanted is not None and f"A − B: {np.abs(wanted.values).mean():.3f} of each scale" in panel(d).maps.text
    assert np.array_equal(
        layer(d, "difference").values, model_difference.difference_layer(wanted, d.document.look).values
    )
    second = d.document.beside
    d.run("beside-close")
    d.settle()
    assert not d.window.panes.canvas.layers
    beside_of(d, second)
    d.until(lambda: layer(d, "difference") is not None)


def test_activations_of_both_are_shown_and_compared(desk: Make, tmp_path: Path) -> None:
    d = desk(picture(tmp_path), model=classifier(tmp_path))
    d.window.docks.show("activations")
    d.settle()
    (tmp_path / "other").mkdir()
    beside_of(d, classifier(tmp_path / "other", seed=1))
    chosen = d.session.results["activations.layers"][1].meta["automatic"]
    d.store.update(d.document.explaining(layer=chosen).with_value("activations", chosen=1))
    d.until(lambda: d.session.beside.store.document.layer == chosen)
    d.settle()
    b = b_answer(d, "activations")
    assert b.meta["layer"] == chosen, "layers named alike are paired"
    drawn = heatmap.heat_layer(b.arrays["maps"][1].astype(np.float32), b.meta["extent"], d.document.look)
    assert np.array_equal(layer(d, "activation").values, drawn.values)
    found = model_difference.activity(d.session.results["activations"][1], b)
    assert f"Cosine: {found.cosine:+.3f}" in panel(d).channels.text


# models that do something else


def test_models_of_different_tasks_say_what_the_second_cannot_do(desk: Make) -> None:
    d = beside_of(desk(SAMPLES[0], model=SSD), "photos-vit")
    assert d.window.panes.heads[1].note.text() == "photos-vit finds no boxes."
    assert d.shows(d.direct()) and panel(d).empty.text() == NOTHING
    beside_of(d, "digits-vae")
    assert "finds no boxes" in d.window.panes.heads[1].note.text()
    assert d.messages == []


def test_generators_make_the_same_seeds_pictures(desk: Make) -> None:
    d = beside_of(desk(model="digits-vae"), "digits-gan")
    made = d.engine.run(Request.make("decode", "digits-gan", None, {"code": "seed:0"}))
    assert np.array_equal(d.window.panes.canvas.pixels, made.arrays["picture"])
    assert "codes of 10 and 64 numbers" in d.window.panes.heads[1].note.text()
    d.store.update(d.document.with_latent(code=",".join(["0.5"] * 10)))
    d.settle()
    assert "64 numbers, this one 10" in d.window.panes.heads[1].note.text()
    assert not np.array_equal(d.canvas.pixels, made.arrays["picture"])


# choosing


def test_the_second_model_is_chosen_in_the_panel_in_its_head_or_by_a_drop_with_shift(
    desk: Make, tmp_path: Path
) -> None:
    d = desk(SAMPLES[0], model=SSD)
    d.run("panel-beside")
    two = panel(d)
    two.choice.activated.emit(two.choice.findData(RCNN))
    d.settle()
    assert d.document.beside == RCNN
    box = d.window.panes.box
    box.activated.emit(box.findData("photos-vit"))
    d.settle()
    assert d.document.beside == "photos-vit"
    d.window.panes.choose(SSD)
    assert "already shown" in d.messages[-1] and d.document.beside == "photos-vit"
    weights = Path(classifier(tmp_path))
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(weights))])
    shift = Qt.KeyboardModifier.ShiftModifier
    enter = QDragEnterEvent(QPoint(300, 300), Qt.DropAction.CopyAction, data, LEFT, shift)
    QApplication.sendEvent(d.window, enter)
    assert d.window.drops.label.text() == "Drop to open birds.safetensors beside the model"
    event = QDropEvent(QPointF(300, 300), Qt.DropAction.CopyAction, data, LEFT, shift)
    QApplication.sendEvent(d.window, event)
    d.settle()
    assert event.isAccepted() and d.document.beside == str(weights) and d.document.model == SSD


def test_published_weights_are_downloaded_first_and_then_shown_beside(
    desk: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The download itself is left out: what it leads to is not."""
    d = desk(SAMPLES[0], model=SSD)
    name = classifier(tmp_path)
    entry = Entry(name, "timm", "birds", "tag", "birds", "classification", 1)
    asked: list[Any] = []
    monkeypatch.setattr(model_zoo, "missing", lambda base: entry if base == name else None)
    monkeypatch.setattr(d.window.zoo.downloads, "start", lambda *given: asked.append(given))
    d.window.panes.choose(f"{name}?precision=bfloat16")
    assert d.document.beside == "" and d.window.zoo.dialog.isVisible()
    (of, there), *_ = asked
    there(of)
    d.settle()
    assert d.document.beside == f"{name}?precision=bfloat16" and d.document.model == SSD
    assert not d.window.zoo.dialog.isVisible()


# on disk


def test_a_session_keeps_the_second_model_and_goes_without_it_where_it_is_gone(desk: Make, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    weights = Path(classifier(tmp_path / "old"))
    d = beside_of(desk(SAMPLES[0], model=SSD), str(weights))
    session_file.write(tmp_path / "old" / "mine.vitrine", d.document)
    (tmp_path / "old").rename(tmp_path / "new")
    found = session_file.read(tmp_path / "new" / "mine.vitrine")
    assert found.document.beside == str(tmp_path / "new" / weights.name) and not found.missing
    (tmp_path / "new" / weights.name).unlink()
    found = session_file.read(tmp_path / "new" / "mine.vitrine")
    assert found.document.beside == "" and found.document.model == SSD and found.missing == (weights.name,)


def test_both_panes_are_written_as_one_picture_with_what_differs_and_two_recipes(both: Any, tmp_path: Path) -> None:
    d = both
    written = second_model.export_to(d.window, tmp_path / "out" / "two.png")
    assert [path.name for path in written] == ["two.png", "two.json", "two.a.recipe.json", "two.b.recipe.json"]
    pairs = model_difference.boxes(d.result, b_answer(d, "detect"))
    body = json.loads(written[1].read_text(encoding="utf-8"))
    assert body["differences"]["boxes"]["counts"] == pairs.counts
    assert [pair["iou"] for pair in body["differences"]["boxes"]["both"]] == pytest.approx(pairs.iou.tolist())
    assert body["a"]["model"] == RCNN and body["b"]["model"] == SSD
    assert body["b"]["asked"]["detect"]["parameters"]["score"] == in_force(d)["score"]
    for path, model, answer in ((written[2], RCNN, d.result), (written[3], SSD, b_answer(d, "detect"))):
        found = recipe.read(path)
        again = d.engine.run(found.request)
        assert found.request.model == model and np.array_equal(again.arrays["boxes"], answer.arrays["boxes"])
    image = np.asarray(Image.open(written[0]).convert("RGB"))
    height, width = d.canvas.pixels.shape[:2]
    top, gap = image.shape[0] - height, (image.shape[1] - 2 * width) // 3
    both_drawn = [
        render(d.canvas.pixels, d.window.controller.layers()),
        render(d.canvas.pixels, d.window.panes.layers()),
    ]
    for index, drawn in enumerate(both_drawn):
        left = gap + index * (width + gap)
        assert np.array_equal(image[top - gap : image.shape[0] - gap, left : left + width], pixels_of(drawn))
        assert (image[: top - gap, left : left + width] < 100).any(), "the head is written"


def test_both_panes_are_copied_where_there_are_two(both: Any) -> None:
    d = both
    d.run("copy-image")
    height, width = d.canvas.pixels.shape[:2]
    copied = QGuiApplication.clipboard().image()
    assert copied.width() > 2 * width and copied.height() > height
    d.run("copy-view")
    assert QGuiApplication.clipboard().image().size() == d.window.panes.grab().size()
    d.run("beside-close")
    d.run("copy-image")
    assert QGuiApplication.clipboard().image().width() == width


def test_where_both_cannot_be_written_it_says_so(both: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert second_model.export_to(both.window, tmp_path / "file" / "two.png") == []
    assert "cannot be written" in both.messages[-1]
