"""The export dialog: what belongs to a figure, its size, its files, presets, and that the preview shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage

from models import recipe
from models.types import Refusal, Result
from tests.viewer.conftest import SAMPLES
from viewer.canvas.painter import pixels_of
from viewer.export import figure
from viewer.export.figure import Content, Options
from viewer.menus import figure as menu
from viewer.presenters.attribution import EXPLAINED
from viewer.window.export_dialog import KEY, OWN

Make = Callable[..., Any]
SMOOTH = Qt.TransformationMode.SmoothTransformation
PLAIN = Options(bar=False, caption=False, legend=False, frames=False)


@pytest.fixture
def d(desk: Make) -> Any:
    """A window in which the best of several threes is explained."""
    made = desk(SAMPLES[0])
    made.run("explain")
    made.settle()
    return made


def drawn(content: Content, options: Options) -> np.ndarray:
    return pixels_of(figure.image(content, options)).astype(int)


def test_each_part_is_there_when_wanted_and_only_then(d: Any) -> None:
    content = menu.content(d.window)
    tall, wide = content.pixels.shape[:2]
    plain = drawn(content, PLAIN)
    assert plain.shape == (tall, wide, 3)
    for part in ("bar", "caption"):
        more = drawn(content, replace(PLAIN, **{part: True}))
        assert more.shape[0] > tall + 10 and np.array_equal(more[:tall], plain), part
        assert (np.abs(more[tall:] - more[tall, 0]).sum(-1) > 60).any(), part
    legend, frames = (drawn(content, replace(PLAIN, **{part: True})) for part in ("legend", "frames"))
    assert legend.shape == frames.shape == plain.shape
    changed = np.argwhere((legend != plain).any(-1))
    assert changed.min(0)[0] > tall // 3 and changed.min(0)[1] > wide // 3, "the legend is where it is on the canvas"
    (box,) = d.layer(EXPLAINED).boxes
    changed = np.argwhere((frames != plain).any(-1))
    assert len(changed) and (np.abs(changed.mean(0)[::-1] - (box[:2] + box[2:]) / 2) < 60).all()
    assert np.array_equal(drawn(content, replace(PLAIN, size="double")).shape[:2], (2 * tall, 2 * wide))


def test_the_caption_says_what_how_and_when(d: Any) -> None:
    text, result = menu.content(d.window).caption, d.session.results["attribution"][1]
    for part in ("Grad-CAM", "digits-ssd", f"layer {result.meta['layer']}", SAMPLES[0].name, "percentile"):
        assert part in text
    assert re.search(r"3 1\.00 at x \d+ to \d+, y \d+ to \d+", text) and re.search(r"\d{4}-\d\d-\d\d", text)
    d.store.update(d.document.explaining(method=""))
    d.settle()
    text = menu.content(d.window).caption
    assert text.startswith(f"{len(d.layer('detections'))} detections with a score of at least 0.4, by digits-ssd.")


def test_sizes_are_those_asked_for_in_every_kind_of_file(d: Any) -> None:
    content = menu.content(d.window)
    options = Options(size="cm", width_cm=8.4, dpi=150)
    size = figure.plan(content, options)
    assert size.width == round(8.4 / 2.54 * 150)
    png = QImage.fromData(figure.file_of("png", content, options, title="a"))
    assert (png.width(), png.height()) == (size.width, size.height)
    assert png.dotsPerMeterX() == pytest.approx(150 / 0.0254, abs=1)
    root = ET.fromstring(figure.file_of("svg", content, options, title="a"))
    assert float(root.attrib["width"].removesuffix("mm")) == pytest.approx(84, abs=0.2)
    words = " ".join(text.strip() for text in root.itertext() if text.strip())
    assert content.caption.split(".")[0].split(",")[0] in words and content.legend.entries[0].text in words
    pdf = figure.file_of("pdf", content, options, title="a")
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    assert pdf.startswith(b"%PDF") and box is not None
    assert [float(side) for side in box.groups()] == pytest.approx(
        [size.width * 72 / 150, size.height * 72 / 150], abs=1.0
    )
    assert figure.plan(content, Options(size="px", width_px=777)).width == 777
    with pytest.raises(Refusal, match="pixels"):
        figure.plan(content, Options(size="cm", width_cm=100, dpi=1200))
    assert "Too narrow" in figure.measures(content, Options(size="px", width_px=60))


def test_the_preview_is_what_is_written(d: Any) -> None:
    content = menu.content(d.window)
    for options in (Options(), Options(size="cm")):
        whole = figure.image(content, options)
        small = figure.image(content, options, within=QSize(300, 300))
        assert max(small.width(), small.height()) <= 300
        expected = pixels_of(whole.scaled(small.size(), mode=SMOOTH)).astype(int)
        # Strokes are at least a pixel wide, so that fine lines differ; the rest is the same.
        assert np.median(np.abs(pixels_of(small).astype(int) - expected)) <= 3
        assert np.mean(np.abs(pixels_of(small).astype(int) - expected)) < 14


def test_the_dialog_writes_a_set_with_one_recipe_and_remembers(d: Any, tmp_path: Path, monkeypatch: Any) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    dialog = menu.dialog(d.window)
    dialog.folder.setText(str(tmp_path))
    dialog.name.setText("three")
    for kind in ("svg", "pdf"):
        dialog.kinds[kind].click()
    dialog.parts["caption"].click()
    assert dialog.options.kinds == ("png", "svg", "pdf") and not dialog.options.caption
    assert "three.png, three.svg, three.pdf and their recipe" in dialog.files_text.text()
    dialog.accept_preset("Mine")
    dialog._draw()
    assert not dialog.preview.pixmap().isNull()
    dialog.copy.click()
    size = figure.plan(menu.content(d.window), dialog.options)
    assert QGuiApplication.clipboard().image().size() == QSize(size.width, size.height)
    dialog.export.click()
    assert {path.name for path in tmp_path.iterdir()} >= {"three.png", "three.svg", "three.pdf", "three.recipe.json"}
    assert len(list(tmp_path.glob("*.recipe.json"))) == 1
    answer = d.engine.run(recipe.read(tmp_path / "three.recipe.json").request)
    assert isinstance(answer, Result) and answer.meta["kind"] == "attribution"
    toast = d.window.messages.toasts.shown[0].message
    assert toast.action is not None and toast.action[0] == "Open folder"
    toast.action[1]()
    assert opened == [str(tmp_path)]

    # Another picture of that name in another kind has a recipe of its own; the older one stays with its files.
    before = (tmp_path / "three.recipe.json").read_text()
    d.store.update(d.document.explaining(method="saliency"))
    d.settle()
    again = menu.dialog(d.window)
    assert again.options == dialog.options and again.preset.currentText() == "Mine"
    again.folder.setText(str(tmp_path))
    again.name.setText("three")
    assert "Replaces three.png" in again.files_text.text()
    for kind in ("png", "pdf"):
        again.kinds[kind].click()
    again.export.click()
    assert (tmp_path / "three.recipe.json").read_text() == before
    body = json.loads((tmp_path / "three.svg.recipe.json").read_text())
    assert body["inspection"] == "saliency"
    for made in (dialog, again):
        made.deleteLater()


def test_what_was_kept_is_checked_and_nothing_is_written_without_a_kind(d: Any, tmp_path: Path) -> None:
    kept = {"last": {"size": "acre", "dpi": "many", "width_cm": 1e9, "bar": False, "kinds": ["exe", "svg"]}}
    assert Options.of(kept["last"]) == Options(bar=False, width_cm=100.0, kinds=("svg",))
    assert Options.of(json.loads(json.dumps(asdict(OWN["Slide"])))) == OWN["Slide"] and Options.of([]) == Options()
    d.window.settings.extra[KEY] = kept
    dialog = menu.dialog(d.window)
    dialog.kinds["svg"].click()
    assert not dialog.export.isEnabled()
    dialog.folder.setText(str(tmp_path / "file" / "inside"))
    (tmp_path / "file").write_text("")
    dialog.kinds["png"].click()
    dialog.export.click()
    assert any("cannot be written" in text for text in d.messages) and dialog.result() == 0
    dialog.deleteLater()
