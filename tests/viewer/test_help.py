"""Help in a real window: the "?" of panels, F1, the glossary, the tour, the palette's settings, and About."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QCursor, QDesktopServices
from PySide6.QtWidgets import QApplication, QLabel, QToolButton, QWidget

from tests.viewer.conftest import SAMPLES
from viewer.help.about import version
from viewer.help.panel_help import table
from viewer.window.help import TOUR_DONE

Make = Callable[..., Any]


def rest(d: Any, widget: QWidget, place: QPoint | None = None) -> None:
    """Let the pointer rest on a widget, moved there after the focus was."""
    QCursor.setPos(widget.mapToGlobal(place if place is not None else widget.rect().center()))
    QApplication.processEvents()


def word_place(label: QLabel, word: str) -> QPoint:
    """Where a word of a label on one line is."""
    before = label.text().partition(word)[0]
    metrics = label.fontMetrics()
    x = metrics.horizontalAdvance(before) + metrics.horizontalAdvance(word) // 2
    return QPoint(label.contentsRect().left() + x, label.rect().center().y())


def test_a_question_mark_in_every_title_opens_the_card(desk: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    d = desk(SAMPLES[0])
    help_, docks = d.window.help, d.window.docks
    shown = [name for name, dock in docks.by_id.items() if not dock.visibleRegion().isEmpty()]
    assert {"detect", "anchors"} <= {*shown}
    for name in shown:
        dock = docks.by_id[name]
        button = dock.findChild(QToolButton, f"help-{name}")
        assert button.isVisible() and button.accessibleName() == f"Help on {dock.windowTitle()}"
        assert button.geometry().bottom() < dock.widget().geometry().top(), "in the title, not over the panel"
        d.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        card = help_.card
        assert card.isVisible() and card.title.text() == dock.windowTitle() and card.drawing.valid
        assert card.rect().contains(card.panel.geometry())
        card.paper.linkActivated.emit(table()[name].address)
        d.qtbot.keyClick(card, Qt.Key.Key_Escape)
        assert not card.isVisible()
    assert opened == [table()[name].address for name in shown]
    help_.show_panel("detect")
    help_.card.text.linkActivated.emit("term:nms")
    assert help_.glossary.isVisible() and help_.glossary.term.id == "nms"
    help_.glossary.dismiss()
    help_.card.page.linkActivated.emit("page:")
    reader = help_.reader
    assert reader.isVisible() and reader.text.textCursor().selectedText() == "Detection."


@pytest.mark.qt_log_ignore("This plugin does not support raise")
def test_a_floating_panel_keeps_its_question_mark_where_the_window_system_draws_the_title(desk: Make) -> None:
    d = desk(settle=False)
    dock = d.window.docks.by_id["detect"]
    button = dock.findChild(QToolButton, "help-detect")
    dock.setFloating(True)  # Qt draws no title of its own here, as on Windows and macOS
    d.qtbot.waitUntil(lambda: button.isVisible() and dock.contentsMargins().top() > 0)
    assert dock.rect().contains(button.geometry())
    assert button.geometry().bottom() < dock.widget().geometry().top(), "above the panel, not over it"
    d.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert d.window.help.card.isVisible() and d.window.help.card.title.text() == "Detection"
    d.qtbot.keyClick(d.window.help.card, Qt.Key.Key_Escape)
    dock.setFloating(False)
    d.qtbot.waitUntil(lambda: not dock.contentsMargins().top())
    assert button.isVisible() and button.geometry().bottom() < dock.widget().geometry().top()


def test_f1_explains_the_focused_control_the_hovered_word_a_header_and_else_the_panel(desk: Make) -> None:
    d = desk(SAMPLES[0])
    window, rows = d.window, d.detection.form.rows
    glossary = window.help.glossary
    rest(d, d.canvas)
    rows["iou"].entry.setFocus()
    d.key(Qt.Key.Key_F1)
    assert glossary.isVisible() and glossary.term.id == "nms", "of the focus, for the pointer has not moved since"
    glossary.dismiss()
    assert rows["iou"].entry.hasFocus()
    rest(d, rows["iou"].label, word_place(rows["iou"].label, "IoU"))
    d.run("help-here")
    assert glossary.term.id == "iou", "the very word under the pointer"
    glossary.dismiss()
    header = d.detection.classes.header()
    rest(d, header.viewport(), QPoint(header.sectionViewportPosition(2) + 4, header.height() // 2))
    d.run("help-here")
    assert glossary.term.id == "score"
    glossary.dismiss()
    rest(d, window.workspace_bar.widgetForAction(window.commands.actions(window)["panel-anchors"]))
    d.run("help-here")
    assert window.help.card.isVisible() and window.help.card.title.text() == "Anchors"


def test_f1_explains_words_in_a_dialog_over_the_window_too(desk: Make) -> None:
    d = desk(settle=False)
    d.run("about")
    about = d.window.help.about
    about.text.setText("Opens an ELBO")
    rest(d, about.text, word_place(about.text, "ELBO"))
    d.qtbot.keyClick(about.close_button, Qt.Key.Key_F1)
    assert d.window.help.glossary.isVisible() and d.window.help.glossary.term.id == "elbo"
    d.qtbot.keyClick(d.window.help.glossary.search, Qt.Key.Key_Escape)
    assert about.isVisible() and about.close_button.hasFocus()


def test_the_glossary_is_searched_and_its_words_lead_on(desk: Make) -> None:
    d = desk(settle=False)
    d.run("glossary")
    glossary = d.window.help.glossary
    every = glossary.titles
    assert every == sorted(every, key=str.casefold) and len(every) >= 60
    d.qtbot.keyClicks(glossary.search, "evidence lower")
    assert glossary.term.id == "elbo"
    assert "term:vae" in glossary.text.text() and "term:elbo" not in glossary.text.text()
    glossary.text.linkActivated.emit("term:vae")
    assert glossary.term.id == "vae" and glossary.titles == every
    d.qtbot.keyClicks(glossary.search, "no such word")
    assert glossary.term is None and "no such word" in glossary.word.text()
    d.qtbot.keyClick(glossary.search, Qt.Key.Key_Escape)
    assert not glossary.isVisible()


def test_the_tour_points_at_real_widgets_follows_the_window_and_is_taken_once(desk: Make) -> None:
    d = desk(SAMPLES[0])
    window = d.window
    tour = window.help.tour
    window.help.begin_tour_once()
    pointed = []
    for number in range(5):
        assert tour.number == number and tour.bubble.isVisible() and f"{number + 1} of 5" in tour.bubble.count.text()
        pointed.append(tour.step.target())
        at = QRect(pointed[-1].mapTo(window, QPoint(0, 0)), pointed[-1].size())
        assert tour.hole.intersected(at) == at.intersected(window.rect()) and window.rect().contains(tour.hole)
        assert window.rect().contains(tour.bubble.geometry())
        if number == 3:
            before = tour.hole
            window.resize(1100, 700)
            d.until(lambda: tour.size() == window.size())
            assert tour.hole != before
            assert window.rect().contains(tour.bubble.geometry())
        d.qtbot.mouseClick(tour.bubble.next, Qt.MouseButton.LeftButton)
    assert pointed[:3] == [window.centre, window.workspace_bar, window.model_box]
    assert pointed[3] is window.docks.by_id["detect"] and pointed[4] is window.menuBar()
    assert not tour.isVisible() and window.settings.extra[TOUR_DONE] is True
    window.help.begin_tour_once()
    assert not tour.isVisible(), "it was taken"
    d.run("tour")
    assert tour.isVisible()
    d.key(Qt.Key.Key_Escape)
    assert not tour.isVisible() and not tour.bubble.isVisible()


def test_the_tour_can_be_skipped_and_lets_the_window_be_used(desk: Make) -> None:
    d = desk(SAMPLES[0])
    window = d.window
    window.help.begin_tour()
    assert d.document.selected < 0
    box = d.box(0).center()
    d.click(box.x(), box.y())
    assert d.document.selected >= 0, "the picture under the tour is clicked"
    d.qtbot.mouseClick(window.help.tour.bubble.skip, Qt.MouseButton.LeftButton)
    assert not window.help.tour.isVisible() and window.settings.extra[TOUR_DONE] is True


@pytest.mark.parametrize(("typed", "title"), [("nms", "NMS IoU"), ("iou nms", "NMS IoU"), ("nsm iou", "NMS IoU")])
def test_the_palette_finds_settings_and_leads_to_them(desk: Make, typed: str, title: str) -> None:
    d = desk(SAMPLES[0])
    window, palette = d.window, d.window.palette_overlay
    window.docks.hide("detect")
    palette.open()
    d.qtbot.keyClicks(palette.search, typed)
    assert palette.matches[0].title == title and palette.matches[0].menu == "Settings/Detection"
    d.qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    row = d.detection.form.rows["iou"]
    d.until(lambda: QApplication.focusWidget() is not None and row.isAncestorOf(QApplication.focusWidget()))
    assert window.docks.shown("detect") and not row.visibleRegion().isEmpty()


def test_the_palette_finds_settings_of_panels_not_built_yet_words_and_help(desk: Make) -> None:
    d = desk(SAMPLES[0])
    window, palette = d.window, d.window.palette_overlay
    assert window.panels.there("attribution") is None

    def titles(menu: str) -> list[str]:
        return [command.title for command in palette.matches if command.menu.startswith(menu)]

    palette.open()
    d.qtbot.keyClicks(palette.search, "clip perc")
    d.until(lambda: "Settings/Attribution" in {command.menu for command in palette.matches})
    palette.search.setText("receptive")
    assert titles("Glossary") == ["Receptive field"] and "Help on Activations" in titles("Help")
    palette.search.setText("grad cam")
    assert palette.matches[0].title == "Explain by: Grad-CAM"
    palette.search.setText("recall curve")
    assert palette.matches[0].title == "Precision-recall curve"
    d.qtbot.keyClick(palette.search, Qt.Key.Key_Return)
    assert window.help.glossary.isVisible() and window.help.glossary.term.id == "precision-recall-curve"


def test_what_is_possible_now_comes_first_in_the_palette(desk: Make) -> None:
    d = desk(settle=False)
    d.settle()
    palette = d.window.palette_overlay
    palette.open()
    for text in ("", "explain", "copy"):
        palette.search.setText(text)
        now = [command.available for command in palette.matches]
        assert now == sorted(now, reverse=True) and True in now and False in now, text


def test_about_names_the_version_and_every_librarys_licence(desk: Make) -> None:
    d = desk(settle=False)
    d.run("about")
    about = d.window.help.about
    assert about.title.text() == f"Vitrine {version()}" and version().count(".") >= 1
    names = {each.name.lower().replace("_", "-") for each in about.libraries}
    assert {"torch", "torchvision", "pyside6-essentials", "pyqtgraph", "numpy", "captum"} <= names
    assert all(each.version and each.licence for each in about.libraries)
    assert about.report.startswith(f"Vitrine {version()} (MIT)")
    assert not [each for each in about.libraries if each.licence == "see its files"]
    if "umap-learn" in names:
        assert {"numba", "llvmlite", "pynndescent"} <= names, "what the extra for maps brings along is listed too"
    d.qtbot.mouseClick(about.licence, Qt.MouseButton.LeftButton)
    assert "MIT" in d.window.help.reader.text.toPlainText()
