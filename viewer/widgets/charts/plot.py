"""The base class of all plots, drawn by pyqtgraph: zoom, pan, values under the pointer, export, themes, a message.

Only plots import pyqtgraph, and only panels import plots, so it is not loaded before a panel with one is built.

A subclass keeps its data, describes it as text with `describe`, draws it in `draw`, returns it in `series` for export,
and says in `explain` what is under the pointer:

    class Squares(Plot):
        def show_numbers(self, numbers: NDArray[np.floating]) -> None:
            self.numbers = numbers
            self.describe(f"{len(numbers)} squares", known=bool(np.isfinite(numbers).any()))

        def draw(self) -> None:
            self.curve(self.numbers, self.numbers**2, pen(theme.colours().accent))

        def series(self) -> list[Series]:
            return [Series("square", self.numbers, self.numbers**2)]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QBuffer, QEvent, QPointF, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFont,
    QGuiApplication,
    QImage,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QFileDialog, QGraphicsView, QLabel, QMenu, QSizePolicy, QWidget

from models import output_files
from models.output_files import OutputFiles
from models.runtime import user_folders
from viewer import theme
from viewer.canvas.painter import png
from viewer.translation import tr

GAP = 8
REACH_PX = 14.0  # how far from the pointer a point may be to be named
STEP = 0.8  # of one zoom by a key
PAN = 0.1  # of what is in view, by an arrow key
MANY_POINTS = 4000
PICTURE_SCALE = 2  # pixels of an exported picture for each on screen
NOTHING = tr("There are no finite values to draw here.")
ALL_DIGITS = 400  # decimals at most: pyqtgraph then writes the shortest text that reads back as the same number

Axes = Any  # pg.PlotItem, which takes most of its methods from its parts at run time

pg.setConfigOptions(antialias=True, imageAxisOrder="row-major", exitCleanup=False)


@dataclass(frozen=True, eq=False)
class Series:
    """One set of data in a plot, as it is exported: equally many `x` and `y`, numbers or text."""

    title: str
    x: Sequence[str] | NDArray[np.generic]
    y: Sequence[str] | NDArray[np.generic]

    # The methods that pyqtgraph's exporter calls.
    def implements(self, interface: str) -> bool:
        """Say that this is data of a plot."""
        return interface == "plotData"

    def name(self) -> str:
        """Return the title."""
        return self.title

    def getOriginalDataset(self) -> tuple[object, object]:
        """Return x and y; whole numbers as floating-point ones, which the exporter expects."""
        return _floating(self.x), _floating(self.y)


class Legend(pg.LegendItem):
    """The names of what is drawn, as plain text, in a corner of the axes."""

    def __init__(self, *, bottom: bool) -> None:
        super().__init__(labelTextSize=f"{theme.SMALL_PX}px", verSpacing=-4)
        self._bottom = bottom

    def place(self) -> None:
        """Put it into its corner."""
        corner = (0, 1) if self._bottom else (1, 0)
        self.anchor(corner, corner, offset=(6, -6) if self._bottom else (-6, 6))

    def add(self, item: object, name: str) -> None:
        """Add an entry. The text comes from models and files, and pyqtgraph takes it for HTML."""
        self.addItem(item, escape(name))

    def updateSize(self) -> None:
        """Take as much room as the entries need; pyqtgraph's own sum grows with each of them."""
        grid: Any = self.layout
        size = grid.effectiveSizeHint(Qt.SizeHint.MinimumSize)
        self.setGeometry(0, 0, size.width(), size.height())


