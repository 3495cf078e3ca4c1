"""The empty state: what to do first, and samples. Drops are handled by the window; this shows what they would do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QHideEvent, QIcon, QPainter, QPaintEvent, QPalette, QPen, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from models.cards.samples import SAMPLES, Sample
from models.pictures.media import is_endless, title
from viewer import theme
from viewer.context_menu.subject import Subject
from viewer.engine_texts import shown
from viewer.translation import tr

INVITATION = tr("Drop a picture, a video, a folder or model weights here")
PASTE = tr("Or paste a picture from the clipboard")
RECENT_MOST = 6
ICON = 48  # pixels, like those below
GAP = 8
MARGIN = 24
RADIUS = 12
COLUMN = 480
FACE = (96, 72)
BUTTON = 136
LEAST = 240


class Welcome(QWidget):
    """A drop target with a button, samples that open with a fitting model, and the recent files."""

    open_requested = Signal()
    sample_requested = Signal(object)
    recent_requested = Signal(str)

    def __init__(self, *, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = ""
        self.setAccessibleName(tr("Welcome"))
        self.icon = QLabel(self)
        self.icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.headline = _centred(INVITATION)
        font = self.headline.font()
        font.setBold(True)
        self.headline.setFont(font)
        self.paste = _centred(PASTE)
        self.paste.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.open_button = _button(tr("Open picture…"))
        self.open_button.clicked.connect(self.open_requested)
        self.gallery_title = QLabel(tr("Or begin with a sample and a model that knows it"))
        self.gallery_title.setWordWrap(True)
        self.gallery_title.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.gallery = [_Tile(sample) for sample in SAMPLES]
        for tile in self.gallery:
            tile.wanted.connect(self.sample_requested)
        self.recent_title = QLabel(tr("Recent"))
        self.recent_title.setContentsMargins(GAP // 2, 0, 0, 0)
        self.recent_title.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.recent: list[_Recent] = []
        self._build()
        self._set_colours()
        theme.changes().connect(self._set_colours)  # on PaletteChange the style sheet would overwrite it
        self.set_recent(())

    def set_drop_hint(self, text: str) -> None:
        """Show what a drop would do while something is dragged over the window; "" restores the normal text."""
        self._hint = text
        self.headline.setText(text or INVITATION)
        self.paste.setText("" if text else PASTE)  # blank instead of hidden, so that the layout does not jump
        self.update()

    def set_recent(self, paths: Sequence[str]) -> None:
        """List the most recent files."""
        for button in self.recent:
            self._list.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.recent = [_Recent(path, parent=self) for path in paths[:RECENT_MOST]]
        for button in self.recent:
            button.chosen.connect(self.recent_requested)
            self._list.addWidget(button)
        self.recent_title.setVisible(bool(self.recent))

    def minimumSizeHint(self) -> QSize:
        """Ask for room for the drop target only, not for all that a large window shows."""
        return QSize(LEAST, LEAST)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        # Once a picture is shown instead, the page takes up no room of the stack, nor of the window.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = theme.colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(event.rect(), colours.canvas)
        pen = QPen(colours.accent if self._hint else colours.muted, 2 if self._hint else 1.5)
        if not self._hint:
            pen.setDashPattern([4, 4])
        painter.setPen(pen)
        painter.setBrush(colours.panel if self._hint else Qt.BrushStyle.NoBrush)
        area = QRectF(self.rect()).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.drawRoundedRect(area, RADIUS, RADIUS)

    def _build(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addStretch(1)
        buttons.addWidget(self.open_button)
        buttons.addStretch(1)
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        self._list.addWidget(self.recent_title)
        column = QVBoxLayout()
        column.setSpacing(GAP)
        column.addWidget(self.icon)
        column.addWidget(self.headline)
        column.addWidget(self.paste)
        column.addSpacing(GAP)
        column.addLayout(buttons)
        column.addSpacing(GAP)
        column.addWidget(self.gallery_title)
        tiles = QHBoxLayout()
        tiles.setSpacing(GAP)
        for tile in self.gallery:
            tiles.addWidget(tile, 1)
        column.addLayout(tiles)
        column.addSpacing(GAP)
        column.addLayout(self._list)
        holder = QWidget(self)
        holder.setLayout(column)
        holder.setMaximumWidth(COLUMN)
        holder.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        middle = QHBoxLayout()
        middle.addStretch(1)
        middle.addWidget(holder, 100)
        middle.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(2 * MARGIN, 2 * MARGIN, 2 * MARGIN, 2 * MARGIN)
        outer.addStretch(1)
        outer.addLayout(middle)
        outer.addStretch(1)

    def _set_colours(self) -> None:
        colours = theme.colours()
        self.icon.setPixmap(theme.icon("open").pixmap(ICON, ICON))
        palette = self.open_button.palette()
        palette.setColor(QPalette.ColorRole.Button, colours.accent)
        palette.setColor(QPalette.ColorRole.ButtonText, theme.on_colour(colours.accent))
        self.open_button.setPalette(palette)


class _Tile(QToolButton):
    """A sample: its picture, what it is, and which model opens with it."""

    wanted = Signal(object)

    def __init__(self, sample: Sample) -> None:
        super().__init__()
        self._sample = sample
        self.setText(shown(sample.title))
        self.setToolTip(shown(sample.help))
        self.setAccessibleName(f"{shown(sample.title)}: {shown(sample.help)}")
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        self.setAutoRaise(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(1)
        self.setIconSize(QSize(*FACE))
        self.clicked.connect(lambda: self.wanted.emit(self._sample))

    def subject_at(self, place: QPoint | None) -> Subject:
        """Tell the sample."""
        offers = [(tr("Open this picture"), self.click)]
        return Subject(name=self.text(), text=self.accessibleName(), offers=offers)

    def showEvent(self, event: QShowEvent) -> None:
        """Read the picture when the page is first shown, which it is not when the program opens with a picture."""
        super().showEvent(event)
        if self.icon().isNull():
            picture = QPixmap(str(self._sample.face))
            if not picture.isNull():
                self.setIcon(QIcon(_cut(picture)))


def _cut(picture: QPixmap) -> QPixmap:
    """Return the middle of a picture at the size of a tile."""
    size = QSize(*FACE)
    whole = picture.scaled(
        size, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
    )
    return whole.copy((whole.width() - size.width()) // 2, (whole.height() - size.height()) // 2, *FACE)


class _Recent(QAbstractButton):
    """A recent file: its name, and its folder if there is room."""

    chosen = Signal(str)

    def __init__(self, path: str, *, parent: QWidget) -> None:
        super().__init__(parent)
        self._path = path
        pure = PurePath(path)
        name = title(path) or path
        self._folder = "" if is_endless(path) else str(pure.parent)
        self.setText(name)
        self.setToolTip(path)
        self.setAccessibleName(tr("Open {name}", name=name))
        self.setAccessibleDescription(path)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.clicked.connect(self._choose)

    def subject_at(self, place: QPoint | None) -> Subject:
        """Tell the file."""
        return Subject(name=self.text(), text=self._path, offers=[(self.accessibleName(), self.click)])

    def sizeHint(self) -> QSize:
        return QSize(COLUMN // 2, self.fontMetrics().lineSpacing() + GAP)

    def paintEvent(self, event: QPaintEvent) -> None:
        colours, metrics = theme.colours(), self.fontMetrics()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus() or self.underMouse():
            painter.setPen(colours.accent if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(colours.panel)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        area = self.rect().adjusted(GAP // 2, 0, -GAP // 2, 0)
        name = metrics.elidedText(self.text(), Qt.TextElideMode.ElideMiddle, area.width())
        painter.setPen(colours.accent)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, name)
        area.setLeft(area.left() + metrics.horizontalAdvance(name) + 2 * GAP)
        painter.setPen(colours.muted)
        folder = metrics.elidedText(self._folder, Qt.TextElideMode.ElideMiddle, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, folder)

    def _choose(self) -> None:
        self.chosen.emit(self._path)


def _button(title: str) -> QPushButton:
    button = QPushButton(title)
    button.setAccessibleName(title)
    button.setMinimumSize(BUTTON, 4 * GAP)
    button.setAutoDefault(True)
    return button


def _centred(text: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setWordWrap(True)
    return label
