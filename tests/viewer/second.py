"""What is done with a second model beside the first, and what is read off it. No test is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt

from models.cards.card import BUNDLED, PHOTOS
from models.types import Result
from viewer.panels.second_model import BesidePanel
from viewer.session.request_plan import given

SSD, RCNN = "digits-ssd", "digits-faster-rcnn"
SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
CAT = PHOTOS / "cat.jpg"
Make = Callable[..., Any]
LEFT = Qt.MouseButton.LeftButton


def beside_of(d: Any, model: str) -> Any:
    """Show a model beside the first one, and wait for what it says."""
    d.window.panes.choose(model)
    d.settle()
    d.until(lambda: d.session.beside.description is not None)
    d.settle()
    return d


def layer(d: Any, name: str) -> Any:
    """The layer of B's canvas with an id, or None."""
    return next((each for each in d.window.panes.canvas.layers if each.id == name), None)


def panel(d: Any) -> BesidePanel:
    return d.panel(BesidePanel)


def b_answer(d: Any, slot: str) -> Result:
    found = d.session.beside.answer(slot)
    assert found is not None
    return found[1]


def in_force(d: Any) -> dict[str, Any]:
    """The values that A's panel shows, of those that B has."""
    shown = {**d.session.description.offers["detect"].defaults, **given(d.document, "detect", d.session.description)}
    return {k: v for k, v in shown.items() if k in d.session.beside.description.offers["detect"].defaults}


def click(d: Any, canvas: Any, x: float, y: float) -> None:
    place = canvas.to_screen(QPointF(x, y)).toPoint()
    d.qtbot.mouseMove(canvas, QPoint(1, 1))
    d.qtbot.mouseMove(canvas, place)
    d.qtbot.mouseClick(canvas, LEFT, pos=place)
