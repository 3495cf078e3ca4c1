"""The Film panel: thumbnails of the opened pictures. It requests thumbnails one at a time, for visible items only."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QIcon, QImage, QKeyEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import (
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
)

from models.inspection import Description
from models.pictures.media import kind
from models.types import Pixels, Source
from viewer import theme
from viewer.context_menu.subject import KNOWN
from viewer.panels.base import Panel
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.elided_label import plain

FRAME_PX = 4
NAME_PX = 16
SIGN_PX = 24
ROLE = Qt.ItemDataRole.UserRole
LOOKED, BROKEN = ROLE + 1, ROLE + 2
BACK = (Qt.Key.Key_Up, Qt.Key.Key_Left)
ON = (Qt.Key.Key_Down, Qt.Key.Key_Right)


class FilmPanel(Panel):
    """A thumbnail per picture. The current one is framed; an unreadable one has a warning icon."""

    id: ClassVar[str] = "film"

    chosen = Signal(int)
    stepped = Signal(int)
    thumbnail_wanted = Signal(object)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.list = _Strip()
        self.list.setItemDelegate(_Frame(self.list))
        self.list.setAccessibleName(tr("Pictures"))
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setFlow(QListView.Flow.TopToBottom)
        self.list.setWrapping(False)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setIconSize(QSize(theme.THUMBNAIL_PX, theme.THUMBNAIL_PX))
        self.list.setSpacing(2)
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setFixedWidth(theme.THUMBNAIL_PX + 32)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemClicked.connect(self._clicked)
        self.list.itemDoubleClicked.connect(lambda _: self.command_wanted.emit("fit"))
        self.list.asked.connect(self._key_pressed)
        self.list.removed.connect(lambda: self.command_wanted.emit("remove-picture"))
        self.list.verticalScrollBar().valueChanged.connect(self._schedule)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.count = QLabel()
        self.count.setProperty("small", True)
        self.count.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.count.setAccessibleName(tr("Number of the picture"))
        column.addWidget(self.count)
        column.addWidget(self.list)
        self._sources: tuple[Source, ...] = ()
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(30)
        self._pause.timeout.connect(self._request_next)

    def refresh(self, document: Document, description: Description | None) -> None:
        """List the pictures and mark the current one."""
        if document.sources != self._sources:
            self._sources = document.sources
            self.list.clear()
            for row, source in enumerate(document.sources):
                item = QListWidgetItem()
                item.setData(KNOWN, {"strip": row})
                item.setText(source.name)
                item.setData(Qt.ItemDataRole.AccessibleTextRole, source.name)
                item.setToolTip(plain(source.name))
                item.setData(ROLE, source)
                if source.moving:
                    item.setIcon(theme.icon("film" if kind(source.path) == "video" else "camera"))
                    item.setData(LOOKED, True)
                item.setSizeHint(QSize(theme.THUMBNAIL_PX + 2 * FRAME_PX, theme.THUMBNAIL_PX + 2 * FRAME_PX + NAME_PX))
                self.list.addItem(item)
        self.count.setText(
            tr("{current:,} of {sources:,}", current=document.current + 1, sources=len(document.sources))
            if document.sources
            else ""
        )
        if document.sources:
            self.list.setCurrentRow(document.current)
            self._schedule()

    def set_thumbnail(self, source: Source, pixels: Pixels | None) -> None:
        """Show the thumbnail (h, w, 3) of a picture, or a warning icon for None."""
        for item in self._items():
            if item.data(ROLE) == source:
                item.setData(LOOKED, True)
                item.setData(BROKEN, pixels is None)
                item.setToolTip(
                    plain(source.name if pixels is not None else tr("{source} cannot be read", source=source.name))
                )
                item.setIcon(_icon(pixels) if pixels is not None else theme.icon("warning"))

    def _items(self) -> list[QListWidgetItem]:
        found = [self.list.item(i) for i in range(self.list.count())]
        return [item for item in found if item is not None]

    def _clicked(self, item: QListWidgetItem) -> None:
        self.chosen.emit(self.list.row(item))
        # The mark stays on the current picture until the clicked one has been opened.
        self.list.setCurrentRow(self.store.document.current)

    def _key_pressed(self, key: int) -> None:
        match key:
            case Qt.Key.Key_Home:
                self.chosen.emit(0)
            case Qt.Key.Key_End:
                self.chosen.emit(self.list.count() - 1)
            case _:
                self.stepped.emit(-1 if key in BACK else 1)

    def _schedule(self) -> None:
        self._pause.start()

    def _request_next(self) -> None:
        area = self.list.viewport().rect()
        for item in self._items():
            if not item.data(LOOKED) and self.list.visualItemRect(item).intersects(area):
                self.thumbnail_wanted.emit(item.data(ROLE))
                return

    def showEvent(self, event: object) -> None:
        """Request missing thumbnails when the strip becomes visible."""
        super().showEvent(event)  # type: ignore[arg-type]
        self._schedule()


class _Strip(QListWidget):
    """A list in which keys only request another picture; the mark moves once that could be opened."""

    asked = Signal(int)
    removed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.removed.emit()
        elif event.key() in (*BACK, *ON, Qt.Key.Key_Home, Qt.Key.Key_End):
            self.asked.emit(event.key())
        else:
            super().keyPressEvent(event)


class _Frame(QStyledItemDelegate):
    """Paints a thumbnail centred in its cell, with a frame around the current one."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        place, state = QRect(option.rect), option.state  # pyright: ignore[reportAttributeAccessIssue]
        icon = index.data(Qt.ItemDataRole.DecorationRole)
        colours = theme.colours()
        named = place.adjusted(0, place.height() - NAME_PX, 0, 0)
        place = place.adjusted(0, 0, 0, -NAME_PX)
        inner = place.adjusted(FRAME_PX, FRAME_PX, -FRAME_PX, -FRAME_PX)
        painter.save()
        font = painter.font()
        font.setPixelSize(theme.SMALL_PX)
        painter.setFont(font)
        painter.setPen(colours.text if state & QStyle.StateFlag.State_Selected else colours.muted)
        name = painter.fontMetrics().elidedText(str(index.data() or ""), Qt.TextElideMode.ElideMiddle, named.width())
        painter.drawText(named, Qt.AlignmentFlag.AlignCenter, name)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(BROKEN):
            sign = QRect(0, 0, SIGN_PX, SIGN_PX)
            sign.moveCenter(place.center())
            theme.icon("warning").paint(painter, sign)
        elif isinstance(icon, QIcon):
            pixmap = icon.pixmap(QSize(theme.THUMBNAIL_PX, theme.THUMBNAIL_PX))
            inner.setSize(pixmap.deviceIndependentSize().toSize())
            inner.moveCenter(place.center())
            painter.drawPixmap(inner, pixmap)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            chosen = bool(state & QStyle.StateFlag.State_Selected)
            painter.setPen(QPen(colours.accent if chosen else colours.border, 3 if chosen else 2))
            painter.drawRoundedRect(QRectF(inner).adjusted(-1.5, -1.5, 1.5, 1.5), 2, 2)
        painter.restore()


def _icon(pixels: Pixels) -> QIcon:
    height, width = pixels.shape[:2]
    image = QImage(pixels.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    return QIcon(QPixmap.fromImage(image.copy()))


PANEL = FilmPanel
