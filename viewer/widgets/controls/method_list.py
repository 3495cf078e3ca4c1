"""The attribution methods in a grouped list, each with an icon for how far it applies to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import QFrame, QHeaderView, QTreeWidget, QTreeWidgetItem

from models.inspection import Offer
from viewer import theme
from viewer.presenters.attribution import Judgement
from viewer.translation import tr

METHOD = Qt.ItemDataRole.UserRole
OFF = tr("Off")
ROW_PX, MARK_PX, SIGN_PX = 22, 14, 28
ROWS_SHOWN = 9
SIGNS = {"applies": "check", "partial": "partial", "never": "never"}
WORDS = {
    "": tr("not known yet"),
    "applies": tr("applies"),
    "partial": tr("applies in part"),
    "never": tr("does not apply"),
}


class Methods(QTreeWidget):
    """`chosen` emits the id of the method, "" for none."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Methods of attribution"))
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(12)
        self.setUniformRowHeights(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setItemsExpandable(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setIconSize(QSize(MARK_PX, MARK_PX))
        self.header().setMinimumSectionSize(0)
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self.header().resizeSection(1, SIGN_PX)
        self._offers: tuple[Offer, ...] = ()
        self._known: dict[str, Judgement] = {}
        self._rows: dict[str, QTreeWidgetItem] = {}
        self.setFixedHeight(ROWS_SHOWN * ROW_PX + 2)
        self.currentItemChanged.connect(self._chosen)
        theme.changes().connect(self._style_rows)

    def list(self, offers: Sequence[Offer]) -> None:
        """List methods under the titles of their groups."""
        if tuple(offers) == self._offers:
            return
        self._offers, self._rows = tuple(offers), {}
        with QSignalBlocker(self):
            self.clear()
            self._add(None, "", OFF)
            group: QTreeWidgetItem | None = None
            for offer in offers:
                if group is None or group.text(0) != offer.group:
                    group = QTreeWidgetItem([offer.group, ""])
                    group.setFlags(Qt.ItemFlag.ItemIsEnabled)
                    font = self.font()
                    font.setPixelSize(theme.SMALL_PX)
                    group.setFont(0, font)
                    self.addTopLevelItem(group)
                self._add(group, offer.id, offer.title)
            self.expandAll()
        rows = len(self._rows) + self.topLevelItemCount() - 1
        self.setFixedHeight(min(rows, ROWS_SHOWN) * ROW_PX + 2)
        self._style_rows()

    def judge(self, known: Mapping[str, Judgement]) -> None:
        """Show the known verdicts, by method id."""
        if dict(known) != self._known:
            self._known = dict(known)
            self._style_rows()

    def follow(self, method: str) -> None:
        """Select a method without emitting a signal."""
        if method in self._rows and self._rows[method] is not self.currentItem():
            with QSignalBlocker(self):
                self.setCurrentItem(self._rows[method])

    def sizeHintForRow(self, row: int) -> int:
        """Return the height of a row in pixels."""
        return ROW_PX

    def indexRowSizeHint(self, index: QModelIndex | QPersistentModelIndex) -> int:
        return ROW_PX

    def _add(self, group: QTreeWidgetItem | None, method: str, title: str) -> None:
        item = QTreeWidgetItem([title, ""])
        item.setData(0, METHOD, method)
        item.setSizeHint(0, QSize(0, ROW_PX))
        self._rows[method] = item
        if group is None:
            self.addTopLevelItem(item)
        else:
            group.addChild(item)

    def _style_rows(self) -> None:
        """Set the icon, tooltip and text colour of each row."""
        colours = theme.colours()
        shades = {"applies": colours.success, "partial": colours.warning, "never": colours.muted}
        signs = {level: self._sign(name, shades[level]) for level, name in SIGNS.items()}
        by_id = {offer.id: offer for offer in self._offers}
        for at in range(self.topLevelItemCount()):
            head = self.topLevelItem(at)
            if head is not None and head.data(0, METHOD) is None:
                head.setForeground(0, colours.muted)
        for method, item in self._rows.items():
            known = self._known.get(method, Judgement())
            item.setIcon(1, signs.get(known.level, QIcon()))
            never = known.level == "never"
            shade = self.palette().brush(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
            item.setForeground(0, shade if never else self.palette().brush(QPalette.ColorRole.Text))
            if method in by_id:
                offer = by_id[method]
                verdict = f"{WORDS[known.level].capitalize()}. {known.reason}".strip()
                for column in (0, 1):
                    item.setToolTip(column, f"{offer.help}\n{verdict}")
                item.setData(0, Qt.ItemDataRole.AccessibleTextRole, f"{offer.title}, {WORDS[known.level]}")

    def _sign(self, name: str, colour: QColor) -> QIcon:
        sign = QIcon(theme.tinted(name, colour, size=2 * MARK_PX))
        picked = self.palette().color(QPalette.ColorRole.HighlightedText)
        sign.addPixmap(theme.tinted(name, picked, size=2 * MARK_PX), QIcon.Mode.Selected)
        return sign

    def _chosen(self, item: QTreeWidgetItem | None) -> None:
        method = item.data(0, METHOD) if item is not None else None
        if method is not None:
            self.chosen.emit(str(method))
