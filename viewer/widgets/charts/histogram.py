"""A histogram of best IoUs as bars, with a second one in outline and a marked threshold."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from viewer import theme

HEIGHT_PX = 72
GAP = 4


class Histogram(QWidget):
    """Counts in equal bins of [0, 1].

    Bins whose centre is at or above `mark` are highlighted; `other` is an outline.
    """

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.counts: tuple[int, ...] = ()
        self.other: tuple[int, ...] = ()
        self.mark = 0.5
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)

    def show_counts(self, counts: Sequence[int], *, mark: float, other: Sequence[int] = ()) -> None:
        """Replace the counts, one per bin."""
        self.counts, self.other, self.mark = tuple(counts), tuple(other), mark
        width = 1 / max(len(self.counts), 1)
        lines = [f"{i * width:.2f} to {(i + 1) * width:.2f}: {count:,}" for i, count in enumerate(self.counts) if count]
        self.setAccessibleDescription("\n".join(lines))
        self.setToolTip("Best IoU, objects\n" + "\n".join(lines))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(160, HEIGHT_PX + GAP + self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        now, painter = theme.colours(), QPainter(self)
        most = max((*self.counts, *self.other, 1))
        width = self.width() / max(len(self.counts), 1)
        for row, count in enumerate(self.counts):
            bar = QRectF(row * width, HEIGHT_PX, width - 1, -count / most * (HEIGHT_PX - 2)).normalized()
            inside = (row + 0.5) / len(self.counts) >= self.mark
            painter.fillRect(bar, now.accent if inside else now.muted)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.other:
            tops = [HEIGHT_PX - count / most * (HEIGHT_PX - 2) for count in self.other]
            corners = [QPointF(x * width, top) for row, top in enumerate(tops) for x in (row, row + 1)]
            painter.setPen(QPen(now.success, 2))
            painter.drawPolyline(QPolygonF(corners))
        painter.setPen(QPen(now.text, 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(self.mark * self.width(), 0), QPointF(self.mark * self.width(), HEIGHT_PX))
        painter.setPen(QPen(now.border, 1))
        painter.drawLine(QPointF(0, HEIGHT_PX), QPointF(self.width(), HEIGHT_PX))
        painter.setPen(now.muted)
        line, metrics = HEIGHT_PX + GAP + self.fontMetrics().ascent(), self.fontMetrics()
        for text, x in (("0", 0.0), ("best IoU", 0.5), ("1", 1.0)):
            painter.drawText(QPointF(x * (self.width() - metrics.horizontalAdvance(text)), line), text)
        painter.end()
