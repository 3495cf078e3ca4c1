"""YOLO's files in the spellings and layouts there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from truths import boxes, picture, write, yolo

from models.truth.read import read

PIXELS = ": its numbers are pixels, where YOLO has shares of the picture's width and height"


def test_yolo_in_pixels_and_an_empty_file_is_a_picture_without_objects(tmp_path: Path) -> None:
    root = yolo(tmp_path / "set")
    truth = read(root)
    assert (truth.name, truth.kind, truth.classes, truth.left_out) == ("set", "YOLO", ("cat", "dog"), ())
    (dog, cat) = boxes(truth)
    assert dog[0] == "dog" and dog[1] == pytest.approx([10, 20, 40, 60])
    assert cat[0] == "cat" and cat[1] == pytest.approx([5, 4, 15, 12])
    empty = truth.of(root / "images" / "b.png")
    assert empty is not None and len(empty) == 0 and empty.size == (100, 80)
    assert read(root / "data.yaml").boxes == read(root / "labels").boxes == 2


@pytest.mark.parametrize(
    "names",
    [
        "train: ../train\nnc: 2\nnames: ['cat', \"dog\"]  # two\n",
        "names:\n- cat\n- dog\nnc: 2\n",
        "names:\n  - cat  # a comment\n\n  # another\n  - 'dog'\nnc: 2\n",
        "names:\n  0: cat\n  1: dog\n",
        "names: {0: cat, 1: dog}\n",
        "names: {'1': dog, '0': cat}\n",
        "names: [cat,\n  dog]\nval: x\n",
        "\ufeffnames: [cat, dog]\r\nnc: 2\r\n",
    ],
)
def test_names_of_classes_in_every_spelling(tmp_path: Path, names: str) -> None:
    assert read(yolo(tmp_path / "set", names)).classes == ("cat", "dog")


def test_names_keep_commas_quotes_and_colours(tmp_path: Path) -> None:
    names = "names:\n  - salt, pepper\n  - 'it''s'\n  - \"a #1\"\n"
    assert read(yolo(tmp_path / "set", names)).classes == ("salt, pepper", "it's", "a #1")


@pytest.mark.parametrize("file", ["classes.txt", "labels/classes.txt", "obj.names"])
def test_names_from_a_plain_list(tmp_path: Path, file: str) -> None:
    root = yolo(tmp_path / "set", "nc: 2\n")
    write(root / file, "cat\ndog\n")
    truth = read(root)
    assert truth.classes == ("cat", "dog") and truth.left_out == ()


def test_without_names_classes_are_numbers(tmp_path: Path) -> None:
    assert read(yolo(tmp_path / "set", "nc: 2\n")).classes == ("0", "1")


@pytest.mark.parametrize(
    "layout",
    [
        ("images/train", "labels/train", "."),
        ("train/images", "train/labels", "."),
        ("obj_train_data", "obj_train_data", "."),
        (".", ".", "."),
        ("train/images", "train/labels", "train"),
    ],
)
def test_yolo_layouts(tmp_path: Path, layout: tuple[str, str, str]) -> None:
    images, labels, opened = layout
    root = tmp_path / "set"
    picture(root / images / "a.png")
    write(root / labels / "a.txt", "1 0.25 0.5 0.3 0.5\n")
    write(root / "classes.txt", "cat\ndog\n")
    write(root / "train.txt", "images/a.png\n")
    truth = read(root / opened)
    assert [(n, pytest.approx(b)) for n, b in boxes(truth)] == [("dog", [10, 20, 40, 60])] and truth.left_out == ()


def test_polygons_and_key_points(tmp_path: Path) -> None:
    root = yolo(tmp_path / "set")
    write(root / "labels" / "a.txt", "1 0.1 0.25 0.4 0.75 0.2 0.5\n")
    assert boxes(read(root)) == [("dog", pytest.approx([10, 20, 40, 60]))]
    write(root / "data.yaml", "kpt_shape: [1, 2]\nnames: [cat, dog]\n")
    write(root / "labels" / "a.txt", "1 0.25 0.5 0.3 0.5 0.9 0.9\n")
    assert boxes(read(root)) == [("dog", pytest.approx([10, 20, 40, 60]))]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("2 0.5 0.5 0.1 0.1", "line 2 has class 2, but there are 2 classes, from 0"),
        ("cow 0.5 0.5 0.1 0.1", "line 2 begins with 'cow', which is not a class"),
        ("-1 0.5 0.5 0.1 0.1", "line 2 begins with '-1', which is not a class"),
        ("99999999999 0.5 0.5 0.1 0.1", "line 2 begins with '99999999999', which is not a class"),
        ("1 0.5 0.5 0.1", "line 2 is neither a box of four numbers nor a polygon"),
        ("1 0.5 0.5 0.1 x", "line 2 is neither a box of four numbers nor a polygon"),
        ("1 0.5 0.5 nan 0.1", "line 2 has a coordinate that is not a number"),
        ("1 0.5 0.5 0 0.1", "line 2 has no area: x 50 to 50, y 36 to 44"),
        ("1 0.5 0.5 -0.1 0.1", "line 2 has no area: x 55 to 45, y 36 to 44"),
        ("1 320 240 100 80", f"line 2 lies outside the picture, 100 × 80{PIXELS}"),
    ],
)
def test_a_bad_line_is_left_out_and_said(tmp_path: Path, line: str, why: str) -> None:
    root = yolo(tmp_path / "set")
    write(root / "labels" / "a.txt", f"0 0.1 0.1 0.1 0.1\n{line}\n\n")
    truth = read(root)
    assert [n for n, _ in boxes(truth)] == ["cat"] and truth.left_out == (f"a.txt: {why}",)


def test_yolo_files_that_cannot_be_used(tmp_path: Path) -> None:
    root = yolo(tmp_path / "set")
    write(root / "labels" / "gone.txt", "0 0.1 0.1 0.1 0.1\n")
    write(root / "labels" / "bytes.txt", b"\xff\xfe0 0.1")
    picture(root / "images" / "bytes.png")
    write(root / "images" / "broken.png", b"no picture")
    write(root / "labels" / "broken.txt", "0 0.1 0.1 0.1 0.1\n")
    picture(root / "images" / "bare.png")
    said = "\n".join(read(root).left_out)
    assert "gone.txt: there is no picture with this name" in said
    assert "bytes.txt: the file is left out: it is not text in UTF-8" in said
    assert "broken.png: broken.png is not a picture" in said
    assert said.count("it has no text file") == 1 and "bare.png: it has no text file, so its objects are" in said
