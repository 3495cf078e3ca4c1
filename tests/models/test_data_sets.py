"""Opening data sets: folders, class folders, ground truth, tables, patterns; what is left out is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.datasets.opening import data_set_at, open_data_set
from models.types import Cancelled, Refusal


def picture(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)
    return path


def names(found: object) -> list[str]:
    return [found.shown(row) for row in range(len(found))]  # type: ignore[attr-defined,arg-type]


def test_subfolders_are_classes_and_pictures_lie_in_natural_order(tmp_path: Path) -> None:
    for name in ("dog/img10.png", "dog/img2.png", "cat/deep/a.png", "cat/b.png", ".hidden/x.png", "cat/notes.txt"):
        picture(tmp_path / name) if name.endswith("png") else (tmp_path / name).write_text("no picture")
    found = open_data_set(tmp_path)
    assert found.kind == "class folders" and found.classes == ("cat", "dog")
    assert names(found) == ["cat/b.png", "cat/deep/a.png", "dog/img2.png", "dog/img10.png"]
    assert [found.label(row) for row in range(4)] == ["cat", "cat", "dog", "dog"]
    assert found.counts.tolist() == [2, 2]


def test_splits_above_classes_are_told_apart(tmp_path: Path) -> None:
    for name in ("train/cat/a.png", "train/dog/a.png", "test/cat/b.png"):
        picture(tmp_path / name)
    found = open_data_set(tmp_path)
    assert found.classes == ("cat", "dog") and found.splits == ("test", "train", "train")
    assert [found.label(row) for row in range(3)] == ["cat", "cat", "dog"]


def test_pictures_beside_many_subfolders_keep_the_classes_and_many_beside_them_do_not(tmp_path: Path) -> None:
    for number in range(20):
        picture(tmp_path / "few" / "cat" / f"{number}.png")
        picture(tmp_path / "many" / f"{number}.png")
    picture(tmp_path / "few" / "stray.png")
    picture(tmp_path / "many" / "thumbnails" / "a.png")
    few, many = open_data_set(tmp_path / "few"), open_data_set(tmp_path / "many")
    assert few.classes == ("cat",) and few.label(0) == "" and "one class" in " ".join(few.notes)
    assert many.kind == "folder" and not many.classes and len(many) == 21 and "not taken for classes" in many.notes[0]


def test_a_loop_of_links_ends_and_an_empty_folder_is_told(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path / "a", target_is_directory=True)
    assert len(open_data_set(tmp_path)) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(Refusal, match="no picture in the folder empty"):
        open_data_set(tmp_path / "empty")
    with pytest.raises(Refusal, match="not there"):
        open_data_set(tmp_path / "gone")


def test_a_long_listing_tells_how_far_it_is_and_can_be_called_off(tmp_path: Path) -> None:
    for number in range(2100):
        (tmp_path / f"{number}.png").touch()
    told: list[str] = []
    assert len(open_data_set(tmp_path, progress=lambda _, text: told.append(text))) == 2100
    assert any("2,000 files" in text for text in told)

    def stop(_: float | None, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        open_data_set(tmp_path, progress=stop)


def csv_table(folder: Path, names: list[str]) -> Path:
    rows = ["path,label,split", *(f"{name},{'cat' if 'c' in name else 'dog'},train" for name in names)]
    (folder / "table.csv").write_text("\n".join(rows), encoding="utf-8-sig")
    return folder / "table.csv"


def tab_table(folder: Path, names: list[str]) -> Path:
    (folder / "table.tsv").write_text("\n".join(f"{name}\t{'cat' if 'c' in name else 'dog'}" for name in names))
    return folder / "table.tsv"


def json_lines(folder: Path, names: list[str]) -> Path:
    rows = [json.dumps({"file_name": name, "category": "cat" if "c" in name else "dog"}) for name in names]
    (folder / "table.jsonl").write_text("\n".join(rows))
    return folder / "table.jsonl"


def parquet_table(folder: Path, names: list[str]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"image": names, "class": ["cat" if "c" in name else "dog" for name in names]}
    parquet.write_table(pyarrow.table({"width": list(range(len(names))), **columns}), folder / "table.parquet")
    return folder / "table.parquet"


@pytest.mark.parametrize("write", [csv_table, tab_table, json_lines, parquet_table])
def test_tables_give_paths_and_labels(write: Callable[[Path, list[str]], Path], tmp_path: Path) -> None:
    for name in ("images/c1.png", "images/d1.png", "images/d2.png"):
        picture(tmp_path / name)
    absolute = str(tmp_path / "images" / "d2.png")
    found = open_data_set(write(tmp_path, ["c1.png", "images/d1.png", absolute, "c_gone.png", "images/d1.png"]))
    assert found.kind == "table" and found.classes == ("cat", "dog") and names(found)[0] == "images/c1.png"
    assert [found.label(row) for row in range(len(found))] == ["cat", "dog", "dog"]
    told = " ".join(found.notes)
    assert "1 of 5 pictures are not there" in told and "c_gone.png" in told and "1 rows repeat" in told


def test_a_table_without_paths_or_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "numbers.csv").write_text("a,b\n1,2\n")
    (tmp_path / "gone.csv").write_text("path,label\nnowhere.png,cat\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nonsense")
    for name, said in (("numbers", "no column with the paths"), ("gone", "None of the 1 pictures")):
        with pytest.raises(Refusal, match=said):
            open_data_set(tmp_path / f"{name}.csv")
    with pytest.raises(Refusal, match=r"broken.parquet"):
        open_data_set(tmp_path / "broken.parquet")


def test_patterns_and_lists_name_each_picture_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1.png", "a/2.png", "b/deep/3.png"):
        picture(tmp_path / name)
    found = open_data_set(f"{tmp_path}/a/*.png;{tmp_path}/**/*.png;{tmp_path}/none/*.png")
    assert names(found) == ["a/1.png", "a/2.png", "b/deep/3.png"] and "none/*.png names no further" in found.notes[0]
    (tmp_path / "list.txt").write_text("# a remark\na/2.png\nb\n")
    assert names(open_data_set(tmp_path / "list.txt")) == ["a/2.png", "b/deep/3.png"]
    monkeypatch.chdir(tmp_path)
    assert len(open_data_set("a/*.png")) == 2
    with pytest.raises(Refusal, match="names no picture"):
        open_data_set("a/*.jpg")
    (tmp_path / "letter.txt").write_text("hello\nhow are you\n")
    with pytest.raises(Refusal, match=r"letter\.txt was read as a list of pictures.*“hello”") as told:
        open_data_set(tmp_path / "letter.txt")
    assert "from the folder of the file" in told.value.advice
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(Refusal, match=r"empty\.txt names no picture"):
        open_data_set(tmp_path / "empty.txt")


def test_ground_truth_gives_labels_where_a_picture_shows_one_class(tmp_path: Path) -> None:
    for name in ("one.png", "both.png", "none.png"):
        picture(tmp_path / name)
    boxes = [(1, 1), (2, 1), (2, 2)]
    truth = {
        "images": [
            {"id": n, "file_name": f"{name}.png", "width": 8, "height": 8} for n, name in ((1, "one"), (2, "both"))
        ],
        "annotations": [
            {"id": n, "image_id": image, "category_id": kind, "bbox": [1, 1, 4, 4]}
            for n, (image, kind) in enumerate(boxes)
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    (tmp_path / "_annotations.coco.json").write_text(json.dumps(truth))
    found = open_data_set(tmp_path)
    assert found.kind == "COCO" and names(found) == ["one.png", "both.png", "none.png"]
    assert [found.label(row) for row in range(3)] == ["cat", "", ""] and found.objects.tolist() == [1, 2, -1]
    assert "several classes" in " ".join(found.notes) and "no ground truth" in " ".join(found.notes)


def test_other_json_in_a_folder_of_pictures_is_no_ground_truth(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "settings.json").write_text('{"images": []}')
    assert open_data_set(tmp_path).kind == "folder"
    (tmp_path / "classes.txt").write_text("cat\n")  # the mark of a YOLO set, without any label
    found = open_data_set(tmp_path)
    assert found.kind == "folder" and "could not be used" in found.notes[0]


def test_classes_are_matched_with_a_models_by_name_or_by_number(tmp_path: Path) -> None:
    for name in ("Great_White/a.png", "tench /a.png", "unknown/a.png"):
        picture(tmp_path / "named" / name)
    for name in ("0", "1", "10"):
        picture(tmp_path / "numbered" / name / "a.png")
    ids = open_data_set(tmp_path / "named").label_ids(("tench", "great white", "TENCH"))
    assert ids.tolist() == [1, 0, -1]
    assert open_data_set(tmp_path / "numbered").label_ids([f"class {n}" for n in range(11)]).tolist() == [0, 1, 10]
    assert open_data_set(tmp_path / "numbered").label_ids(["a", "b"]).tolist() == [-1, -1, -1]


def test_a_set_with_an_unusual_name_is_the_same_when_it_is_asked_again(tmp_path: Path) -> None:
    place = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    picture(Path(place) / "a.png")
    one, other = data_set_at(place), data_set_at(place)
    assert one.digest == other.digest and len(one.digest) == 64
