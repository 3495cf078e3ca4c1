"""The look: palette, style sheet, icons, class colours, colour maps. It lays nothing out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontDatabase, QGuiApplication, QIcon, QPainter, QPalette, QPen, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from viewer import translation

Scheme = Literal["system", "dark", "light"]

GRID_PX = 8
TEXT_PX = 13
# Fonts of languages whose signs a system's own font may lack: macOS, Windows, Linux.
FAMILIES = {"ko": ("Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans CJK KR", "Noto Sans KR", "NanumGothic")}
THUMBNAIL_PX = 64  # of pictures in the film strip
SMALL_PX = 11
SWATCH_PX = 12
ICON_SIZES_PX = (16, 24, 32, 48)
ICONS = Path(__file__).resolve().parents[1] / "assets" / "icons"


@dataclass(frozen=True)
class Colours:
    """The colours of one scheme; `canvas` is what surrounds the picture."""

    window: QColor
    panel: QColor
    canvas: QColor
    text: QColor
    muted: QColor
    accent: QColor
    border: QColor
    warning: QColor
    error: QColor
    success: QColor

    @classmethod
    def parse(cls, names: str) -> Colours:
        """Return the colours from ten hexadecimal words, in the order of the fields."""
        return cls(*(QColor(f"#{name}") for name in names.split()))


DARK = Colours.parse("242426 2c2c2f 19191b e8e8ea a0a0a7 5fa8e8 414146 e2ad45 f07f7a 63c392")
LIGHT = Colours.parse("f3f3f4 fcfcfd e2e2e5 1c1c1f 5f5f66 1767b5 cfcfd4 8a5a00 b82c29 1b7447")

# The first seven are Okabe and Ito's (https://jfly.uni-koeln.de/color). The other five were searched for the largest
# distance in OKLab to all before them, over normal sight and Machado's full protan-, deuter- and tritanopia.
_CLASS_HEX = "56b4e9 e69f00 009e73 cc79a7 f0e442 d55e00 0072b2 8778ff 00e196 b40f78 c3f0ff 695a2d"
_CLASS_COLOURS = tuple(QColor(f"#{name}") for name in _CLASS_HEX.split())
_NO_CLASS = QColor("#a8a8ad")
# Ground truth, correct, wrong, missed, forced, ignored, changed, only in A, only in B, and the levels of a pyramid: ids
# -2 to -17 of `viewer.canvas.layers`. Searched for like the five above, with all of these and among each other.
_ROLE_HEX = "ffffff 3cff87 f06978 d21ea5 b4d21e 4b5a78 ff78e1 a5d2d2 b469d2"
_LEVEL_HEX = "c30f0f 870ff0 965a5a 78873c b4963c 78c369 f0b4ff"
_ROLE_COLOURS = (_NO_CLASS, *(QColor(f"#{name}") for name in f"{_ROLE_HEX} {_LEVEL_HEX}".split()))
APART = 0.05  # the least distance in OKLab, for colour-blind eyes too, of a later class's colour from these
_GOLDEN_SHARE = (3 - math.sqrt(5)) / 2
_STEPS = 720  # hues to choose from
# Ottosson 2020, and the full severity of Machado, Oliveira and Fernandes 2009; both from linear RGB.
_LMS = np.array([[0.412221, 0.536333, 0.051446], [0.211903, 0.6807, 0.107397], [0.088302, 0.281719, 0.629979]])
_LAB = np.array([[0.210454, 0.793618, -0.004072], [1.977998, -2.428592, 0.450594], [0.025904, 0.782772, -0.808676]])
_PROTAN = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
_DEUTAN = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
_TRITAN = [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]
_SIGHT = np.array([np.eye(3), _PROTAN, _DEUTAN, _TRITAN])
_LIGHTNESS, _CHROMA = (0.82, 0.62, 0.72, 0.87, 0.67, 0.77), (0.14, 0.115, 0.09)
# Colour maps of Kovesi 2015 (https://colorcet.com) whose lightness rises evenly: black to yellow, blue to cyan.
_WARM, _COLD = "CET-L4", "CET-L6"
REVERSED = "_r"


class _State(QObject):
    """The scheme asked for and the one in force."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.chosen: Scheme = "system"
        self.dark: bool | None = None

    @Slot()
    def follow(self) -> None:
        """Take over the system's scheme when it changes, if that is what the user wants."""
        app = QApplication.instance()
        if self.chosen == "system" and isinstance(app, QApplication) and self.dark is not _system_is_dark():
            apply(app)


