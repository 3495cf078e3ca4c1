"""From results to layers: the right boxes, links, anchors and numbers. No window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.cards.card import BUNDLED
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Result, Source
from viewer.canvas.layers import Boxes, Heat, Layer, Links, Points
from viewer.presenters import detections

SAMPLE = Source.file(min((BUNDLED.parent / "samples").glob("*.png")))
SSD, RCNN = "digits-ssd", "digits-faster-rcnn"


def ask(engine: Engine, inspection: str, model: str, source: Source = SAMPLE, **params: Any) -> Result:
    answer = engine.run(Request.make(inspection, model, source, params))
    assert isinstance(answer, Result), answer
    return answer


def boxes(layers: list[Layer], name: str) -> Boxes:
    found = next(layer for layer in layers if layer.id == name)
    assert isinstance(found, Boxes)
    return found


def test_detections_are_labelled_and_keep_their_ids(engine: Engine) -> None:
    result = ask(engine, "detect", SSD)
    (layer,) = detections.detection_layers(result)
    assert isinstance(layer, Boxes) and len(layer) == len(result.arrays["scores"]) > 3
    assert layer.ids.tolist() == result.arrays["ids"].tolist()
    name = result.meta["classes"][result.arrays["labels"][2]]
    assert layer.text(2) == f"{name} {result.arrays['scores'][2]:.2f}"
    assert layer.labelled and not boxes(detections.detection_layers(result, labels=False), "detections").labelled


def test_the_selection_is_a_candidate_not_a_place_in_the_list(engine: Engine) -> None:
    many, few = ask(engine, "detect", SSD, score=0.2), ask(engine, "detect", SSD, score=0.6)
    chosen = int(few.arrays["ids"][-1])
    for result in (many, few):
        layer = boxes(detections.detection_layers(result, selected=chosen), "detections")
        assert layer.ids[layer.selected] == chosen
    gone = next(int(i) for i in many.arrays["ids"] if i not in few.arrays["ids"])
    assert boxes(detections.detection_layers(few, selected=gone), "detections").selected == -1


def test_a_removed_box_is_dashed_and_linked_to_its_remover(engine: Engine) -> None:
    result = ask(engine, "detect", SSD, suppressed=True, score=0.2)
    layers = detections.detection_layers(result)
    removed, links = boxes(layers, "removed"), next(layer for layer in layers if isinstance(layer, Links))
    assert removed.dashed and not removed.labelled and len(removed) == len(links.segments) > 0
    for row, by in enumerate(result.arrays["removed_by"]):
        assert links.segments[row].tolist() == [*removed.boxes[row, :2], *result.arrays["boxes"][by, :2]]
    remover = result.meta["classes"][result.arrays["labels"][result.arrays["removed_by"][0]]]
    assert removed.text(0).endswith(f"removed by {remover} at IoU {result.arrays['removed_iou'][0]:.2f}")


@pytest.mark.parametrize(
    ("model", "size", "middle", "scale"),
    [(SSD, (480, 360), 0.5, (1.5, 1.125)), (RCNN, (480, 720), 0.0, (1.5, 1.5))],
    ids=["ssd", "faster-rcnn"],
)
def test_anchors_stand_where_the_model_puts_them(
    engine: Engine, tmp_path: Path, model: str, size: tuple[int, int], middle: float, scale: tuple[float, float]
) -> None:
    """SSD's centres lie in the middle of cells, the R-CNN's on their corners; `scale` takes them to the picture."""
    save_png(np.full((size[1], size[0], 3), 200, np.uint8), tmp_path / "plain.png")
    result = ask(engine, "anchors", model, Source.file(tmp_path / "plain.png"))
    strides = (8, 16, 32, 64)[: result.meta["levels"]]
    for level, ((rows, columns), stride) in enumerate(zip(result.arrays["grid"].tolist(), strides, strict=True)):
        start, per_cell = result.arrays["start"][level], result.arrays["per_cell"][level]
        for row, column in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3)):
            at = start + (row * columns + column) * per_cell + np.arange(per_cell)
            found = result.arrays["boxes"][at]
            x, y = ((place + middle) * stride * s for place, s in zip((column, row), scale, strict=True))
            centres = (found[:, :2] + found[:, 2:]) / 2
            assert centres == pytest.approx(np.tile((x, y), (per_cell, 1)), abs=0.01)
            nudge = 0.4 * stride * scale[0], -0.4 * stride * scale[1]
            assert detections.anchors_at(result, x + nudge[0], y + nudge[1], level=level).tolist() == at.tolist()


def test_a_place_shows_the_nearest_cell_of_every_level(engine: Engine) -> None:
    result = ask(engine, "anchors", SSD)
    rows = detections.anchors_at(result, 100.0, 120.0)
    assert len(rows) == result.arrays["per_cell"].sum()
    one = detections.anchors_at(result, 100.0, 120.0, level=1)
    assert set(one) < set(rows) and len(one) == result.arrays["per_cell"][1]
    assert (one >= result.arrays["start"][1]).all() and (one < result.arrays["start"][2]).all()
    layers = detections.anchor_layers(result, (100.0, 120.0))
    shown, centres = boxes(layers, "anchors"), next(layer for layer in layers if isinstance(layer, Points))
    assert np.array_equal(shown.boxes, result.arrays["boxes"][rows]) and not shown.hoverable
    assert len(set(shown.colours.tolist())) == result.meta["levels"]
    assert centres.xy == pytest.approx((shown.boxes[:, :2] + shown.boxes[:, 2:]) / 2)
    assert detections.anchor_layers(result, None) == []
    lines = detections.anchor_sizes(result, rows)
    w, h = (shown.boxes[0, 2:] - shown.boxes[0, :2]).tolist()
    assert len(lines) == result.meta["levels"] and lines[0].startswith(f"Level 0: {w:.0f}\u00a0×\u00a0{h:.0f}, ")


def test_density_covers_the_picture_and_sums_the_levels(engine: Engine) -> None:
    result = ask(engine, "anchors", SSD)
    heat, first = detections.density_layer(result), detections.density_layer(result, level=0)
    assert isinstance(heat, Heat) and heat.extent == (0, 0, *result.meta["size"])
    assert np.array_equal(heat.values, result.arrays["density"].sum(0)) and heat.high == heat.values.max()
    assert np.array_equal(first.values, result.arrays["density"][0]) and first.high < heat.high


def test_nothing_found_paints_nothing(engine: Engine) -> None:
    result = ask(engine, "detect", SSD, score=1.0, suppressed=True)
    (layer,) = detections.detection_layers(result)
    assert isinstance(layer, Boxes) and len(layer) == 0


def test_an_image_whose_rows_need_no_padding_is_copied() -> None:
    import numpy as np
    from PySide6.QtGui import QColor, QImage

    from viewer.canvas.painter import pixels_of

    for width in (639, 640):
        image = QImage(width, 480, QImage.Format.Format_RGB32)
        image.fill(QColor(10, 200, 30))
        pixels = pixels_of(image)
        assert pixels.flags.owndata
        assert (pixels == np.array([10, 200, 30], np.uint8)).all()
