"""A few images of one size side by side, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from viewer.canvas.mosaic import Atlas
from viewer.widgets.pictures.channel_view import Tile

GAP = 4


class Gallery(QWidget):
    """Tiles under their captions."""

    def __init__(self, captions: Sequence[str], *, side_px: int = 84) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(GAP)
        self.tiles = [Tile(caption, side_px=side_px) for caption in captions]
        self.captions = [QLabel(caption) for caption in captions]
        for column, (tile, caption) in enumerate(zip(self.tiles, self.captions, strict=True)):
            caption.setProperty("small", True)
            caption.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            grid.addWidget(tile, 0, column)
            grid.addWidget(caption, 1, column)
            grid.setColumnStretch(column, 1)

    def show_tiles(self, atlases: Sequence[Atlas | None]) -> None:
        """Show the first tile of each atlas; None shows nothing."""
        for tile, atlas in zip(self.tiles, atlases, strict=True):
            tile.show_tile(atlas, 0)
