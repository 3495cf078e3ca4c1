"""Draw and write a figure: the picture with its overlay, and on request a legend, colour bars and a caption.

One drawing makes the PNG, the SVG, the PDF, the copy and the preview; only the size of its pixels differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QMarginsF, QPointF, QRect, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QImage, QPageSize, QPainter, QPdfWriter
from PySide6.QtSvg import QSvgGenerator

from models.requests import Request
from models.types import Pixels, Refusal, Result
from viewer import theme
from viewer.canvas import legend as legends
from viewer.canvas.layers import Boxes, Layer
from viewer.canvas.legend import Legend
from viewer.canvas.painter import as_image, default_unit, paint, png
from viewer.export.answers import add_recipe, written_files
from viewer.presenters.attribution import EXPLAINED
from viewer.presenters.box_pair import PAIR
from viewer.presenters.lineage import HIDDEN, REGION
from viewer.translation import tr

KINDS = ("png", "svg", "pdf")
SIZES = ("own", "double", "px", "cm")
MOST_PX = 16_000
SCREEN_DPI, TEXT_DPI = 96, 110  # at so many dots per inch a design pixel is one dot: text of 11 is 7 points high
LEAST_WIDE = 280  # design pixels: a narrow figure has smaller text, rather than none that can be read as a whole
BAR_MOST, GAP, MARGIN = 360.0, 8.0, 10.0
LEAST_TEXT_PX = 7.0
CM_PER_INCH = 2.54


@dataclass(frozen=True)
class Options:
    """What belongs to a figure, how wide it is, and the kinds of files.

    `size` is the picture's own, double, `width_px`, or `width_cm` at `dpi` dots per inch. `frames` are those around
    what is selected, explained or asked about.
    """

    bar: bool = True
    caption: bool = True
    legend: bool = True
    frames: bool = True
    size: str = "own"
    width_px: int = 1600
    width_cm: float = 8.4
    dpi: int = 300
    kinds: tuple[str, ...] = ("png",)

    @classmethod
    def of(cls, kept: object) -> Options:
        """Return the options that were kept as a table; what is not valid in it is left at its default."""
        known, given = cls(), kept if isinstance(kept, Mapping) else {}
        found: dict[str, Any] = {}
        for field in fields(cls):
            value, own = given.get(field.name), getattr(known, field.name)
            if field.name == "kinds":
                chosen = tuple(kind for kind in KINDS if isinstance(value, list | tuple) and kind in value)
                found["kinds"] = chosen or known.kinds
            elif isinstance(own, float) and isinstance(value, int | float) and not isinstance(value, bool):
                found[field.name] = float(value)
            elif type(value) is type(own):
                found[field.name] = value
        found["size"] = found.get("size") if found.get("size") in SIZES else known.size
        options = cls(**found)
        return replace(
            options,
            width_px=min(max(options.width_px, 16), MOST_PX),
            width_cm=min(max(options.width_cm, 1.0), 100.0),
            dpi=min(max(options.dpi, 50), 1200),
        )

    @property
    def resolution(self) -> int:
        """Dots per inch of the files."""
        return self.dpi if self.size == "cm" else SCREEN_DPI

    def width(self, own: int) -> int:
        """Return the figure's width in pixels, of a picture that is `own` pixels wide."""
        cm = round(self.width_cm / CM_PER_INCH * self.dpi)
        return {"own": own, "double": 2 * own, "px": self.width_px, "cm": cm}[self.size]


@dataclass(frozen=True, eq=False)
class Content:
    """What is drawn: the picture, its layers, their legend with scales, its place in shares, and the caption."""

    pixels: Pixels
    layers: Sequence[Layer]
    legend: Legend
    at: tuple[float, float]
    caption: str


@dataclass(frozen=True)
class Plan:
    """The sizes of a figure: of its pixels, of the picture in it, and of a design pixel; its foot in design pixels."""

    width: int
    height: int
    picture: float
    unit: float
    caption: QRectF


def plan(content: Content, options: Options) -> Plan:
    """Return the sizes of a figure. Raises Refusal if it were too large."""
    tall, wide = content.pixels.shape[:2]
    width = options.width(wide)
    picture = width * tall / wide
    unit = options.dpi / TEXT_DPI if options.size == "cm" else default_unit(width, round(picture))
    unit = min(unit, width / LEAST_WIDE)
    top = GAP
    room = width / unit - 2 * MARGIN
    if options.bar:
        top += len(content.legend.scales) * _bar_height()
    caption = QRectF(MARGIN, top, room, 0)
    if options.caption and content.caption:
        text = QFontMetricsF(_font()).boundingRect(
            QRectF(0, 0, room, 1e5), int(Qt.TextFlag.TextWordWrap), content.caption
        )
        caption = QRectF(MARGIN, top, room, text.height())
        top += text.height() + GAP
    foot = top if top > GAP else 0.0
    height = round(picture + foot * unit)
    if max(width, height) > MOST_PX:
        raise Refusal(
            tr("The figure would be {width:,} × {height:,} pixels.", width=width, height=height),
            advice=tr("At most {most_px:,} a side.", most_px=MOST_PX),
        )
    return Plan(width, max(1, height), picture, unit, caption)


