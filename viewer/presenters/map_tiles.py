"""Results as the cells of a grid of maps: heat layer, scale and text of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from models import quantity
from models.requests import Request
from models.types import Failure, Float, Result, Source
from viewer.canvas.layers import Heat
from viewer.engine_texts import shown
from viewer.presenters import heatmap, map_comparison
from viewer.presenters.heatmap import value_at
from viewer.presenters.map_comparison import Cell, Difference, within
from viewer.session.document import SIGNED, Document, Look
from viewer.session.lookup import title_for, word_for
from viewer.translation import tr

Share = tuple[float, float]

Answer = Result | Failure
Bar = heatmap.Scale


class Signs(TypedDict):
    """The signs that a map's drawn values have."""

    negative: bool
    positive: bool


KEPT_MOST = 96
WAITS = "…"
NOT_COMPARED = tr("These two cannot be subtracted: {}")
HEAD = ("picture", "method", "target", "score", "probability", "lowest", "highest", "scale_end", "verdict", "reason")
_heats: dict[Hashable, tuple[Result, Heat]] = {}


@dataclass(frozen=True, eq=False)
class Found:
    """The cells, the colour bars of their maps (of one sign and of both), and what their ends mean in words."""

    shown: list[Shown]
    bars: tuple[Bar, ...]
    words: str


def tiles(
    asked: Mapping[Cell, Request | None],
    answers: Mapping[Cell, Answer],
    document: Document,
    *,
    titles: Mapping[str, str],
    sizes: Mapping[Source, tuple[int, int]],
) -> Found:
    """Return a document's cells with the results so far.

    `titles` name methods, `sizes` (h, w) are those of pictures.
    """
    look, mode = document.look, document.maps.scale
    results = {cell: answer for cell, answer in answers.items() if isinstance(answer, Result)}
    ends = map_comparison.ends(results, look, scale=mode)
    signs = {cell: heatmap.signs_of(result.arrays["map"], look) for cell, result in results.items()}
    shown = []
    for cell, request in asked.items():
        answer = answers.get(cell)
        size = sizes.get(cell.source) or _size(answer)
        tile = Tile(cell.slot, titles.get(cell.method, cell.method), _target(cell, answer), cell.source, size)
        tile = replace(tile, tip=f"{tile.title}\n{cell.source.name}")
        if isinstance(answer, Result):
            tile = _with_map(tile, answer, look, ends[cell])
        elif isinstance(answer, Failure):
            tile = replace(tile, note=answer.text, tip=f"{tile.tip}\n{answer.text}")
        else:
            tile = replace(tile, note=WAITS, tip=f"{tile.tip}\n{tr('Not computed yet')}", waits=True)
        result = answer if isinstance(answer, Result) else None
        shown.append(Shown(cell, tile, request, result, ends.get(cell, 0.0)))
    return Found(shown, *_scale(ends, signs, titles, look, mode))


def subtracted(a: Shown, b: Shown, look: Look) -> tuple[Difference | None, Tile, Bar, str]:
    """Return the difference of two cells, as a cell, with its colour bar and a description."""
    names = f"A − B: {a.tile.title} − {b.tile.title}"
    empty = Tile("difference", "A − B", "", a.cell.source, a.tile.size)
    bar: Bar = (-1.0, 1.0, heatmap.DIVERGING)
    if a.result is None or b.result is None:
        return None, replace(empty, note=WAITS, waits=True), bar, names
    if a.cell.source != b.cell.source and a.tile.size != b.tile.size:
        why = NOT_COMPARED.format(tr("their pictures differ in size."))
        return None, replace(empty, note=why), bar, names
    same = a.cell.method == b.cell.method
    one, other = (
        (each.result.arrays["map"], each.result.meta["extent"], heatmap.end_of(each.result.arrays["map"], look))
        for each in (a, b)
        if each.result is not None
    )
    found = map_comparison.difference(one, other, same=same, look=look)
    if found is None:
        why = NOT_COMPARED.format(tr("they have no part of the picture in common."))
        return None, replace(empty, note=why), bar, names
    plain = replace(look, sign=SIGNED, scale=0.0)
    end = heatmap.end_of(found.values, plain)
    layer = heatmap.heat_layer(found.values, found.extent, plain, around=True, id="difference")
    tile = replace(
        empty, heat=layer, values=found.values, extent=found.extent, foot=within(end, around=True), tip=names
    )
    if not np.any(found.values):
        tile = replace(tile, heat=None, note="A and B are the same.")
    unit = (
        tr("each divided by its own end of scale first, because their units differ")
        if not same
        else tr("in the method's unit")
    )
    return found, tile, (-end, end, heatmap.DIVERGING), f"{names}; {unit}"