@cache
def _state() -> _State:
    return _State()


def apply(app: QApplication, scheme: Scheme = "system") -> None:
    """Dress the program in one scheme; `system` also follows it from then on."""
    state, hints = _state(), QGuiApplication.styleHints()
    state.chosen = scheme

    match scheme:
        case "system":
            hints.unsetColorScheme()
        case "dark":
            hints.setColorScheme(Qt.ColorScheme.Dark)
        case "light":
            hints.setColorScheme(Qt.ColorScheme.Light)

    state.dark = scheme == "dark" or (scheme == "system" and _system_is_dark())
    hints.colorSchemeChanged.connect(state.follow, Qt.ConnectionType.UniqueConnection)

    font = app.font()
    font.setPixelSize(TEXT_PX)
    if written := FAMILIES.get(translation.language()):
        # The system's own choice for the signs that its font lacks may be a Chinese or a serif one.
        font.setFamilies([*font.families(), *(family for family in written if QFontDatabase.hasFamily(family))])
    app.setStyle("Fusion")
    app.setFont(font)
    app.setPalette(_palette(colours()))
    app.setStyleSheet(_style_sheet(colours()))
    state.changed.emit()


def is_dark() -> bool:
    """Tell whether the dark scheme is in force; before `apply`, whether the system's is dark."""
    dark = _state().dark
    return _system_is_dark() if dark is None else dark


def colours() -> Colours:
    """Return the colours of the scheme in force."""
    return DARK if is_dark() else LIGHT


def changes() -> Any:
    """Return the signal that is emitted after each change of scheme; icons have to be asked for again then."""
    return _state().changed


def icon(name: str) -> QIcon:
    """Return an icon of ours in the text colour, muted where disabled, in the accent colour where checked.

    Raises FileNotFoundError when there is no such drawing.
    """
    drawing = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    now = colours()
    faint = QColor(now.muted)
    faint.setAlphaF(0.5)
    result = QIcon()

    renderer = _renderer(drawing, now.text)
    for size in ICON_SIZES_PX:
        # Drawn once and dyed: drawing each of hundreds of pixmaps anew is felt when the program starts.
        shape = _pixmap(renderer, now.text, size=size)
        dim = _tinted(shape, faint)
        result.addPixmap(shape, QIcon.Mode.Normal, QIcon.State.Off)
        result.addPixmap(_tinted(shape, now.accent), QIcon.Mode.Normal, QIcon.State.On)
        result.addPixmap(dim, QIcon.Mode.Disabled, QIcon.State.Off)
        result.addPixmap(dim, QIcon.Mode.Disabled, QIcon.State.On)

    return result


def swatch(colour: QColor, *, dashed: bool = False) -> QIcon:
    """Return a small square of a colour, to stand before the name of what has it; hollow if that is drawn `dashed`."""
    pixmap = QPixmap(SWATCH_PX, SWATCH_PX)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    # A faint edge, for a colour that is that of the ground.
    painter.setPen(QColor(128, 128, 128, 160))
    painter.setBrush(colour)
    if dashed:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colour, 2.5, Qt.PenStyle.CustomDashLine))
        pen = painter.pen()
        pen.setDashPattern([1.2, 0.8])
        painter.setPen(pen)
        painter.drawRect(QRectF(1.5, 1.5, SWATCH_PX - 3, SWATCH_PX - 3))
    else:
        painter.drawRoundedRect(QRectF(0.5, 0.5, SWATCH_PX - 1, SWATCH_PX - 1), 3, 3)
    painter.end()
    return QIcon(pixmap)