def draw(painter: QPainter, content: Content, options: Options, size: Plan) -> None:
    """Draw a figure with a painter in its pixels."""
    wide, scale = content.pixels.shape[1], size.width / content.pixels.shape[1]
    now = theme.LIGHT
    painter.fillRect(QRectF(0, 0, size.width, size.height), now.panel)
    painter.save()
    painter.scale(scale, scale)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale != 1)
    whole = QRectF(0, 0, wide, content.pixels.shape[0])
    painter.drawImage(whole, as_image(content.pixels))
    painter.setClipRect(whole)
    layers = content.layers if options.frames else without_frames(content.layers)
    paint(painter, layers, scale=scale / size.unit, visible=whole, bounds=whole)
    painter.restore()
    font = _font()
    painter.save()
    painter.scale(size.unit, size.unit)
    card = replace(content.legend, scales=())
    if options.legend and card:
        room = QRectF(0, 0, size.width, size.picture)
        room = QRectF(0, 0, room.width() / size.unit, room.height() / size.unit).adjusted(GAP, GAP, -GAP, -GAP)
        painter.save()
        painter.translate(legends.placed(content.at, legends.size_of(card, font), room))
        legends.draw(painter, card, font, now)
        painter.restore()
    painter.translate(QPointF(0, size.picture / size.unit))
    painter.setFont(font)
    if options.bar:
        for number, scale_of in enumerate(content.legend.scales):
            _bar(painter, scale_of, QRectF(MARGIN, GAP + number * _bar_height(), size.caption.width(), _bar_height()))
    if size.caption.height():
        painter.setPen(now.text)
        painter.drawText(size.caption.adjusted(0, 0, 0, 4), int(Qt.TextFlag.TextWordWrap), content.caption)
    painter.restore()


def image(content: Content, options: Options, *, within: QSize | None = None) -> QImage:
    """Return the figure as an image; with `within` as a reduced one of at most that size, laid out the same."""
    size = plan(content, options)
    share = min(1.0, within.width() / size.width, within.height() / size.height) if within is not None else 1.0
    made = QImage(max(1, round(size.width * share)), max(1, round(size.height * share)), QImage.Format.Format_RGB32)
    made.fill(theme.LIGHT.panel)
    painter = QPainter(made)
    if share < 1:
        width = made.width()
        factor = width / size.width
        size = Plan(width, made.height(), size.picture * factor, size.unit * factor, size.caption)
    draw(painter, content, options, size)
    painter.end()
    if within is None:
        dots = round(options.resolution / CM_PER_INCH * 100)
        made.setDotsPerMeterX(dots)
        made.setDotsPerMeterY(dots)
    return made


def file_of(kind: str, content: Content, options: Options, *, title: str) -> bytes:
    """Return the figure as a file. Raises Refusal if it were too large, OSError if it cannot be encoded."""
    if kind == "png":
        return png(image(content, options))
    size, buffer = plan(content, options), QBuffer()
    if kind == "svg":
        device: QSvgGenerator | QPdfWriter = QSvgGenerator()
        device.setOutputDevice(buffer)
        device.setSize(QSize(size.width, size.height))
        device.setViewBox(QRect(0, 0, size.width, size.height))
        device.setResolution(options.resolution)
    else:
        buffer.open(QBuffer.OpenModeFlag.WriteOnly)
        device = QPdfWriter(buffer)
        device.setResolution(options.resolution)
        points = QSizeF(size.width, size.height) * 72 / options.resolution
        device.setPageSize(QPageSize(points, QPageSize.Unit.Point, "", QPageSize.SizeMatchPolicy.ExactMatch))
        device.setPageMargins(QMarginsF(0, 0, 0, 0))
    device.setTitle(title)
    painter = QPainter(device)
    draw(painter, content, options, size)
    painter.end()
    return bytes(buffer.data().data())


def write(
    folder: Path, name: str, content: Content, options: Options, answer: tuple[Request, Result]
) -> list[Path]:  # fmt: skip
    """Write a figure's files and the recipe that they share, and return their paths. Raises Refusal."""
    with written_files(folder) as files:
        paths = [folder / f"{name}.{kind}" for kind in options.kinds]
        for path, kind in zip(paths, options.kinds, strict=True):
            files.add(path, file_of(kind, content, options, title=name))
        return [*paths, add_recipe(files, folder, name, answer, options.kinds)]


def without_frames(layers: Sequence[Layer]) -> list[Layer]:
    """Return layers without the frames around what is selected, explained or asked about."""
    kept = [x for x in layers if x.id not in (EXPLAINED, REGION, HIDDEN) and not x.id.startswith(f"{PAIR} ")]
    return [replace(layer, selected=-1) if isinstance(layer, Boxes) else layer for layer in kept]


def measures(content: Content, options: Options) -> str:
    """Return the size of a figure in words, with a warning if its text would be too small to read."""
    size = plan(content, options)
    text = f"{size.width:,} × {size.height:,} px"
    if options.size == "cm":
        tall = size.height / options.dpi * CM_PER_INCH
        text = tr(
            "{width_cm:g} × {tall:.1f} cm at {dpi} dpi: {text}",
            width_cm=options.width_cm,
            tall=tall,
            dpi=options.dpi,
            text=text,
        )
    if theme.SMALL_PX * size.unit < LEAST_TEXT_PX and options.size != "cm":
        text += tr(". Too narrow for its text to be read: choose a larger size")
    return text


def _font() -> QFont:
    return legends.font_of(QFont())


def _bar_height() -> float:
    return 2 * QFontMetricsF(_font()).height() + legends.BAR_PX + GAP


def _bar(painter: QPainter, scale: legends.Scale, place: QRectF) -> None:
    line, wide = QFontMetricsF(_font()).height(), min(BAR_MOST, place.width())
    painter.setPen(theme.LIGHT.text)
    painter.drawText(QRectF(place.left(), place.top(), wide, line), scale.title)
    legends.draw_bar(painter, QRectF(place.left(), place.top() + line, wide, legends.BAR_PX), scale.colour_map)
    ends = QRectF(place.left(), place.top() + line + legends.BAR_PX, wide, line)
    painter.drawText(ends, int(Qt.AlignmentFlag.AlignLeft), scale.low)
    painter.drawText(ends, int(Qt.AlignmentFlag.AlignRight), scale.high)
