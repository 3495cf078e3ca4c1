"""The painter: outlines, labels, links and heat maps on pixels, the same on screen and in files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

from viewer.canvas import label
from viewer.canvas.frame import Frame
from viewer.canvas.layers import Boxes, Heat, Layer, Links, Overlay, Points, hits
from viewer.canvas.painter import paint, render, svg
from viewer.theme import class_colour

pytestmark = pytest.mark.usefixtures("qapp")

BLACK, WHITE = np.zeros((200, 200, 3), np.uint8), np.full((200, 200, 3), 255, np.uint8)
BOX = (60, 80, 140, 160)


def array(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def rgb(colour: QColor) -> list[int]:
    return [colour.red(), colour.green(), colour.blue()]


def one(**fields: object) -> Boxes:
    return Boxes("one", np.array([BOX], np.float32), np.array([2]), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("picture", [BLACK, WHITE], ids=["black", "white"])
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_the_outline_touches_the_box_and_covers_nothing_of_it(picture: np.ndarray, width: int) -> None:
    seen = array(render(picture, [one(width=width)], unit=1))
    x0, y0, x1, y1 = BOX
    np.testing.assert_array_equal(seen[y0:y1, x0:x1], picture[y0:y1, x0:x1])

    for edge in (seen[y0:y1, x0 - width : x0], seen[y0:y1, x1 : x1 + width]):
        assert (edge == rgb(class_colour(2))).all()
    for edge in (seen[y0 - width : y0, x0 - width : x1 + width], seen[y1 : y1 + width, x0 - width : x1 + width]):
        assert (edge == rgb(class_colour(2))).all()
    assert (seen[y0:y1, x0 - width - 1] == rgb(label.PLATE)).all()


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("scale", [0.37, 1.0, 1.8375, 7.0])
def test_the_outline_is_crisp_at_every_pixel_ratio(ratio: float, scale: float) -> None:
    image = QImage(600, 600, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    image.fill(QColor("grey"))
    painter = QPainter(image)
    painter.translate(3.2, 5.7)
    painter.scale(scale, scale)
    paint(painter, [one()], scale=scale)
    painter.end()

    seen = {tuple(pixel) for pixel in array(image).reshape(-1, 3).tolist()}
    assert seen <= {tuple(rgb(c)) for c in (QColor("grey"), class_colour(2), label.PLATE)}


def test_dashes_differ_from_a_line() -> None:
    solid, dashed = (array(render(WHITE, [one(dashed=d)], unit=1)) for d in (False, True))
    assert (dashed[100, 58:60] != solid[100, 58:60]).any() or (dashed[104, 58:60] != solid[104, 58:60]).any()
    inked = [(np.all(seen == rgb(class_colour(2)), axis=2)).sum() for seen in (solid, dashed)]
    assert 0.3 * inked[0] < inked[1] < 0.8 * inked[0]


def test_opacity_and_filling_are_seen() -> None:
    faint = array(render(WHITE, [one(opacity=0.5)], unit=1))
    expected = (np.array(rgb(class_colour(2))) + 255) / 2
    np.testing.assert_allclose(faint[100, 59], expected, atol=2)
    assert (array(render(WHITE, [one(filled=True)], unit=1))[100, 100] != 255).any()


@pytest.mark.parametrize("box", [(60, 80, 140, 160), (0, 0, 50, 50), (150, 2, 200, 60), (0, 150, 40, 200)])
def test_a_label_lies_outside_its_box_and_inside_the_picture(box: tuple[int, ...]) -> None:
    plain = Boxes("b", np.array([box], np.float32), np.array([2]))
    named = Boxes("b", plain.boxes, plain.colours, ["two 0.93"])
    changed = np.any(array(render(WHITE, [plain], unit=1)) != array(render(WHITE, [named], unit=1)), axis=2)

    assert changed.sum() > 200
    assert not changed[box[1] : box[3], box[0] : box[2]].any()


def test_a_label_goes_inside_when_there_is_no_other_place() -> None:
    whole = Boxes("b", np.array([[0, 0, 200, 200]], np.float32), np.array([2]), ["two"])
    seen = array(render(WHITE, [whole], unit=1))
    assert (seen[:16, :10] != 255).any()
    assert (seen[30:, 30:] == 255).all()


def test_labels_do_not_lie_on_each_other_and_the_selected_one_is_always_there() -> None:
    image = QImage(400, 400, QImage.Format.Format_RGB32)
    painter = QPainter(image)
    frame = Frame.of(painter, scale=1.0, visible=None, bounds=None)
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 340, (200, 2))
    boxes = np.hstack([corners, corners + 40])
    tags = [label.Tag(box, f"class {i}", class_colour(i), must=i == 199) for i, box in enumerate(boxes)]
    placed = label.place(frame, sorted(tags, key=lambda tag: not tag.must))
    painter.end()

    assert 30 < len(placed) < 200
    assert placed[0][0].text == "class 199"
    rects = [QRectF(*rect) for _, rect in placed]
    assert not any(a.intersects(b) for i, a in enumerate(rects) for b in rects[:i])


def test_a_label_keeps_off_other_labelled_boxes() -> None:
    boxes = Boxes("b", np.array([[60, 80, 140, 160], [60, 20, 140, 76]], np.float32), np.array([2, 3]))
    named = Boxes("b", boxes.boxes, boxes.colours, ["two", "three"])
    changed = np.any(array(render(WHITE, [boxes], unit=1)) != array(render(WHITE, [named], unit=1)), axis=2)
    assert changed.any()
    assert not changed[20:76, 60:140].any()
    assert not changed[80:160, 60:140].any()


def test_too_many_labels_leave_only_the_selected_one() -> None:
    boxes = np.tile(np.array([[20, 40, 80, 90]], np.float32), (400, 1))
    colours = np.zeros(400, np.int64)
    texts = [f"number {i}" for i in range(400)]
    crowd = array(render(WHITE, [Boxes("b", boxes, colours)], unit=1))
    named = array(render(WHITE, [Boxes("b", boxes, colours, texts)], unit=1))
    np.testing.assert_array_equal(crowd, named)

    chosen = array(render(WHITE, [Boxes("b", boxes, colours, texts, selected=7)], unit=1))
    unnamed = array(render(WHITE, [Boxes("b", boxes, colours, selected=7)], unit=1))
    assert (chosen != unnamed).any()


@pytest.mark.parametrize("picture", [BLACK, WHITE], ids=["black", "white"])
def test_the_selected_box_has_a_halo(picture: np.ndarray) -> None:
    seen = array(render(picture, [one(selected=0)], unit=1))
    across = seen[100, 50:60].tolist()
    assert [255, 255, 255] in across
    assert rgb(label.PLATE) in across
    assert across[-3:] == [rgb(class_colour(2))] * 3


@pytest.mark.parametrize("colours", [(1, 2, 1), (2, 1, 2), (3, 1, 2)])
def test_the_best_box_lies_on_top(colours: tuple[int, int, int]) -> None:
    boxes = np.array([BOX] * 3, np.float32)
    seen = array(render(WHITE, [Boxes("b", boxes, np.array(colours))], unit=1))
    assert seen[100, BOX[0] - 1].tolist() == rgb(class_colour(colours[0]))


def test_what_cannot_be_seen_or_is_no_number_is_left_out() -> None:
    odd = np.array([[np.nan, 0, 1, 1], [1e30, 1e30, 2e30, 2e30], [-1e30, 20, 1e30, 40], [500, 500, 600, 600]])
    image = QImage(100, 100, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    paint(painter, [Boxes("b", odd.astype(np.float32), np.zeros(4, np.int64))], scale=1.0)
    frame = Frame.of(painter, scale=1.0, visible=QRectF(0, 0, 100, 100), bounds=None)
    assert frame.rows_in_view(frame.place(odd)).tolist() == [2]
    painter.end()
    assert (array(image)[19] == rgb(class_colour(0))).all()


def test_ten_thousand_boxes_are_painted() -> None:
    corners = np.random.default_rng(0).uniform(0, 180, (10_000, 2))
    many = Boxes("b", np.hstack([corners, corners + 20]).astype(np.float32), np.arange(10_000) % 90)
    assert (array(render(WHITE, [many])) != 255).any()


def test_a_heat_map_is_stretched_over_its_extent() -> None:
    values = np.array([[0.0, 1.0], [np.nan, 0.0]], np.float32)
    heat = Heat("h", values, (100, 100, 200, 200), low=0, high=1, opacity=1)
    seen = array(render(WHITE, [heat]))
    assert (seen[:99, :99] == 255).all()
    assert seen[101, 198].tolist()[2] < 80  # the map's yellow end
    assert (seen[198, 101] == 255).all()


@pytest.mark.parametrize(("figure", "greys"), [(False, 2), (True, 3)], ids=["on screen", "figure"])
def test_single_pixels_of_a_picture_over_the_picture_are_seen_as_those_beneath(figure: bool, greys: int) -> None:
    image = QImage(80, 40, QImage.Format.Format_RGB888)
    painter = QPainter(image)
    painter.scale(20, 20)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, figure)
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[:, 2:] = 255
    whole = QRectF(0, 0, 4, 2)
    paint(painter, [Overlay("made", pixels, (0, 0, 4, 2))], scale=20, visible=whole, bounds=whole)
    painter.end()
    assert len({image.pixelColor(x, 20).red() for x in range(80)}) >= greys
    assert figure or {image.pixelColor(x, 20).red() for x in (39, 40)} == {0, 255}


def test_links_end_in_a_dot_at_the_remover() -> None:
    link = Links("l", np.array([[20, 50, 120, 50]], np.float32), np.array([2]))
    seen = array(render(BLACK, [link], unit=1)).astype(int).sum(axis=2) > 150
    assert seen[:, 120].sum() > 2 * seen[:, 40].sum() > 0


def test_points_are_round() -> None:
    points = Points("p", np.array([[50, 50], [150, 150]], np.float32), np.array([0, 1]), radius=4)
    seen = array(render(BLACK, [points], unit=1))
    assert seen[50, 50].tolist() == rgb(class_colour(0))
    assert seen[150, 150].tolist() == rgb(class_colour(1))
    assert seen[50, 60].tolist() == [0, 0, 0]


def scene() -> list[Layer]:
    boxes = np.array([[20, 30, 60, 80], [100, 40, 180, 90], [90, 120, 150, 190]], np.float32)
    return [
        Heat("h", np.eye(7, dtype=np.float32), (0, 0, 200, 200), low=0, high=1, opacity=0.4),
        Boxes("s", boxes + 8, np.array([1, 2, 3]), dashed=True),
        Links("l", np.array([[48, 63, 40, 55]], np.float32), np.array([1])),
        Points("p", np.array([[170, 170]], np.float32), np.array([5])),
        Boxes("d", boxes, np.array([1, 2, 3]), ["one 0.9", "two & <2>", "three 0.7"], selected=1, opacity=0.9),
    ]


def test_the_svg_holds_shapes_and_texts_and_looks_like_the_png(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(90, 110, (200, 200, 3), dtype=np.uint8)
    path = tmp_path / "picture.svg"
    path.write_bytes(svg(picture, scene(), title="picture"))

    source = path.read_text(encoding="utf-8")
    assert source.count("<text") == 3
    assert source.count("<image") == 2
    assert "two &amp; &lt;2" in source
    assert source.count("<rect") >= 8

    again = QImage(200, 200, QImage.Format.Format_RGB32)
    painter = QPainter(again)
    QSvgRenderer(str(path)).render(painter)
    painter.end()
    difference = np.abs(array(again).astype(int) - array(render(picture, scene())))
    assert difference.mean() < 6


@pytest.mark.parametrize("shape", [(1, 1, 3), (10, 3000, 3), (3000, 10, 3)])
def test_odd_pictures_are_rendered(shape: tuple[int, ...]) -> None:
    image = render(np.zeros(shape, np.uint8), scene())
    assert (image.height(), image.width()) == shape[:2]


def test_strokes_grow_with_a_large_picture() -> None:
    large = np.zeros((100, 3840, 3), np.uint8)
    seen = array(render(large, [Boxes("b", np.array([[500, 40, 600, 80]], np.float32), np.array([2]))]))
    assert (seen[60, 494:500] == rgb(class_colour(2))).all()


def test_hits_are_the_smallest_first() -> None:
    boxes = np.array([[0, 0, 100, 100], [40, 40, 60, 60], [30, 30, 70, 70], [200, 200, 210, 210]], np.float32)
    layers: list[Layer] = [
        Boxes("a", boxes, np.zeros(4, np.int64)),
        Boxes("b", boxes[[2]] + 0.5, np.zeros(1, np.int64)),
        Boxes("c", boxes, np.zeros(4, np.int64), hoverable=False),
        Links("l", boxes, np.zeros(4, np.int64)),
    ]
    assert hits(layers, 50, 50, slack_px=0) == [("a", 1), ("a", 2), ("b", 0), ("a", 0)]
    assert hits(layers, 198, 205, slack_px=0) == []
    assert hits(layers, 198, 205, slack_px=3) == [("a", 3)]


def test_layers_check_their_columns() -> None:
    with pytest.raises(ValueError, match="Expected 1 ids"):
        Boxes("b", np.zeros((1, 4), np.float32), np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="2 boxes but 1 texts"):
        Boxes("b", np.zeros((2, 4), np.float32), np.zeros(2, np.int64), ["one"])
    assert Boxes("b", np.zeros((3, 4), np.float32), np.zeros(3, np.int64)).ids.tolist() == [0, 1, 2]
    assert len(Boxes("b", np.zeros((0, 4), np.float32), np.zeros(0, np.int64))) == 0


def crowd(count: int, *, seed: int = 0, side: float = 400) -> Boxes:
    """Boxes of all sizes, also without one, many beyond the edges, in five colours."""
    rng = np.random.default_rng(seed)
    middle, size = rng.uniform(-60, side + 60, (count, 2)), np.exp(rng.uniform(-2, 6, (count, 2)))
    size[:20] = 0
    boxes = np.concatenate([middle - size / 2, middle + size / 2], 1).astype(np.float32)
    return Boxes("crowd", boxes, rng.integers(-1, 4, count), width=float(rng.integers(1, 5)), selected=3)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("ratio", "scale"), [(1.0, 1.0), (1.0, 0.41), (1.5, 2.3), (2.0, 0.8)])
def test_thousands_of_boxes_look_as_if_drawn_one_by_one(
    seed: int, ratio: float, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, shown = crowd(300, seed=seed), []
    if seed > 3:
        layer = dataclasses.replace(layer, opacity=0.5)
    for many in (10**9, 1):
        monkeypatch.setattr("viewer.canvas.frame.MANY", many)
        image = QImage(600, 450, QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        image.fill(QColor("grey"))
        painter = QPainter(image)
        painter.translate(-11.3, 7.9)
        painter.scale(scale, scale)
        paint(painter, [layer], scale=scale)
        painter.end()
        shown.append(array(image))
    assert (shown[0] != shown[0][0, 0]).any()
    np.testing.assert_array_equal(shown[1], shown[0])


def test_a_dense_layer_has_no_dark_edges_but_all_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("viewer.canvas.frame.MANY", 100)
    layer = dataclasses.replace(crowd(500), selected=-1)
    cased = array(render(np.full((400, 400, 3), 128, np.uint8), [layer], unit=1))
    monkeypatch.setattr("viewer.canvas.painter.DENSE", 100)
    bare = array(render(np.full((400, 400, 3), 128, np.uint8), [layer], unit=1))
    dark = (cased == rgb(label.PLATE)).all(axis=2)
    assert dark.any() and not (bare == rgb(label.PLATE)).all(axis=2).any()
    np.testing.assert_array_equal(bare[~dark], cased[~dark])
