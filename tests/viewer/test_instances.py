"""Masks and skeletons: painted as torchvision pastes them, within bounds of memory, switched in their panels."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtGui import QImage, QPainter
from torchvision.models.detection.roi_heads import paste_masks_in_image

from models.adapters.keypoint_rcnn import KeypointRcnnAdapter
from models.adapters.mask_rcnn import MaskRcnnAdapter
from models.cards.card import BUNDLED, Card
from models.detection import mask_outlines
from models.engine import registry
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source
from viewer.canvas.layers import Layer, Masks, Rings, Skeletons
from viewer.canvas.painter import paint, render, svg
from viewer.export import answers
from viewer.presenters import instances
from viewer.theme import class_colour

pytestmark = pytest.mark.usefixtures("qapp")
SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))
CLASSES = ("background", "a", "b", "c")
TINY = {"masks": MaskRcnnAdapter, "keypoints": KeypointRcnnAdapter}


def array(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def blob(seed: int) -> np.ndarray:
    """A mask with a dented edge and, in some, a hole."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28] / 27 - 0.5
    edge = 0.4 + 0.08 * np.sin(rng.integers(2, 6) * np.arctan2(y, x) + rng.uniform(0, 6))
    away = np.hypot(x * rng.uniform(0.9, 1.4), y)
    inside = edge - away if seed % 2 else np.minimum(edge - away, away - 0.12)
    return (1 / (1 + np.exp(-20 * inside))).astype(np.float32)


def masks_of(boxes: np.ndarray, maps: list[np.ndarray], **fields: Any) -> Masks:
    places = mask_outlines.placed(boxes, side=28)
    rings = Rings(*mask_outlines.joined([mask_outlines.outline(m, p) for m, p in zip(maps, places, strict=True)]))
    rows = np.arange(len(boxes))
    return Masks("masks", boxes, rows + 1, rows, rings, **fields)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [1.0, 0.5, 3.0])
