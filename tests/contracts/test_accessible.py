"""All of the window has a name that is read out, every command a title and keys of its own, every panel a face."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QDeadlineTimer, QEvent, QEventLoop, QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QHeaderView,
    QLineEdit,
    QProgressBar,
    QScrollArea,
    QScrollBar,
    QTabBar,
    QWidget,
)

from models.cards.card import BUNDLED
from models.engine.engine import Engine
from models.types import Source
from viewer import theme
from viewer.app import Mailbox, build
from viewer.commands.command import MENUS
from viewer.panels.base import Panel
from viewer.panels.registry import PANELS, PanelEntry
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.job_queue import InlineLane
from viewer.session.session import Session
from viewer.window.docks import AREAS
from viewer.window.lazy_panels import LazyPanels
from viewer.window.main_window import Window

PICTURES = sorted((BUNDLED.parent / "samples").glob("*.png"))
CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QProgressBar,
    QTabBar,
)
# Parts of a control that a screen reader meets as the control itself.
PARTS = (QScrollBar, QHeaderView)
NAMES = {"A", "B", "NMS", "IoU", "PNG", "SVG", "JSON", "CSV", "COCO", "NPY", "MP", "GIF", "Vitrine"}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.fixture(scope="module")
def window(qapp: QApplication, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """A window with every panel, a toast, the palette and the shortcuts open once; to be left as it is."""
    document = Document(sources=tuple(Source.file(p) for p in PICTURES[:2]), model="digits-ssd")
    session, mail, hook = Session(InlineLane(engine), document), Mailbox(), sys.excepthook
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITRINE_HOME", str(tmp_path_factory.mktemp("home")))
        session.begin(mail.post, [])
        window: Any = build(qapp, session, mail)
        sys.excepthook = hook
        window.show()
        waited = QDeadlineTimer(60_000)
        while session.description is None or session.stale:
            assert not waited.hasExpired()
            qapp.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)
        for panel in window.panels:
            if not window.docks.shown(panel):
                window.docks.show(panel)
            _ = window.panels[panel]  # also one that cannot answer for the model, and is therefore not shown
        window.tell("A message", details="with details", severity="error")
        for overlay in (window.palette_overlay, window.shortcuts, window.zoo.dialog):
            overlay.open()
            overlay.dismiss()
        yield window
        window.close()
        window.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # type: ignore[arg-type]


def inside(widget: QWidget, kinds: tuple[type[QWidget], ...]) -> bool:
    parent = widget.parentWidget()
    return parent is not None and (isinstance(parent, kinds) or inside(parent, kinds))


def never_shown(widget: QWidget) -> bool:
    """Tell whether a control is in pyqtgraph's own menu of a plot, which is built and never opened."""
    parents = [widget]
    while (parent := parents[-1].parentWidget()) is not None:
        parents.append(parent)
    return any(each.windowType() == Qt.WindowType.Popup for each in parents)


def spoken(widget: QWidget) -> str:
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name).strip() if interface else ""


def test_every_control_has_a_name(window: Window) -> None:
    seen, nameless = Counter[str](), []
    for widget in window.findChildren(QWidget):
        if not isinstance(widget, CONTROLS) or isinstance(widget, PARTS):
            continue
        if inside(widget, (QAbstractSpinBox, QComboBox, QAbstractItemView)) or never_shown(widget):
            continue
        if isinstance(widget, QTabBar) and not widget.count() and widget.isHidden():
            continue  # one that Qt keeps for docks that may come together again
        if widget.objectName() in ("qt_menubar_ext_button", "qt_scrollarea_viewport"):
            continue
        if isinstance(widget, QAbstractScrollArea) and inside(widget, (type(window.canvas),)):
            continue
        seen[type(widget).__name__] += 1
        if not spoken(widget):
            nameless.append((type(widget).__name__, widget.objectName(), widget.parentWidget()))
    assert not nameless
    assert seen["Entry"] >= 6 and seen["_Slider"] >= 6 and seen["_Switch"] >= 2 and seen["QComboBox"] >= 3


def test_the_tab_key_goes_through_every_panel_as_it_is_read(window: Window, qapp: QApplication) -> None:
    """It enters at the first; none that follows lies above the one before, or left of it in its row; none is missed."""
    wrong, tried = [], 0
    for name in window.panels:
        window.docks.show(name)
        qapp.processEvents()
        panel = window.panels[name]
        controls = [each for each in panel.findChildren(QWidget) if tabbed(each) and not each.visibleRegion().isEmpty()]
        if len(controls) < 2 or not panel.isVisible():
            continue
        tried += 1
        window.model_box.setFocus()
        QTest.keyClick(window.model_box, Qt.Key.Key_Tab)
        entered = panel.nextInFocusChain()
        while entered not in controls:
            entered = entered.nextInFocusChain()
        visited = [
            *reversed(walked(panel, controls[0], Qt.Key.Key_Backtab)[1:]),
            *walked(panel, controls[0], Qt.Key.Key_Tab),
        ]
        places = [QRect(each.mapTo(panel, QPoint()), each.size()) for each in visited]
        for (a, one), (b, other) in pairwise(zip(places, visited, strict=True)):
            beside = abs(a.center().y() - b.center().y()) < min(a.height(), b.height()) / 2
            back = (b.bottom() < a.top() and b.left() <= a.right()) or (beside and b.right() < a.left())
            if back and area_around(one) is area_around(other):
                wrong.append(f"{name}: {a} then {b}")
        wrong += (
            [] if entered is next(each for each in visited if each in controls) else [f"{name}: enters at {entered}"]
        )
        wrong += [f"{name}: misses {each}" for each in controls if each not in visited]
    assert not wrong, "\n".join(wrong)
    assert tried >= 20