class Plot(pg.GraphicsLayoutWidget):
    """A plot called `name`. The wheel zooms once it has the focus or with Ctrl, dragging pans, a double click resets.

    `plot` is the first, usually the only set of axes. Further ones are added with `add_axes`.
    """

    def __init__(self, name: str, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.small = QFont(self.font())
        self.small.setPixelSize(theme.SMALL_PX)
        self.grid: Any = self.ci.layout
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setSpacing(0)
        self.axes: list[Axes] = []
        self._legends: list[Legend] = []
        self._home: dict[Axes, QRectF] = {}
        self._known = False
        self._moved = False
        self._linked: list[Plot] = [self]
        self._message, self._readout = QLabel(self), QLabel(self)
        self._message.setWordWrap(True)
        self._message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._readout.setTextFormat(Qt.TextFormat.PlainText)
        self._readout.setFont(self.small)
        for label in (self._message, self._readout):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            label.hide()
        self.plot = self.add_axes()
        self._style()
        theme.changes().connect(self._restyle)

    # what subclasses override

    def draw(self) -> None:
        """Draw the data into empty axes, in the colours of the theme in force."""

    def series(self) -> Sequence[Series]:
        """Return the data to export."""
        return ()

    def explain(self, place: QPointF) -> str:
        """Return what is at a point of the widget, "" if nothing is there."""
        return ""

    # what they use

    def add_axes(self, *, row: int = 0) -> Axes:
        """Return a new set of axes in a row of its own."""
        axes: Axes = self.ci.addPlot(row, 0, enableMenu=False)
        axes.setMenuEnabled(False)
        # Built in any case, and without a parent it would outlive the plot; as a popup it stays hidden.
        axes.ctrlMenu.setParent(self, Qt.WindowType.Popup)
        axes.hideButtons()
        axes.vb.sigRangeChangedManually.connect(self._note_move)
        self.axes.append(axes)
        return axes

    def add_legend(self, *, bottom: bool = False) -> Legend:
        """Return an empty legend in the upper right of the first axes, or in the lower left; it can be dragged."""
        legend = Legend(bottom=bottom)
        legend.setParentItem(self.plot.vb)
        legend.place()
        self._legends.append(legend)
        self._style()
        return legend

    def describe(self, text: str, *, known: bool = True, missing: str = NOTHING) -> None:
        """Redraw, and describe the data to screen readers; if no value is `known`, the text `missing` is shown."""
        self._known = known
        self.setAccessibleDescription(text if known else missing)
        self._message.setText("" if known else missing)
        self._message.setVisible(not known)
        self.ci.setVisible(known)
        self.redraw()

    def redraw(self) -> None:
        """Draw the data anew; what is in view stays if the user has zoomed or panned."""
        for axes in self.axes:
            axes.clear()
        if self._known:
            self.draw()

    def fit(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        axes: Axes = None,
        margin: tuple[float, float] = (0.0, 0.0),
        bounded: bool = True,
    ) -> None:
        """Set the ranges that are shown at first and on "Show all"; if `bounded`, nothing beyond them can be seen.

        `margin` is added at each end, as shares of the ranges.
        """
        axes = axes or self.plot
        wide, high = max(x[1] - x[0], 1e-12), max(y[1] - y[0], 1e-12)
        home = QRectF(x[0] - margin[0] * wide, y[0] - margin[1] * high, wide, high)
        home.setSize(QSizeF(wide * (1 + 2 * margin[0]), high * (1 + 2 * margin[1])))
        moved = any(each._moved for each in self._linked)
        self._home[axes] = home
        if bounded:
            axes.vb.setLimits(xMin=home.left(), xMax=home.right(), yMin=home.top(), yMax=home.bottom())
        if not moved:
            axes.vb.setRange(home, padding=0)

    def curve(
        self,
        x: NDArray[np.floating],
        y: NDArray[np.floating],
        line: QPen,
        *,
        axes: Axes = None,
        connect: str = "all",
    ) -> None:
        """Draw a curve; of a very long one, as many points as can be told apart."""
        axes = axes or self.plot
        if len(x) <= MANY_POINTS:
            axes.addItem(pg.PlotCurveItem(x, y, pen=line, connect=connect))
        else:
            axes.plot(x, y, pen=line, connect=connect, autoDownsample=True, downsampleMethod="peak", clipToView=True)

    def link(self, other: Plot) -> None:
        """Let both plots zoom and pan together along x."""
        share_x(self.plot, other.plot)
        self._linked.append(other)
        other._linked.append(self)

    def show_all(self) -> None:
        """Undo zoom and pan, also of the plots linked with this one."""
        for each in self._linked:
            each._moved = False
            for axes, home in each._home.items():
                axes.vb.setRange(home, padding=0)

    def field(self, axes: Axes = None) -> QRectF:
        """Return the rectangle of the widget in which data is drawn."""
        box = (axes or self.plot).vb.sceneBoundingRect()
        return QRectF(self.mapFromScene(box.topLeft()), self.mapFromScene(box.bottomRight()))

    def place_of(self, x: float, y: float, *, axes: Axes = None) -> QPointF:
        """Return the point of the widget where a value is drawn."""
        across, up = self.places_of(np.array([x]), np.array([y]), axes=axes)
        return QPointF(float(across[0]), float(up[0]))

    def places_of(
        self, x: NDArray[np.floating], y: NDArray[np.floating], *, axes: Axes = None
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return the points of the widget where values are drawn, as x and y."""
        axes = axes or self.plot
        field, ((x0, x1), (y0, y1)) = self.field(axes), axes.vb.viewRange()
        up = (y - y0) / (y1 - y0)
        up = up if axes.vb.yInverted() else 1 - up
        return field.left() + (x - x0) / (x1 - x0) * field.width(), field.top() + up * field.height()

    def value_at(self, place: QPointF, *, axes: Axes = None) -> tuple[float, float]:
        """Return the x and y drawn at a point of the widget."""
        axes = axes or self.plot
        field, ((x0, x1), (y0, y1)) = self.field(axes), axes.vb.viewRange()
        down = (place.y() - field.top()) / max(field.height(), 1.0)
        down = down if axes.vb.yInverted() else 1 - down
        return x0 + (place.x() - field.left()) / max(field.width(), 1.0) * (x1 - x0), y0 + down * (y1 - y0)

    def nearest(
        self, place: QPointF, curves: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]
    ) -> tuple[int, int] | None:
        """Return which curve's which point is nearest to a point of the widget, None if none is near."""
        best, found = REACH_PX, None
        for number, (x, y) in enumerate(curves):
            across, up = self.places_of(x, y)
            distance = np.hypot(across - place.x(), up - place.y())
            if distance.size and np.isfinite(distance).any() and (least := np.nanmin(distance)) < best:
                best, found = float(least), (number, int(np.nanargmin(distance)))
        return found

    @property
    def message(self) -> str:
        """The sentence that is shown instead of data, "" if there is data."""
        return self._message.text()

    @property
    def readout(self) -> str:
        """What is said of the value under the pointer, or of a file that was saved."""
        return self._readout.text()

    def set_faded(self, faded: bool) -> None:
        """Fade the plot while its numbers belong to older settings than the current ones."""
        self.ci.setOpacity(0.5 if faded else 1.0)

    # export

    def text(self) -> str:
        """Return the data as tab-separated columns."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "table.tsv"  # pyqtgraph writes to files only
            self._export_table(path, separator="tab")
            return path.read_text()

    def picture(self) -> QImage:
        """Return the plot as it is drawn, without what is under the pointer."""
        from pyqtgraph.exporters import ImageExporter

        exporter = ImageExporter(self.scene())
        exporter.parameters()["width"] = PICTURE_SCALE * self.width()
        image = exporter.export(toBytes=True)
        assert isinstance(image, QImage)
        return image

    def drawing(self) -> bytes:
        """Return the plot as an SVG file. pyqtgraph's own exporter fails at the closed paths that Qt writes."""
        content, generator = QBuffer(), QSvgGenerator()
        generator.setOutputDevice(content)
        generator.setSize(self.size())
        generator.setViewBox(self.rect())
        generator.setTitle(self.accessibleName())
        painter = QPainter(generator)
        self.render(painter, QRectF(self.rect()), self.rect())
        painter.end()
        return bytes(content.data().data())

    def write(self, path: Path) -> None:
        """Write the data (.csv) or the picture (.png, .svg) to a file. Raises OSError."""
        with OutputFiles() as files:
            if path.suffix.lower() == ".csv":
                self._export_table(files.part(path), separator="comma")
            else:
                files.add(path, self.drawing() if path.suffix.lower() == ".svg" else png(self.picture()))

    def _export_table(self, path: Path, *, separator: str) -> None:
        from pyqtgraph.exporters import CSVExporter

        table = pg.PlotItem()
        table.items.extend(self.series())
        exporter = CSVExporter(table)
        exporter.params["separator"], exporter.params["precision"] = separator, ALL_DIGITS
        exporter.export(str(path))

    def menu(self) -> QMenu:
        """Return the context menu."""
        menu = QMenu(self)
        entries: tuple[tuple[str, Callable[[], object], str], ...] = (
            (tr("Show all"), self.show_all, "Home"),
            (tr("Copy data"), self._copy_data, "Ctrl+C"),
            (tr("Copy picture"), self._copy_picture, ""),
            (tr("Save data as CSV…"), lambda: self._ask(".csv"), ""),
            (tr("Save picture as PNG…"), lambda: self._ask(".png"), ""),
            (tr("Save picture as SVG…"), lambda: self._ask(".svg"), ""),
        )
        for title, run, keys in entries:
            action = menu.addAction(title, run)
            if keys:
                action.setShortcut(QKeySequence(keys))
                action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.setEnabled(self._known)
        return menu

    def _ask(self, suffix: str) -> None:
        place = Path(user_folders.user_folder()) / f"{self.accessibleName()}{suffix}"
        name, _ = QFileDialog.getSaveFileName(self, tr("Save"), str(place), f"*{suffix}")
        if name:
            path = Path(name) if Path(name).suffix.lower() == suffix else Path(name + suffix)
            try:
                self.write(path)
            except (OSError, UnicodeError) as error:
                refusal = output_files.refusal(path, error)
                self._show_readout(f"{refusal} {refusal.advice}", warning=True)
            else:
                self._show_readout(tr("Saved {path}.", path=path.name))

    def _copy_data(self) -> None:
        QGuiApplication.clipboard().setText(self.text())

    def _copy_picture(self) -> None:
        QGuiApplication.clipboard().setImage(self.picture())

    # events

    def close(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Close like any widget: pyqtgraph would take the scene apart, and crash in Qt when removing the viewport."""
        return QGraphicsView.close(self)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Show our own menu."""
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())
        event.accept()

    def wheelEvent(self, ev: QWheelEvent) -> None:
        """Zoom, if the plot has the focus or Ctrl is held; else let the panel around it scroll."""
        if self.hasFocus() or ev.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().wheelEvent(ev)
        else:
            ev.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show all."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.show_all()

    def mouseMoveEvent(self, ev: QMouseEvent) -> None:
        """Say what is under the pointer."""
        super().mouseMoveEvent(ev)
        self._show_readout(self.explain(ev.position()) if self._known else "")

    def leaveEvent(self, ev: QEvent) -> None:
        """Say nothing any more."""
        super().leaveEvent(ev)
        self._show_readout("")

    def resizeEvent(self, ev: QResizeEvent | None) -> None:
        """Keep the message in the middle. pyqtgraph calls this with None while the widget is being built."""
        super().resizeEvent(ev)
        if ev is not None:
            self._message.setGeometry(self.rect().adjusted(GAP, 0, -GAP, 0))

    def event(self, event: QEvent) -> bool:
        """Claim the keys that zoom and pan, which are shortcuts of the window otherwise."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and (event.key() in KEYS or event.matches(QKeySequence.StandardKey.Copy))
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, ev: QKeyEvent) -> None:
        """Zoom with + and -, pan with the arrows, show all with Home, copy the data with Ctrl+C."""
        if ev.matches(QKeySequence.StandardKey.Copy):
            self._copy_data()
        elif ev.key() == Qt.Key.Key_Home:
            self.show_all()
        elif ev.key() in KEYS:
            self._moved = True
            scale, across, up = KEYS[Qt.Key(ev.key())]
            for axes in self.axes:
                (x0, x1), (y0, y1) = axes.vb.viewRange()
                axes.vb.scaleBy((scale, scale))
                axes.vb.translateBy(x=across * (x1 - x0), y=up * (y1 - y0))
        else:
            super().keyPressEvent(ev)

    def sizeHint(self) -> QSize:
        """Return a size at which the text is readable."""
        return QSize(280, 160)

    def minimumSizeHint(self) -> QSize:
        """Return the smallest size that still shows something."""
        return QSize(160, 96)

    def _note_move(self) -> None:
        self._moved = True

    def _show_readout(self, text: str, *, warning: bool = False) -> None:
        label, now = self._readout, theme.colours()
        label.setVisible(bool(text))
        label.setWordWrap(warning)
        if text != label.text():
            label.setText(text)
            colour = now.error if warning else now.text
            label.setStyleSheet(f"background: {now.panel.name()}; color: {colour.name()}; padding: 0 2px;")
        label.setMaximumWidth(self.width())
        label.adjustSize()
        label.move(max(0, self.width() - label.width()), 0)

    def _restyle(self) -> None:
        self._style()
        self.redraw()

    def _style(self) -> None:
        now = theme.colours()
        self.setBackground(now.panel)
        self._message.setStyleSheet(f"color: {now.muted.name()}; background: transparent;")
        for legend in self._legends:
            cover = QColor(now.panel)
            cover.setAlphaF(0.5)  # what it lies over stays visible
            legend.setBrush(cover)
            legend.setLabelTextColor(now.text)
        for axes in self.axes:
            for side in ("left", "bottom", "right", "top"):
                axis = axes.getAxis(side)
                axis.setTextPen(now.muted)
                axis.setPen(pen(now.border))
                axis.setStyle(tickFont=self.small, tickTextOffset=2)
                axis.setLabel(axis.labelText, color=now.muted.name(), **{"font-size": f"{theme.SMALL_PX}px"})
                axis.showLabel(bool(axis.labelText))


KEYS = {
    Qt.Key.Key_Plus: (STEP, 0.0, 0.0),
    Qt.Key.Key_Equal: (STEP, 0.0, 0.0),
    Qt.Key.Key_Minus: (1 / STEP, 0.0, 0.0),
    Qt.Key.Key_Left: (1.0, -PAN, 0.0),
    Qt.Key.Key_Right: (1.0, PAN, 0.0),
    Qt.Key.Key_Up: (1.0, 0.0, PAN),
    Qt.Key.Key_Down: (1.0, 0.0, -PAN),
    Qt.Key.Key_Home: (1.0, 0.0, 0.0),
}


def pen(colour: QColor, width: float = 1.0, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """Return a pen of constant width in pixels, whatever the zoom."""
    made = QPen(colour, width, style)
    made.setCosmetic(True)
    return made


def share_x(one: Axes, other: Axes) -> None:
    """Let two sets of axes always show the same range of x.

    pyqtgraph's own link shifts the ranges so that equal values stand above each other on the screen, which goes wrong
    before both have been laid out.
    """

    def follow(leader: Axes, follower: Axes) -> None:
        if leader.vb.viewRange()[0] != follower.vb.viewRange()[0]:
            follower.vb.setXRange(*leader.vb.viewRange()[0], padding=0)

    one.vb.sigXRangeChanged.connect(lambda: follow(one, other))
    other.vb.sigXRangeChanged.connect(lambda: follow(other, one))


def mixed(one: QColor, other: QColor, part: float) -> QColor:
    """Return a linear mix of two colours in RGB: `one` at `part` = 0, `other` at 1."""
    pairs = zip((one.redF(), one.greenF(), one.blueF()), (other.redF(), other.greenF(), other.blueF()), strict=True)
    return QColor.fromRgbF(*(a + (b - a) * part for a, b in pairs))


def steps(x: NDArray[np.floating], y: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the corners of a curve in steps, of bins with edges `x` (N + 1,) and heights `y` (N,)."""
    return np.repeat(x, 2)[1:-1], np.repeat(y, 2)


def _floating(column: Sequence[str] | NDArray[np.generic]) -> object:
    if isinstance(column, np.ndarray) and not np.issubdtype(column.dtype, np.floating):
        return column.astype(np.float64)
    return column
