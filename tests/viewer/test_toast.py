"""Toasts: order, keys, clocks, details, copying."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QCursor, QEnterEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMainWindow, QToolButton
from pytestqt.qtbot import QtBot

from viewer.widgets.dialogs import toast as module
from viewer.widgets.dialogs.toast import STAY_MS, Toast, Toasts

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen platform has none

LONG = "The camera gives only four pictures a second. " * 8


@pytest.fixture
def toasts(qtbot: QtBot) -> Iterator[Toasts]:
    QCursor.setPos(0, 0)  # a pointer left over a toast by another test would hold it
    window = QMainWindow()
    qtbot.addWidget(window)
    window.resize(800, 600)
    window.statusBar()
    with qtbot.waitExposed(window):
        window.show()
    made = Toasts(window)
    yield made
    made.clear()


def texts(toasts: Toasts) -> list[str]:
    return [toast.message.text for toast in toasts.shown]


def enter(toast: Toast) -> None:
    QApplication.sendEvent(toast, QEnterEvent(QPointF(4, 4), QPointF(4, 4), QPointF(4, 4)))


def leave(toast: Toast) -> None:
    QApplication.sendEvent(toast, QEvent(QEvent.Type.Leave))


def test_the_newest_is_on_top_and_four_are_most(toasts: Toasts) -> None:
    for number in range(6):
        toasts.show_message(str(number))
    assert texts(toasts) == ["5", "4", "3", "2"]
    assert [message.text for message in toasts.messages] == ["0", "1", "2", "3", "4", "5"]


def test_a_key_replaces(toasts: Toasts) -> None:
    toasts.show_message("Zoom 50 %", key="zoom")
    toasts.show_message("Saved")
    toasts.show_message("Zoom 100 %", key="zoom")
    toasts.show_message("Other", key="other")
    assert texts(toasts) == ["Other", "Zoom 100 %", "Saved"]


def test_they_go_by_themselves(qtbot: QtBot, toasts: Toasts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DISMISS_MS", 20)
    toasts.show_message("Error", severity="error")
    toasts.show_message("Saved", severity="success")
    qtbot.waitUntil(lambda: texts(toasts) == ["Error"])
    assert toasts.isVisible()


def test_errors_go_too_and_the_overlay_with_the_last(
    qtbot: QtBot, toasts: Toasts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ERROR_DISMISS_MS", 20)
    toasts.show_message("Error", severity="error")
    qtbot.waitUntil(lambda: not toasts.isVisible())
    assert texts(toasts) == []


def test_the_clock_stands_still_under_the_pointer(
    qtbot: QtBot, toasts: Toasts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DISMISS_MS", 40)
    held = toasts.show_message("Held")
    enter(held)
    assert not held.running
    toasts.show_message("Free")
    qtbot.waitUntil(lambda: texts(toasts) == ["Held"])
    leave(held)
    assert held.running
    qtbot.waitUntil(lambda: texts(toasts) == [])


def test_unfolding_shows_the_details_and_stops_the_clock(qtbot: QtBot, toasts: Toasts) -> None:
    shown = toasts.show_message("It failed", details="line 1\nline 2", severity="error")
    height = toasts.height()
    assert not shown.details.isVisible()
    qtbot.mouseClick(shown.fold, Qt.MouseButton.LeftButton)
    assert shown.details.isVisible()
    assert shown.details.toPlainText() == "line 1\nline 2"
    assert not shown.running
    qtbot.waitUntil(lambda: toasts.height() > height)
    leave(shown)
    assert not shown.running
    qtbot.mouseClick(shown.fold, Qt.MouseButton.LeftButton)
    assert not shown.details.isVisible()
    assert shown.running


def test_a_long_text_is_cut_and_unfolds_whole(qtbot: QtBot, toasts: Toasts) -> None:
    short, long = toasts.show_message("Short"), toasts.show_message(LONG)
    assert not short.fold.isVisible()
    assert long.fold.isVisible()
    assert long.text.shown(long.text.width())[-1].endswith("…")
    before = long.height()
    qtbot.mouseClick(long.fold, Qt.MouseButton.LeftButton)
    assert not long.text.elided(long.text.width())
    qtbot.waitUntil(lambda: long.height() > before)
    assert not long.details.isVisible()


def test_copy_takes_text_and_details(qtbot: QtBot, toasts: Toasts) -> None:
    shown = toasts.show_message("It failed", details="line 1")
    qtbot.mouseClick(shown.copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "It failed\n\nline 1"


def test_close_and_action(qtbot: QtBot, toasts: Toasts) -> None:
    ran: list[str] = []
    first = toasts.show_message("First")
    second = toasts.show_message("Second", action=("Undo", lambda: ran.append("undo")))
    qtbot.mouseClick(first.close_button, Qt.MouseButton.LeftButton)
    assert texts(toasts) == ["Second"]
    button = next(b for b in second.findChildren(QToolButton) if b.text() == "Undo")
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert ran == ["undo"]
    assert texts(toasts) == []


def test_they_keep_to_the_corner_above_the_status_bar(qtbot: QtBot, toasts: Toasts) -> None:
    window = toasts.parentWidget()
    assert isinstance(window, QMainWindow)
    toasts.show_message("Here")
    for width, height in ((800, 600), (500, 400), (320, 300)):
        window.resize(width, height)
        floor = height - window.statusBar().height() - module.MARGIN
        qtbot.waitUntil(lambda w=width, f=floor: toasts.geometry().bottom() + 1 == f and toasts.width() <= w - 32)
        assert toasts.geometry().right() + 1 == width - module.MARGIN


def test_they_speak(toasts: Toasts) -> None:
    shown = toasts.show_message("It failed", severity="error", details="why")
    assert shown.accessibleName() == "Failed: It failed"
    assert shown.accessibleDescription() == "why"
    buttons = shown.findChildren(QToolButton)
    assert len(buttons) >= 3
    assert all(button.accessibleName() for button in buttons)


def test_what_stays_is_there_until_it_is_dismissed(toasts: Toasts) -> None:
    toast = toasts.show_message("Read me", severity="error", stays=True)
    assert toast._clock.interval() == STAY_MS
    toast.close_button.click()
    assert toast not in toasts.shown


def test_messages_keep_clear_of_the_menus_in_a_low_window(toasts: Toasts) -> None:
    window = toasts.parentWidget()
    assert isinstance(window, QMainWindow)
    window.menuBar().addMenu("File")
    window.resize(420, 260)
    QApplication.processEvents()
    for number in range(4):
        toasts.show_message(f"{number} {LONG}", details="a\n" * 20)
    QApplication.processEvents()
    assert toasts.shown and toasts.shown[0].message.text.startswith("3")
    assert toasts.geometry().top() > window.menuBar().geometry().bottom()
    toasts.shown[0].fold.click()
    QApplication.processEvents()
    assert toasts.geometry().top() > window.menuBar().geometry().bottom()


def test_a_click_between_two_messages_goes_to_what_lies_under_them(toasts: Toasts) -> None:
    window = toasts.parentWidget()
    assert window is not None
    toasts.show_message("One")
    toasts.show_message("Two")
    QApplication.processEvents()
    upper, lower = (toast.geometry() for toast in toasts.shown)
    between = toasts.mapTo(window, (upper.bottomLeft() + lower.topLeft()) / 2 + QPoint(20, 0))
    assert window.childAt(between) is not toasts
    assert window.childAt(toasts.mapTo(window, upper.center())) is not None
