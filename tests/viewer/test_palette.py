"""The command palette and the sheet of shortcuts, by keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QMainWindow, QWidget
from pytestqt.qtbot import QtBot

from viewer.commands.command import Command, Commands
from viewer.commands.palette import NOT_NOW, CommandPalette
from viewer.commands.search import match
from viewer.commands.shortcut_sheet import GESTURES_TITLE, ShortcutSheet

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints")  # the offscreen platform has none


class Bench:
    """A window with a line to type in and a palette over it."""

    def __init__(self, qtbot: QtBot) -> None:
        self.ran: list[str] = []
        self.commands = Commands(
            [
                self.command("open", "Open picture…", shortcut="Ctrl+O", menu="File"),
                self.command("export", "Export picture…", shortcut="Ctrl+E", menu="File", enabled=lambda: False),
                self.command("fitwidth", "Fit to width", menu="View"),
                self.command("fit", "Fit", shortcut="F", menu="View"),
                self.command("redo", "Redo", shortcut=("Ctrl+Shift+Z", "Ctrl+Y"), menu="Edit"),
                self.command("cancel", "Cancel", shortcut="Esc"),
            ]
        )
        self.window = QMainWindow()
        qtbot.addWidget(self.window)
        self.window.resize(900, 600)
        self.line = QLineEdit()
        self.window.setCentralWidget(self.line)
        self.commands.fill(self.window.menuBar())
        with qtbot.waitExposed(self.window):
            self.window.show()
        self.window.activateWindow()
        qtbot.waitUntil(self.window.isActiveWindow)
        self.line.setFocus()
        self.palette = CommandPalette(self.commands, self.window)

    def command(self, name: str, title: str, **more: object) -> Command:
        return Command(name, title, lambda: self.ran.append(name), **more)  # type: ignore[arg-type]

    @property
    def found(self) -> list[str]:
        return [command.id for command in self.palette.matches]


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    return Bench(qtbot)


@pytest.mark.parametrize(
    ("query", "text", "places"),
    [
        ("op", "Open picture", (0, 1)),
        ("OP", "Copy", (1, 2)),
        ("epi", "Export picture", (0, 7, 8)),
        ("o p", "Open", (0, 1)),
        ("s", "Reset sliders", (6,)),
        ("", "Open", ()),
        ("éa", "Éa", (0, 1)),
    ],
)
def test_the_best_places_match(query: str, text: str, places: tuple[int, ...]) -> None:
    found = match(query, text)
    assert found is not None
    assert found.places == places


@pytest.mark.parametrize(("query", "text"), [("po", "Open"), ("opp", "Open"), ("x", "")])
def test_what_is_no_subsequence_does_not_match(query: str, text: str) -> None:
    assert match(query, text) is None


def test_it_opens_on_every_command_the_available_first(bench: Bench) -> None:
    bench.palette.open()
    assert bench.found == ["open", "fitwidth", "fit", "redo", "cancel", "export"]
    assert bench.palette.search.hasFocus()
    assert bench.palette.list.currentRow() == 0


@pytest.mark.parametrize(
    ("typed", "first", "count"),
    [("fit", "fit", 2), ("ftw", "fitwidth", 1), ("pict", "open", 2), ("exp", "export", 1), ("edit", "redo", 1)],
)
def test_typing_ranks(qtbot: QtBot, bench: Bench, typed: str, first: str, count: int) -> None:
    bench.palette.open()
    qtbot.keyClicks(bench.palette.search, typed)
    assert bench.found[0] == first
    assert len(bench.found) == count


def test_enter_runs_what_is_chosen_and_gives_the_focus_back(qtbot: QtBot, bench: Bench) -> None:
    bench.palette.open()
    qtbot.keyClicks(bench.palette.search, "fit")
    qtbot.keyClick(bench.palette.search, Qt.Key.Key_Down)
    qtbot.keyClick(bench.palette.search, Qt.Key.Key_Down)
    qtbot.keyClick(bench.palette.search, Qt.Key.Key_Return)
    assert bench.ran == ["fitwidth"]
    assert not bench.palette.isVisible()
    assert bench.line.hasFocus()


def test_what_is_not_available_says_so_and_does_not_run(qtbot: QtBot, bench: Bench) -> None:
    bench.palette.open()
    qtbot.keyClicks(bench.palette.search, "export")
    spoken = bench.palette.list.item(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == f"Export picture…, {NOT_NOW}"
    qtbot.keyClick(bench.palette.search, Qt.Key.Key_Return)
    assert bench.ran == []
    assert bench.palette.isVisible()


def test_escape_closes_and_runs_nothing(qtbot: QtBot, bench: Bench) -> None:
    bench.palette.open()
    qtbot.keyClicks(bench.palette.search, "fit")
    with qtbot.waitSignal(bench.palette.closed, timeout=1000):
        qtbot.keyClick(bench.palette.search, Qt.Key.Key_Escape)
    assert not bench.palette.isVisible()
    assert bench.ran == []
    bench.palette.open()
    assert bench.palette.search.text() == ""
    assert len(bench.found) == 6


def test_shortcuts_do_not_act_behind_it(qtbot: QtBot, bench: Bench) -> None:
    bench.palette.open()
    qtbot.keyClick(bench.palette.search, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(bench.palette.search, Qt.Key.Key_Tab)
    assert bench.ran == []
    assert bench.palette.search.hasFocus()
    bench.palette.dismiss()
    qtbot.keyClick(bench.window, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    assert bench.ran == ["open"]


def test_a_click_runs_and_a_click_beside_closes(qtbot: QtBot, bench: Bench) -> None:
    bench.palette.open()
    place = bench.palette.list.visualItemRect(bench.palette.list.item(3)).center()
    qtbot.mouseClick(bench.palette.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert bench.ran == ["redo"]
    bench.palette.open()
    qtbot.mouseClick(bench.palette, Qt.MouseButton.LeftButton, pos=QPoint(4, 4))
    assert not bench.palette.isVisible()


def test_nothing_found_is_said(qtbot: QtBot, bench: Bench) -> None:
    bench.palette.open()
    qtbot.keyClicks(bench.palette.search, "zzq")
    assert bench.found == []
    assert bench.palette.none.isVisible()
    assert "zzq" in bench.palette.none.text()
    qtbot.keyClick(bench.palette.search, Qt.Key.Key_Down)
    qtbot.keyClick(bench.palette.search, Qt.Key.Key_Return)
    assert bench.ran == []


def test_it_stays_over_the_window_at_every_size(qtbot: QtBot, bench: Bench) -> None:
    bench.palette.open()
    for width, height in ((1200, 800), (320, 240)):
        bench.window.resize(width, height)
        qtbot.waitUntil(lambda: bench.palette.rect() == bench.window.rect())
        assert bench.palette.rect().contains(bench.palette.panel.geometry())


def content(sheet: ShortcutSheet) -> QWidget:
    found = sheet.sheet.widget()
    assert found is not None
    return found


def test_the_sheet_lists_every_shortcut_by_menu(qtbot: QtBot, bench: Bench) -> None:
    sheet = ShortcutSheet(bench.commands, bench.window, gestures=[("Wheel", "Zoom at the pointer")])
    groups = dict(sheet.groups)
    assert list(groups) == ["File", "Edit", "View", "Anywhere", GESTURES_TITLE]
    assert groups["Edit"] == [("Redo", ("Ctrl+Shift+Z", "Ctrl+Y"))]
    assert groups[GESTURES_TITLE] == [("Zoom at the pointer", ("Wheel",))]
    sheet.open()
    texts = {label.text() for label in content(sheet).findChildren(QLabel)}
    assert {"Open picture", "Ctrl+O", "Ctrl+Y", "Wheel", "Zoom at the pointer", "File"} <= texts
    qtbot.keyClick(sheet.sheet, Qt.Key.Key_Question)
    assert not sheet.isVisible()
    sheet.open()
    qtbot.keyClick(sheet.sheet, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert bench.ran == []


def test_the_sheet_scrolls_in_one_column_when_small(qtbot: QtBot, bench: Bench) -> None:
    sheet = ShortcutSheet(bench.commands, bench.window)
    sheet.open()
    bar = sheet.sheet.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() == 0)
    wide = content(sheet).sizeHint().width()
    bench.window.resize(420, 240)
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    assert content(sheet).sizeHint().width() < wide
    assert content(sheet).width() <= sheet.sheet.viewport().width()
