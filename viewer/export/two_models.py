"""Write both panes: both pictures under their headers as one PNG, differences as JSON, a recipe for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFont, QImage, QPainter

from models import output_files, recipe
from models.output_files import OutputFiles
from models.quantity import PROBABILITY
from models.requests import Request
from models.types import Pixels, Refusal, Result
from viewer import theme
from viewer.canvas.layers import Layer
from viewer.canvas.painter import default_unit, png, render
from viewer.presenters import model_difference
from viewer.session.lookup import name_of
from viewer.translation import tr

GAP, LINE, TEXT = 8, 22, 13  # in design pixels
KINDS = ("png", "json")
# Slots in order of importance for what is shown; these are also the ones compared.
FOREMOST = ("generated", "attribution", "detect", "classify")


@dataclass(frozen=True, eq=False)
class Side:
    """One pane: its header, its picture with layers, and its results by slot."""

    name: str
    facts: str
    pixels: Pixels | None
    layers: Sequence[Layer]
    answers: dict[str, tuple[Request, Result]]

    @property
    def foremost(self) -> tuple[Request, Result] | None:
        """The result that the recipe belongs to."""
        return next((self.answers[slot] for slot in FOREMOST if slot in self.answers), None)


def write(folder: Path, name: str, sides: tuple[Side, Side]) -> list[Path]:
    """Write PNG, JSON and the two recipes, and return their paths.

    Raises Refusal if there is no picture yet or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with OutputFiles() as files:
            paths = [folder / f"{name}.png", folder / f"{name}.json"]
            files.add(paths[0], png(picture(sides)))
            files.add(paths[1], json.dumps(body(sides), indent=2, ensure_ascii=False) + "\n")
            for letter, side in zip("ab", sides, strict=True):
                if side.foremost is not None:
                    at = folder / f"{name}.{letter}.recipe.json"
                    files.add(at, recipe.text(at, *side.foremost))
                    paths.append(at)
    except (OSError, UnicodeError) as error:
        raise output_files.refusal(folder, error) from error
    return paths


def picture(sides: tuple[Side, Side]) -> QImage:
    """Return both panes side by side at the pictures' own resolution, each under its header.

    Raises Refusal if neither has a picture.
    """
    drawn = [render(side.pixels, side.layers) if side.pixels is not None else None for side in sides]
    there = [image for image in drawn if image is not None]
    if not there:
        raise Refusal(tr("There is no picture to write yet."), advice=tr("Wait for the first answer."))
    width, height = max(image.width() for image in there), max(image.height() for image in there)
    unit = max(1.0, default_unit(width, height))
    gap, line = GAP * unit, LINE * unit
    whole = QImage(round(2 * width + 3 * gap), round(height + line + 2 * gap), QImage.Format.Format_RGB32)
    whole.fill(theme.LIGHT.panel)
    painter = QPainter(whole)
    font = QFont(painter.font())
    font.setPixelSize(round(TEXT * unit))
    painter.setFont(font)
    painter.setPen(theme.LIGHT.text)
    for index, (letter, side, image) in enumerate(zip("AB", sides, drawn, strict=True)):
        left = gap + index * (width + gap)
        text = "   ".join(part for part in (letter, side.name, side.facts) if part)
        short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(QRectF(left, gap / 2, width, line), Qt.AlignmentFlag.AlignVCenter, short)
        if image is not None:
            painter.drawImage(QPointF(round(left), round(line + gap)), image)
    painter.end()
    return whole


def body(sides: tuple[Side, Side]) -> dict[str, Any]:
    """Return both models with their requests, and the differences for every request that both answered."""
    both = {
        slot: tuple(side.answers[slot][1] for side in sides)
        for slot in model_difference.SLOTS
        if all(slot in side.answers for side in sides)
    }
    found: dict[str, Any] = {}
    if "detect" in both:
        found["boxes"] = _boxes(model_difference.boxes(*both["detect"]))
    if "classify" in both:
        classes = model_difference.classes(*both["classify"])
        rows = [{"class": name, "a": a, "b": b} for name, a, b in classes.rows]
        facts = {"best": list(classes.best), "total_variation": classes.distance}
        plain = classes.quantities == (PROBABILITY, PROBABILITY)
        kinds = {} if plain else {"quantities": list(classes.quantities)}
        found["classes"] = {**facts, **kinds, "probabilities" if plain else "numbers": rows}
    if "attribution" in both and (maps := model_difference.map_numbers(*both["attribution"])) is not None:
        numbers = {"pearson": maps.pearson, "spearman": maps.spearman, "cells": list(maps.shape)}
        found["maps"] = {**numbers, "share_of_a": maps.share}
    if "activations" in both:
        activity = model_difference.activity(*both["activations"])
        layers = {"layers": list(activity.layers), "shapes": [list(shape) for shape in activity.shapes]}
        cosines = {"cosine": activity.cosine, "mean_cosine_of_channels": activity.channel}
        found["activations"] = {**layers, "norms": list(activity.norms), **cosines}
    if "generated" in both:
        found["pictures"] = {"mean_difference_of_255": model_difference.pictures(*both["generated"])}
    return {
        "vitrine": "two models",
        **{letter: _model(side) for letter, side in zip("ab", sides, strict=True)},
        "differences": found,
        "versions": recipe.versions(),
    }


def _model(side: Side) -> dict[str, Any]:
    asked = {
        slot: {
            "inspection": request.inspection,
            "picture": request.source.name if request.source else None,
            "parameters": dict(result.meta.get("parameters", {})),
        }
        for slot, (request, result) in side.answers.items()
        if slot in model_difference.SLOTS
    }
    digests = {str(result.meta.get("sha256", "")) for _, result in side.answers.values()} - {""}
    names = {request.model for request, _ in side.answers.values()}
    return {"model": next(iter(names), side.name), "sha256": next(iter(digests), ""), "asked": asked}


def _boxes(pairs: model_difference.Pairs) -> dict[str, Any]:
    def one(result: Result, row: int) -> dict[str, Any]:
        arrays = result.arrays
        box = [round(float(v), 2) for v in arrays["boxes"][row]]
        return {"class": name_of(result, row), "score": float(arrays["scores"][row]), "box": box}

    matched = [
        {"a": one(pairs.a, i), "b": one(pairs.b, j), "iou": float(iou)}
        for (i, j), iou in zip(pairs.matched.tolist(), pairs.iou.tolist(), strict=True)
    ]
    return {
        "box_unit": "x0 y0 x1 y1 in pixels of the original picture",
        "counts": pairs.counts,
        "both": matched,
        "only_a": [one(pairs.a, row) for row in pairs.only_a.tolist()],
        "only_b": [one(pairs.b, row) for row in pairs.only_b.tolist()],
    }
