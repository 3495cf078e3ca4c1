"""Ground truth of any format: recognised, refused, the same boxes in three formats, a real data set."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from truths import boxes, coco, picture, voc, write, xml, yolo

from models.truth.read import read, recognise
from models.truth.types import Annotated, Truth
from models.types import Cancelled, Refusal

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("VITRINE_DATA", ROOT.parent / "shared" / "data"))
BCCD = DATA / "bccd.zip"


def test_reading_can_be_called_off(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")

    def stop(_: float | None, __: str) -> None:
        raise Cancelled

    for path in (coco(tmp_path / "set.json"), voc(tmp_path / "voc"), yolo(tmp_path / "yolo")):
        with pytest.raises(Cancelled):
            read(path, progress=stop)


def test_the_one_file_of_coco_is_found_among_other_json(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    wanted = boxes(read(coco(tmp_path / "set.json")))
    for number in range(2):
        (tmp_path / f"notes{number}.json").write_text('{"vitrine_recipe": 1, "picture": {"file": "a.png"}}')
    assert boxes(read(tmp_path)) == wanted
    shutil.copy(tmp_path / "set.json", tmp_path / "other.json")
    with pytest.raises(Refusal, match="several JSON files"):
        read(tmp_path)


def test_the_same_boxes_in_three_formats_are_one_truth(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("three")
    names = ("cat", "dog", "hen")
    for root in ("coco", "voc", "yolo"):
        for name in "ab":
            picture(folder / root / "images" / f"{name}.png")
    quarter = st.integers(0, 399).map(lambda n: n / 4)
    side = st.integers(1, 200).map(lambda n: n / 4)
    one = st.tuples(st.sampled_from(names), quarter, quarter.filter(lambda y: y < 80), side, side)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.fixed_dictionaries({"a": st.lists(one, max_size=6), "b": st.lists(one, max_size=6)}))
    def same(drawn: dict[str, list[tuple[str, float, float, float, float]]]) -> None:
        coco(
            folder / "coco" / "set.json",
            images=[{"id": n, "file_name": f"{n}.png", "width": 100, "height": 80} for n in drawn],
            categories=[{"id": n, "name": n} for n in names],
            annotations=[
                {"image_id": n, "category_id": k, "bbox": [x, y, w, h]}
                for n, all_ in drawn.items()
                for k, x, y, w, h in all_
            ],
        )
        write(folder / "yolo" / "classes.txt", "\n".join(names))
        for n, all_ in drawn.items():
            write(
                folder / "voc" / f"{n}.xml",
                xml(*[(k, (x, y, x + w, y + h)) for k, x, y, w, h in all_], name=f"{n}.png"),
            )
            lines = [
                f"{names.index(k)} {(x + w / 2) / 100} {(y + h / 2) / 80} {w / 100} {h / 80}" for k, x, y, w, h in all_
            ]
            write(folder / "yolo" / "labels" / f"{n}.txt", "\n".join(lines))
        truths = [read(folder / "coco" / "set.json"), read(folder / "voc"), read(folder / "yolo")]
        for n, all_ in drawn.items():
            wanted = [(k, [x, y, min(x + w, 100), min(y + h, 80)]) for k, x, y, w, h in all_]
            for truth in truths:
                found = boxes(truth, f"{n}.png")
                assert [k for k, _ in found] == [k for k, _ in wanted], truth.kind
                assert np.allclose([b for _, b in found], [b for _, b in wanted], atol=1e-4), truth.kind
                assert truth.left_out == ()
        assert len({truth.clipped for truth in truths}) == 1

    same()


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda p: coco(p / "set.json"), "COCO"),
        (voc, "VOC"),
        (lambda p: voc(p) / "Annotations", "VOC"),
        (lambda p: voc(p) / "ImageSets" / "Main" / "test.txt", "VOC"),
        (yolo, "YOLO"),
        (lambda p: yolo(p) / "data.yaml", "YOLO"),
        (lambda p: picture(p / "a.png").parent, ""),
        (lambda p: picture(p / "a.png"), ""),
        (lambda p: write(p / "notes.txt", "x"), ""),
        (lambda p: p / "gone", ""),
        (lambda p: write(p / "sheet.json" / "a", "x").parent, ""),
    ],
)
def test_a_path_is_recognised_without_opening_a_file(tmp_path: Path, make: Callable[[Path], Path], kind: str) -> None:
    assert recognise(make(tmp_path / "x")) == kind


@pytest.mark.parametrize("what", ["gone.json", "gone", "notes.txt", "empty", "several", "pictures"])
def test_what_is_no_ground_truth_is_refused_with_advice(tmp_path: Path, what: str) -> None:
    write(tmp_path / "notes.txt", "x")
    (tmp_path / "empty").mkdir()
    picture(tmp_path / "pictures" / "a.png")
    for name in ("one.json", "two.json"):
        write(tmp_path / "several" / name, "{}")
    with pytest.raises(Refusal) as told:
        read(tmp_path / what)
    assert what in str(told.value) and told.value.advice
    assert what != "several" or "one.json, two.json" in told.value.advice


def test_a_picture_is_found_by_whichever_way_its_folder_is_reached(tmp_path: Path) -> None:
    root = voc(tmp_path / "set")
    (tmp_path / "link").symlink_to(root)
    for path in (root, tmp_path / "link", tmp_path / "set" / ".." / "set"):
        truth = read(path)
        for other in (root, tmp_path / "link", tmp_path / "link" / "." / ".." / "set"):
            assert truth.of(other / "JPEGImages" / "a.png") is not None, (path, other)
    assert read(root).of(tmp_path / "elsewhere" / "a.png") is None


def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    root = voc(tmp_path / "set")
    shutil.rmtree(root / "JPEGImages")
    with pytest.raises(Refusal, match="and 1 more"):
        read(root)


@pytest.mark.skipif(not BCCD.is_file(), reason=f"no BCCD data set at {BCCD}; VITRINE_DATA names its folder")
def test_bccd(tmp_path: Path) -> None:
    with zipfile.ZipFile(BCCD) as archive:
        archive.extractall(tmp_path)
    truth = read(tmp_path / "BCCD")
    assert len(truth.pictures) == 364 and truth.classes == ("Platelets", "RBC", "WBC") and truth.boxes == 4886
    assert len(truth.left_out) == truth.omitted == 2
    for line, name in zip(truth.left_out, ("BloodImage_00338", "BloodImage_00343"), strict=True):
        assert line.startswith(f"{name}.xml: object ") and "(RBC) has no area" in line
    splits = [read(tmp_path / "BCCD" / "ImageSets" / "Main" / f"{name}.txt") for name in ("train", "val", "test")]
    assert sum(len(s.pictures) for s in splits) == 364 and all(p.size == (640, 480) for p in truth.pictures)


def test_case_tells_classes_apart_only_where_the_model_does() -> None:
    truth = Truth("letters", "COCO", ("a", "A", " B "), ())
    assert truth.label_ids(("background", "A", "a", "b")).tolist() == [2, 1, 3]
    assert truth.label_ids(("background", "a")).tolist() == [1, 1, -1]


def test_objects_are_counted_by_class() -> None:
    boxes = np.zeros((3, 4), np.float32)
    picture = Annotated("/p.png", (9, 9), boxes, np.array([2, 0, 2]), np.zeros(3, bool))
    truth = Truth("set", "COCO", ("a", "b", "c"), (picture, picture))
    assert truth.objects.tolist() == [2, 0, 4] and truth.boxes == 6
    assert Truth("none", "COCO", ("a",), ()).objects.tolist() == [0]
