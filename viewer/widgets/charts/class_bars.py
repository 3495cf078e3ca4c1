"""Horizontal bars for named values from 0 to 1, each in the colour of its class, with one emphasised."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget

from viewer import theme
from viewer.context_menu.subject import Subject

ROW_PX = 18
BAR_PX = 8
GAP = 8
NAME_MOST_PX = 96
FAINT = 0.55
Entry = tuple[int, str, float]


class Bars(QScrollArea):
    """A scrollable list of (label, name, value) rows in the order given. Ctrl+C copies them as text."""

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = _Rows()
        self.setWidget(self._rows)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setAutoFillBackground(False)
        self._rows.setAutoFillBackground(False)

    def set_entries(self, entries: Sequence[Entry], *, chosen: int) -> None:
        """Show these rows in this order; emphasise the row whose label is `chosen` and scroll to it."""
        self._rows.entries, self._rows.chosen = tuple(entries), chosen
        self._rows.updateGeometry()
        self._rows.update()
        self._rows.setFixedHeight(max(1, len(entries)) * ROW_PX)
        self.setAccessibleDescription(self.text.replace("\t", " ").replace("\n", ", "))
        place = next((at for at, (label, _, _) in enumerate(entries) if label == chosen), 0)
        self.ensureVisible(0, place * ROW_PX + ROW_PX // 2, 0, ROW_PX)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Return the rows shown."""
        return self._rows.entries

    @property
    def text(self) -> str:
        """Return the rows as tab-separated text."""
        return "\n".join(f"{name}\t{value:.6f}" for _, name, value in self._rows.entries)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """Tell the row at a place, or the chosen one."""
        if not self.entries:
            return None
        chosen = next((at for at, (label, _, _) in enumerate(self.entries) if label == self._rows.chosen), -1)
        at = (place.y() + self.verticalScrollBar().value()) // ROW_PX if place is not None else chosen
        if not 0 <= at < len(self.entries):
            return Subject(name=self.accessibleName(), table=lambda: self.text)
        _, name, value = self.entries[at]
        text = f"{name}\t{value:.6f}"
        return Subject(name=self.accessibleName(), text=text, label=name, table=lambda: self.text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy the rows on Ctrl+C."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.text)
            event.accept()
            return
        super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        """Return room for about six rows."""
        return QSize(220, 6 * ROW_PX)


class _Rows(QWidget):
    """The painted rows inside the scroll area."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: tuple[Entry, ...] = ()
        self.chosen = -1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the visible rows: name, bar on its track, value."""
        now = theme.colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        names = min(NAME_MOST_PX, max((metrics.horizontalAdvance(name) for _, name, _ in self.entries), default=0) + 2)
        values = metrics.horizontalAdvance("<0.001") + 2
        left, right = names + GAP, self.width() - values - 2 * GAP
        first, last = event.rect().top() // ROW_PX, event.rect().bottom() // ROW_PX + 1
        text = self.palette().color(QPalette.ColorRole.WindowText)
        for at, (label, name, value) in list(enumerate(self.entries))[first:last]:
            top, chosen = at * ROW_PX, label == self.chosen
            font = painter.font()
            font.setBold(chosen)
            painter.setFont(font)
            painter.setPen(text if chosen else now.muted)
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names)
            painter.drawText(QRectF(0, top, names, ROW_PX), _LEFT, shown)
            painter.drawText(QRectF(right + GAP, top, values, ROW_PX), _RIGHT, number(value))
            track = QRectF(left, top + (ROW_PX - BAR_PX) / 2, max(right - left, 0), BAR_PX)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(now.border)
            painter.drawRoundedRect(track, BAR_PX / 2, BAR_PX / 2)
            if value > 0:
                colour = QColor(theme.class_colour(label))
                colour.setAlphaF(1.0 if chosen else FAINT)
                bar = QRectF(track)
                bar.setWidth(max(track.width() * min(value, 1.0), 2.0))
                painter.setBrush(colour)
                painter.drawRoundedRect(bar, min(BAR_PX / 2, bar.width() / 2), BAR_PX / 2)


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


def number(value: float) -> str:
    """Return the text of a value beside its bar: three decimals, "<0.001" below that."""
    return f"{value:.3f}" if value >= 0.001 or value == 0 else "<0.001"
