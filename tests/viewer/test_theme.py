"""The theme: contrast, class colours that colour-blind people tell apart, following the system."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from viewer import theme
from viewer.canvas.layers import CORRECT, LEVELS, MISSED, WRONG, level_ids

DRAWINGS = sorted(path.stem for path in theme.ICONS.glob("*.svg"))
NEEDED = set(
    "open folder save export copy paste undo redo fit actual-size zoom-in zoom-out boxes anchors list film layers "  # noqa: SIM905
    "palette keyboard moon sun reset eye eye-off close warning info check play camera model".split()
)

# Machado, Oliveira, Fernandes 2009, full severity, in linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
LMS = np.array([[0.41222, 0.53633, 0.05145], [0.2119, 0.6807, 0.1074], [0.0883, 0.28172, 0.62998]])
LAB = np.array([[0.21045, 0.79362, -0.00407], [1.978, -2.42859, 0.45059], [0.0259, 0.78277, -0.80868]])


@pytest.fixture(autouse=True)
def plain(qapp: QApplication) -> Iterator[None]:
    yield
    theme.apply(qapp, "light")


def perceived(label: int, sight: str) -> np.ndarray:
    colour = theme.class_colour(label)
    return seen(colour.red(), colour.green(), colour.blue(), sight=sight)


def seen(red: int, green: int, blue: int, *, sight: str) -> np.ndarray:
    """A colour in OKLab as it is seen: lightness first."""
    channels = np.array([red, green, blue]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return LAB @ np.cbrt(LMS @ np.clip(np.array(SIGHT[sight]) @ linear, 0, 1))


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_everything_written_can_be_read(qapp: QApplication, scheme: theme.Scheme) -> None:
    theme.apply(qapp, scheme)
    now = theme.colours()

    assert theme.is_dark() is (scheme == "dark")
    for ground in (now.window, now.panel):
        assert theme.contrast(now.text, ground) > 10
        for ink in (now.muted, now.accent, now.warning, now.error, now.success):
            assert theme.contrast(ink, ground) > 4.5, ink.name()


def test_a_change_reaches_widgets_and_listeners(qapp: QApplication, qtbot: QtBot) -> None:
    theme.apply(qapp, "light")
    label = QLabel("text")
    qtbot.addWidget(label)
    label.ensurePolished()

    with qtbot.waitSignal(theme.changes(), timeout=1000):
        theme.apply(qapp, "dark")

    assert label.palette().windowText().color() == theme.DARK.text
    assert label.fontInfo().pixelSize() == theme.TEXT_PX


def test_system_follows_the_system(qapp: QApplication) -> None:
    theme.apply(qapp, "system")
    theme.apply(qapp, "system")
    qapp.styleHints().colorSchemeChanged.emit(qapp.styleHints().colorScheme())
    assert theme.is_dark() is False


@pytest.mark.parametrize("sight", SIGHT)
def test_the_first_twelve_classes_differ_for_everyone(sight: str) -> None:
    seen = [perceived(label, sight) for label in range(12)]
    smallest = min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))
    assert smallest > (0.15 if sight == "normal" else 0.07)


@pytest.mark.parametrize("sight", SIGHT)
def test_verdicts_levels_and_classes_never_share_a_colour(sight: str) -> None:
    verdicts, levels = [CORRECT, WRONG, MISSED], level_ids(np.arange(LEVELS)).tolist()
    classes = range(200)
    groups = [[perceived(number, sight) for number in group] for group in (verdicts, levels, classes)]
    for one, other in combinations(groups, 2):
        least = min(float(np.linalg.norm(a - b)) for a in one for b in other)
        assert least > (0.05 if sight == "normal" else 0.04)
    for group in groups[:2]:
        assert min(float(np.linalg.norm(a - b)) for a, b in combinations(group, 2)) > 0.05
    twelve = groups[2][:12]
    for group in groups[:2]:
        assert min(float(np.linalg.norm(a - b)) for a in group for b in twelve) > (0.085 if sight == "normal" else 0.05)


def test_what_is_missed_differs_from_what_is_wrong_without_any_colour(qapp: QApplication) -> None:
    grey = QColor("#888888")
    full, hollow = (theme.swatch(grey, dashed=dashed).pixmap(12, 12).toImage() for dashed in (False, True))
    assert full.pixelColor(6, 6).alpha() == 255 and hollow.pixelColor(6, 6).alpha() == 0


def test_a_class_keeps_its_colour_and_stands_out_from_black() -> None:
    names = [theme.class_colour(label).name() for label in range(200)]
    assert names == [theme.class_colour(label).name() for label in range(200)]
    assert len(set(names)) > 190
    assert all(theme.contrast(QColor(name), QColor("black")) > 3 for name in names)
    assert theme.class_colour(-1).hsvSaturation() < 20


def test_text_on_a_colour_reads_as_well_as_it_can() -> None:
    assert theme.contrast(QColor("white"), QColor("black")) == pytest.approx(21)
    assert theme.on_colour(QColor("yellow")) == QColor("black")
    assert theme.on_colour(QColor("navy")) == QColor("white")
    assert all(
        theme.contrast(theme.on_colour(theme.class_colour(label)), theme.class_colour(label)) > 4.5
        for label in range(100)
    )


def test_every_icon_is_there() -> None:
    assert set(DRAWINGS) >= NEEDED


@pytest.mark.parametrize("name", DRAWINGS)
def test_an_icon_has_the_colour_of_the_text(qapp: QApplication, name: str) -> None:
    source = (theme.ICONS / f"{name}.svg").read_text()
    assert "currentColor" in source
    assert 'viewBox="0 0 24 24"' in source

    theme.apply(qapp, "dark")
    icon = theme.icon(name)
    assert ink(icon, QIcon.Mode.Normal, QIcon.State.Off) == theme.DARK.text.rgb()
    assert ink(icon, QIcon.Mode.Normal, QIcon.State.On) == theme.DARK.accent.rgb()
    assert icon.pixmap(QSize(24, 24), 2.0).width() == 48


def test_an_unknown_icon_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        theme.icon("no-such-thing")


@pytest.mark.parametrize("name", ["viridis", "magma", "cividis_r"])
def test_a_colour_map_is_a_table_of_bytes(name: str) -> None:
    table = theme.heat_lut(name)
    assert table.shape == (256, 4)
    assert table.dtype == np.uint8
    assert (table[:, 3] == 255).all()
    assert not table.flags.writeable
    peer: Any = pg.colormap.get(name.removesuffix("_r"))
    wanted = peer.getLookupTable(nPts=256, alpha=True, mode=pg.ColorMap.BYTE)
    np.testing.assert_allclose(table.astype(int), wanted[::-1] if name.endswith("_r") else wanted, atol=1)


@pytest.mark.parametrize("sight", SIGHT)
def test_a_heat_map_is_brighter_the_larger_its_values_and_both_signs_are_told_apart(sight: str) -> None:
    warm, cold, both = (theme.heat_lut(name)[:, :3] for name in ("sequential", "negative", "diverging"))
    light = [np.array([seen(*rgb, sight=sight)[0] for rgb in table.tolist()]) for table in (warm, cold[::-1])]
    for values in light:
        assert (np.diff(values) > -0.004).all() and values[-1] - values[0] > 0.45
    # The halves of the diverging map are the two of one sign: a value has one colour in all of them.
    assert (both[128] == 0).all() and (both[255] == warm[255]).all() and (both[1] == cold[0]).all()
    for k in (16, 32, 64, 127):
        assert np.abs(both[128 + k].astype(int) - warm[round(k / 127 * 255)]).max() == 0
        assert np.abs(both[128 - k].astype(int) - cold[255 - round(k / 127 * 255)]).max() == 0
        assert (
            np.linalg.norm(seen(*both[128 + k].tolist(), sight=sight) - seen(*both[128 - k].tolist(), sight=sight))
            > 0.1
        )


def ink(icon: QIcon, mode: QIcon.Mode, state: QIcon.State) -> int:
    """The colour of the most opaque pixel."""
    image = icon.pixmap(QSize(48, 48), 1.0, mode, state).toImage()
    pixels = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
    return max(pixels, key=lambda colour: colour.alpha()).rgb()
