"""Networks that make a picture, points or a map of a picture: their panels, over networks whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest

from models.types import Result
from models.user_code import helpers
from viewer.canvas.layers import Heat, Overlay, Skeletons
from viewer.canvas.painter import render
from viewer.menus import translation as menu
from viewer.presenters import translation

Make = Callable[..., Any]
BLUR = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.mean = nn.Conv2d(3, 3, 5, padding=2, padding_mode="reflect", groups=3, bias=False)
        with torch.no_grad():
            self.mean.weight.fill_(1 / 25)

    def forward(self, x):
        return self.mean(x)


def build():
    return Net()
"""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :128]
    pixels = np.stack([2 * x, 2 * y, 255 - x - y], -1) + rng.normal(0, 12, (96, 128, 3))
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(tmp_path / "noisy.png")
    (tmp_path / "net.py").write_text(BLUR, encoding="utf-8")
    return tmp_path / "noisy.png"


def opened(desk: Make, picture: Path) -> tuple[Any, Any]:
    file = picture.with_name("net.py")
    helpers.allow(file)
    d = desk(picture, model=f"{file}:build")
    assert "Translates" in d.session.description.capabilities, d.session.description.about.get("note")
    d.window.docks.show("translate")
    d.settle()
    return d, d.window.panels["translate"]


