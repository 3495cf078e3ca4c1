"""The mosaic of tiles against a plain loop, the grid that paints it, and the histogram beside it."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from viewer import theme
from viewer.canvas import mosaic
from viewer.widgets.charts.histogram import ValueHistogram
from viewer.widgets.pictures.channel_grid import ChannelGrid


def test_a_sheet_is_the_tiles_laid_out_one_by_one() -> None:
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 256, (7, 2, 3), dtype=np.uint8)
    table = rng.integers(1, 2**32, 256, dtype=np.uint64).astype(np.uint32)
    rows = np.array([3, 0, 6, 1, 5])
    found = mosaic.sheet(mosaic.Atlas(tiles, table), rows, columns=2, cell=(5, 6), gap=2)
    expected = np.zeros((3 * 7, 2 * 8), np.uint32)
    for place, row in enumerate(rows):
        top, left = place // 2 * 7, place % 2 * 8
        for y in range(5):
            for x in range(6):
                expected[top + y, left + x] = table[tiles[row, y * 2 // 5, x * 3 // 6]]
    assert np.array_equal(found, expected)


def test_colours_of_weights_are_grey_at_zero_and_full_at_the_scale() -> None:
    weights = np.zeros((1, 1, 4, 3), np.float32)
    weights[0, 0, 1] = (0.5, 0, -0.5)
    weights[0, 0, 2] = 0.25
    atlas = mosaic.coloured(weights, 0.5)
    assert [f"{v:08x}" for v in atlas.tiles[0, 0]] == ["ff808080", "ffff8000", "ffbfbfbf", "ff808080"]
    lut = theme.heat_lut("diverging")
    signed = mosaic.signed(np.array([[[-2.0, 0.0, 2.0]]], np.float32), 2.0, lut)
    assert signed.tiles.ravel().tolist() == [1, mosaic.ZERO, 255]
    each = mosaic.positive(np.array([[[0.0, 1.0]], [[0.0, 10.0]]], np.float32), np.array([1.0, 10.0]), lut)
    assert each.tiles.reshape(2, 2).tolist() == [[0, 255], [0, 255]]
    assert f"{mosaic.table_of(lut)[255]:08x}" == "ff" + "".join(f"{v:02x}" for v in lut[255, :3])


def test_bars_go_up_and_down_to_one_scale() -> None:
    tiles = mosaic.bars(np.array([4.0, -2.0, 0.0]), theme.heat_lut("diverging"), side=24).tiles
    middle = tiles[:, :, 12]
    assert (middle[0] == 255).sum() == 12 and (middle[1] == 0).sum() == 6
    assert (middle[0, :12] == 255).all() and (middle[1, 12:18] == 0).all()
    assert (middle[2] == 255).sum() == 1


@pytest.fixture
def grid(qtbot: QtBot) -> ChannelGrid:
    made = ChannelGrid("Tiles")
    qtbot.addWidget(made)
    made.resize(300, 200)
    tiles = np.arange(40, dtype=np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    made.show_tiles(mosaic.Atlas(tiles, np.arange(256, dtype=np.uint32) * 0x10101 | 0xFF000000), np.arange(40)[::-1])
    made.show()
    qtbot.waitExposed(made)
    return made


def painted(grid: ChannelGrid) -> QImage:
    return grid.viewport().grab().toImage()


def test_each_tile_is_painted_where_it_is_said_to_be(grid: ChannelGrid) -> None:
    image = painted(grid)
    for channel in range(40):
        tile = grid.rect_of(channel)
        assert image.pixelColor(tile.center()).red() == channel
        place = grid.place_at(tile.center())
        assert place is not None and place[0] == channel
        assert 0.3 < place[1] < 0.7 and 0.3 < place[2] < 0.7
    assert grid.place_at(QPoint(0, 0)) is None
    assert grid.rect_of(39).top() == grid.rect_of(38).top()
    assert grid.rect_of(39).left() < grid.rect_of(38).left()


def test_arrows_keys_and_clicks_choose(grid: ChannelGrid, qtbot: QtBot) -> None:
    chosen: list[int] = []
    grid.picked.connect(chosen.append)
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=grid.rect_of(38).center())
    qtbot.keyClick(grid, Qt.Key.Key_Right)
    qtbot.keyClick(grid, Qt.Key.Key_Down)
    qtbot.keyClick(grid, Qt.Key.Key_Home)
    qtbot.keyClick(grid, Qt.Key.Key_End)
    qtbot.keyClick(grid, Qt.Key.Key_Escape)
    assert chosen == [38, 37, 37 - grid.columns, 39, 0, -1]
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=grid.rect_of(38).center())
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=grid.rect_of(38).center())
    assert chosen[-2:] == [38, -1]


def test_cells_grow_and_what_is_chosen_is_scrolled_into_view(grid: ChannelGrid, qtbot: QtBot) -> None:
    fitted = grid.cell
    assert grid.verticalScrollBar().maximum() == 0
    for _ in range(6):
        qtbot.keyClick(grid, Qt.Key.Key_Plus)
    assert grid.cell[1] > 2 * fitted[1]
    assert grid.verticalScrollBar().maximum() > 0
    grid.choose(0)
    assert grid.viewport().rect().contains(grid.rect_of(0).center())
    assert painted(grid).pixelColor(grid.rect_of(0).center()).red() == 0
    qtbot.keyClick(grid, Qt.Key.Key_0)
    assert grid.cell == fitted


def test_quiet_tiles_are_crossed_and_marked_ones_dotted(grid: ChannelGrid) -> None:
    before = painted(grid)
    flags = np.zeros(40, bool)
    flags[7] = True
    assert grid._atlas is not None
    grid.show_tiles(grid._atlas, np.arange(40)[::-1], quiet=flags)
    crossed = painted(grid)
    grid.show_tiles(grid._atlas, np.arange(40)[::-1], marked=flags)
    dotted = painted(grid)
    for image in (crossed, dotted):
        for channel in range(40):
            part = grid.rect_of(channel)
            assert (image.copy(part) != before.copy(part)) == (channel == 7)


def test_the_histogram_counts_every_value(qtbot: QtBot) -> None:
    values = np.random.default_rng(0).normal(size=500).astype(np.float32)
    made = ValueHistogram("Values")
    qtbot.addWidget(made)
    made.show_values(values)
    assert made.counts.sum() == 500
    assert np.array_equal(made.counts, np.histogram(values, len(made.counts))[0])
    made.show_values(np.zeros(9, np.float32))
    assert made.counts.sum() == 9
