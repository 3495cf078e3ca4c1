"""The first minutes in the window, as `main` opens it: workspaces, guidance, clicks, colours, exports, scope, help."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QLabel, QWidget

import main
from models.cards.card import PHOTOS, SAMPLES
from models.engine.engine import Engine
from models.evaluation import kept
from models.runtime import kept_folder
from viewer.export.figure import Options
from viewer.menus import figure
from viewer.window.help import TOUR_DONE

Told = Callable[..., None]
CAT, BOARD, SLATE = PHOTOS / "cat.jpg", SAMPLES / "board.png", SAMPLES / "slate.png"
LEFT = Qt.MouseButton.LeftButton

pytestmark = pytest.mark.qt_log_ignore("grabbing the keyboard", r"support raise\(\)", extend=True)


def shown(d: Any) -> set[str]:
    return {name for name, dock in d.window.docks.by_id.items() if not dock.isHidden()}


def test_the_workspace_and_its_panels_come_with_the_model(told: Told) -> None:
    def story(d: Any) -> None:
        docks = d.window.docks
        assert docks.workspace == "find" and {"detect", "anchors"} <= shown(d)
        d.session.open_model("photos-resnet")
        d.settle()
        assert docks.workspace == "explain" and {"classify", "attribution"} <= shown(d)
        assert not {"detect", "anchors"} & shown(d), "what cannot answer has left"
        d.session.open_model("digits-vae-2d")
        d.settle()
        assert docks.workspace == "generate" and {"explore", "anatomy"} <= shown(d)
        assert not d.window.commands["workspace-find"].available
        d.qtbot.keyClick(d.window, Qt.Key.Key_6, Qt.KeyboardModifier.ControlModifier)
        assert docks.workspace == "model" and "model" in shown(d)
        d.session.open_model("digits-ssd")
        d.settle()
        assert docks.workspace == "find" and {"detect", "anchors"} <= shown(d)

    told(story, BOARD, "--model", "digits-ssd")


def test_a_photograph_in_a_model_of_digits_is_one_click_from_one_that_knows_it(told: Told) -> None:
    def story(d: Any) -> None:
        line = d.window.knowledge.line
        assert line.isVisible() and "digits" in line.words and "another model" in line.words
        _, _, _, offers = line._said
        assert 2 <= len(offers) <= 3
        near = next(offer for offer in offers if offer.name.startswith("photos-"))
        line.text.linkActivated.emit(near.name)
        d.settle()
        assert d.document.model == near.name and d.document.source.path == str(CAT)
        assert "another model" not in line.words

    told(story, CAT, "--model", "digits-lenet")


def test_a_click_on_a_box_and_the_right_button_lead_on(told: Told) -> None:
    def story(d: Any) -> None:
        box = d.box(0).center()
        d.click(box.x(), box.y())
        d.settle()
        assert d.window.docks.shown("lineage") and d.window.panels["lineage"].text
        place = d.place(box.x(), box.y())
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, d.canvas.mapToGlobal(place))
        QApplication.sendEvent(d.canvas, event)
        titles = {action.text() for action in d.window.menus.menu.actions()}
        d.window.menus.menu.close()
        assert {"Explain this box", "Why missed here?", "Copy this box as text", "Export picture…"} <= titles

    told(story, BOARD, "--model", "digits-faster-rcnn")


def test_a_maps_value_is_the_same_everywhere_and_follows_the_method(told: Told) -> None:
    def story(d: Any) -> None:
        panel, status = d.window.panels["attribution"], d.window.status.pixel
        d.qtbot.mouseClick(d.window.panels["classify"].explain, LEFT)
        d.settle()
        said = []
        for _ in range(2):
            d.hover(190, 130)
            value = panel.reading.value.text()
            assert "between cells" in value or "cell" in value
            assert value.split()[0] in status.text(), "panel and status bar agree"
            said.append((d.document.method, value))
            d.run("next-method")
            d.settle()
            assert panel.reading.value.text() != value, "the value of the old method is gone without a move"
        assert said[0] != said[1]
        assert d.canvas.legend.isVisible() and d.canvas.legend.accessibleDescription()

    told(story, CAT, "--model", "photos-resnet")


def test_a_figure_for_a_paper_has_its_size_and_a_recipe_that_replays(told: Told, tmp_path: Path) -> None:
    def story(d: Any) -> None:
        made = figure.dialog(d.window)
        made.preset.setCurrentText("Column of a paper")
        made._take_preset(made.preset.currentIndex())
        made.kinds["png"].click()
        made.folder.setText(str(tmp_path))
        made.name.setText("figure")
        made.export.click()
        made.deleteLater()
        assert d.window.toasts.messages[-1].action[0] == "Open folder"
        assert made.options == Options(size="cm", width_cm=8.4, dpi=300, kinds=("png", "svg", "pdf"))

    told(story, BOARD, "--model", "digits-ssd")
    with Image.open(tmp_path / "figure.png") as picture:
        assert picture.width == round(8.4 / 2.54 * 300)
        assert round(picture.info["dpi"][0]) == 300
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF") and "<svg" in (
        tmp_path / "figure.svg"
    ).read_text()
    out = tmp_path / "again"
    assert main.main(["replay", str(tmp_path / "figure.recipe.json"), "--out", str(out)]) == main.DONE
    assert list(out.iterdir())


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """The samples with one object each, in a folder."""
    folder = tmp_path / "set"
    folder.mkdir()
    body: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "3"}]}
    for number, path in enumerate(sorted(SAMPLES.glob("*.png")), 1):
        shutil.copy(path, folder)
        with Image.open(path) as picture:
            width, height = picture.size
        body["images"].append({"id": number, "file_name": path.name, "width": width, "height": height})
        row = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "area": 2500}
        body["annotations"].append({**row, "bbox": [10, 10, 50, 50]})
    (folder / "truth.json").write_text(json.dumps(body), encoding="utf-8")
    return folder / "truth.json"


def test_every_number_says_of_what_it_is_and_an_evaluation_goes_on_with_a_new_engine(
    told: Told, truth: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, story_engine: Engine
) -> None:
    monkeypatch.setattr(kept, "EVERY_S", 0.0)
    folder = tmp_path / "kept"
    folder.mkdir()
    kept_folder.use(str(folder))

    def story(d: Any) -> None:
        d.until(lambda: d.session.truth is not None)
        d.settle()
        d.window.docks.enter("evaluate")
        assert d.window.panels["truth"].counts.text().startswith("This picture alone: precision")
        panel, many = d.window.panels["figures"], len(list(truth.parent.glob("*.png")))
        d.qtbot.mouseClick(panel.run, LEFT)
        d.settle()
        d.session.jobs.lane.engine.work_idle(0.0)
        d.session.tick()
        d.settle()
        had = panel.shown[1].meta["collected"]
        assert 0 < had < many and panel.scope.text().endswith(f"of {many} pictures")
        d.session.jobs.renew("The engine was replaced.")
        d.settle()
        d.session.tick()
        d.settle()
        assert panel.shown[1].meta["resumed"] == had
        assert f" · A new engine goes on from the {had} picture" in panel.state.text()
        d.session.jobs.lane.engine.finish_idle()
        d.session.tick()
        d.settle()
        assert panel.scope.text() == f"All {many} pictures" and "new engine" not in panel.state.text()

    try:
        told(story, truth.with_name("board.png"), "--model", "digits-ssd", "--truth", truth)
    finally:
        kept_folder.use("")


def test_of_two_models_both_say_result_time_and_scale(told: Told) -> None:
    def story(d: Any) -> None:
        d.until(lambda: d.window.panes.second is not None)
        d.settle()
        d.run("explain")
        d.settle()
        facts = [head.facts.text() for head in d.window.panes.heads]
        assert all(("ms" in each or "from the cache" in each) and "cat" in each for each in facts), facts
        card = d.window.panels["beside"]
        text = " ".join(label.text() for label in card.findChildren(QLabel))
        assert "A's scale ends" in text and "B's scale ends" in text

    told(story, CAT, "--model", "photos-resnet", "--beside", "photos-vit")


def test_help_is_there_from_the_first_start(told: Told) -> None:
    def story(d: Any) -> None:
        help_ = d.window.help
        d.until(help_.tour.isVisible)
        pointed = []
        while help_.tour.isVisible():
            pointed.append(help_.tour.step.target())
            assert not help_.tour.hole.isEmpty()
            d.qtbot.mouseClick(help_.tour.bubble.next, LEFT)
        assert len(pointed) == 5 and d.window.settings.extra[TOUR_DONE] is True
        button = d.window.docks.by_id["detect"].findChild(QWidget, "help-detect")
        d.qtbot.mouseClick(button, LEFT)
        assert help_.card.title.text() == "Detection"
        help_.card.text.linkActivated.emit("term:nms")
        assert help_.glossary.term.id == "nms"
        d.qtbot.keyClick(help_.glossary.search, Qt.Key.Key_Escape)
        d.qtbot.keyClick(help_.card, Qt.Key.Key_Escape)
        d.qtbot.keyClick(d.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
        palette = d.window.palette_overlay
        d.qtbot.keyClicks(palette.search, "nms")
        assert palette.matches[0].title == "NMS IoU"
        d.qtbot.keyClick(palette.search, Qt.Key.Key_Return)
        row = d.detection.form.rows["iou"]
        d.until(lambda: QApplication.focusWidget() is not None and row.isAncestorOf(QApplication.focusWidget()))
        d.qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_F1)
        assert help_.glossary.isVisible() and help_.glossary.term.id == "nms"

    told(story, BOARD, "--model", "digits-ssd")

    def second(d: Any) -> None:
        QApplication.processEvents()
        assert "tour" not in vars(d.window.help), "it was taken"

    told(second, BOARD, "--model", "digits-ssd")


def test_messages_stay_to_be_found_and_the_strip_counts(told: Told) -> None:
    def story(d: Any) -> None:
        window = d.window
        assert window.film.count.text() == "1 of 2"
        box = d.box(0).center()
        d.click(box.x(), box.y())
        window.tell("Something was written.", action=("Open folder", lambda: None))
        toast = window.toasts.shown[0]
        assert not toast.geometry().translated(window.toasts.pos()).intersects(window._uncovered_areas()[0])
        assert toast._clock.interval() > 3_600_000, "what offers something stays"
        window.tell("Something else.")
        for each in list(window.toasts.shown):
            each.dismiss()
        d.run("messages")
        assert window.docks.shown("log") and "Something was written." in window.panels["log"].text.toPlainText()
        menu = next(action.menu() for action in window.menuBar().actions() if action.text() == "&File")
        assert menu.actions()[-1].objectName() == "quit"

    told(story, BOARD, SLATE, "--model", "digits-ssd")