def tinted(name: str, colour: QColor, *, size: int) -> QPixmap:
    """Return an icon of ours in one colour; FileNotFoundError when there is no such drawing."""
    drawing = (ICONS / f"{name}.svg").read_text(encoding="utf-8")
    return _pixmap(_renderer(drawing, colour), colour, size=size)


def class_colour(label: int) -> QColor:
    """Return the colour of a class: the same for the same number, always; of a role for a negative one, else grey."""
    label = int(label)
    if label < 0:
        return QColor(_ROLE_COLOURS[-label - 1] if -label <= len(_ROLE_COLOURS) else _NO_CLASS)

    return QColor(_CLASS_COLOURS[label]) if label < len(_CLASS_COLOURS) else QColor(_generated(label))


def on_colour(colour: QColor) -> QColor:
    """Return black or white, whichever reads better on `colour` (contrast as in WCAG 2.2)."""
    black, white = QColor("black"), QColor("white")
    return black if contrast(black, colour) >= contrast(white, colour) else white


def contrast(one: QColor, other: QColor) -> float:
    """Return WCAG's contrast ratio of two opaque colours, 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@cache
def heat_lut(name: str) -> NDArray[np.uint8]:
    """Return a colour map as (256, 4) RGBA, read-only: a name that pyqtgraph knows, with "_r" reversed, or ours.

    Ours are `sequential`, the brighter the larger; `negative`, the brighter the smaller; and `diverging`, made of the
    halves of these with black for zero, at index 128.
    """
    match name:
        case "sequential":
            table = _published(_WARM)
        case "negative":
            table = _published(_COLD)[::-1]
        case "diverging":
            steps = np.round(np.arange(1, 128) / 127 * 255).astype(np.intp)
            warm, cold = _published(_WARM), _published(_COLD)
            table = np.concatenate([cold[steps[::-1]][:1], cold[steps[::-1]], warm[:1], warm[steps]])
        case _:
            plain = name.removesuffix(REVERSED)
            table = _published(plain) if plain == name else _published(plain)[::-1]
    table = np.ascontiguousarray(table)
    table.setflags(write=False)
    return table


def _published(name: str) -> NDArray[np.uint8]:
    """Return a colour map that comes with pyqtgraph, as (256, 4) RGBA."""
    from pyqtgraph import colormap  # when a map is first drawn: the window appears without it

    found = colormap.get(name)
    assert found is not None, name
    colours = np.asarray(found.getLookupTable(nPts=256, alpha=True, mode=colormap.ColorMap.FLOAT), np.float64)
    return np.round(255 * colours).astype(np.uint8)


def _system_is_dark() -> bool:
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def _luminance(colour: QColor) -> float:
    channels = np.array([colour.redF(), colour.greenF(), colour.blueF()])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _generated(label: int) -> QColor:
    """Return a colour from OKLCh: hue by golden angle, lightness in six steps, apart from those of roles."""
    turn, step = divmod(label, len(_LIGHTNESS))
    free = _free()[step]
    return QColor(*free[int(turn * _GOLDEN_SHARE % 1 * len(free))])


@cache
def _free() -> tuple[list[tuple[int, int, int]], ...]:
    """Return the colours of each lightness that are apart from those of roles and levels, in the order of hues."""
    reserved = seen_by_all(np.array([cast(tuple[int, ...], colour.getRgb())[:3] for colour in _ROLE_COLOURS]))
    hue = np.arange(_STEPS) / _STEPS * 2 * math.pi
    found = []
    for lightness in _LIGHTNESS:
        rows = []
        for chroma in _CHROMA:
            lab = np.stack([np.full(_STEPS, lightness), chroma * np.cos(hue), chroma * np.sin(hue)], axis=1)
            linear = np.clip(np.linalg.solve(_LMS, np.linalg.solve(_LAB, lab.T) ** 3).T, 0, 1)
            coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
            rgb = np.round(255 * coded).astype(np.int64)
            far = np.linalg.norm(seen_by_all(rgb)[:, None] - reserved, axis=-1).min(axis=(1, 2))
            rows += [(hue[at], tuple(rgb[at].tolist())) for at in np.flatnonzero(far > APART)]
        found.append(list(dict.fromkeys(rgb for _, rgb in sorted(rows))))
    return tuple(found)


def seen_by_all(rgb: NDArray[np.integer[Any]]) -> NDArray[np.floating[Any]]:
    """Return colours (N, 3) in OKLab as seen with normal sight, protanopia, deuteranopia and tritanopia (N, 4, 3)."""
    channels = rgb / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    seen = np.einsum("sij,nj->nsi", _SIGHT, linear).clip(0, 1)
    return np.cbrt(seen @ _LMS.T) @ _LAB.T


def _renderer(drawing: str, colour: QColor) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(drawing.replace("currentColor", colour.name()).encode()))


def _pixmap(renderer: QSvgRenderer, colour: QColor, *, size: int) -> QPixmap:
    pixmap = QPixmap(size, size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setOpacity(colour.alphaF())
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return pixmap


def _tinted(shape: QPixmap, colour: QColor) -> QPixmap:
    dyed = QPixmap(shape)
    painter = QPainter(dyed)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(dyed.rect(), colour)
    painter.end()
    return dyed


def _palette(now: Colours) -> QPalette:
    role = QPalette.ColorRole
    palette = QPalette(now.panel, now.window)

    for target, colour in {
        role.WindowText: now.text,
        role.Base: now.panel,
        role.AlternateBase: now.window,
        role.Text: now.text,
        role.ButtonText: now.text,
        role.PlaceholderText: now.muted,
        role.ToolTipBase: now.panel,
        role.ToolTipText: now.text,
        role.Highlight: now.accent,
        role.HighlightedText: on_colour(now.accent),
        role.Accent: now.accent,
        role.Link: now.accent,
        role.LinkVisited: now.accent,
        role.BrightText: now.error,
    }.items():
        palette.setColor(target, colour)

    # Fusion draws frames by darkening the button colour, which vanishes on dark ground.
    for target in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, target, _mix(now.muted, now.window, part=0.4))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, now.border)
    return palette


def _mix(one: QColor, other: QColor, *, part: float) -> QColor:
    pairs = zip(cast(tuple[int, ...], one.getRgb()), cast(tuple[int, ...], other.getRgb()), strict=True)
    return QColor(*(round(a + (b - a) * part) for a, b in pairs))


def _style_sheet(now: Colours) -> str:
    shades = (now.window, now.border, now.panel, now.text, now.muted, now.accent)
    window, border, panel, text, muted, accent = (c.name() for c in shades)
    return f"""
        QToolTip {{ background: {panel}; color: {text}; border: 1px solid {border}; padding: {GRID_PX // 2}px; }}
        QMainWindow::separator {{ background: {border}; width: 1px; height: 1px; }}
        QMenuBar {{ background: {window}; border: none; padding: 0 {GRID_PX // 2}px; }}
        QMenuBar::item {{ background: transparent; padding: {GRID_PX}px; border-radius: {GRID_PX // 2}px; }}
        QMenuBar::item:selected {{ background: {border}; }}
        QSplitter::handle {{ background: {border}; }}
        QStatusBar {{ border-top: 1px solid {border}; font-size: {SMALL_PX}px; color: {muted}; }}
        QStatusBar::item {{ border: none; }}
        QToolBar {{ border: none; padding: {GRID_PX // 2}px; spacing: {GRID_PX // 2}px; }}
        QLabel#drop-hint {{ background: {panel}; border: 2px solid {accent}; border-radius: {GRID_PX}px; }}
        QFrame#foot {{ background: {panel}; border: none; border-top: 1px solid {border}; }}
        QFrame#card {{ background: {panel}; border: 1px solid {border}; border-radius: {GRID_PX // 2}px; }}
        *[small="true"] {{ font-size: {SMALL_PX}px; color: {muted}; }}
    """
