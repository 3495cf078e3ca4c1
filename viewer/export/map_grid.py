"""Write compared maps: the grid as PNG, all maps in one NPZ, numbers as JSON, a recipe for each."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFont, QImage, QPainter

from models import output_files, recipe
from models.output_files import OutputFiles
from models.types import Pixels, Refusal, Source
from viewer import theme
from viewer.canvas.painter import as_image, default_unit, paint, png
from viewer.export.generated import npz
from viewer.presenters.map_tiles import Bar, Sheet, Shown
from viewer.translation import tr
from viewer.widgets.pictures.map_grid import Tile

KINDS = ("png", "npz", "json")
MOST_PX = 12_000
GAP = 8
LINE = 18
BAR_PX = 14


def write(
    folder: Path, name: str, sheet: Sheet, pixels: Mapping[Source, Pixels], *, kinds: Sequence[str] = KINDS
) -> list[Path]:
    """Write the grid and return the paths; the recipes are written to a folder of their own.

    Raises Refusal if there is no map yet or the folder cannot be written to.
    """
    there = [one for one in sheet.shown if one.result is not None]
    if not there:
        raise Refusal(tr("There is no map to write yet."), advice=tr("Wait for the first one."))
    recipes = folder / f"{name}.recipes"
    paths = [folder / f"{name}.{kind}" for kind in kinds]
    try:
        recipes.mkdir(parents=True, exist_ok=True)
        with OutputFiles() as files:
            for path, kind in zip(paths, kinds, strict=True):
                match kind:
                    case "png":
                        files.add(path, png(picture(sheet, pixels)))
                    case "npz":
                        files.add(path, npz(arrays(sheet)))
                    case _:
                        files.add(path, json.dumps(body(sheet), indent=2, ensure_ascii=False) + "\n")
            for one in there:
                assert one.request is not None and one.result is not None
                file = recipes / f"{_key(one)}.recipe.json"
                files.add(file, recipe.text(file, one.request, one.result))
                paths.append(file)
    except (OSError, UnicodeError) as error:
        with contextlib.suppress(OSError):
            recipes.rmdir()  # fails if it contains older recipes, which stay
        raise output_files.refusal(folder, error) from error
    return paths


def arrays(sheet: Sheet) -> dict[str, Any]:
    """Return every map (h, w) float32 at its own resolution by name; "a-b" is the difference of the two chosen ones."""
    found = {_key(one): one.result.arrays["map"] for one in sheet.shown if one.result is not None}
    if sheet.difference is not None:
        found["a-b"] = sheet.difference[2].values
    return found


def body(sheet: Sheet) -> dict[str, Any]:
    """Return the numbers of every map, its position in pixels of its picture, and its verdict or why there is none."""
    facts: dict[str, Any] = {
        "scale": sheet.scale,
        "look": dataclasses.asdict(sheet.look),
        "colours": {**dict(zip(("low", "high", "map"), sheet.bars[0], strict=True)), "text": sheet.bar_text},
        "scales": [dict(zip(("low", "high", "map"), bar, strict=True)) for bar in sheet.bars],
        "extent_unit": "x0 y0 x1 y1 in pixels of the original picture",
        "maps": [_entry(one) for one in sheet.shown],
    }
    if sheet.difference is not None:
        a, b, found = sheet.difference
        facts["difference"] = {
            "array": "a-b",
            "a": a,
            "b": b,
            "extent": list(found.extent),
            "unit": found.unit or "the method's own",
            "lowest": float(found.values.min()),
            "highest": float(found.values.max()),
            "mean_absolute": float(np.abs(found.values).mean()),
        }
    return facts


def picture(sheet: Sheet, pixels: Mapping[Source, Pixels]) -> QImage:
    """Return the grid at the pictures' own resolution, reduced if it would exceed `MOST_PX` in width or height."""
    sizes = [one.tile.size for one in sheet.shown if one.tile.size[0]]
    width, height = max(w for w, _ in sizes), max(h for _, h in sizes)
    columns = min(sheet.across, len(sheet.shown))
    rows = -(-len(sheet.shown) // columns)
    scale = min(1.0, MOST_PX / (columns * width), MOST_PX / (rows * height))
    cell_w, cell_h = width * scale, height * scale
    unit = max(1.0, default_unit(round(cell_w), round(cell_h)))
    gap, line = GAP * unit, LINE * unit
    step_x, step_y = cell_w + gap, cell_h + 2 * line + gap
    foot = line + BAR_PX * unit + line + gap
    image = QImage(round(columns * step_x + gap), round(rows * step_y + gap + foot), QImage.Format.Format_RGB32)
    image.fill(theme.LIGHT.panel)
    painter = QPainter(image)
    font = QFont(painter.font())
    font.setPixelSize(round(12 * unit))
    painter.setFont(font)
    for index, one in enumerate(sheet.shown):
        row, column = divmod(index, columns)
        place = QRectF(gap + column * step_x, gap + row * step_y + line, cell_w, cell_h)
        _cell(painter, one.tile, place, pixels.get(one.cell.source), line)
    count = len(sheet.bars)
    wide = min(360 * unit, (image.width() - (1 + count) * gap) / count)
    for number, bar in enumerate(sheet.bars):
        _bar(painter, bar, QRectF(gap + number * (wide + gap), image.height() - foot, wide, foot), unit)
    words = QRectF(gap, image.height() - foot + BAR_PX * unit + line, image.width() - 2 * gap, line)
    _write(painter, words, sheet.bar_text)
    painter.end()
    return image


def _cell(painter: QPainter, tile: Tile, place: QRectF, pixels: Pixels | None, line: float) -> None:
    head = QRectF(place.left(), place.top() - line, place.width(), line)
    _write(painter, head, f"{tile.title}  ({tile.badge})" if tile.badge else tile.title)
    _write(painter, QRectF(place.left(), place.bottom(), place.width(), line), tile.foot)
    painter.save()
    painter.setClipRect(place)
    if pixels is not None:
        scale = min(place.width() / tile.size[0], place.height() / tile.size[1])
        painter.translate(place.topLeft())
        painter.scale(scale, scale)
        whole = QRectF(0, 0, *tile.size)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(whole, as_image(pixels))
        if tile.heat is not None:
            paint(painter, [tile.heat], scale=scale, visible=whole, bounds=whole)
    painter.restore()
    if tile.note:
        flags = int(Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignHCenter) | int(Qt.TextFlag.TextWordWrap)
        room = place.adjusted(line / 2, line / 2, -line / 2, -line / 2)
        painter.fillRect(QRectF(painter.boundingRect(room, flags, tile.note)).adjusted(-4, -2, 4, 2), theme.LIGHT.panel)
        painter.setPen(theme.LIGHT.text)
        painter.drawText(room, flags, tile.note)


def _bar(painter: QPainter, bar: Bar, place: QRectF, unit: float) -> None:
    low, high, name = bar
    table = theme.heat_lut(name)
    strip = QImage(table.tobytes(), len(table), 1, QImage.Format.Format_RGBA8888)
    painter.drawImage(QRectF(place.left(), place.top(), place.width(), BAR_PX * unit), strip)
    line = LINE * unit
    numbers = QRectF(place.left(), place.top() + BAR_PX * unit, place.width(), line)
    _write(painter, numbers, f"{low:.3g}")
    painter.drawText(numbers, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{high:.3g}")


def _write(painter: QPainter, place: QRectF, text: str) -> None:
    painter.setPen(theme.LIGHT.text)
    short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
    painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, short)


def _entry(one: Shown) -> dict[str, Any]:
    about = {"title": one.tile.title, "method": one.cell.method, "picture": one.cell.source.name}
    if one.result is None:
        return {**about, "target": one.cell.target, "refused" if not one.tile.waits else "waiting": one.tile.note}
    meta, values = one.result.meta, one.result.arrays["map"]
    kept = ("target", "score", "quantity", "probability", "verdict", "reason", "layer", "signed", "delta", "partial")
    return {
        **about,
        **{name: meta.get(name) for name in kept},
        "array": _key(one),
        "shape": list(values.shape),
        "extent": [float(v) for v in meta["extent"]],
        "lowest": float(values.min()),
        "highest": float(values.max()),
        "scale_end": one.end,
        "parameters": dict(meta["parameters"]),
    }


def _key(one: Shown) -> str:
    frame = f"-{one.cell.source.frame}" if one.cell.source.frame >= 0 else ""
    parts = (Path(one.cell.source.path).stem + frame, one.cell.method, one.cell.target or "best")
    return ".".join(re.sub(r"[^\w-]+", "-", part) for part in parts)
