"""Filters, activations and attention as tiles, text, and layers over the picture.

Colour maps are passed in, because they are defined by the theme.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.types import Float, Int, Result
from viewer.canvas import mosaic
from viewer.canvas.layers import Boxes, Layer
from viewer.presenters.heatmap import DIVERGING, SEQUENTIAL, heat_layer
from viewer.session.document import Look
from viewer.translation import tr, trn

Lut = Callable[[str], NDArray[np.uint8]]
FILTERS, ACTIVATIONS, ATTENTION = "filters", "activations", "attention"
OWN, SHARED = "own", "shared"
ROLLOUT, BLOCK, POSITION = "rollout", "block", "position"
FIELD, QUERY = "receptive field", "query"
COLOUR_OF_FIELD = -8  # an orange that no class has


def filter_atlas(result: Result, lut: Lut) -> mosaic.Atlas:
    """Return the kernels of a layer on a common scale: in colour if their inputs are RGB, else with a signed colour
    map.
    """
    tiles, scale = result.arrays["tiles"], float(result.meta["scale"])
    return mosaic.coloured(tiles, scale) if tiles.ndim == 4 else mosaic.signed(tiles, scale, lut(DIVERGING))


def activation_atlas(result: Result, lut: Lut, *, scale: str = OWN) -> mosaic.Atlas:
    """Return the channels of a layer, each on its `own` scale or all on one; the values of a vector as bars."""
    tiles, meta = result.arrays["tiles"], result.meta
    if tiles.shape[1:] == (1, 1):
        return mosaic.bars(tiles[:, 0, 0], lut(DIVERGING))
    both = float(result.arrays["min"].min(initial=0)) < 0
    if scale == SHARED:
        end: float | Float = float(meta["scale"])
    else:
        end = np.maximum(np.abs(result.arrays["max"]), np.abs(result.arrays["min"]))
    paint = mosaic.signed if both else mosaic.positive
    return paint(tiles, end, lut(DIVERGING if both else SEQUENTIAL))


def attention_atlas(result: Result, lut: Lut) -> mosaic.Atlas:
    """Return every head of every block, each on its own scale: it shows where a head attends, not how strongly."""
    values = result.arrays["all"]
    tiles = values.reshape(-1, *values.shape[2:])
    return mosaic.positive(tiles, tiles.max((1, 2)), lut(SEQUENTIAL))


def order_of(result: Result, sort: str) -> Int:
    """Return the channels of a result sorted by a column, largest first; unsorted if there is no such column."""
    key = {"norm": "norms"}.get(sort, sort)
    columns = result.arrays
    count = len(columns["tiles"])
    if key not in columns or len(columns[key]) != count:
        return np.arange(count, dtype=np.int64)
    return np.argsort(-columns[key], kind="stable").astype(np.int64)


def filter_summary(result: Result) -> str:
    """Return a summary of a layer's kernels."""
    meta = result.meta
    count, inputs, height, width = meta["shape"]
    words = [
        trn(
            "{count:,} filters of {height} × {width} over {n:,} input",
            "{count:,} filters of {height} × {width} over {n:,} inputs",
            inputs,
            count=count,
            height=height,
            width=width,
        )
    ]
    words += [tr("stride {stride}", stride=meta["stride"][0])] if max(meta["stride"]) > 1 else []
    words += [tr("{groups:,} groups", groups=meta["groups"])] if meta["groups"] > 1 else []
    dead, alike = meta["dead_count"], meta["duplicate_count"]
    words.append(tr("{n} dead", n=dead) if dead else tr("none dead"))
    words.append(trn("{n} duplicate", "{n} duplicates", alike) if alike else tr("none duplicate"))
    words += [] if meta["called"] else [tr("never called for this picture")]
    return " · ".join(words)


def filter_line(result: Result, row: int) -> str:
    """Return one kernel in a line."""
    arrays = result.arrays
    words = tr("Filter {row}: norm {norms:.3g}", row=row, norms=arrays["norms"][row])
    if arrays["nearest"][row] >= 0:
        words += tr(
            ", most like {nearest} (cosine {similarity:.2f})",
            nearest=arrays["nearest"][row],
            similarity=arrays["similarity"][row],
        )
    flags = [name for name in ("dead", "duplicate") if arrays[name][row]]
    return f"{words}, {tr(' and ').join(flags)}" if flags else words


