"""Inspections that are exported as layers over the picture with their numbers as JSON."""

from __future__ import annotations

from collections.abc import Callable

from models.requests import Request
from models.types import Result
from viewer.canvas.layers import Layer
from viewer.presenters import charts, fusion, heat_map_audit, region_pooling, selective_search, training_sample

LAYERS: dict[str, Callable[[Result], list[Layer]]] = {
    "region_pooling": region_pooling.layers,
    "training_sample": training_sample.layers,
    "selective_search": selective_search.layers,
    "heat_map_audit": heat_map_audit.layers,
    "fusion": fusion.layers,
    "charts": lambda result: charts.layers(result, view=charts.TEXTURE),
}
LARGE = {
    "region_pooling": ("map",),
    "selective_search": ("regions",),
    "heat_map_audit": ("heat",),
    "fusion": ("labels", "probability", "unknown", "labels_full"),
    "charts": ("labels", "probability", "u", "v", "lines", "unfolded", "cells", "dressed"),
}  # arrays that are drawn and not listed


def numbers(request: Request, result: Result) -> Result:
    """Return what of a result is written as numbers."""
    large = LARGE.get(request.inspection, ())
    return Result({name: array for name, array in result.arrays.items() if name not in large}, result.meta)