def drag(d: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag with the left button from one place of the picture to another, by way of one between them."""
    button, canvas = Qt.MouseButton.LeftButton, d.canvas
    between = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    places = [canvas.to_screen(QPointF(*place)).toPoint() for place in (start, between, end)]
    QTest.mouseMove(canvas, places[0])
    QTest.mousePress(canvas, button, Qt.KeyboardModifier.NoModifier, places[0])
    for place in places[1:]:
        moved = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(place), QPointF(canvas.mapToGlobal(place)), button, button,
            Qt.KeyboardModifier.NoModifier,
        )  # fmt: skip
        QCoreApplication.sendEvent(canvas, moved)
    QTest.mouseRelease(canvas, button, Qt.KeyboardModifier.NoModifier, places[-1])


def test_before_and_after_are_divided_where_the_user_says(desk: Make, picture: Path) -> None:
    d, panel = opened(desk, picture)
    result = panel.result
    (layer,) = panel.layers(d.document)
    assert isinstance(layer, Overlay) and layer.begin == pytest.approx(64)
    np.testing.assert_array_equal(layer.pixels, result.arrays["output"])
    assert "128 × 96 px" in panel.facts.text

    # On the canvas the left half is the picture itself, the right half what the network made of it.
    own = np.array(Image.open(picture))
    seen = array(render(own, [layer], unit=1.0))
    np.testing.assert_array_equal(seen[:, :60], own[:, :60])
    difference = np.abs(seen[:, 70:].astype(int) - result.arrays["output"][:, 70:].astype(int))
    assert difference.mean() < 1.5 < np.abs(seen[:, 70:].astype(int) - own[:, 70:].astype(int)).mean()

    d.click(32, 40)
    d.settle()
    assert d.document.view.split == pytest.approx(0.25, abs=0.02)
    assert panel.layers(d.document)[0].begin == pytest.approx(32, abs=2)
    d.run("undo")
    assert d.document.view.split == 0.5

    # The line can be dragged, in one step to undo; beside it the picture moves as ever.
    drag(d, (64, 40), (96, 50))
    assert d.document.view.split == pytest.approx(0.75, abs=0.02)
    look = d.canvas.look
    drag(d, (96, 20), (500, 20))
    assert d.document.view.split == 1.0 and d.canvas.look == look
    drag(d, (128, 20), (64, 20))
    assert d.document.view.split == pytest.approx(0.5, abs=0.02)
    for _ in range(3):
        d.run("undo")
    assert d.document.view.split == 0.5 and d.canvas.look == look
    drag(d, (20, 40), (60, 40))
    assert d.document.view.split == 0.5 and d.canvas.look != look

    panel.shown.setCurrentIndex(panel.shown.findData(translation.DIFFERENCE))
    panel.shown.activated.emit(panel.shown.currentIndex())
    (heat,) = panel.layers(d.document)
    assert isinstance(heat, Heat) and heat.low == -heat.high
    assert panel.bar.isVisibleTo(panel)
    assert not panel.clicked((10, 10))  # only before and after has a line


def test_a_reference_gives_figures_and_the_output_is_written(desk: Make, picture: Path) -> None:
    d, panel = opened(desk, picture)
    assert not panel.quality.isVisibleTo(panel)
    output = menu.export(d.window, picture.with_name("made"))
    assert output is not None and output.name == "made.png"
    np.testing.assert_array_equal(np.array(Image.open(output).convert("RGB")), panel.result.arrays["output"])

    menu.set_reference(d.window, picture)
    d.settle()
    assert "equal (∞ dB) before" in panel.quality.text and "1.0000 before" in panel.quality.text
    menu.set_reference(d.window, output)
    d.settle()
    after = float(panel.quality.text.split("before, ")[1].split(" dB")[0])
    assert after > 55  # a file has 8 bits: its rounding is the only difference
    assert "PSNR" in panel.text
    panel.without.click()
    d.settle()
    assert not panel.quality.isVisibleTo(panel)


def test_without_a_picture_it_says_what_to_do(desk: Make, picture: Path) -> None:
    d, panel = opened(desk, picture)
    panel.forget()
    assert panel.summary.isVisibleTo(panel) and not panel.layers(d.document)
    assert not panel.export.isEnabled()


def test_points_of_the_whole_picture_are_listed_and_painted(desk: Make, picture: Path) -> None:
    from models.types import Result

    d = desk(picture)
    panel = d.window.panels["landmarks"]
    points = np.array([[10, 20, 0.9], [200, 20, 0.4]], np.float32)
    heat = np.zeros((2, 4, 5), np.float32)
    heat[1, 2, 3] = 1
    meta = {"point_names": ("left eye", "right eye"), "limbs": (), "extent": (0, 0, 128, 96), "scored": True}
    panel.show_result(
        "landmarks", None, Result({"points": points, "inside": np.array([True, False]), "heat": heat}, meta)
    )
    (points_layer,) = panel.layers(d.document)
    assert "left eye\t10.0, 20.0\t0.900" in panel.text
    assert "1 lie outside" in panel.summary.text()
    assert isinstance(points_layer, Skeletons) and points_layer.faint.tolist() == [[False, True]]
    panel.heat.setCurrentIndex(2)
    assert panel.layers(d.document)[0].values[2, 3] == 1
    panel.forget()
    assert not panel.layers(d.document)


def array(image: Any) -> np.ndarray:
    from PySide6.QtGui import QImage

    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def test_a_network_with_directions_is_turned_and_told_labels(desk: Make, picture: Path) -> None:
    d = desk(picture, model="digits-cyclegan")
    d.window.docks.show("translate")
    d.settle()
    panel = d.window.panels["translate"]
    assert panel.direction.isVisibleTo(panel) and panel.direction.currentIndex() == 0
    assert "fitted to 32 x 32 px" in panel.notes.text() and "Colourfulness" in panel.facts.text
    assert panel.labels is None and "no batch normalisation" in panel.form._reasons["training"]
    panel.direction.setCurrentIndex(1)
    panel.direction.activated.emit(1)
    d.settle()
    assert d.document.model == "digits-cyclegan?direction=paper to white on black"
    assert panel.result is not None and panel.result.meta["direction"] == 1 and panel.direction.currentIndex() == 1
    # Both directions side by side; a press on the other one turns it.
    assert [button.isChecked() for button in panel.others.buttons] == [False, True]
    assert "colourfulness" in panel.others.buttons[0].text() and panel.others.isVisibleTo(panel)
    panel.others.buttons[0].click()
    d.settle()
    assert d.document.model == "digits-cyclegan?direction=white on black to paper"
    assert [button.isChecked() for button in panel.others.buttons] == [True, False]
    # Labels in groups: one of several, and one that is on or off.
    meta = {**panel.result.meta, "groups": (("red", "green"), ("thick",)), "condition": ("green",)}
    panel._offer_labels(Result(panel.result.arrays, meta))
    assert panel.labels is not None and panel.labels.values == {"g0": "green", "g1": False}
    panel.labels.set_values({"g0": "red", "g1": True})
    panel._tell_labels()
    assert d.document.values("translate")["condition"] == "red, thick"
    # The single changes of labels: one that is on or off is taken away by its picture.
    made = np.zeros((3, 8, 8, 3), np.uint8)
    more = {
        "alternatives": ("red", "green", "thick"),
        "alternative_kinds": ("condition",) * 3,
        "own": [True, False, False],
    }
    more |= {"alternative_values": ("red, thick", "green, thick", "red"), "alternative_colours": [1.0, 2.0, 3.0]}
    more |= {"alternative_changes": [0.0, 0.1, 0.2], "seen": ("red",)}
    panel._result = Result({**panel.result.arrays, "alternatives": made}, {**meta, **more})
    panel.take()
    assert [button.text() for button in panel.others.buttons] == ["red", "green", "Without thick"]
    assert "Its critic sees" in panel.facts.text
    panel.others.buttons[2].click()
    assert d.document.values("translate")["condition"] == "red"