def filter_facts(result: Result, row: int) -> list[tuple[str, str]]:
    """Return the numbers of one kernel, each with its name."""
    arrays, meta = result.arrays, result.meta
    facts = [
        (tr("Filter"), tr("{row} of {norms:,}", row=row, norms=len(arrays["norms"]))),
        (tr("Norm"), f"{arrays['norms'][row]:.4g}"),
    ]
    if meta["folded"]:
        facts.append((tr("With batch norm"), f"{arrays['strength'][row]:.4g}"))
    tile = arrays["tiles"][row]
    facts.append((tr("Weights shown"), tr("{tile:+.3g} to {tile_2:+.3g}", tile=tile.min(), tile_2=tile.max())))
    if meta["mode"] in ("pca", "planes") and meta["shape"][1] > 1:
        facts.append((tr("Share shown"), tr("{share:.0f} % of its energy", share=100 * arrays["share"][row])))
    near = int(arrays["nearest"][row])
    if near >= 0:
        facts.append(
            (tr("Most like"), tr("{near}, cosine {similarity:.3f}", near=near, similarity=arrays["similarity"][row]))
        )
    if arrays["dead"][row]:
        facts.append((tr("Dead"), tr("under 1 ‰ of the others")))
    if arrays["duplicate"][row]:
        facts.append((tr("Duplicate"), tr("practically equal to {near}", near=near)))
    return facts


def numbers_text(tile: Float) -> str:
    """Return one kernel as tab-separated rows; an RGB kernel as three blocks, red, green, blue."""
    planes = {"": tile} if tile.ndim == 2 else {name: tile[..., i] for i, name in enumerate(("red", "green", "blue"))}
    blocks = []
    for name, plane in planes.items():
        rows = ["\t".join(f"{value:.8g}" for value in row) for row in plane.tolist()]
        blocks.append("\n".join([name, *rows] if name else rows))
    return "\n".join(blocks)


def activation_summary(result: Result) -> str:
    """Return a summary of a layer's channels."""
    meta = result.meta
    count, rows, columns = result.arrays["maps"].shape
    shape = "values" if (rows, columns) == (1, 1) else tr("maps of {columns} × {rows}", columns=columns, rows=rows)
    dead = (
        tr("{n} dead in this picture", n=meta["dead_count"]) if meta["dead_count"] else tr("none dead in this picture")
    )
    if "measure" in meta:
        return f"{meta['layer']}: {count:,} {shape} · {dead}"
    about = (
        tr("target {target}", target=meta["target"])
        if meta["counts"]
        else tr("{target} does not depend on this layer", target=meta["target"])
    )
    return f"{meta['layer']}: {count:,} {shape} · {dead} · {about}"


def activation_line(result: Result, row: int) -> str:
    """Return one channel in a line."""
    arrays, measure = result.arrays, result.meta.get("measure", "relevance")
    measured = f", {measure} {arrays['relevance'][row]:+.3g}" if result.meta["counts"] or measure == "relevance" else ""
    if arrays["maps"].shape[1:] == (1, 1):
        return tr("Channel {row}: {mean:.4g}{measured}", row=row, mean=arrays["mean"][row], measured=measured)
    words = tr(
        "Channel {row}: mean {mean:.3g}, max {max:.3g}{measured}",
        row=row,
        mean=arrays["mean"][row],
        max=arrays["max"][row],
        measured=measured,
    )
    return tr("{words}, zero everywhere", words=words) if arrays["dead"][row] else words


def activation_facts(result: Result, row: int) -> list[tuple[str, str]]:
    """Return the numbers of one channel, each with its name."""
    arrays = result.arrays
    facts = [(tr("Channel"), tr("{row} of {mean:,}", row=row, mean=len(arrays["mean"])))]
    if arrays["maps"].shape[1:] == (1, 1):
        facts.append((tr("Value"), f"{arrays['mean'][row]:.5g}"))
    else:
        facts.append((tr("Mean"), f"{arrays['mean'][row]:.4g}"))
        facts.append((tr("Range"), tr("{min:.4g} to {max:.4g}", min=arrays["min"][row], max=arrays["max"][row])))
        facts.append((tr("Zero"), tr("{zeros:.0f} % of the places", zeros=100 * arrays["zeros"][row])))
    rank = int((arrays["relevance"] > arrays["relevance"][row]).sum()) + 1
    if result.meta["counts"]:
        measure = str(result.meta.get("measure", "relevance")).capitalize()
        facts.append((measure, f"{arrays['relevance'][row]:+.3g}, {_ordinal(rank)}"))
    return facts


def activation_layer(result: Result, row: int, look: Look) -> Layer | None:
    """Return the overlay of a channel; None for a vector's, which has no position."""
    maps = result.arrays["maps"]
    if not 0 <= row < len(maps) or maps.shape[1:] == (1, 1):
        return None
    values = maps[row].astype(np.float32)
    return heat_layer(values, result.meta["extent"], look, id="activation")


def field_layers(result: Result) -> list[Layer]:
    """Return the receptive field of a unit: all of it dashed, the part that holds 95 % of it solid, and the unit's own
    cell.
    """
    if result.meta["empty"]:
        return []
    whole, most, cell = (result.arrays[name] for name in ("box", "effective", "place"))
    colour = np.array([COLOUR_OF_FIELD], np.int64)
    layers: list[Layer] = [Boxes(f"{FIELD} whole", whole, colour, dashed=True, width=1.5, hoverable=False)]
    layers.append(Boxes(f"{FIELD} effective", most, colour, width=2.0, hoverable=False))
    layers.append(Boxes(f"{FIELD} cell", cell, colour, width=1.0, filled=True, hoverable=False))
    return layers


