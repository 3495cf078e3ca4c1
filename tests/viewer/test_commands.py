"""The command table: order, collisions, menus, shortcuts, what is enabled and checked."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu
from pytestqt.qtbot import QtBot

from viewer.commands.command import NOTHING_HERE, Command, Commands

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen platform has none


class State:
    def __init__(self) -> None:
        self.ready, self.on = False, False
        self.ran: list[str] = []
        self.recent = ["a.png", "b & c.png"]

    def children(self) -> list[Command]:
        return [Command(name, name, lambda name=name: self.ran.append(name)) for name in self.recent]

    def toggle(self) -> None:
        self.on = not self.on


def table(state: State) -> Commands:
    return Commands(
        [
            Command("help.keys", "Keyboard shortcuts", shortcut="?", menu="Help"),
            Command(
                "open", "Open picture…", lambda: state.ran.append("open"), shortcut="Ctrl+O", menu="File", help="One"
            ),
            Command("recent", "Open recent", menu="File", children=state.children),
            Command("quit", "Quit", shortcut="Ctrl+Q", menu="File", group="end"),
            Command("folder", "Open folder…", menu="File"),
            Command(
                "save", "Save", lambda: state.ran.append("save"), menu="File", group="save", enabled=lambda: state.ready
            ),
            Command("boxes", "Boxes", state.toggle, shortcut="B", menu="View", checked=lambda: state.on),
            Command("anchors", "Anchors", menu="View/Panels", group="panels"),
            Command("redo", "Redo", shortcut=("Ctrl+Shift+Z", "Ctrl+Y"), menu="Edit"),
            Command("secret", "Only in the palette"),
        ]
    )


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def window(qtbot: QtBot) -> QMainWindow:
    made = QMainWindow()
    qtbot.addWidget(made)
    return made


def titles(menu: QMenu) -> list[str]:
    return ["-" if action.isSeparator() else action.text() for action in menu.actions()]


def menu(window: QMainWindow, title: str) -> QMenu:
    found = next(action for action in window.menuBar().actions() if action.text() == f"&{title}").menu()
    assert isinstance(found, QMenu)
    return found


def submenu(parent: QMenu, title: str) -> QMenu:
    found = next(action for action in parent.actions() if action.text() == title).menu()
    assert isinstance(found, QMenu)
    return found


def test_the_table_keeps_order_and_finds_by_id(state: State) -> None:
    commands = table(state)
    assert [command.id for command in commands][:3] == ["help.keys", "open", "recent"]
    assert commands["open"].title == "Open picture…"
    assert "open" in commands
    assert "none" not in commands
    assert len(commands) == 10


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (Command("open", "Again"), "two commands"),
        (Command("new", "New", shortcut="ctrl+o"), "collides with that of 'open'"),
        (Command("new", "New", shortcut=("F5", "Ctrl+Y")), "collides with that of 'redo'"),
        (Command("new", "New", shortcut="Ctrl+O, K"), "collides with that of 'open'"),
        (Command("new", "New", shortcut="Ctrl+Nonsense"), "is not a shortcut"),
        (Command("new", "New", menu="Tools"), "no menu 'Tools'"),
    ],
)
def test_what_collides_is_refused(state: State, command: Command, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        table(state).add(command)


def test_menus_stand_in_order_with_groups_parted(state: State, window: QMainWindow) -> None:
    table(state).fill(window.menuBar())
    assert [action.text() for action in window.menuBar().actions()] == ["&File", "&Edit", "&View", "&Help"]
    assert titles(menu(window, "File")) == ["Open picture…", "Open recent", "Open folder…", "-", "Quit", "-", "Save"]
    assert titles(menu(window, "View")) == ["Boxes", "-", "Panels"]
    assert titles(submenu(menu(window, "View"), "Panels")) == ["Anchors"]


def test_actions_carry_what_the_table_says(state: State, window: QMainWindow) -> None:
    commands = table(state)
    actions = commands.actions(window)
    assert commands.actions(window)["open"] is actions["open"]
    assert {"recent"} == {command.id for command in commands} - set(actions)
    opened = actions["open"]
    assert (opened.objectName(), opened.statusTip()) == ("open", "One")
    assert opened.toolTip() == "Open picture (Ctrl+O)\nOne"
    assert opened.shortcut() == QKeySequence("Ctrl+O")
    assert opened.shortcutContext() == Qt.ShortcutContext.WindowShortcut
    assert [s.toString() for s in actions["redo"].shortcuts()] == ["Ctrl+Shift+Z", "Ctrl+Y"]
    assert actions["secret"] in window.actions()


def test_enabled_and_checked_follow_the_state(state: State, window: QMainWindow) -> None:
    commands = table(state)
    actions = commands.actions(window)
    assert not actions["save"].isEnabled()
    assert commands.run("save") is False
    state.ready = state.on = True
    commands.refresh()
    assert actions["save"].isEnabled()
    assert actions["boxes"].isChecked()
    assert commands.run("save") is True
    assert state.ran == ["save"]


def test_a_toggle_shows_the_state_and_not_the_click(state: State, window: QMainWindow) -> None:
    commands = table(state)
    boxes = commands.actions(window)["boxes"]
    boxes.trigger()
    assert (state.on, boxes.isChecked()) == (True, True)
    stuck = Commands([Command("stuck", "Stuck", checked=lambda: False)]).actions(window)["stuck"]
    stuck.trigger()
    assert not stuck.isChecked()


def test_a_shortcut_runs_its_command(qtbot: QtBot, state: State, window: QMainWindow) -> None:
    table(state).fill(window.menuBar())
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: state.ran == ["open"])


def test_a_submenu_is_filled_when_it_shows(state: State, window: QMainWindow) -> None:
    commands = table(state)
    commands.fill(window.menuBar())
    recent = submenu(menu(window, "File"), "Open recent")
    recent.aboutToShow.emit()
    assert titles(recent) == ["a.png", "b && c.png"]
    recent.actions()[1].trigger()
    assert state.ran == ["b & c.png"]
    state.recent = ["new.png"]
    recent.aboutToShow.emit()
    assert titles(recent) == ["new.png"]
    state.recent = []
    recent.aboutToShow.emit()
    assert titles(recent) == [NOTHING_HERE]
    assert not recent.actions()[0].isEnabled()


def test_flat_holds_what_can_be_run(state: State) -> None:
    flat = {command.id: command for command in table(state).flat()}
    assert "recent" not in flat
    assert (flat["a.png"].title, flat["a.png"].menu) == ("Open recent: a.png", "File")


def test_a_command_that_fails_leaves_the_actions_right(window: QMainWindow) -> None:
    on = [False]

    def fail() -> None:
        on[0] = True
        raise RuntimeError("It failed.")

    commands = Commands([Command("fail", "Fail", fail, checked=lambda: on[0])])
    action = commands.actions(window)["fail"]
    with pytest.raises(RuntimeError):
        commands.run("fail")
    assert action.isChecked()
