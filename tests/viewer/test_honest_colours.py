"""The colours of heat maps: the largest value stands out most, zero is clear, and a value has one colour everywhere."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.cards.card import DEFAULT_MODEL
from models.engine.engine import Engine
from models.pictures.images import read
from models.requests import Request
from models.types import Result, Source
from tests.viewer.test_theme import seen
from viewer.canvas.painter import pixels_of, render
from viewer.export import answers
from viewer.presenters import heatmap, map_tiles
from viewer.presenters.map_comparison import Cell
from viewer.session.document import ABSOLUTE, Document, Look

PHOTOS = Path(__file__).parents[2] / "assets" / "photos"
GREY = np.full((64, 64, 3), 120, np.uint8)
WHOLE = (0.0, 0.0, 64.0, 64.0)


@functools.cache
def explained(photo: str, method: str) -> tuple[np.ndarray, Result]:
    source = Source.file(PHOTOS / f"{photo}.jpg")
    answer = Engine().run(Request.make(method, "photos-resnet", source, {}))
    assert isinstance(answer, Result), answer
    return read(source).pixels, answer


def painted(pixels: np.ndarray, layer: Any) -> np.ndarray:
    return pixels_of(render(pixels, [layer])).astype(float)


def cell_means(pixels: np.ndarray, result: Result) -> np.ndarray:
    """The mean OKLab colour of the picture under the middle of each cell of a map (h, w, 3)."""
    values, (x0, y0, x1, y1) = result.arrays["map"], result.meta["extent"]
    rows, columns = values.shape
    found = np.zeros((rows, columns, 3))
    for r, c in np.ndindex(rows, columns):
        at_y = [round(y0 + (r + part) * (y1 - y0) / rows) for part in (0.4, 0.6)]
        at_x = [round(x0 + (c + part) * (x1 - x0) / columns) for part in (0.4, 0.6)]
        colour = pixels[at_y[0] : at_y[1], at_x[0] : at_x[1]].mean((0, 1))
        found[r, c] = seen(*colour.tolist(), sight="normal")
    return found


@pytest.mark.parametrize("photo", ["cat", "coffee", "astronaut", "rocket"])
def test_the_largest_value_of_a_map_changes_the_picture_most(photo: str) -> None:
    pixels, result = explained(photo, "grad_cam")
    values = result.arrays["map"]
    layer = heatmap.heat_layer(values, result.meta["extent"], Look())
    before, after = cell_means(pixels, result), cell_means(painted(pixels, layer), result)
    share = np.abs(values) / heatmap.end_of(values, Look())
    changed = np.linalg.norm(after - before, axis=-1)
    weak, strong = changed[share < 0.03], changed[share > 0.9]
    assert strong.min() > 0.15 and weak.max(initial=0) < 0.06
    assert changed[np.unravel_index(np.abs(values).argmax(), values.shape)] > 2 * np.median(changed)


def test_the_maximum_of_grad_cam_on_the_cat_is_its_brightest_place() -> None:
    pixels, result = explained("cat", "grad_cam")
    values = result.arrays["map"]
    assert values.min() >= 0  # so that one sign is drawn, although the method could give both
    layer = heatmap.heat_layer(values, result.meta["extent"], Look())
    assert (layer.low, layer.colour_map) == (0.0, heatmap.SEQUENTIAL)
    light = cell_means(painted(pixels, layer), result)[..., 0]
    strong = values > 0.5 * values.max()
    assert values.flat[np.where(strong, light, 0).argmax()] >= 0.97 * values.max()
    # Around the map and where it is nothing, the picture is the picture.
    plain, shown = pixels.astype(float), painted(pixels, layer)
    assert np.array_equal(plain[:, :70], shown[:, :70])


@pytest.mark.parametrize("colours", heatmap.COLOUR_MAPS)
@pytest.mark.parametrize("signs", [(0, 1), (-1, 0), (-1, 1)], ids=["positive", "negative", "both"])
def test_zero_is_clear_and_opacity_grows_with_size(colours: str, signs: tuple[int, int]) -> None:
    values = np.linspace(signs[0], signs[1], 33, dtype=np.float32)[None].repeat(2, 0)
    values[1, :] = np.nan
    layer = heatmap.heat_layer(values, WHOLE, Look(smooth=False, clip=100.0, colours=colours, opacity=1.0))
    shown = painted(np.full((2, 33, 3), 120, np.uint8), _over(layer, 33, 2))
    assert (shown[1] == 120).all()
    assert (shown[0][values[0] == 0] == 120).all()
    full = painted(np.full((2, 33, 3), 250, np.uint8), _over(layer, 33, 2))
    # What still comes through of the ground: the difference of two grounds, 130 levels apart.
    through = (full - shown)[0].mean(-1) / 130
    order = np.argsort(np.abs(values[0]), kind="stable")
    assert (np.diff(through[order]) < 0.02).all() and through[order[-1]] == 0 and through[order[0]] == 1
    light = [seen(*rgb, sight="normal")[0] for rgb in shown[0].tolist()]
    peak = np.abs(values[0]) == 1
    assert min(np.array(light)[peak]) >= max(light) - 0.05


def _over(layer: Any, width: int, height: int) -> Any:
    import dataclasses

    return dataclasses.replace(layer, extent=(0.0, 0.0, float(width), float(height)))


def result_of(values: np.ndarray, source: Source) -> tuple[Request, Result]:
    meta = {"kind": "attribution", "signed": True, "extent": WHOLE, "size": (64, 64), "target": "cat", "score": 1.0}
    meta |= {"quantity": "score", "probability": None, "verdict": "applies", "reason": "", "delta": None}
    return Request.make("grad_cam", DEFAULT_MODEL, source, {}), Result({"map": values}, meta)


@pytest.mark.parametrize("scale", ["all", "method", "cell"])
@pytest.mark.parametrize("colours", ["", "viridis"])
def test_a_map_has_the_same_colours_in_panel_comparison_and_export(scale: str, colours: str) -> None:
    rng = np.random.default_rng(0)
    one, both = rng.random((4, 4), np.float32), rng.normal(size=(4, 4)).astype(np.float32)
    both *= heatmap.end_of(one, Look()) / heatmap.end_of(both, Look())
    source, look = Source.file("a.png"), Look(colours=colours)
    document = Document((source,), look=look).with_maps(scale=scale)
    asked = {Cell(name, "", source): result_of(values, source) for name, values in (("one", one), ("both", both))}
    found = map_tiles.tiles(
        {cell: request for cell, (request, _) in asked.items()},
        {cell: result for cell, (_, result) in asked.items()},
        document,
        titles={},
        sizes={source: (64, 64)},
    )
    assert len(found.bars) == (2 if colours else 1)
    for values, shown in zip((one, both), found.shown, strict=True):
        layer = heatmap.heat_layer(values, WHOLE, look)
        assert shown.tile.heat is not None
        panel, tile = painted(GREY, layer), painted(GREY, shown.tile.heat)
        # The ends of both scales agree but for rounding.
        np.testing.assert_allclose(panel, tile, atol=2)
        if not colours:
            request, result = result_of(values, source)
            np.testing.assert_array_equal(panel, painted(GREY, answers.layers_of(request, result)[0]))


def test_a_sign_too_small_to_be_seen_does_not_count() -> None:
    values = np.array([[-0.001, 1.0]], np.float32)
    assert heatmap.signs_of(values, Look()) == (False, True)
    assert heatmap.signs_of(values * np.array([[10, 1]], np.float32), Look()) == (True, True)
    assert heatmap.signs_of(-values, Look()) == (True, False)
    assert heatmap.range_of(-values, Look(clip=100.0)) == (-1.0, 0.0, heatmap.NEGATIVE)
    assert heatmap.range_of(-values, Look(clip=100.0, sign=ABSOLUTE)) == (0.0, 1.0, heatmap.SEQUENTIAL)
    assert heatmap.range_of(-values, Look(clip=100.0, colours="magma")) == (-1.0, 0.0, "magma_r")