def test_a_painted_mask_is_torchvisions_pasted_one(seed: int, scale: float) -> None:
    boxes = np.array([[-20.3, 30.2, 130.7, 171.9]], np.float32)
    layer = masks_of(boxes, [blob(seed)], opacity=1.0, outlined=False)
    image = QImage(round(200 * scale), round(200 * scale), QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.scale(scale, scale)
    paint(painter, [layer], scale=scale)
    painter.end()
    seen = array(image).astype(int).sum(2) > sum(class_colour(1).getRgb()[:3]) / 2

    pasted = paste_masks_in_image(torch.from_numpy(blob(seed))[None, None], torch.from_numpy(boxes), (200, 200))
    wanted = torch.nn.functional.interpolate(pasted, size=seen.shape, mode="bilinear", antialias=scale < 1)[0, 0] > 0.5
    assert (seen & wanted.numpy()).sum() / (seen | wanted.numpy()).sum() > 0.97
    assert 0.02 < seen.mean() < 0.6


def test_masks_are_blended_outlined_and_left_out_when_out_of_view() -> None:
    boxes = np.array([[20, 20, 120, 120], [5000, 5000, 5100, 5100]], np.float32)
    layer = masks_of(boxes, [np.ones((28, 28), np.float32)] * 2, opacity=0.25, outlined=False)
    white = np.full((150, 150, 3), 255, np.uint8)
    seen = array(render(white, [layer], unit=1))
    colour = np.array(class_colour(1).getRgb()[:3])
    np.testing.assert_allclose(seen[70, 70], 255 * 0.75 + colour * 0.25, atol=2)
    assert (seen[10, 10] == 255).all()
    outlined = array(render(white, [dataclasses.replace(layer, outlined=True)], unit=1))
    assert outlined[70, 18:22, 2].min() < seen[70, 18:22, 2].min() - 40
    assert np.array_equal(outlined[70, 70], seen[70, 70])


def test_an_svg_holds_masks_as_paths() -> None:
    layer = masks_of(np.array([[20, 20, 120, 120]], np.float32), [blob(0)], opacity=0.5)
    text = svg(np.zeros((150, 150, 3), np.uint8), [layer]).decode()
    assert text.count("<path") >= 2 and "fill-opacity" in text
    assert text.count("<image") == 1


MEMORY = """
import resource, sys
import numpy as np
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QApplication
sys.path[:0] = [{root!r}, {tests!r}]
import test_instances as t
app = QApplication([])
rng = np.random.default_rng(0)
corner = rng.uniform(0, 1, (100, 2)) * [5000, 3000]
boxes = np.concatenate([corner, corner + rng.uniform(400, 1000, (100, 2))], 1).astype(np.float32)
picture = np.zeros((4000, 6000, 3), np.uint8) + np.uint8(9)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
start = peak()
layer = t.masks_of(boxes, [t.blob(i) for i in range(100)])
image = QImage(1200, 800, QImage.Format.Format_RGB32)
image.fill(0)
painter = QPainter(image)
painter.scale(0.2, 0.2)
t.paint(painter, [layer], scale=0.2)
painter.end()
screen = peak()
done = t.render(picture, [layer])
assert np.asarray(t.array(image)).std() > 5
print(round(screen - start), round(peak() - start))
"""


def test_a_hundred_masks_on_a_large_picture_need_little_memory() -> None:
    """torchvision's pasting would take 9.6 GB. An export holds the picture once more, as Qt needs it: 96 MB."""
    here = Path(__file__).resolve()
    code = MEMORY.format(root=str(here.parents[2]), tests=str(here.parent))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    screen, whole = map(int, done.stdout.split())
    assert screen < 60, screen
    assert whole < 300, whole


def skeleton(xy: np.ndarray, faint: np.ndarray) -> Skeletons:
    return Skeletons("skeletons", xy.astype(np.float32), faint, ((0, 1),))


def test_limbs_join_points_and_low_ones_fade() -> None:
    xy = np.array([[[20, 50], [180, 50]], [[20, 150], [180, 150]]])
    black = np.zeros((200, 200, 3), np.uint8)
    layer = skeleton(xy, np.array([[False, False], [False, True]]))
    seen = array(render(black, [layer], unit=1)).astype(int)
    colour = np.array(class_colour(0).getRgb()[:3])
    np.testing.assert_allclose(seen[50, 100], colour, atol=12)
    np.testing.assert_allclose(seen[150, 100], 0.3 * colour, atol=15)
    np.testing.assert_allclose(seen[150, 20], colour, atol=12)
    assert (seen[100, 100] == 0).all()


def test_points_that_are_left_out_take_their_limbs_with_them() -> None:
    xy = np.array([[[20.0, 50.0], [np.nan, np.nan]]])
    seen = array(render(np.zeros((200, 200, 3), np.uint8), [skeleton(xy, np.zeros((1, 2), bool))], unit=1))
    assert seen[50, 20].any()
    assert not seen[:, 40:].any()


def spread_tiny(kind: str) -> Any:
    net: Any = TINY[kind].tiny()
    with torch.no_grad():
        net.roi_heads.box_predictor.cls_score.weight *= 40
    net.roi_heads.detections_per_img = 12
    return registry.adapt(net, Card(f"tiny-{kind}", title="Tiny", classes=CLASSES))


@pytest.fixture(params=list(TINY))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


Make = Callable[..., Any]


@pytest.fixture
def made(desk: Make, engine: Engine, kind: str) -> Any:
    name = f"tiny-{kind}"
    engine._models[name] = spread_tiny(kind)
    d = desk(SAMPLES[0], model=name)
    assert len(d.result.arrays["ids"]) > 2
    return d


def named(layers: list[Layer], name: str) -> Any:
    return next((layer for layer in layers if layer.id == name), None)


def flip(d: Any, panel: str, row: str) -> None:
    d.window.panels[panel].form.rows[row].box.click()
    d.settle()


def test_what_the_model_finds_is_painted_and_can_be_switched_off(made: Any, kind: str) -> None:
    layer, switch = {"masks": ("masks", "masks"), "keypoints": ("skeletons", "points")}[kind]
    assert d_layer(made, layer) is not None
    flip(made, kind, switch)
    assert d_layer(made, layer) is None
    assert kind not in made.session.wanted
    made.run("undo")
    made.settle()
    assert d_layer(made, layer) is not None
    other = "keypoints" if kind == "masks" else "masks"
    assert not made.window.panels[other].isEnabled()
    assert "makes no masks" in made.window.panels[other].summary.text() or kind == "masks"


def d_layer(d: Any, name: str) -> Any:
    return named(d.canvas.layers, name)


def test_only_what_is_shown_has_a_mask(made: Any, kind: str) -> None:
    scores = np.sort(made.result.arrays["scores"])
    made.set("score", f"{(scores[-1] + scores[-2]) / 2:.4f}")
    assert len(made.result.arrays["ids"]) == 1
    layer = d_layer(made, "masks" if kind == "masks" else "skeletons")
    assert len(layer.rows if kind == "masks" else layer.xy) == 1


def test_the_selected_ones_numbers_are_told(made: Any, kind: str) -> None:
    row = 1
    made.store.update(made.document.with_selected(int(made.result.arrays["ids"][row])))
    made.settle()
    panel = made.window.panels[kind]
    text = (panel.summary if kind == "masks" else panel.text).text()
    result = made.session.results[kind][1]
    if kind == "masks":
        flip(made, "masks", "mask_values")
        assert np.array_equal(d_layer(made, "mask values").values, result.arrays["masks"][row])
        pasted = paste_masks_in_image(
            torch.from_numpy(result.arrays["masks"][[row]])[:, None],
            torch.from_numpy(result.arrays["boxes"][[row]]),
            (2000, 2000),
        )
        said = int(text.split("Selected: ")[1].split(" pixels")[0].replace(",", ""))
        assert said == pytest.approx(int((pasted > 0.5).sum()), rel=0.05, abs=20)
    else:
        x, y, _ = result.arrays["points"][row, 0]
        assert f"nose: {x:.0f},\u00a0{y:.0f}, score {result.arrays['point_scores'][row, 0]:.1f}" in text
        heat = made.window.panels[kind].heat
        heat.setCurrentIndex(heat.findText("left wrist"))
        heat.activated.emit(heat.currentIndex())
        made.settle()
        direct = made.direct("keypoints", heat_of=made.document.selected)
        assert np.array_equal(d_layer(made, "point heat").values, direct.arrays["heat"][9])
        made.store.update(made.document.with_selected(-1))
        made.settle()
        assert d_layer(made, "point heat") is None


def test_an_export_without_a_window_paints_them(engine: Engine, kind: str, tmp_path: Path) -> None:
    name = f"tiny-{kind}"
    engine._models[name] = spread_tiny(kind)
    request = Request.make(kind, name, Source.file(SAMPLES[0]), {})
    answer = engine.run(request)
    assert isinstance(answer, Result), answer
    layers = answers.layers_of(request, answer)
    assert {type(layer).__name__ for layer in layers} == {"Boxes", "Masks" if kind == "masks" else "Skeletons"}
    written = answers.write(tmp_path, request, answer, np.zeros((480, 640, 3), np.uint8))
    assert {p.suffix for p in written} == {".png", ".svg", ".npz", ".json"}
    with np.load(next(p for p in written if p.suffix == ".npz")) as stored:
        assert np.array_equal(stored["boxes"], answer.arrays["boxes"])


def test_area_counts_holes_out() -> None:
    layer = masks_of(np.array([[100, 100, 380, 380]], np.float32), [blob(0)])
    pasted = paste_masks_in_image(
        torch.from_numpy(blob(0))[None, None], torch.tensor([[100.0, 100, 380, 380]]), (500, 500)
    )
    assert instances.area(layer.rings, 0) == pytest.approx(int((pasted > 0.5).sum()), rel=0.02)
    assert len(np.unique(layer.rings.of)) == 1 and len(layer.rings.of) == 2
