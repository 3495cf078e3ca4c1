"""Smoke."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_smoke(desk: Callable[..., Any]) -> None:
    d = desk()
    from PySide6.QtCore import Qt
    assert d.window.windowTitle() == "Vitrine"
    d.open(d.window.samples()[0])
    print(d.detection.summary.text(), d.window.windowTitle())
    d.set("score", 0.3)
    print(d.detection.summary.text())
