"""What a legend says of layers: the classes, verdicts and pyramid levels of their colours, and the scales of maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from viewer.canvas import layers as ids
from viewer.canvas.layers import Boxes, Heat, Labels, Layer, Links, Masks
from viewer.canvas.legend import Entry, Legend, Scale
from viewer.presenters.heatmap import number

MOST = 12
LEVEL = "Pyramid level {}"
ROLES = {
    ids.TRUTH: "Ground truth",
    ids.CORRECT: "Correct",
    ids.WRONG: "Wrong",
    ids.MISSED: "Missed",
    ids.FORCED: "Best match, though below the threshold",
    ids.IGNORED: "Not counted",
    ids.CHANGED: "Changed",
    ids.ONLY_A: "Only the first model, A",
    ids.ONLY_B: "Only the second model, B",
}
# What a role means in layers that use it for something else: what anchors and objects are in training.
OTHERS = {
    "match matched": {ids.CORRECT: "Anchor matched to an object"},
    "match forced": {ids.FORCED: "Anchor forced upon an object"},
    "match ignored": {ids.IGNORED: "Anchor ignored in training"},
    "match objects": {ids.TRUTH: "Object with an anchor", ids.MISSED: "Object without an anchor"},
    "match best": {ids.CORRECT: "Best anchor", ids.FORCED: "Best anchor"},
}
UNITS = {"attribution": "Attribution", "density": "Anchors per place", "activation": "Activation"}


def legend_of(layers: Iterable[Layer], names: Sequence[str], *, titles: dict[str, str] | None = None) -> Legend:
    """Return the legend of layers: roles first, then levels, then classes by name; at most `MOST` entries.

    `titles` say what the layers of maps show, by their ids.
    """
    roles: dict[tuple[str, bool], Entry] = {}
    levels: dict[int, Entry] = {}
    classes: dict[int, Entry] = {}
    scales: list[Scale] = []
    for layer in layers:
        if isinstance(layer, Heat):
            scales.append(scale_of(layer, {**UNITS, **(titles or {})}.get(layer.id, layer.id.capitalize())))
        elif isinstance(layer, Labels):
            for label in map(int, np.unique(layer.labels)):
                if label not in layer.clear:
                    classes[label] = Entry(label, layer.names[label], area=True)
        elif isinstance(layer, Boxes | Links | Masks):
            dashed, area = not isinstance(layer, Masks) and layer.dashed, isinstance(layer, Masks)
            for colour in map(int, np.unique(layer.colours)):
                if colour >= 0:
                    name = names[colour] if colour < len(names) else str(colour)
                    if colour not in classes or not dashed:
                        classes[colour] = Entry(colour, name, dashed, area)
                elif -colour >= -ids.FIRST_LEVEL:
                    level = ids.FIRST_LEVEL - colour
                    levels[level] = Entry(colour, LEVEL.format(level if level else "0, the finest"))
                elif text := {**ROLES, **OTHERS.get(layer.id, {})}.get(colour, ""):
                    roles.setdefault((text, dashed), Entry(colour, text, dashed))
    entries = [*roles.values(), *(levels[k] for k in sorted(levels)), *(classes[k] for k in sorted(classes))]
    return Legend(tuple(entries[:MOST]), max(0, len(entries) - MOST), tuple(scales))


def scale_of(layer: Heat, title: str) -> Scale:
    """Return the colour bar of a map."""
    return Scale(title, number(layer.low), number(layer.high), layer.colour_map)
