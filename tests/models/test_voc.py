"""Pascal VOC's files, hostile ones too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from truths import boxes, picture, voc, write, xml

from models.truth.read import read
from models.types import Refusal


def test_voc_as_it_stands_with_difficult_ones_as_crowd(tmp_path: Path) -> None:
    truth = read(voc(tmp_path / "set"))
    assert (truth.name, truth.kind, truth.classes) == ("set", "Pascal VOC", ("cat", "dog"))
    assert boxes(truth) == [("dog", [10, 20, 40, 60]), ("cat", [1, 1, 5, 5])]
    assert truth.of(tmp_path / "set" / "JPEGImages" / "b.png").crowd.tolist() == [True]  # type: ignore[union-attr]


def test_voc_of_one_split_or_the_folder_of_annotations(tmp_path: Path) -> None:
    root = voc(tmp_path / "set")
    split = read(root / "ImageSets" / "Main" / "test.txt")
    assert split.name == "set test" and [Path(p.path).name for p in split.pictures] == ["b.png"]
    assert len(read(root / "Annotations").pictures) == 2
    write(root / "ImageSets" / "Main" / "dog_test.txt", "a  1\nb -1\n\ngone 1\n")
    one = read(root / "ImageSets" / "Main" / "dog_test.txt")
    assert [Path(p.path).name for p in one.pictures] == ["a.png"]
    assert one.left_out == ("dog_test.txt: gone has no XML file in Annotations",)


def test_xml_beside_its_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    write(tmp_path / "a.xml", xml(("dog", (10, 20, 40, 60)), name="copied from another.jpg"))
    assert boxes(read(tmp_path)) == [("dog", [10, 20, 40, 60])]


BOMB = (
    b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">%s]><annotation><filename>&a40;</filename></annotation>"""
    % (b"".join(b'<!ENTITY a%d "&a%d;&a%d;">' % (i, i - 1, i - 1) for i in range(1, 41)))
)
FILE = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><filename>&x;</filename></annotation>'
BAD_XML: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is left out: it is empty"),
    "broken": (b"<annotation><object>", "the file is left out: no element found: line 1, column 20"),
    "not utf-8": (
        b'<?xml version="1.0" encoding="utf-8"?><a>\xff</a>',
        "the file is left out: it is not text in UTF-8",
    ),
    "unknown encoding": (b'<?xml version="1.0" encoding="klingon"?><annotation/>', "the file is left out: unknown enc"),
    "billion laughs": (BOMB, "the file is left out: it declares entities, which are not read"),
    "billion laughs in UTF-16": (BOMB.decode().encode("utf-16"), "the file is left out: it declares entities"),
    "another file": (FILE, "the file is left out: it declares entities, which are not read"),
    "no picture": (xml(("dog", (1, 1, 5, 5)), name="x.png").encode(), "its picture is not there, so its 1 boxes are"),
}


@pytest.mark.parametrize("case", BAD_XML)
def test_a_bad_xml_file_is_left_out_and_said(tmp_path: Path, case: str) -> None:
    content, why = BAD_XML[case]
    root = voc(tmp_path / "set")
    write(root / "Annotations" / "bad.xml", content)
    truth = read(root)
    assert len(truth.pictures) == 2 and truth.omitted == 1
    assert truth.left_out[0].startswith(f"bad.xml: {why}")


@pytest.mark.parametrize(
    ("given_", "why"),
    [
        (("dog", (5, 5, 5, 9)), "object 2 (dog) has no area: x 5 to 5, y 5 to 9"),
        (("dog", (9, 5, 5, 9)), "object 2 (dog) has no area: x 9 to 5, y 5 to 9"),
        (("dog", (float("nan"), 5, 5, 9)), "object 2 (dog) has a coordinate that is not a number"),
        (("dog", ("", 5, 5, 9)), "object 2 has no box of four numbers"),
        (("", (1, 5, 5, 9)), "object 2 has no name"),
        (("dog", (200, 5, 220, 9)), "object 2 (dog) lies outside the picture, 100 × 80"),
    ],
)
def test_a_bad_object_is_left_out_and_said(tmp_path: Path, given_: Any, why: str) -> None:
    picture(tmp_path / "a.png")
    write(tmp_path / "a.xml", xml(("cat", (1, 1, 5, 5)), given_))
    truth = read(tmp_path)
    assert boxes(truth) == [("cat", [1, 1, 5, 5])] and truth.left_out == (f"a.xml: {why}",)


def test_voc_without_a_size_asks_the_picture_and_without_a_picture_refuses(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write(root / "Annotations" / "a.xml", xml(("dog", (90, 70, 120, 90)), size="<size/>"))
    with pytest.raises(Refusal, match=r"set has no picture with ground truth. a.xml: its picture is not there"):
        read(root)
    picture(root / "JPEGImages" / "a.png")
    assert boxes(read(root)) == [("dog", [90, 70, 100, 80])]
