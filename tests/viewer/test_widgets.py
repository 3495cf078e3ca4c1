"""Progress, elided labels, the welcome page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget
from pytestqt.qtbot import QtBot

from viewer import theme
from viewer.widgets.controls.elided_label import ElidedLabel
from viewer.widgets.dialogs import progress as module
from viewer.widgets.dialogs.progress import CANCELLING, Activity
from viewer.widgets.dialogs.welcome import INVITATION, RECENT_MOST, Welcome

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen platform has none


@pytest.fixture
def activity(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Activity]:
    monkeypatch.setattr(module, "DELAY_MS", 30)
    monkeypatch.setattr(module, "LINGER_MS", 10)
    holder = QWidget()
    qtbot.addWidget(holder)
    with qtbot.waitExposed(holder):
        holder.show()
    yield Activity(parent=holder)


@pytest.fixture
def welcome(qtbot: QtBot) -> Welcome:
    made = Welcome()
    qtbot.addWidget(made)
    made.resize(800, 600)
    with qtbot.waitExposed(made):
        made.show()
    return made


def test_work_is_shown_once_it_lasts_and_hidden_at_its_end(qtbot: QtBot, activity: Activity) -> None:
    activity.start("Integrated gradients")
    assert not activity.isVisible()
    qtbot.waitUntil(activity.isVisible)
    assert activity.text.text() == "Integrated gradients"
    assert (activity.bar.minimum(), activity.bar.maximum()) == (0, 0)
    activity.set_progress(0.25, "Step 5 of 20")
    assert activity.bar.value() / activity.bar.maximum() == 0.25
    assert activity.text.text() == "Step 5 of 20"
    activity.set_progress(None)
    assert activity.bar.maximum() == 0
    activity.finish()
    qtbot.waitUntil(lambda: not activity.isVisible())


def test_short_work_is_not_shown(qtbot: QtBot, activity: Activity) -> None:
    activity.start("Quick")
    activity.finish()
    with qtbot.waitSignal(activity._linger.timeout, timeout=1000):
        pass
    assert not activity._delay.isActive()
    assert not activity.isVisible()


def test_work_after_work_does_not_flicker(qtbot: QtBot, activity: Activity) -> None:
    activity.start("One")
    qtbot.waitUntil(activity.isVisible)
    activity.finish()
    activity.start("Two")
    assert activity.isVisible()
    assert not activity._linger.isActive()
    assert activity.text.text() == "Two"


def test_cancel_is_asked_once(qtbot: QtBot, activity: Activity) -> None:
    asked: list[bool] = []
    activity.cancelled.connect(lambda: asked.append(True))
    activity.ask_to_cancel()
    assert asked == []
    activity.start("Long")
    qtbot.waitUntil(activity.isVisible)
    qtbot.mouseClick(activity.cancel, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(activity.cancel, Qt.MouseButton.LeftButton)
    activity.ask_to_cancel()
    activity.set_progress(0.5, "Step 10 of 20")
    assert asked == [True]
    assert activity.text.text() == CANCELLING
    assert activity.cancel.toolTip() == "Cancel (Esc)"
    activity.finish()
    activity.start("Next")
    assert activity.cancel.isEnabled()


def test_welcome_tells_what_was_asked(qtbot: QtBot, welcome: Welcome) -> None:
    with qtbot.waitSignal(welcome.open_requested, timeout=1000):
        qtbot.mouseClick(welcome.open_button, Qt.MouseButton.LeftButton)
    for tile in welcome.gallery:
        with qtbot.waitSignal(welcome.sample_requested, timeout=1000) as heard:
            qtbot.mouseClick(tile, Qt.MouseButton.LeftButton)
        assert heard.args is not None and heard.args[0].title == tile.text() and not tile.icon().isNull()
    welcome.set_recent(["/data/a.png", "/data/b.png"])
    with qtbot.waitSignal(welcome.recent_requested, timeout=1000) as heard:
        qtbot.mouseClick(welcome.recent[1], Qt.MouseButton.LeftButton)
    assert heard.args == ["/data/b.png"]
    with qtbot.waitSignal(welcome.recent_requested, timeout=1000) as heard:
        qtbot.keyClick(welcome.recent[0], Qt.Key.Key_Space)
    assert heard.args == ["/data/a.png"]


def test_welcome_lists_the_newest(welcome: Welcome) -> None:
    assert not welcome.recent_title.isVisible()
    welcome.set_recent([f"/data/{n}.png" for n in range(12)])
    assert [button.text() for button in welcome.recent] == [f"{n}.png" for n in range(RECENT_MOST)]
    assert welcome.recent_title.isVisible()
    assert welcome.recent[0].toolTip() == "/data/0.png"
    welcome.set_recent([])
    assert not welcome.recent_title.isVisible()
    assert welcome.recent == []


def test_welcome_says_what_a_drop_will_do(welcome: Welcome) -> None:
    height = welcome.open_button.mapTo(welcome, welcome.open_button.rect().topLeft()).y()
    welcome.set_drop_hint("Open cat.png")
    assert welcome.headline.text() == "Open cat.png"
    assert welcome.paste.text() == ""
    assert welcome.open_button.mapTo(welcome, welcome.open_button.rect().topLeft()).y() == height
    welcome.set_drop_hint("")
    assert welcome.headline.text() == INVITATION


def test_welcome_follows_the_theme(welcome: Welcome) -> None:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    before = app.style().objectName(), app.palette(), app.font()
    try:
        for scheme in ("dark", "light", "dark"):
            theme.apply(app, scheme)
            button = welcome.open_button.palette()
            assert button.color(button.ColorRole.Button) == theme.colours().accent
    finally:
        theme.apply(app)
        app.setStyleSheet("")
        app.setStyle(before[0])
        app.setPalette(before[1])
        app.setFont(before[2])


def test_every_button_of_welcome_has_a_name(welcome: Welcome) -> None:
    welcome.set_recent(["/data/a.png"])
    buttons = welcome.findChildren(QAbstractButton)
    assert len(buttons) >= 3
    assert all(button.accessibleName() for button in buttons)


def test_a_label_is_cut_where_its_text_does_not_fit(qtbot: QtBot) -> None:
    label = ElidedLabel("one two three four")
    qtbot.addWidget(label)
    label.setToolTip("mine")
    label.resize(label.sizeHint())
    with qtbot.waitExposed(label):
        label.show()
    assert label.shown(label.width()) == ["one two three four"]
    assert label.toolTip() == "mine"
    label.setFixedWidth(60)
    qtbot.waitUntil(lambda: label.toolTip() == "one two three four")
    assert label.shown(60)[0].endswith("…")


def test_a_label_of_many_lines_wraps_first(qtbot: QtBot) -> None:
    label = ElidedLabel("one two three four five six seven\neight", lines=2)
    qtbot.addWidget(label)
    width = label.fontMetrics().horizontalAdvance("one two three ")
    lines = label.shown(width)
    assert len(lines) == 2
    assert lines[0].startswith("one two")
    assert lines[1].endswith("…")
    assert label.heightForWidth(width) == 2 * label.fontMetrics().lineSpacing()
    label.setText("a\nb\nc")
    assert label.shown(width) == ["a", "b…"]
    label.setText("one two three four five six seven\neight")
    label.set_lines(20)
    assert label.shown(width)[-1] == "eight"
    assert not label.elided(width)