def walked(panel: QWidget, start: QWidget, key: Qt.Key) -> list[QWidget]:
    """Press a key until the focus leaves a panel or comes where it was; return where it was, `start` first."""
    start.setFocus()
    visited = [start]
    for _ in range(200):
        QTest.keyClick(visited[-1], key)
        now = QApplication.focusWidget()
        if now is None or now in visited or not panel.isAncestorOf(now):
            break
        visited.append(now)
    return visited


def area_around(widget: QWidget) -> QWidget | None:
    """The scrolling area that a widget is in, within which places can be compared."""
    parent = widget.parentWidget()
    return parent if parent is None or isinstance(parent, QScrollArea) else area_around(parent)


def tabbed(widget: QWidget) -> bool:
    """Tell whether the Tab key is to stop at a control."""
    takes = widget.focusPolicy() & Qt.FocusPolicy.TabFocus == Qt.FocusPolicy.TabFocus
    part = inside(widget, (QAbstractSpinBox, QComboBox, QAbstractItemView)) or never_shown(widget)
    return takes and widget.isEnabled() and widget.focusProxy() is None and not part


def test_every_control_can_be_reached_by_keyboard(window: Window) -> None:
    for widget in window.findChildren(QWidget):
        if isinstance(widget, QAbstractSlider | QAbstractSpinBox | QComboBox) and not isinstance(widget, QScrollBar):
            assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget
    for widget in (window.canvas, window.film.list, window.model_box):
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget


def test_names_of_inputs_tell_them_apart(window: Window) -> None:
    names = Counter(
        widget.accessibleName()
        for widget in window.findChildren(QWidget)
        if isinstance(widget, QAbstractSlider | QAbstractSpinBox | QComboBox)
        and not (isinstance(widget, QScrollBar) or never_shown(widget))
    )
    assert not [name for name, count in names.items() if count > 1]


def test_every_command_has_a_title_in_sentence_case(window: Window) -> None:
    for command in window.commands:
        if command.menu == "View/Language":
            continue  # each language is called what it calls itself
        words = re.findall(r"[A-Za-z]+", command.title)
        first = command.title[0]
        assert first.isupper() or first.isdigit(), command.title
        capitals = [word for word in words[1:] if word[0].isupper() and word not in NAMES]
        assert not capitals, command.title
        assert not command.title.endswith((".", ":", "...", " ")), command.title
        assert not command.help.endswith("."), command.help
        assert not command.menu or command.menu.split("/")[0] in MENUS


def test_titles_tell_commands_apart(window: Window) -> None:
    titles = Counter((command.menu, command.title) for command in window.commands.flat())
    assert not [title for title, count in titles.items() if count > 1]


def test_no_two_actions_answer_to_one_key(window: Window) -> None:
    actions = window.commands.actions(window)
    keys = [(sequence, name) for name, action in actions.items() for sequence in action.shortcuts()]
    assert len(keys) > 25
    no = QKeySequence.SequenceMatch.NoMatch
    for number, (one, name) in enumerate(keys):
        for other, owner in keys[number + 1 :]:
            assert one.matches(other) == no and other.matches(one) == no, (name, owner)


def test_every_panel_has_a_face() -> None:
    for entry in PANELS:
        assert entry.id and entry.title[0].isupper() and entry.area in AREAS, entry
        assert (theme.ICONS / f"{entry.icon}.svg").is_file(), entry
    assert len({entry.id for entry in PANELS}) == len({entry.title for entry in PANELS}) == len(PANELS)
    files = {p.stem for p in (Path(__file__).resolve().parents[2] / "viewer" / "panels").glob("*.py")}
    assert {entry.place.partition(".")[0] for entry in PANELS} == files - {"__init__", "base", "registry"}


def test_every_entry_leads_to_its_panel() -> None:
    panels = LazyPanels(PANELS, Store())
    known = {field.name for field in dataclasses.fields(PanelEntry)} - {"id"}
    for entry in PANELS:
        kind = panels.kind(entry.id)
        assert issubclass(kind, Panel) and kind.id == entry.id
        assert not known & vars(kind).keys(), f"{kind.__name__} says again what is in its entry"


def test_every_panel_can_be_toggled_by_a_command(window: Window) -> None:
    for name, panel in window.panels.items():
        command = window.commands[f"panel-{name}"]
        assert command.title == panel.entry.title
        window.docks.show(name)
        QApplication.processEvents()
        if not window.docks.can(name):
            assert not window.docks.shown(name) and not command.available, f"{name} cannot answer for a detector"
            continue
        window.commands.run(command)
        assert not window.docks.shown(name), name
        window.commands.run(command)
        assert window.docks.shown(name), name
