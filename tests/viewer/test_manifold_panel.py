"""Manifold, Directions and Arithmetic with real widgets: what is pointed at is where the code goes, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from models.requests import Request
from models.types import Refusal, Result
from tests.models.generators import gan, vae
from tests.models.test_manifold import SPACE
from tests.viewer.test_window import Make
from viewer.panels.arithmetic import ArithmeticPanel
from viewer.panels.directions import DirectionsPanel
from viewer.panels.manifold import ManifoldPanel
from viewer.presenters import latent_code, latent_directions

LEFT = Qt.MouseButton.LeftButton


def code(d: Any) -> np.ndarray:
    space = latent_code.space_of(d.session.description)
    assert space is not None
    found = latent_code.code_of(d.document, space)
    assert found is not None
    return found


def made(d: Any, text: str) -> np.ndarray:
    answer = d.engine.run(Request.make("decode", d.document.model, None, {"code": text}))
    assert isinstance(answer, Result)
    return answer.arrays["picture"]


@pytest.fixture
def opened(desk: Make, tmp_path: Path) -> Any:
    """A VAE with the map in front, a few tiles a side."""
    d = desk(model=vae(tmp_path))
    d.store.update(d.document.with_value("manifold", side=9))
    d.window.docks.show("manifold")
    whole(d)
    return d


def whole(d: Any) -> None:
    """Wait until the map is there, all of it."""
    d.settle()
    d.engine.finish_idle()
    d.play_until(lambda: not any(result.meta.get("partial") for _, result in d.session.results.values()))
    d.settle()


def panel(d: Any) -> ManifoldPanel:
    return d.panel(ManifoldPanel)


def test_a_click_and_a_drag_go_exactly_to_the_code_under_the_pointer(opened: Any) -> None:
    view, before = panel(opened).map, code(opened)
    wanted = opened.session.wanted["manifold"]
    for end in ((0.9, 0.2), (0.31, 0.77)):
        place = view.place
        point = QPoint(round(place.left() + end[0] * place.width()), round(place.top() + end[1] * place.height()))
        QTest.mousePress(view, LEFT, pos=QPoint(round(place.center().x()), round(place.center().y())))
        QTest.mouseMove(view, point)
        QTest.mouseRelease(view, LEFT, pos=point)
        x = -3 + 6 * (point.x() - place.left()) / place.width()
        y = 3 - 6 * (point.y() - place.top()) / place.height()
        now = code(opened)
        assert np.allclose(now[:2], (x, y), atol=1e-5) and np.array_equal(now[2:], before[2:])
        marker = view._marker
        assert marker is not None and np.allclose(marker[:2], (x, y), atol=1e-5) and marker[2]
    opened.settle()
    assert np.array_equal(opened.canvas.pixels, made(opened, opened.document.latent.code))
    assert opened.session.wanted["manifold"] == wanted, "a walk in the plane asks for no other map"
    opened.run("undo")
    assert np.allclose(code(opened)[0], -3 + 6 * 0.9, atol=0.1)
    opened.run("undo")
    assert np.array_equal(code(opened), before)


def test_another_number_is_another_map(opened: Any) -> None:
    before = opened.session.wanted["manifold"]
    moved = code(opened).copy()
    moved[3] = 2.0
    opened.store.update(latent_code.at(opened.document, moved))
    assert opened.session.wanted["manifold"] != before
    whole(opened)
    arrays = opened.session.results["manifold"][1].arrays
    assert arrays["origin"][3] == 2 and not arrays["origin"][:2].any()
    QTest.mouseClick(panel(opened).map, LEFT, pos=panel(opened).map.place.center().toPoint())
    assert code(opened)[3] == 2


def test_keys_walk_zoom_and_show_all_again(opened: Any) -> None:
    view = panel(opened).map
    opened.store.update(latent_code.at(opened.document, np.zeros(4, np.float32)))
    view.setFocus()
    opened.key(Qt.Key.Key_Right)
    opened.key(Qt.Key.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert np.allclose(code(opened), [6 / 9, 6 / 45, 0, 0], atol=1e-5)
    opened.key(Qt.Key.Key_Plus)
    assert opened.document.values("manifold")["zoom"] == 1.25
    whole(opened)
    assert view.plane is not None and np.isclose(view.plane.x.high - view.plane.x.low, 6 / 1.25)
    assert np.allclose(view.plane.place(6 / 9, 6 / 45), (0.5 + 1 / 9, 0.5 - 1 / 45), atol=1e-3), "it stays in its place"
    opened.key(Qt.Key.Key_0)
    assert "zoom" not in opened.document.values("manifold")


def test_axes_are_never_the_same_and_can_be_chosen(opened: Any) -> None:
    own = panel(opened)
    own.up.setCurrentIndex(own.up.findData(3))
    own.up.activated.emit(own.up.currentIndex())
    whole(opened)
    assert own.map.names == ("z0", "z3") and opened.session.results["manifold"][1].meta["axes"] == (0, 3)
    own.right.setCurrentIndex(own.right.findData(3))
    own.right.activated.emit(own.right.currentIndex())
    opened.settle()
    chosen = opened.document.values("manifold")
    assert (chosen["a"], chosen["b"]) == (3, 0), "they change places"
    opened.run("undo")
    assert own.right.currentData() == 0 and own.up.currentData() == 3


def test_the_plane_through_three_codes_and_arithmetic(opened: Any) -> None:
    opened.window.docks.show("arithmetic")
    sums, own = opened.panel(ArithmeticPanel), panel(opened)
    assert not own.through.isEnabled()
    codes = []
    for seed, name in enumerate("ABC"):
        opened.store.update(opened.document.with_latent(code=f"seed:{seed}"))
        (sums.puts[name] if name == "B" else sums.tiles[name]).click()
        codes.append(code(opened))
    opened.settle()
    expected = codes[0] - codes[1] + codes[2]
    sums.tiles["A − B + C"].click()
    opened.settle()
    assert np.allclose(code(opened), expected, atol=1e-6)
    assert np.array_equal(sums._pictures["A − B + C"], opened.canvas.pixels)
    assert np.array_equal(sums._pictures["A"], made(opened, "seed:0"))
    sums.tiles["B"].click()
    assert np.allclose(code(opened), codes[1]), "a full place goes to its code"
    opened.window.docks.show("manifold")
    own.through.click()
    whole(opened)
    plane, marker = own.map.plane, own.map._marker
    assert plane is not None and np.allclose(plane.code(1, -1), codes[1], atol=1e-6)
    assert marker is not None and np.allclose(marker[:2], (1, -1), atol=1e-5) and marker[2]
    opened.store.update(opened.document.with_latent(code="seed:9"))
    assert own.map._marker is not None and not own.map._marker[2], "hollow: it is not in the plane"
    own.through.click()
    whole(opened)
    assert own.map.names == ("z0", "z1")


def failures(d: Any) -> list[str]:
    return [message.text for message in d.window.toasts.messages if message.severity == "error"]


def test_three_codes_on_a_line_are_refused_in_place_and_the_map_stays(opened: Any) -> None:
    aside = tuple(zip("ABC", ("0,0,0,0", "1,1,1,1", "2,2,2,2"), strict=True))
    opened.store.update(opened.document.with_latent(aside=aside))
    own, shown = panel(opened), panel(opened).map.image
    own.through.click()
    opened.settle()
    assert "one line" in own.remark.text() and own.remark.isVisible() and own.map.image is shown
    assert not own.through.isChecked() and not opened.document.values("manifold").get("through")
    assert not failures(opened)


def test_pictures_of_the_folder_lie_on_the_map_and_say_who_they_are(desk: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "real" / name).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (32, 32), dtype=np.uint8)).save(tmp_path / "real" / name / "1.png")
    d = desk(*sorted((tmp_path / "real").glob("*/*.png")), model=vae(tmp_path))
    d.store.update(d.document.with_value("manifold", side=3, zoom=0.25))
    d.window.docks.show("manifold")
    whole(d)
    view, encoded = panel(d).map, d.session.results["encoded"][1]
    assert sorted(view._points.label.tolist()) == [0, 1] and encoded.meta["classes"] == ["a", "b"]
    mean = encoded.arrays["means"][0]
    point = view.point_of(float(mean[0]), float(mean[1]))
    place = view.place
    expected = place.left() + (mean[0] + 12) / 24 * place.width(), place.top() + (12 - mean[1]) / 24 * place.height()
    assert np.allclose((point.x(), point.y()), expected, atol=0.01)
    QTest.mouseMove(view, QPoint(round(point.x()), round(point.y())))
    d.until(lambda: "1.png" in panel(d).readout.text())
    panel(d).points.box.click()
    assert "encoded" not in d.session.wanted and not len(view._points.where)


def test_a_space_of_one_number_has_no_map_and_says_so(desk: Make, tmp_path: Path) -> None:
    d = desk(model=vae(tmp_path, dims=1))
    d.window.docks.show("manifold")
    d.settle()
    assert "two dimensions" in panel(d).remark.text() and "manifold" not in d.session.wanted and not failures(d)


def test_directions_are_dragged_kept_and_removed(desk: Make, tmp_path: Path) -> None:
    d = desk(model=gan(tmp_path))
    d.window.docks.show("directions")
    d.settle()
    own = d.panel(DirectionsPanel)
    first, start = own.rows[0].direction, code(d)
    own.rows[0].row.entry.setValue(1.5)
    d.settle()
    now = code(d)
    assert np.isclose(now @ first.vector, 1.5, atol=1e-4)
    assert np.allclose(now - start, (1.5 - start @ first.vector) * first.vector, atol=1e-5)
    assert np.array_equal(d.canvas.pixels, made(d, d.document.latent.code))
    own.name.setText("roundness")
    own.rows[0].keep.click()
    kept = own.rows[-1]
    assert kept.direction.kept and kept.direction.name == "roundness"
    assert np.allclose(kept.direction.vector, first.vector)
    assert "roundness: +1.00" in own.rows[0].row.label.toolTip()
    kept.keep.click()
    assert not d.document.latent.kept
    d.run("undo")
    assert own.rows[-1].direction.name == "roundness"
    assert own.here.isEnabled()
    own.here.click()
    d.settle()
    assert np.allclose(d.session.results["directions"][1].arrays["code"], now) and not own.here.isEnabled()
    own.rows[0].picked.emit(0)
    there = own.rows[0].direction
    assert there.offsets is not None
    assert np.allclose(code(d), now + there.offsets[0] * there.vector, atol=1e-5)


def test_the_way_from_one_set_of_codes_to_another_is_the_difference_of_means(desk: Make, tmp_path: Path) -> None:
    d = desk(model=gan(tmp_path))
    d.window.docks.show("directions")
    d.settle()
    own, found = d.panel(DirectionsPanel), {"with": [], "without": []}
    assert not own.make.isEnabled()
    for seed, name in enumerate(("with", "with", "without")):
        d.store.update(d.document.with_latent(code=f"seed:{seed}"))
        own.adds[name].click()
        found[name].append(code(d))
    own.make.click()
    expected = np.mean(found["with"], 0) - found["without"][0]
    assert own.rows[-1].direction.name == "With − without"
    assert np.allclose(own.rows[-1].direction.vector, expected / np.linalg.norm(expected), atol=1e-6)
    own.clears["with"].click()
    assert not own.make.isEnabled()


def test_two_folders_of_pictures_make_a_direction_that_can_be_kept(desk: Make, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, high in (("bright", 255), ("dark", 60)):
        (tmp_path / name).mkdir()
        for number in range(6):
            noise = rng.integers(0, high, (32, 32), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / name / f"{number}.png")
    d = desk(model=vae(tmp_path))
    d.window.docks.show("directions")
    d.store.update(d.document.with_latent(folders=(str(tmp_path / "bright"), str(tmp_path / "dark"))))
    d.settle()
    own, vector = d.panel(DirectionsPanel), d.session.results["attribute"][1].arrays["vector"]
    found = own.rows[-1].direction
    assert found.name == "With − without" and np.allclose(found.vector, vector / np.linalg.norm(vector), atol=1e-6)
    assert "area under the curve" in own.words.text() and "With: 0 codes, bright" in own.counts["with"].text()
    own.rows[-1].keep.click()
    own.clears["with"].click()
    d.settle()
    assert "attribute" not in d.session.wanted and own.rows[-1].direction.kept
    assert np.allclose(own.rows[-1].direction.vector, found.vector, atol=1e-6)


def test_sums_and_ways_keep_choices_whole_and_uniform_numbers_inside() -> None:
    a, b, c = SPACE.draw(0, count=3)
    a[:3], b[:3], c[:3] = (0, 1, 0), (0, 1, 0), (0, 0, 1)
    a[3], b[3], c[3] = 0.9, -0.9, 0.5
    found = latent_directions.total(a, b, c, SPACE)
    assert found[:3].tolist() == [0, 0, 1] and found[3] == 1 and np.allclose(found[5:], (a - b + c)[5:])
    way = latent_directions.between(np.stack([a, b]), c[None], SPACE)
    assert not way[:3].any() and np.isclose(np.linalg.norm(way), 1)
    there = latent_directions.moved(a, way, 50.0, SPACE)
    assert there[:3].tolist() == a[:3].tolist() and abs(there[3:5]).max() <= 1
    with pytest.raises(Refusal, match="same mean"):
        latent_directions.between(a[None], a[None], SPACE)
    with pytest.raises(Refusal, match="from one set"):
        latent_directions.between(a[None], np.zeros((0, 9), "f4"), SPACE)
    assert np.allclose(latent_directions.cosines([way, -way]), [[1, -1], [-1, 1]])