def class_rows(best: Result | None, chosen: Sequence[str], classes: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the best classes with their probabilities or values, and the other chosen ones, for a list to tick."""
    rows = {}
    if best is not None:
        names, columns = best.meta["classes"], (best.arrays["labels"].tolist(), quantity.numbers(best).tolist())
        chances = quantity.of(best) == quantity.PROBABILITY
        texts = [f"{v:.3f}" if chances else quantity.in_digits(v) for v in columns[1]]
        entries = zip(columns[0], texts, strict=True)
        rows = {word_for(label, names): f"{names[label]}\t{text}" for label, text in entries}
    rows |= {word: title_for(word, classes) for word in chosen if word not in rows}
    return [(name, title, "") for name, title in rows.items()]


def text(shown: Sequence[Shown]) -> str:
    """Return the numbers of every cell as tab-separated text."""
    lines: list[tuple[str, ...]] = [HEAD]
    for one in shown:
        about = (one.cell.source.name, one.cell.method)
        if one.result is None:
            lines.append((*about, one.cell.target, "", "", "", "", "", "", one.tile.note))
            continue
        meta, values = one.result.meta, one.result.arrays["map"]
        chance = "" if meta["probability"] is None else f"{meta['probability']:.6g}"
        numbers = (float(values.min()), float(values.max()), one.end)
        cells = (str(meta["target"]), f"{meta['score']:.6g}", chance, *(f"{v:.6g}" for v in numbers))
        lines.append((*about, *cells, str(meta["verdict"]), str(meta["reason"])))
    return "\n".join("\t".join(line) for line in lines) + "\n"


def _with_map(tile: Tile, result: Result, look: Look, end: float) -> Tile:
    meta, values = result.meta, result.arrays["map"]
    said = heatmap.words(values, signed=meta["signed"])
    badge = tr("partial") if meta["verdict"] == "partial" else ""
    chance = (
        "" if meta["probability"] is None else tr(", probability {probability:.3f}", probability=meta["probability"])
    )
    score = f"{quantity.TITLES[meta['quantity']]} {meta['score']:.4g}{chance}"
    lines = [tile.tip, score, tr("From {values:.3g} to {values_2:.3g}", values=values.min(), values_2=values.max())]
    lines += [tr("Layer {layer}", layer=meta["layer"])] if meta.get("layer") else []
    lines += [tr("Completeness off by {delta:.2%}", delta=meta["delta"])] if meta["delta"] is not None else []
    lines += [shown(str(meta["reason"]))] if meta["reason"] else []
    lines += [tr("Still being refined")] if meta.get("partial") else []
    return replace(
        tile,
        heat=_heat(result, look, end) if np.any(values) else None,
        values=values,
        extent=tuple(meta["extent"]),
        note=said,
        badge=badge or (tr("refining") if meta.get("partial") else ""),
        tip="\n".join([*lines, *([said] if said else [])]),
        foot=ends_of(heatmap.scale_of(end, look, **_named(heatmap.signs_of(values, look)))),
    )


def _heat(result: Result, look: Look, end: float) -> Heat:
    """Return the layer of a map, the same object for the same arguments, because painting is cached by layer."""
    base = _kept((id(result), look), result, lambda: _layer(result, look))
    low, high = (-end if base.low < 0 else 0.0), (end if base.high > 0 else 0.0)
    return _kept((id(result), look, end), result, lambda: replace(base, low=low, high=high))


def _layer(result: Result, look: Look) -> Heat:
    return heatmap.heat_layer(result.arrays["map"], result.meta["extent"], replace(look, scale=1.0))


def _kept(key: Hashable, result: Result, make: Callable[[], Heat]) -> Heat:
    if key not in _heats:
        while len(_heats) >= KEPT_MOST:
            del _heats[next(iter(_heats))]
        _heats[key] = (result, make())  # keep the result alive, so that its id is not reused
    return _heats[key][1]


def _scale(
    ends: Mapping[Cell, float],
    signs: Mapping[Cell, tuple[bool, bool]],
    titles: Mapping[str, str],
    look: Look,
    mode: str,
) -> tuple[tuple[Bar, ...], str]:
    """Return the colour bars: in values if all maps share a scale, else in shares of each scale's end."""
    around = any(all(both) for both in signs.values())
    largest = max(ends.values(), default=1.0)
    if mode == "all" or look.scale > 0 or len(set(ends.values())) == 1:
        percentile = tr("the largest of their {clip:g}\u00a0% percentiles", clip=look.clip)
        text = tr(
            "One scale for all maps, {within}: {percentile}",
            within=within(largest, around=around),
            percentile=percentile,
        )
        text = tr("Locked at {within}", within=within(look.scale, around=around)) if look.scale > 0 else text
        return _bars(largest, signs.values(), look), text
    bars = _bars(1.0, signs.values(), look)
    if mode == "cell":
        return bars, tr("Each map has a scale of its own, under it: colours cannot be compared between maps")
    each = {titles.get(cell.method, cell.method): end for cell, end in ends.items()}
    both = {titles.get(cell.method, cell.method) for cell, pair in signs.items() if all(pair)}
    listed = " · ".join(f"{name} {within(end, around=name in both)}" for name, end in each.items())
    return bars, tr("1 is the end of a method's scale: {listed}", listed=listed)


def _bars(end: float, signs: Collection[tuple[bool, bool]], look: Look) -> tuple[Bar, ...]:
    """Return the bars that explain every map's colours: one, unless the colours chosen are for one sign only."""
    scales = {heatmap.scale_of(end, look, **_named(pair)) for pair in signs}
    if len(scales) > 1 and not look.colours:
        return (heatmap.scale_of(end, look, negative=True, positive=True),)  # the others are its halves
    return tuple(sorted(scales)) or (heatmap.scale_of(end, look, negative=False, positive=True),)


def _named(signs: tuple[bool, bool]) -> Signs:
    return {"negative": signs[0], "positive": signs[1]}


def ends_of(scale: Bar) -> str:
    """Return the ends of a scale as text without line breaks."""
    low, high, _ = scale
    if low < 0 < high:
        return within(high, around=True)
    return within(high, around=False) if low == 0 else f"≥\u00a0{low:.3g}"


def _target(cell: Cell, answer: Answer | None) -> str:
    if isinstance(answer, Result):
        return str(answer.meta["target"]).partition(" of box ")[0]  # a box's number means nothing to the user
    return cell.target or tr("best class")


def _size(answer: Answer | None) -> tuple[int, int]:
    if isinstance(answer, Result):
        width, height = answer.meta["size"]
        return int(width), int(height)
    return 0, 0


@dataclass(frozen=True, eq=False)
class Tile:
    """A heat map over a picture: the map of `method` for the target `about`.

    `heat` is what is painted, `values` over `extent` is what is read out. `extent` is in pixels of the picture; `size`
    is the picture's width and height, (0, 0) if unknown. `note` is text shown instead of or with the map; `badge` is a
    short warning and `tip` its full text; `foot` is the value at the end of the colour scale.
    """

    key: str
    method: str
    about: str
    picture: Hashable
    size: tuple[int, int] = (0, 0)
    heat: Heat | None = None
    values: Float | None = None
    extent: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    note: str = ""
    badge: str = ""
    tip: str = ""
    foot: str = ""
    waits: bool = False

    @property
    def title(self) -> str:
        """Return the method and what its map is about."""
        return f"{self.method} · {self.about}" if self.about else self.method

    def read(self, place: Share | None) -> str:
        """Return the map's value at a position given as shares of the picture, "" if there is no map."""
        if place is None or self.values is None or not self.size[0]:
            return ""
        between = self.heat is not None and self.heat.smooth
        x, y = place[0] * self.size[0], place[1] * self.size[1]
        value = value_at(self.values, self.extent, x, y, between=between)
        return "–" if value is None else heatmap.number(value)


@dataclass(frozen=True, eq=False)
class Shown:
    """A displayed cell: its request, its result if there is one, and the end of its scale."""

    cell: Cell
    tile: Tile
    request: Request | None
    result: Result | None
    end: float = 0.0


@dataclass(frozen=True, eq=False)
class Sheet:
    """The whole comparison: cells, `across` methods side by side, drawn with `look` on one `scale`, and its colours."""

    shown: Sequence[Shown]
    across: int
    look: Look
    scale: str
    bars: tuple[Bar, ...]
    bar_text: str
    difference: tuple[str, str, Difference] | None = None
