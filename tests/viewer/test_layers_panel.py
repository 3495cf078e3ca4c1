"""The layers panel: every call in a tree, found, chosen, undone; and the tree itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from tests.viewer.explained import classifier, picture
from viewer.presenters import call_tree
from viewer.widgets.tables.call_tree import HEADS, CallTree

Make = Callable[..., Any]


def call(name: str, module: str = "", *, number: int = 1, of: int = 1, kind: str = "ReLU", maps: bool = True) -> Any:
    own = {"number": number, "of": of, "shape": (1, 4, 2, 2), "layout": "NCHW", "channels": 4, "grid": (2, 2)}
    return {"id": name, "module": module or name, "kind": kind, "same": "", "depth": 1, "map": maps, **own}


CALLS = (
    call("stem.conv", kind="Conv2d"),
    call("stem.relu", "stem.relu", of=2),
    call("stem.relu#2", "stem.relu", number=2, of=2),
    call("stem", kind="Sequential"),
    call("body.pool", kind="MaxPool2d"),
    call("body:0", "body", kind="Pyramid"),
    call("body:1", "body", kind="Pyramid"),
    call("fc", kind="Linear", maps=False),
)
SILENT = ("heads.aux", "proj")


def outline(node: call_tree.Node) -> list[Any]:
    return [(child.name, CALLS[child.call]["id"] if child.call >= 0 else "", outline(child)) for child in node.shown]


def indexes(tree: CallTree, parent: QModelIndex | None = None) -> list[QModelIndex]:
    parent = parent or QModelIndex()
    found = []
    for row in range(tree.calls.rowCount(parent)):
        index = tree.calls.index(row, 0, parent)
        found += [index, *indexes(tree, index)]
    return found


@pytest.fixture
def tree(qtbot: QtBot) -> CallTree:
    made = CallTree()
    qtbot.addWidget(made)
    made.set_calls(CALLS, SILENT, "stem")
    return made


def test_calls_stand_under_their_modules_in_order() -> None:
    assert outline(call_tree.tree(CALLS, SILENT)[0]) == [
        (
            "stem",
            "stem",
            [
                ("conv", "stem.conv", []),
                ("relu", "", [("relu#1", "stem.relu", []), ("relu#2", "stem.relu#2", [])]),
            ],
        ),
        ("body", "", [("body:0", "body:0", []), ("body:1", "body:1", []), ("pool", "body.pool", [])]),
        ("fc", "fc", []),
        ("Never called (2)", "", [("heads.aux", "", []), ("proj", "", [])]),
    ]


def test_a_search_keeps_what_is_above_and_below() -> None:
    nodes, kinds = call_tree.tree(CALLS, SILENT), [c["kind"] for c in CALLS]
    assert call_tree.find(nodes, "RELU#2", kinds) == 1
    assert outline(nodes[0]) == [("stem", "stem", [("relu", "", [("relu#2", "stem.relu#2", [])])])]
    assert call_tree.find(nodes, "pyramid", kinds) == 2
    assert outline(nodes[0]) == [("body", "", [("body:0", "body:0", []), ("body:1", "body:1", [])])]
    assert call_tree.find(nodes, "body", kinds) == 3
    assert call_tree.find(nodes, "nothing", kinds) == 0 and outline(nodes[0]) == []
    assert call_tree.find(nodes, "", kinds) == len(CALLS)


def test_the_model_of_the_tree_is_sound(tree: CallTree, qtmodeltester: Any) -> None:
    qtmodeltester.check(tree.calls)
    ids = [tree.calls.id_at(index) for index in indexes(tree)]
    assert sorted(filter(None, ids)) == sorted(c["id"] for c in CALLS)
    for index in indexes(tree):
        if identity := tree.calls.id_at(index):
            assert tree.calls.index_of(identity) == index


def test_rows_say_what_a_call_is(tree: CallTree) -> None:
    second = tree.calls.index_of("stem.relu#2")
    assert [second.siblingAtColumn(c).data() for c in range(5)] == ["relu#2", "ReLU", "1 × 4 × 2 × 2", "NCHW", "2 of 2"]
    assert "(automatic)" in tree.calls.index_of("stem").data()
    muted = tree.calls.data(tree.calls.index_of("fc"), Qt.ItemDataRole.ForegroundRole)
    assert muted is not None and tree.calls.data(second, Qt.ItemDataRole.ForegroundRole) is None
    silent = indexes(tree)[-1]
    assert not tree.isExpanded(silent.parent()) and "inside another" in silent.data(Qt.ItemDataRole.ToolTipRole)


def test_thumbnails_are_those_of_their_calls(tree: CallTree) -> None:
    pictures = np.stack([np.zeros((32, 32), np.uint8), np.full((32, 32), 255, np.uint8)])
    tree.set_thumbnails(pictures, np.array([0, 1, -1, -1, -1, -1, -1, -1]))

    def middle(identity: str) -> Any:
        pixmap = tree.calls.data(tree.calls.index_of(identity), Qt.ItemDataRole.DecorationRole)
        return pixmap.toImage().pixelColor(16, 16)

    dark, light = middle("stem.conv"), middle("stem.relu")
    assert dark.lightness() < 80 < light.lightness() and middle("fc").alpha() == 0


def test_the_list_can_be_copied(tree: CallTree, qtbot: QtBot) -> None:
    qtbot.keyClick(tree, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t") == list(HEADS)
    assert [line.split("\t")[0] for line in lines[1:]] == [c["id"] for c in CALLS]


@pytest.fixture
def birds(desk: Make, tmp_path: Path) -> Any:
    d = desk(picture(tmp_path), picture(tmp_path, seed=1), model=classifier(tmp_path))
    assert "layers" not in d.session.wanted
    d.run("layers")
    d.settle()
    return d


def test_the_panel_lists_the_networks_calls_and_a_click_chooses_one(birds: Any, qtbot: QtBot) -> None:
    panel, meta = birds.window.panels["layers"], birds.direct("layers").meta
    tree = panel.tree
    ids = [tree.calls.id_at(index) for index in indexes(tree)]
    assert sorted(filter(None, ids)) == sorted(c["id"] for c in meta["calls"])
    assert tree.calls.id_at(tree.currentIndex()) == meta["automatic"]
    index = tree.calls.index_of("layer2")
    tree.scrollTo(index)
    place = tree.visualRect(index).center() - QPoint(0, 2)
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert birds.document.layer == "layer2" and "layer2" in panel.about.text()
    assert birds.store.undo_title == "Layer layer2"
    qtbot.mouseClick(panel.automatic, Qt.MouseButton.LeftButton)
    assert birds.document.layer == ""
    birds.run("undo")
    assert birds.document.layer == "layer2" and tree.calls.id_at(tree.currentIndex()) == "layer2"


def test_the_keyboard_finds_and_chooses_a_layer(birds: Any, qtbot: QtBot) -> None:
    panel = birds.window.panels["layers"]
    panel.search.setFocus()
    qtbot.keyClicks(panel.search, "conv1")
    first = birds.direct("layers").meta["calls"][0]["id"]
    birds.key(Qt.Key.Key_Return)
    assert birds.document.layer == first == "conv1"
    birds.key(Qt.Key.Key_Down)
    assert panel.tree.hasFocus()
    before = birds.document.current
    birds.key(Qt.Key.Key_Right)
    birds.key(Qt.Key.Key_Left)
    assert birds.document.current == before


def test_calls_stay_where_they_are_on_another_picture(birds: Any) -> None:
    tree = birds.window.panels["layers"].tree
    birds.store.update(birds.document.explaining(layer="layer1"))
    tree.expand(tree.calls.index_of("layer1"))
    birds.run("next-picture")
    birds.until(lambda: birds.document.current == 1)
    birds.settle()
    assert tree.isExpanded(tree.calls.index_of("layer1"))
    rows = birds.direct("layers").arrays
    assert np.array_equal(tree.calls._thumbnails, rows["thumbnails"])


def test_a_layer_without_places_is_refused_before_a_map_is_asked(birds: Any) -> None:
    birds.run("explain")
    birds.settle()
    birds.store.update(birds.document.explaining(layer="fc"))
    birds.settle()
    assert "attribution" not in birds.session.wanted and birds.layer("attribution") is None
    text = birds.window.panels["attribution"].verdict.text()
    assert text.startswith("Does not apply") and "no map of the picture" in text and not birds.messages