def field_text(result: Result) -> str:
    """Return the receptive field of a unit in words."""
    meta = result.meta
    channel = tr("Channel {channel}", channel=meta["channel"]) if meta["channel"] >= 0 else tr("All channels")
    unit = tr("{channel} at row {row}, column {column}", channel=channel, row=meta["row"], column=meta["column"])
    if meta["empty"]:
        return tr("{unit} depends on no pixel of this picture.", unit=unit)
    sizes = [_size(result.arrays[name][0]) for name in ("box", "effective")]
    words = tr("sees {sizes} px of the picture, 95 % of it within {sizes_2} px", sizes=sizes[0], sizes_2=sizes[1])
    return tr("{unit} is silent; its place {words}", unit=unit, words=words) if meta["silent"] else f"{unit} {words}"


def attention_map(result: Result, show: str, block: int, head: int) -> Float:
    """Return the attention map (h, w) to show: rollout, one head or all, or position embeddings."""
    arrays = result.arrays
    if show == POSITION and "position" in arrays:
        return arrays["position"]
    if show == BLOCK:
        found = arrays["all"][min(block, len(arrays["all"]) - 1)]
        return found.mean(0) if head < 0 else found[min(head, len(found) - 1)]
    return arrays["rollout"]


def attention_facts(result: Result, show: str, block: int, head: int) -> list[tuple[str, str]]:
    """Return the numbers of the attention shown, each with its name."""
    arrays, meta = result.arrays, result.meta
    values = attention_map(result, show, block, head)
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    facts = [(tr("Query"), query_text(meta["query"], meta["grid"], class_token=meta["class_token"]))]
    if show == POSITION:
        facts.append((tr("Cosine"), tr("{values:+.2f} to {values_2:+.2f}", values=values.min(), values_2=values.max())))
        return facts
    facts.append(
        (
            tr("Strongest"),
            tr("{values:.2g} % at row {row}, column {column}", values=100 * values.max(), row=row, column=column),
        )
    )
    if show == BLOCK:
        if meta["class_token"]:
            part = arrays["to_class"][block]
            facts.append((tr("To the class token"), f"{100 * (part.mean() if head < 0 else part[head]):.2g} %"))
        bits = arrays["entropy"][block]
        if meta.get("others"):
            part = arrays["to_others"][block]
            facts.append((tr("To further tokens"), f"{100 * (part.mean() if head < 0 else part[head]):.2g} %"))
        even = np.log2(values.size + int(meta["class_token"]) + meta.get("others", 0))
        facts.append(
            (tr("Spread"), tr("{bits:.2f} bits of {even:.2f}", bits=bits.mean() if head < 0 else bits[head], even=even))
        )
    elif meta["class_token"]:
        facts.append((tr("To the class token"), f"{100 * meta['rollout_to_class']:.2g} %"))
    return facts


def attention_line(result: Result, number: int) -> str:
    """Return one head of one block in a line; heads are counted block by block."""
    block, head = divmod(number, result.meta["heads"])
    words = tr(
        "Block {block}, head {head}: spread {entropy:.2f} bits",
        block=block,
        head=head,
        entropy=result.arrays["entropy"][block, head],
    )
    if result.meta["class_token"]:
        words += tr(", {to_class:.2g} % to the class token", to_class=100 * result.arrays["to_class"][block, head])
    return words


def query_text(query: int, grid: tuple[int, int], *, class_token: bool) -> str:
    """Return which token is the query."""
    if query >= 0:
        row, column = divmod(query, grid[1])
        return tr("patch at row {row}, column {column}", row=row, column=column)
    return tr("class token") if class_token else tr("all patches, on average")


def patch_at(result: Result, place: tuple[float, float]) -> int:
    """Return the patch at a place of the picture, -1 outside the network's input."""
    left, top, right, bottom = result.meta["extent"]
    rows, columns = result.meta["grid"]
    across, down = (place[0] - left) / (right - left), (place[1] - top) / (bottom - top)
    if not (0 <= across < 1 and 0 <= down < 1):
        return -1
    return int(down * rows) * columns + int(across * columns)


def query_layer(result: Result) -> Layer | None:
    """Return a frame around the query patch, None if the query is not a patch."""
    query, (rows, columns) = result.meta["query"], result.meta["grid"]
    if query < 0:
        return None
    left, top, right, bottom = result.meta["extent"]
    width, height = (right - left) / columns, (bottom - top) / rows
    row, column = divmod(query, columns)
    x, y = left + column * width, top + row * height
    box = np.array([[x, y, x + width, y + height]], np.float32)
    return Boxes(QUERY, box, np.array([COLOUR_OF_FIELD], np.int64), hoverable=False)


def facts_text(facts: list[tuple[str, str]]) -> str:
    """Return facts as tab-separated lines."""
    return "\n".join("\t".join(fact) for fact in facts)


def _size(box: Float) -> str:
    return f"{box[2] - box[0]:.0f} × {box[3] - box[1]:.0f}"


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"
