"""What a legend says of layers: the classes, verdicts and pyramid levels of their colours, and the scales of maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from viewer.canvas import layers as ids
from viewer.canvas.layers import Boxes, Heat, Labels, Layer, Links, Masks, distinct
from viewer.canvas.legend import Entry, Legend, Scale
from viewer.presenters.heatmap import number
from viewer.translation import tr

MOST = 12
LEVEL = tr("Pyramid level {}")
ROLES = {
    ids.TRUTH: tr("Ground truth"),
    ids.CORRECT: tr("Correct"),
    ids.WRONG: tr("Wrong"),
    ids.MISSED: tr("Missed"),
    ids.FORCED: tr("Best match, though below the threshold"),
    ids.IGNORED: tr("Not counted"),
    ids.CHANGED: tr("Changed"),
    ids.ONLY_A: tr("Only the first model, A"),
    ids.ONLY_B: tr("Only the second model, B"),
}
# What a role means in layers that use it for something else: what anchors and objects are in training.
OTHERS = {
    "match matched": {ids.CORRECT: tr("Anchor matched to an object")},
    "match forced": {ids.FORCED: tr("Anchor forced upon an object")},
    "match ignored": {ids.IGNORED: tr("Anchor ignored in training")},
    "match objects": {ids.TRUTH: tr("Object with an anchor"), ids.MISSED: tr("Object without an anchor")},
    "positives": {ids.CORRECT: tr("Positive that takes part")},
    "negatives": {ids.WRONG: tr("Negative that takes part")},
    "sampled box": {ids.CORRECT: tr("Positive that takes part"), ids.WRONG: tr("Negative that takes part")},
    "search objects": {ids.TRUTH: tr("Object to be reached")},
    "match best": {ids.CORRECT: tr("Best anchor"), ids.FORCED: tr("Best anchor")},
}
UNNAMED = ("search regions",)  # whose colours only tell neighbours apart
UNITS = {"attribution": tr("Attribution"), "density": tr("Anchors per place"), "activation": tr("Activation")}
UNITS |= {"roi map": tr("Channel of the feature map"), "likelihood": tr("Bits for each pixel")}
UNITS |= {"peaks heat": tr("Heat map")}
UNITS |= {"prototype sum": tr("Sum of prototypes"), "mask values": tr("Mask"), "landmark heat": tr("Heat map")}
UNITS |= {
    "depth": tr("Depth"),
    "interpretation map": tr("Output"),
    "translation": tr("Difference"),
    "cycle": tr("Map on the picture"),
    "point heat": tr("Heat map"),
}


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
        elif isinstance(layer, Labels) and layer.id not in UNNAMED:
            for label in distinct(layer.labels):
                if label not in layer.clear:
                    classes[label] = Entry(label, layer.names[label], area=True)
        elif isinstance(layer, Boxes | Links | Masks):
            dashed, area = not isinstance(layer, Masks) and layer.dashed, isinstance(layer, Masks)
            for colour in distinct(layer.colours):
                if colour >= 0:
                    name = names[colour] if colour < len(names) else str(colour)
                    if colour not in classes or not dashed:
                        classes[colour] = Entry(colour, name, dashed, area)
                elif -colour >= -ids.FIRST_LEVEL:
                    level = ids.FIRST_LEVEL - colour
                    levels[level] = Entry(colour, LEVEL.format(level if level else tr("0, the finest")))
                elif text := {**ROLES, **OTHERS.get(layer.id, {})}.get(colour, ""):
                    roles.setdefault((text, dashed), Entry(colour, text, dashed))
    entries = [*roles.values(), *(levels[k] for k in sorted(levels)), *(classes[k] for k in sorted(classes))]
    return Legend(tuple(entries[:MOST]), max(0, len(entries) - MOST), tuple(scales))


def scale_of(layer: Heat, title: str) -> Scale:
    """Return the colour bar of a map."""
    return Scale(title, number(layer.low), number(layer.high), layer.colour_map)
