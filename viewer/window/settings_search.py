"""Every control of the panels as an entry of the command palette, which leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from PySide6.QtCore import QPoint, QRect, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollArea,
    QScrollBar,
    QStackedWidget,
    QTabBar,
    QTabWidget,
    QWidget,
)
from shiboken6 import isValid

from viewer import theme
from viewer.commands.command import Command
from viewer.panels.base import Panel
from viewer.translation import tr
from viewer.widgets.controls.row import Row
from viewer.widgets.controls.section import Section
from viewer.window.context import WindowContext

CONTROLS = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
WITHIN = (QAbstractItemView, QTabBar, QAbstractSpinBox, QComboBox, Row, QScrollBar, QLineEdit)
MARK_MS = 1_500
MENU = tr("Settings")


def settings(context: WindowContext) -> list[Command]:
    """Return the controls of the panels that are built and can answer."""
    found = []
    for panel in context.panels.built:
        if context.docks.can(panel.id):
            found += [_command(context, panel, control) for control in controls(panel)]
    return found


def unbuilt(context: WindowContext) -> list[str]:
    """Return the panels that can answer and are not built yet."""
    return [name for name in context.panels if context.panels.there(name) is None and context.docks.can(name)]


def controls(panel: Panel) -> Iterator[QWidget]:
    """Yield the controls of a panel that can be brought into view, a labelled row as one."""
    for widget in panel.findChildren(QWidget):
        whole = isinstance(widget, Row) or (isinstance(widget, CONTROLS) and not _within(widget, panel))
        if whole and _title(widget) and _reachable(widget, panel):
            yield widget


def reveal(context: WindowContext, name: str, control: QWidget) -> None:
    """Show a panel with a control in view, the keyboard focus on it and a mark around it for a moment."""
    context.docks.show(name)
    if not isValid(control):
        return
    panel = context.panels[name]
    for parent in _parents(control, panel):
        if isinstance(parent, Section):
            parent.set_open(True)
        elif isinstance(parent, QStackedWidget | QTabWidget):
            pages = [parent.widget(k) for k in range(parent.count())]
            page = next((each for each in pages if each is not None and each.isAncestorOf(control)), None)
            if page is not None:
                parent.setCurrentWidget(page)
    QTimer.singleShot(0, partial(_focus, control, panel))


def _focus(control: QWidget, panel: Panel) -> None:
    if not isValid(control):
        return
    for parent in _parents(control, panel):
        if isinstance(parent, QScrollArea):
            parent.ensureWidgetVisible(control)
    taking = [control, *control.findChildren(QWidget)] if isinstance(control, Row) else [control]
    able = (each for each in taking if each.isEnabled() and each.isVisible() and isinstance(each, CONTROLS))
    target = next((each for each in able if each.focusPolicy() & Qt.FocusPolicy.TabFocus), None)
    if target is not None:
        target.setFocus(Qt.FocusReason.ShortcutFocusReason)
    Mark(control, panel)


class Mark(QWidget):
    """A frame around a control of a panel that goes away by itself."""

    def __init__(self, around: QWidget, panel: Panel) -> None:
        super().__init__(panel)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setGeometry(QRect(around.mapTo(panel, QPoint(0, 0)), around.size()).adjusted(-4, -4, 4, 4))
        self.show()
        self.raise_()
        QTimer.singleShot(MARK_MS, self, self.deleteLater)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colours().accent, 2))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)


def _command(context: WindowContext, panel: Panel, control: QWidget) -> Command:
    title, entry = _title(control), panel.entry
    return Command(
        f"setting-{entry.id}-{title}",
        title,
        partial(reveal, context, entry.id, control),
        menu=f"{MENU}/{entry.title}",
        help=control.toolTip() or control.accessibleDescription(),
        enabled=partial(_usable, control),
    )


def _usable(control: QWidget) -> bool:
    """Return whether a control, or the control of a row, is not greyed."""
    return isValid(control) and (control.label.isEnabled() if isinstance(control, Row) else control.isEnabled())


def _title(control: QWidget) -> str:
    return control.title if isinstance(control, Row) else control.accessibleName() or _text(control)


def _text(control: QWidget) -> str:
    return control.text() if isinstance(control, QAbstractButton) else ""


def _within(control: QWidget, panel: Panel) -> bool:
    """Return whether a control is a part of another one, or of a plot."""
    parents = list(_parents(control, panel))
    return any(isinstance(parent, WITHIN) for parent in parents) or any(each.windowType() != 0 for each in parents[:-1])


def _reachable(control: QWidget, panel: Panel) -> bool:
    """Return whether nothing hides a control but folded sections and pages that are not in front."""
    chain = [control, *_parents(control, panel)][:-1]
    for each in chain:
        parent = each.parentWidget()
        folded = isinstance(parent, Section) and each is parent.body
        paged = isinstance(parent, QStackedWidget)
        # What was put into a layout a moment ago is hidden too, but nobody has hidden it.
        hidden = each.isHidden() and each.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide)
        if hidden and not folded and not paged:
            return False
    return True


def _parents(control: QWidget, panel: Panel) -> Iterator[QWidget]:
    """Yield what a control is in, from the inside to the panel."""
    each = control.parentWidget()
    while each is not None:
        yield each
        if each is panel:
            return
        each = each.parentWidget()
