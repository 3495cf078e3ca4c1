"""COCO's files: hand-written ones, another reader as oracle, everything that can be wrong with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO
from truths import boxes, coco, picture, write

from models.truth import gather
from models.truth.read import read
from models.types import Refusal


def test_coco_in_its_own_order_and_from_corner_and_size_to_corners(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    truth = read(coco(tmp_path / "set.json"))
    assert (truth.name, truth.kind, truth.classes, truth.left_out) == ("set", "COCO", ("cat", "dog"), ())
    assert boxes(truth) == [("dog", [10.0, 20.0, 40.0, 60.0])]
    assert truth.pictures[0].size == (100, 80) and truth.pictures[0].path == str(tmp_path / "a.png")
    assert truth.label_ids(("__background__", "Dog ", "bird")).tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("file", "at", "name"),
    [
        ("set.json", "a.png", "a.png"),
        ("set.json", "images/a.png", "a.png"),
        ("annotations/set.json", "a.png", "a.png"),
        ("annotations/set.json", "images/a.png", "a.png"),
        ("annotations/set.json", "train2017/a.png", "a.png"),
        ("annotations/set.json", "images/val2017/a.png", "a.png"),
        ("set.json", "sub/a.png", "sub/a.png"),
        ("set.json", "images/a.png", "/elsewhere/images/a.png"),
        ("set.json", "images/a.png", "images\\a.png"),
    ],
)
def test_coco_finds_pictures_beside_above_in_images_and_nearby(tmp_path: Path, file: str, at: str, name: str) -> None:
    picture(tmp_path / "x" / at)
    made = coco(tmp_path / "x" / file, images=[{"id": 1, "file_name": name, "width": 100, "height": 80}])
    assert read(made).of(tmp_path / "x" / at) is not None


def test_coco_takes_the_folder_its_name_speaks_of_and_none_where_two_could_be_meant(tmp_path: Path) -> None:
    for folder in ("train2017", "val2017"):
        picture(tmp_path / folder / "a.png")
    truth = read(coco(tmp_path / "annotations" / "instances_val2017.json"))
    assert truth.of(tmp_path / "val2017" / "a.png") is not None and truth.of(tmp_path / "train2017" / "a.png") is None
    with pytest.raises(Refusal, match="no picture with ground truth"):
        read(coco(tmp_path / "annotations" / "mine.json"))


BAD_COCO: dict[str, tuple[dict[str, Any], str]] = {
    "unknown category": ({"category_id": 9}, "annotation 5 on a.png has the unknown category 9"),
    "unknown picture": ({"image_id": 4}, "annotation 5 is of picture 4, which is not among the images"),
    "no picture": ({"image_id": None}, "annotation 5 is of picture"),
    "duplicate": ({"id": 1}, "annotation 1 appears twice; the first is used"),
    "no box": ({"bbox": None}, "annotation 5 on a.png has no box of four numbers"),
    "three numbers": ({"bbox": [1, 2, 3]}, "annotation 5 on a.png has no box of four numbers"),
    "text": ({"bbox": [1, 2, "a", 4]}, "annotation 5 on a.png has no box of four numbers"),
    "nan": ({"bbox": [1, 2, float("nan"), 4]}, "annotation 5 on a.png has a coordinate that is not a number"),
    "infinite": ({"bbox": [1, 2, float("inf"), 4]}, "annotation 5 on a.png has a coordinate that is not a number"),
    "huge": ({"bbox": [1, 2, 10**400, 4]}, "annotation 5 on a.png has no box of four numbers"),
    "no width": ({"bbox": [1, 2, 0, 4]}, "annotation 5 on a.png has no area: x 1 to 1, y 2 to 6"),
    "negative": ({"bbox": [9, 2, -5, 4]}, "annotation 5 on a.png has no area: x 9 to 4, y 2 to 6"),
    "outside": ({"bbox": [100, 2, 5, 4]}, "annotation 5 on a.png lies outside the picture, 100 × 80"),
    "list for an id": ({"category_id": [3]}, "annotation 5 on a.png has the unknown category [3]"),
}


@pytest.mark.parametrize("case", BAD_COCO)
def test_a_bad_annotation_is_left_out_and_said(tmp_path: Path, case: str) -> None:
    changed, why = BAD_COCO[case]
    good = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [10, 20, 30, 40]}
    bad = {"id": 5, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], **changed}
    picture(tmp_path / "a.png")
    truth = read(coco(tmp_path / "set.json", annotations=[good, bad]))
    assert boxes(truth) == [("dog", [10.0, 20.0, 40.0, 60.0])]
    (line,) = truth.left_out
    assert line.startswith(f"set.json: {why}") and truth.omitted == 1


def test_bad_images_categories_and_entries_are_left_out_and_said(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    images = [
        {"id": 1, "file_name": "a.png"},
        {"id": 1, "file_name": "b.png"},
        {"id": 2, "file_name": "gone.png"},
        {"id": 3},
        {"file_name": "b.png"},
        {"id": 4, "file_name": "a.png"},
        "no object",
    ]
    categories = [{"id": 3, "name": "dog"}, {"id": 3, "name": "cow"}, {"id": 4}, {"name": "hen"}]
    truth = read(coco(tmp_path / "set.json", images=images, categories=categories))
    assert truth.classes == ("dog",) and [Path(p.path).name for p in truth.pictures] == ["a.png"]
    assert truth.pictures[0].size == (100, 80), "the picture tells its size where the file does not"
    said = "\n".join(truth.left_out)
    for part in (
        "picture 1 (b.png) appears twice",
        "gone.png: this picture is not there, so its 0 boxes are left out",
        "a picture has no file name",
        "a picture has no id",
        "a.png: this picture is listed twice",
        "an entry of images is not an object but 'no object'",
        "category 3 (cow) appears twice",
        "a category has no name",
        "a category has no id",
    ):
        assert part in said
    assert truth.omitted == 9


def test_a_box_that_reaches_beyond_the_picture_is_cut_and_counted(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    entry = {"id": 1, "image_id": 1, "category_id": 3, "bbox": [-10, 70, 50, 40], "iscrowd": 1}
    truth = read(coco(tmp_path / "set.json", annotations=[entry]))
    assert boxes(truth) == [("dog", [0.0, 70.0, 40.0, 80.0])] and truth.clipped == 1 and truth.omitted == 0
    assert truth.pictures[0].crowd.tolist() == [True]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"images": [}', "set.json is broken at line 1, column 13: expecting value"),
        (b'{"images": [],\n "annotations": [1 2]}', "broken at line 2, column 20: expecting ',' delimiter"),
        (b'{"images": [1,]}', "broken at line 1, column 14: illegal trailing comma"),
        (b'{"images": [', "broken at line 1, column 13"),
        (b'{"images": []', "broken at line 1, column 14"),
        (b'{"images" []}', "broken at line 1, column 11: expecting ':' delimiter"),
        (b"{images: []}", "broken at line 1, column 2: expecting property name"),
        (b"{} {}", "broken at line 1, column 4: extra data"),
        (b"no json", "broken at line 1, column 1"),
        (b"", "is empty"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"[]", "not a data set"),
        (b"3", "not a data set"),
        (b'{"images": {}, "annotations": []}', "has no images and no categories"),
        (b'{"source": "a", "parameters": {"score": 1}}', "has no images and no annotations and no categories"),
        (b'{"images": ' + b"[" * 100_000, "nested too deep"),
    ],
)
def test_broken_json_says_where(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(Refusal) as told:
        read(write(tmp_path / "set.json", content))
    assert message in str(told.value) and told.value.advice


def test_coco_is_read_as_another_reader_reads_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    images = [{"id": i * 3, "file_name": f"{i}.png", "width": 640, "height": 480} for i in range(20)]
    notes = []
    for i in range(200):
        x, y = rng.uniform(0, 400, 2).round(2).tolist()
        w, h = rng.uniform(1, 80, 2).round(2).tolist()
        where, what = int(rng.integers(20)) * 3, int(rng.integers(1, 4)) * 10
        note = {"id": i + 1, "image_id": where, "category_id": what, "bbox": [x, y, w, h], "area": w * h}
        notes.append({**note, "iscrowd": int(i % 9 == 0), "segmentation": [[x, y, x + w, y, x + w, y + h]]})
    kinds = [{"id": 10 * k, "name": f"k{k}", "supercategory": "all"} for k in (3, 1, 2)]
    for image in images:
        picture(tmp_path / image["file_name"], 8, 8)
    path = coco(tmp_path / "set.json", images=images, annotations=notes, categories=kinds, info={"year": 1})
    truth, other = read(path), COCO(str(path))
    names = {k["id"]: k["name"] for k in kinds}
    assert len(truth.pictures) == 20 and truth.boxes == 200 and not truth.left_out
    for image in images:
        theirs = other.loadAnns(other.getAnnIds(imgIds=[image["id"]]))
        mine = truth.of(tmp_path / image["file_name"])
        assert mine is not None and len(mine) == len(theirs)
        x, y, w, h = np.array([a["bbox"] for a in theirs]).T
        assert np.allclose(mine.boxes, np.stack([x, y, x + w, y + h], 1), atol=1e-4)
        assert [truth.classes[k] for k in mine.labels] == [names[a["category_id"]] for a in theirs]
        assert mine.crowd.tolist() == [bool(a["iscrowd"]) for a in theirs]


def test_five_thousand_pictures_are_looked_for_in_one_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [{"id": i, "file_name": f"{i:06}.jpg", "width": 640, "height": 480} for i in range(5000)]
    notes = [{"id": i, "image_id": i // 7, "category_id": 3, "bbox": [1, 2, 30, 40]} for i in range(35_000)]
    (tmp_path / "images").mkdir()
    for image in images:
        (tmp_path / "images" / image["file_name"]).touch()
    path = coco(tmp_path / "set.json", images=images, annotations=notes)
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: listed.append(str(folder)) or scandir(folder))
    heard: list[float | None] = []
    truth = read(path, progress=lambda fraction, _: heard.append(fraction))
    assert len(truth.pictures) == 5000 and truth.boxes == 35_000
    assert len(listed) < 12 and len(listed) == len(set(listed)), "each folder once"
    assert 100 < len(heard) < 1000 and all(f is not None and 0 <= f <= 1 for f in heard)


def test_a_list_of_omissions_ends_somewhere_and_says_how_many_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "MOST_LINES", 1000)
    picture(tmp_path / "a.png")
    notes = [{"id": i, "image_id": 1, "category_id": 3, "bbox": [1, 2, 0, 4]} for i in range(1500)]
    truth = read(coco(tmp_path / "set.json", annotations=notes))
    assert truth.omitted == 1500 and len(truth.left_out) == 1001 and truth.left_out[-1] == "and 500 more"
