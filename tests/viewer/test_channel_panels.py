"""Filters, activations and attention: the panels as their user meets them, and their files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QLabel
from torch import nn

from models.bundled.photos import CLASSES, PhotosResNet, photos_vit
from models.cards.card import Card
from models.engine import registry
from models.engine.engine import Engine
from models.pictures.images import save_png
from models.requests import Request
from models.types import Result, Source
from viewer import theme
from viewer.export import answers
from viewer.presenters import feature_maps

Make = Callable[..., Any]


def put(engine: Engine, name: str, net: nn.Module) -> None:
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    about = {"preprocessing": {"resize": 32, "crop": 32}}
    engine._models[name] = registry.adapt(net.eval(), Card(name, task="classification", classes=CLASSES, about=about))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    save_png(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8), tmp_path / "noise.png")
    return tmp_path / "noise.png"


@pytest.fixture
def resnet(desk: Make, engine: Engine, picture: Path) -> Any:
    torch.manual_seed(0)
    net = PhotosResNet(width=6, blocks=1)
    net.conv1.weight.data[4] = 1.5 * net.conv1.weight.data[2]
    net.bn1.bias.data[3] = -1e3
    net.layer1[0].conv1.weight.data[1] = 0
    put(engine, "net", net)
    d = desk(picture, model="net", settle=False)
    d.until(lambda: d.session.description is not None)
    return d


@pytest.fixture
def vit(desk: Make, engine: Engine, picture: Path) -> Any:
    torch.manual_seed(0)
    put(engine, "vit", photos_vit())
    d = desk(picture, model="vit", settle=False)
    d.until(lambda: d.session.description is not None)
    return d


def look(d: Any, name: str) -> Any:
    d.window.docks.show(name)
    d.settle()
    return d.window.panels[name]


def pick(d: Any, panel: Any, channel: int) -> None:
    spot = panel.grid.rect_of(channel).center()
    d.qtbot.mouseClick(panel.grid.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    d.settle()


def choose(d: Any, box: Any, data: object) -> None:
    assert box.findData(data) >= 0, [box.itemData(i) for i in range(box.count())]
    box.setCurrentIndex(box.findData(data))
    box.activated.emit(box.currentIndex())
    d.settle()


def facts(panel: Any) -> str:
    return "\n".join(label.text() for label in panel.findChildren(QLabel) if label.isVisible())


def test_filters_are_shown_named_and_copied(resnet: Any) -> None:
    panel = look(resnet, "filters")
    direct = resnet.direct("filters")
    assert "6 filters of 3 × 3 over 3 inputs" in panel.view.summary.text()
    assert "2 duplicates" in panel.view.summary.text()
    pick(resnet, panel, 4)
    text = facts(panel)
    assert f"{direct.arrays['norms'][4]:.4g}" in text
    assert "practically equal to 2" in text
    panel.detail.copy.click()
    rows = [line.split("\t") for line in QGuiApplication.clipboard().text().split("\n") if "\t" in line]
    copied = np.array(rows, np.float32).reshape(3, 3, 3).transpose(1, 2, 0)
    np.testing.assert_allclose(copied, direct.arrays["tiles"][4], rtol=1e-6)
    assert panel.detail.planes.isVisible()
    resnet.run("undo")
    resnet.settle()
    assert panel.grid.chosen == -1
    assert not panel.detail.tile.isVisible()


def test_another_layer_mode_and_order_of_filters_can_be_undone(resnet: Any) -> None:
    panel = look(resnet, "filters")
    choose(resnet, panel.layer, "layer1.0.conv1")
    assert "over 6 inputs" in panel.view.summary.text() and "1 dead" in panel.view.summary.text()
    assert "dead" in panel.grid.describe(1)
    choose(resnet, panel.sort, "norm")
    direct = resnet.direct("filters", layer="layer1.0.conv1", sort="norm")
    assert np.array_equal(panel.grid._order, direct.arrays["order"])
    choose(resnet, panel.mode, "planes")
    assert panel.plane.isVisible()
    panel.plane.setValue(4)
    resnet.settle()
    planes = resnet.direct("filters", layer="layer1.0.conv1", mode="planes", plane=4).arrays["tiles"]
    assert np.array_equal(resnet.session.results["filters"][1].arrays["tiles"], planes)
    for _ in range(4):
        resnet.run("undo")
    resnet.settle()
    assert panel.layer.currentData() == "" and "over 3 inputs" in panel.view.summary.text()


def test_what_cannot_be_shown_is_said_and_the_last_stays(resnet: Any) -> None:
    panel = look(resnet, "filters")
    choose(resnet, panel.mode, "rgb")
    before = panel.grid._atlas
    panel._set("Layer of the filters", layer="layer2.0.conv1")
    resnet.until(lambda: "three colours" in panel.view.summary.text())
    assert panel.grid._atlas is before and not panel.view.text_shown


def test_without_a_picture_there_are_words(desk: Make) -> None:
    d = desk(settle=False)
    d.window.docks.show("activations")
    d.qtbot.waitUntil(lambda: bool(d.window.panels["activations"].view.text_shown))
    assert "Open a picture" in d.window.panels["activations"].view.text_shown


def test_filters_need_no_picture(desk: Make, engine: Engine) -> None:
    torch.manual_seed(0)
    put(engine, "net", PhotosResNet(width=6, blocks=1))
    d = desk(model="net", settle=False)
    panel = look(d, "filters")
    d.until(lambda: panel._result is not None)
    assert not panel.view.text_shown and len(panel._result.arrays["tiles"]) == 6
    choose(d, panel.layer, "layer2.0.conv1")
    assert panel._result.meta["layer"] == "layer2.0.conv1" and len(panel._result.arrays["tiles"]) == 12
    pick(d, panel, 3)
    assert panel.grid.chosen == 3 and len(panel._one.arrays["tiles"]) == 6


def test_a_channel_is_laid_over_the_picture_and_told_in_numbers(resnet: Any) -> None:
    panel = look(resnet, "activations")
    choose(resnet, panel.layer, "layer2")
    direct = resnet.direct("activations", layer="layer2")
    maps = direct.arrays["maps"]
    assert resnet.document.layer == "layer2"
    assert resnet.layer("activation") is None
    pick(resnet, panel, 5)
    layer = resnet.layer("activation")
    assert layer.extent == direct.meta["extent"]
    assert layer.values.max() <= maps[5].max() and layer.values.max() > 0.5 * maps[5].max()
    assert f"{direct.arrays['mean'][5]:.4g}" in facts(panel)
    assert panel.histogram.counts.sum() == maps[5].size
    resnet.run("undo")
    resnet.settle()
    assert resnet.layer("activation") is None


@pytest.mark.parametrize("sort", ["mean", "max", "relevance"])
def test_channels_are_sorted_without_asking_again(resnet: Any, sort: str) -> None:
    panel = look(resnet, "activations")
    request = resnet.session.wanted["activations"]
    choose(resnet, panel.sort, sort)
    assert resnet.session.wanted["activations"] == request
    assert np.array_equal(panel.grid._order, resnet.direct("activations", sort=sort).arrays["order"])


def test_dead_channels_are_counted_and_crossed(resnet: Any) -> None:
    panel = look(resnet, "activations")
    choose(resnet, panel.layer, "relu")
    assert "1 dead in this picture" in panel.view.summary.text()
    assert panel.grid._quiet.tolist() == [False, False, False, True, False, False]


def test_a_place_in_a_cell_shows_its_receptive_field(resnet: Any) -> None:
    panel = look(resnet, "activations")
    choose(resnet, panel.layer, "conv1")
    panel.grid.zoom(64 / panel.grid.rect_of(2).width())  # every cell has pixels of its own, however high the dock is
    tile = panel.grid.rect_of(2)
    spot = tile.topLeft() + QPoint(int(tile.width() * 10.5 / 32), int(tile.height() * 20.5 / 32))
    resnet.qtbot.mouseMove(panel.grid.viewport(), tile.center())
    resnet.qtbot.mouseMove(panel.grid.viewport(), spot)
    resnet.until(lambda: resnet.layer("receptive field whole") is not None)
    assert resnet.document.view.unit == (2, 20, 10)
    found = resnet.layer("receptive field whole").boxes[0]
    left, top, right, _ = resnet.direct("activations", layer="conv1").meta["extent"]
    cell = (right - left) / 32
    expected = (left + 9 * cell, top + 19 * cell, left + 12 * cell, top + 22 * cell)  # 3 x 3 around column 10, row 20
    assert found.tolist() == pytest.approx(expected, abs=1e-3)
    assert "Channel 2 at row 20, column 10 sees" in panel.view.note.text()
    panel._hover(None)
    resnet.settle()
    assert resnet.layer("receptive field whole") is None
    assert "activations.unit" not in resnet.session.wanted


def test_a_vector_has_bars_and_no_overlay(resnet: Any) -> None:
    panel = look(resnet, "activations")
    choose(resnet, panel.layer, "fc")
    pick(resnet, panel, 3)
    assert resnet.layer("activation") is None
    assert "10 values" in panel.view.summary.text()
    value = resnet.direct("activations", layer="fc").arrays["maps"][3, 0, 0]
    assert f"{value:.5g}" in facts(panel)
    assert not panel.histogram.isVisible()


def test_another_model_takes_what_was_painted_away(resnet: Any, engine: Engine) -> None:
    panel = look(resnet, "activations")
    pick(resnet, panel, 5)
    assert resnet.layer("activation") is not None
    torch.manual_seed(1)
    put(engine, "other", PhotosResNet(width=4, blocks=1))
    resnet.store.update(resnet.document.with_model("other"), title="Model")
    assert resnet.layer("activation") is None and "Waiting" in panel.view.text_shown
    resnet.settle()
    assert not panel.view.text_shown and "16 maps" in panel.view.summary.text()


def test_a_panel_that_was_open_last_time_asks_again(desk: Make, engine: Engine, picture: Path) -> None:
    torch.manual_seed(0)
    put(engine, "net", PhotosResNet(width=6, blocks=1))
    first = desk(picture, model="net", settle=False)
    first.until(lambda: first.session.description is not None)
    look(first, "filters")
    first.window.close()
    second = desk(picture, model="net", settle=False)
    second.until(lambda: "filters" in second.session.results)
    assert second.document.view.inside == ("filters",)


def test_nothing_is_asked_while_no_panel_is_in_view(resnet: Any) -> None:
    slots = {"filters", "activations", "attention"}
    assert not slots & set(resnet.session.wanted)
    look(resnet, "filters")
    assert "filters" in resnet.session.wanted
    resnet.window.docks.toggle("filters")
    resnet.settle()
    assert not slots & set(resnet.session.wanted)


def test_a_network_without_attention_says_so(resnet: Any) -> None:
    resnet.window.docks.show("attention")
    panel = resnet.window.panels["attention"]
    resnet.until(lambda: "vision transformers" in panel.view.text_shown)
    assert not panel.isEnabled()


def test_attention_of_blocks_heads_and_positions(vit: Any) -> None:
    panel = look(vit, "attention")
    direct = vit.direct("attention")
    assert vit.layer("attention").values.max() <= direct.arrays["rollout"].max() + 1e-6
    pick(vit, panel, 2 * 4 + 3)
    assert "Block 2, head 3" in facts(panel)
    assert f"{direct.arrays['entropy'][2, 3]:.2f} bits" in facts(panel)
    assert (panel.block.currentData(), panel.head.currentData()) == (2, 3)
    values = feature_maps.attention_map(direct, *panel._shown(vit.document))
    assert np.array_equal(values, direct.arrays["all"][2, 3])
    choose(vit, panel.head, -1)
    assert np.allclose(feature_maps.attention_map(direct, *panel._shown(vit.document)), direct.arrays["blocks"][2])
    choose(vit, panel.show_box, feature_maps.POSITION)
    assert vit.layer("attention").low < 0
    panel.discard.setEnabled(True)
    panel._set("Discard", show=feature_maps.ROLLOUT, discard=0.5)
    vit.settle()
    half = vit.direct("attention", discard=0.5).arrays["rollout"]
    assert np.array_equal(vit.session.results["attention"][1].arrays["rollout"], half)
    vit.run("undo")
    vit.settle()
    assert panel.show_box.currentData() == feature_maps.POSITION


def test_a_click_on_the_picture_lets_that_patch_look(vit: Any) -> None:
    panel = look(vit, "attention")
    left, top, right, bottom = vit.direct("attention").meta["extent"]
    wide, high = (right - left) / 8, (bottom - top) / 8
    x, y = left + 5.5 * wide, top + 2.5 * high
    vit.click(x, y)
    vit.settle()
    assert vit.session.wanted["attention"].settings["query"] == 21
    expected = (left + 5 * wide, top + 2 * high, left + 6 * wide, top + 3 * high)
    assert vit.layer("query").boxes[0].tolist() == pytest.approx(expected, abs=1e-3)
    assert "patch at row 2, column 5" in facts(panel)
    vit.click(x, y)
    vit.settle()
    assert vit.layer("query") is None and "class token" in facts(panel)
    panel.follow.click()
    vit.hover(left + 0.5 * wide, top + 7.5 * high)
    vit.until(lambda: vit.document.view.patch == 56)
    vit.settle()
    assert vit.session.wanted["attention"].settings["query"] == 56


def test_grids_and_numbers_are_written_without_a_window(engine: Engine, picture: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    put(engine, "net", PhotosResNet(width=6, blocks=1))
    for inspection, raw, params in (
        ("filters", "tiles", {"layer": "layer2.0.conv1", "sort": "norm"}),
        ("activations", "maps", {"layer": "layer2", "sort": "mean"}),
    ):
        request = Request.make(inspection, "net", Source.file(picture), params)
        answer = engine.run(request)
        assert isinstance(answer, Result), answer
        pixels = np.zeros((64, 96, 3), np.uint8)
        written = answers.write(tmp_path, request, answer, pixels, kinds=["png", "npy", "json"])
        assert [p.name for p in written] == [f"noise.{inspection}.{k}" for k in ("png", "npy", "json", "recipe.json")]
        stored = np.load(written[1])
        assert stored.dtype == np.float32 and np.array_equal(stored, answer.arrays[raw])
        told = json.loads(written[2].read_text())
        assert told["order"] == answer.arrays["order"].tolist() and told["values"]["file"] == written[1].name
        assert told["dead_count"] == sum(told["dead"])
        image = QImage(str(written[0]))
        first = int(answer.arrays["order"][0])
        atlas = (feature_maps.filter_atlas if raw == "tiles" else feature_maps.activation_atlas)(answer, theme.heat_lut)
        assert atlas.table is not None
        assert image.pixel(1, 1) == int(atlas.table[atlas.tiles[first, 0, 0]])


@pytest.mark.qt_log_ignore("This plugin does not support")  # a window of its own
def test_a_channel_opens_large_with_its_own_values_and_levels(resnet: Any, tmp_path: Path) -> None:
    """Fails if the window shows other values than the engine's, or levels dragged there reach the canvas."""
    panel = look(resnet, "activations")
    maps = resnet.direct("activations").arrays["maps"]
    spot = panel.grid.rect_of(2).center()
    resnet.qtbot.mouseDClick(panel.grid.viewport(), Qt.MouseButton.LeftButton, pos=spot)
    resnet.settle()
    large = panel._window
    assert large.isVisible() and large.windowTitle().startswith("Channel 2 of ")
    assert np.array_equal(large.image.values, maps[2])
    row, column = np.unravel_index(maps[2].argmax(), maps[2].shape)
    said = large.image.explain(large.image.place_of(column, row))
    assert said == f"Row {row}, column {column}: {maps[2].max():.6g}"
    before = resnet.document.look
    low, high = large.levels.levels
    large.levels.region.setRegion((low, high / 2))
    assert large.image._scale[:2] == (low, high / 2) and resnet.document.look == before
    large.image.write(tmp_path / "channel.csv")
    table = np.genfromtxt(tmp_path / "channel.csv", delimiter=",", skip_header=1)
    assert np.array_equal(table[:, 1::2].T.astype(np.float32), maps[2])
    pick(resnet, panel, 3)
    assert np.array_equal(large.image.values, maps[3]), "the window follows the selection"
    large.close()
