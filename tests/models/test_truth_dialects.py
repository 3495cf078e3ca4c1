"""One truth in every dialect that programs write: each gives the same boxes, or says what it is and what helps."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO
from faster_coco_eval import mask as reference
from truths import boxes, coco, picture, voc, write, xml, yolo

from models.truth.read import read, recognise
from models.types import Refusal

ROOT = Path(__file__).resolve().parents[2]
CASES = Path(os.environ.get("VITRINE_CASES", ROOT.parent / "shared" / "cases")) / "truth"
NAMES = ("cat", "dog")
BOXES = {
    "a": [("dog", (10.0, 20.0, 40.0, 60.0)), ("cat", (5.0, 4.0, 15.0, 12.0))],
    "b": [("cat", (50.0, 40.0, 90.0, 80.0))],
}
SETS = (
    "coco_roboflow/valid",
    "coco_strings/labels.json",
    "coco_masks/instances_no_crowd.json",
    "coco_masks",
    "voc_dialects",
    "voc_dialects/ImageSets/Main/val.txt",
    "yolo_dialects",
    "yolo_dialects/data.yaml",
    "yolo_dialects/valid",
    "yolo_images_twice",
    "yolo_images_twice/data.yaml",
    "cvat_yolo11",
    "cvat_yolo11/obj.data",
    "cvat_yolo11/train.txt",
)


def lines(name: str, form: Callable[[float, float, float, float], str] | None = None) -> str:
    made = form or (lambda x, y, w, h: f"{x + w / 2} {y + h / 2} {w} {h}")
    return "\n".join(
        f"{NAMES.index(k)} {made(x0 / 100, y0 / 80, (x1 - x0) / 100, (y1 - y0) / 80)}"
        for k, (x0, y0, x1, y1) in BOXES[name]
    )


def same(path: Path, *, told: tuple[str, ...] = (), suffix: str = ".png") -> None:
    truth = read(path)
    for name, wanted in BOXES.items():
        found = boxes(truth, name + suffix)
        assert [k for k, _ in found] == [k for k, _ in wanted]
        assert np.allclose([b for _, b in found], [b for _, b in wanted], atol=1e-3)
    assert truth.left_out == told and not truth.cut


def pictures(root: Path, folder: str, suffix: str = ".png") -> Path:
    for name in BOXES:
        made = picture(root / folder / f"{name}.png")
        made.rename(made.with_suffix(suffix))
    return root


@pytest.mark.parametrize("name", SETS)
def test_every_dialect_of_the_cases_is_the_canonical_truth(name: str) -> None:
    if not CASES.is_dir():
        pytest.skip(f"no cases at {CASES}; VITRINE_CASES names their folder")
    wanted, truth = read(CASES / "canonical" / "canonical.json"), read(CASES / name)
    assert truth.boxes == 16 and len(truth.pictures) == 4
    for one in wanted.pictures:
        stem = Path(one.path).stem
        (other,) = [p for p in truth.pictures if Path(p.path).name.startswith(stem)]
        mine = sorted((truth.classes[k], *b) for k, b in zip(other.labels, other.boxes.tolist(), strict=True))
        theirs = sorted((wanted.classes[k], *b) for k, b in zip(one.labels, one.boxes.tolist(), strict=True))
        assert [m[0] for m in mine] == [t[0] for t in theirs]
        assert np.allclose([m[1:] for m in mine], [t[1:] for t in theirs], atol=2e-4)


# COCO.


def annotation(k: str, box: tuple[float, ...], image: int, **more: Any) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    bbox = [x0, y0, x1 - x0, y1 - y0]
    return {"image_id": image, "category_id": NAMES.index(k), "bbox": bbox, **more}


def sheet(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]] = lambda a: a, **parts: Any) -> Path:
    notes = [change(annotation(k, box, row)) for row, name in enumerate(BOXES) for k, box in BOXES[name]]
    images = [{"id": row, "file_name": f"{n}.png", "width": 100, "height": 80} for row, n in enumerate(BOXES)]
    kinds = [{"id": row, "name": n} for row, n in enumerate(NAMES)]
    return coco(path, **{"images": images, "annotations": notes, "categories": kinds, **parts})


def masked(made: Callable[[np.ndarray], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(note: dict[str, Any]) -> dict[str, Any]:
        x, y, w, h = (int(v) for v in note.pop("bbox"))
        mask = np.zeros((80, 100), np.uint8, order="F")
        mask[y : y + h, x : x + w] = 1
        mask[y + 1 : y + h - 1, x + 1 : x + 2] = 0  # not a plain rectangle
        return {**note, "segmentation": made(mask)}

    return change


def compressed(mask: np.ndarray) -> dict[str, Any]:
    found = reference.encode(np.asfortranarray(mask))
    return {"size": found["size"], "counts": found["counts"].decode()}


def counted(mask: np.ndarray) -> dict[str, Any]:
    flat = mask.reshape(-1, order="F")
    ends = [0, *(np.flatnonzero(np.diff(flat)) + 1).tolist(), len(flat)]
    return {"size": list(mask.shape), "counts": ([0] if flat[0] else []) + np.diff(ends).tolist()}


@pytest.mark.parametrize("made", [compressed, counted], ids=["compressed", "counted"])
@pytest.mark.parametrize("placeholder", [None, [], [0, 0, 0, 0]])
def test_coco_boxes_come_from_masks_where_there_are_no_others(tmp_path: Path, made: Any, placeholder: Any) -> None:
    def change(note: dict[str, Any]) -> dict[str, Any]:
        return {**masked(made)(note), **({} if placeholder is None else {"bbox": placeholder})}

    same(sheet(pictures(tmp_path, ".") / "set.json", change))


def test_the_box_around_a_mask_is_that_of_another_reader(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture(tmp_path / "a.png")
    for _ in range(60):
        mask = (rng.random((80, 100)) < rng.choice([0.0005, 0.01, 0.5])).astype(np.uint8)
        if rng.random() < 0.3:
            mask[:, int(rng.integers(90)) :][:, :5] = 1  # columns that are full, one run over all of them
        for made in (compressed, counted):
            note = {"id": 1, "image_id": 1, "category_id": 3, "segmentation": made(mask)}
            path = coco(tmp_path / "set.json", annotations=[note])
            truth = read(path)
            if not mask.any():
                assert "has an empty mask" in truth.left_out[0]
                continue
            x, y, w, h = reference.toBbox(reference.encode(np.asfortranarray(mask))).tolist()
            assert boxes(truth) == [("dog", [x, y, x + w, y + h])]


def test_coco_polygons(tmp_path: Path) -> None:
    def change(note: dict[str, Any]) -> dict[str, Any]:
        x, y, w, h = note.pop("bbox")
        return {**note, "segmentation": [[x, y, x + w, y, x + w / 2, y + h], [x + 1, y, x + 2, y, x + 1, y + 1]]}

    same(sheet(pictures(tmp_path, ".") / "set.json", change))


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        ({"size": [80, 100], "counts": [9000]}, "has a mask of more pixels than 100 × 80"),
        ({"size": [80, 100], "counts": [8000]}, "has an empty mask"),
        ({"size": [8, 10], "counts": [1, 2]}, "has a mask of 10 × 8, but its picture is 100 × 80"),
        ({"size": [80, 100], "counts": [-1, 2]}, "has a mask whose run lengths cannot be read"),
        ({"size": [80, 100], "counts": "ooooooooooooooooooo"}, "has a mask whose run lengths cannot be read"),
        ({"size": [80, 100], "counts": "é"}, "has a mask whose run lengths cannot be read"),
        ({"counts": [1, 2]}, "has a mask without its size"),
        ([[1, 2, 3]], "has a polygon of 3 numbers, which do not make points"),
        ([[1, 2, "x", 3]], "has a polygon with a value that is not a number"),
        ([[1, 2, float("nan"), 3]], "has a polygon of 4 numbers, which do not make points"),
        ([[]], "has a polygon of 0 numbers"),
        ("text", "has neither a box of four numbers nor a mask"),
    ],
)
def test_a_mask_without_a_box_is_left_out_and_said(tmp_path: Path, mask: Any, why: str) -> None:
    picture(tmp_path / "a.png")
    note = {"id": 5, "image_id": 1, "category_id": 3, "segmentation": mask}
    (line,) = read(coco(tmp_path / "set.json", annotations=[note])).left_out
    assert line.startswith(f"set.json: annotation 5 on a.png {why}")


@pytest.mark.parametrize(
    ("name", "at"),
    [
        ("a%20b.png", "a b.png"),
        ("C:\\data\\train\\images\\a.png", "images/a.png"),
        ("train/images/a.png", "images/a.png"),
        ("file:///home/x/a.png", "a.png"),
        ("../images/a.png", "images/a.png"),
        ("scene.HEIC", "scene.HEIC"),
    ],
)
def test_coco_file_names_as_other_machines_wrote_them(tmp_path: Path, name: str, at: str) -> None:
    made = picture(tmp_path / "x" / "p.png")
    (tmp_path / "x" / at).parent.mkdir(exist_ok=True)
    made.rename(tmp_path / "x" / at)
    path = coco(tmp_path / "x" / "set.json", images=[{"id": 1, "file_name": name, "width": 100, "height": 80}])
    assert read(path).of(tmp_path / "x" / at) is not None


def test_coco_ids_and_numbers_as_text_and_a_crowd_as_text(tmp_path: Path) -> None:
    def change(note: dict[str, Any]) -> dict[str, Any]:
        box = [f"{v:.2f}".replace(".", ",") for v in note["bbox"]]
        return {**note, "image_id": f"{note['image_id']}.0", "category_id": str(note["category_id"]), "bbox": box}

    same(sheet(pictures(tmp_path, ".") / "set.json", change))
    path = sheet(tmp_path / "crowd.json", lambda note: {**note, "iscrowd": "1"})
    assert read(path).pictures[0].crowd.tolist() == [True, True]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_any_encoding_that_it_shows(tmp_path: Path, encoding: str) -> None:
    path = sheet(pictures(tmp_path, ".") / "set.json")
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    same(path)


OTHERS: dict[str, tuple[Any, str]] = {
    "results": ([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}], "a list of detections"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_files_of_other_programs_are_told_by_name(tmp_path: Path, case: str) -> None:
    content, what = OTHERS[case]
    with pytest.raises(Refusal, match=what) as told:
        read(write(tmp_path / "set.json", json.dumps(content)))
    assert "COCO" in told.value.advice


# Pascal VOC.


def annotate(root: Path, form: Callable[[str], str | bytes], folder: str = "Annotations") -> Path:
    for name, found in BOXES.items():
        write(root / folder / f"{name}.xml", form(xml(*found, name=f"{name}.png")))
    return root


@pytest.mark.parametrize(
    "form",
    [
        lambda text: f'<?xml version="1.0" encoding="GBK"?>{text}<!-- 场景 -->'.encode("gbk"),
        lambda text: f"<?xml version='1.0' encoding='Shift_JIS'?>{text}<!-- 場 -->".encode("shift_jis"),
        lambda text: f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode("utf-8-sig"),
        lambda text: f'<?xml version="1.0" encoding="utf-16"?>{text}'.encode("utf-16"),
        lambda text: f'<?xml version="1.0" encoding="ISO-8859-1"?>{text}<!-- é -->'.encode("latin-1"),
        lambda text: f'<?xml version="1.0" encoding="ascii"?>{text}<!-- 场 -->',
        lambda text: text.replace("<name>", "<part><name>x</name><bndbox/></part><name>\n ").replace(
            "</name>", " </name>"
        ),
        lambda text: text.replace(".0</xmin>", ",0</xmin>"),
        lambda text: text.replace(".png</filename>", "</filename>"),
        lambda text: text.replace(".png</filename>", ".jpg</filename>"),
        lambda text: text.replace("<width>100</width>", "<width>0</width>"),
    ],
)
def test_voc_dialects(tmp_path: Path, form: Callable[[str], str | bytes]) -> None:
    same(annotate(pictures(tmp_path / "set", "JPEGImages"), form))


def test_voc_of_unknown_encoding_is_guessed_and_said(tmp_path: Path) -> None:
    root = annotate(pictures(tmp_path / "set", "JPEGImages"), lambda text: text.replace("dog", "狗").encode("gbk"))
    truth = read(root)
    assert "狗" in truth.classes and "read as GB18030" in truth.remarks[0]


def test_voc_sets_side_by_side_and_in_folders(tmp_path: Path) -> None:
    for year, name in (("VOC2007", "a"), ("VOC2012", "b")):
        root = voc(tmp_path / "VOCdevkit" / year)
        for each in root.rglob("*.xml"):
            if each.stem != name:
                each.unlink()
                (root / "JPEGImages" / f"{each.stem}.png").unlink()
    assert recognise(tmp_path / "VOCdevkit") == "VOC" and len(read(tmp_path / "VOCdevkit").pictures) == 2
    sorted_ = annotate(pictures(tmp_path / "sorted", "images/train"), lambda text: text, "Annotations/train")
    same(sorted_)


def test_voc_polygons_and_turned_boxes(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    ring = "<polygon><x1>10</x1><y1>20</y1><x2>40</x2><y2>25</y2><x3>30</x3><y3>60</y3></polygon>"
    turned = "<robndbox><cx>50</cx><cy>40</cy><w>20</w><h>10</h><angle>1.5707963267948966</angle></robndbox>"
    objects = f"<object><name>dog</name>{ring}</object><object><name>cat</name>{turned}</object>"
    write(tmp_path / "a.xml", f"<annotation><filename>a.png</filename>{objects}</annotation>")
    (dog, cat) = boxes(read(tmp_path))
    assert dog == ("dog", [10, 20, 40, 60]) and cat == ("cat", pytest.approx([45, 30, 55, 50]))


def test_voc_with_width_and_height_for_the_far_corner_is_left_out_with_a_word(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    write(tmp_path / "a.xml", xml(("dog", (60, 50, 30, 20)), ("cat", (40, 50, 50, 20)), ("cat", (5, 5, 10, 10))))
    truth = read(tmp_path)
    assert truth.boxes == 0 and truth.omitted == 3 and "width and height" in truth.remarks[0]
    assert all("width and height" in line for line in truth.left_out)


def test_cvat_xml_is_told_by_name_and_pictures_without_xml_are_named(tmp_path: Path) -> None:
    root = annotate(pictures(tmp_path / "set", "JPEGImages"), lambda text: text)
    picture(root / "JPEGImages" / "bare.png")
    write(root / "Annotations" / "cvat.xml", '<annotations><image name="a.png"/></annotations>')
    said = read(root).left_out
    assert any(line.startswith("cvat.xml: the file is left out: it is CVAT's own XML") for line in said)
    assert "bare.png: this picture has no XML file, so its objects are unknown" in said


# YOLO.


@pytest.mark.parametrize(
    "form",
    [
        lambda x, y, w, h: f"{x + w / 2}\t{y + h / 2}\t{w}\t{h} \t",
        lambda x, y, w, h: f"{x + w / 2} {y + h / 2} {w} {h}".replace(".", ","),
        lambda x, y, w, h: f"{x + w / 2:.9e} {y + h / 2:.9e} {w:.9e} {h:.9e} 0.9",
        lambda x, y, w, h: f"{x} {y} {x + w} {y} {x + w} {y + h} {x} {y + h}",
        lambda x, y, w, h: f"{x} {y} {x + w} {y} {x + w / 3} {y + h} 0.7",
        lambda x, y, w, h: f"{x + w / 2} {y + h / 2} {w} {h} {x} {y} 2 0 0 0 {x + w} {y + h} 1",
    ],
    ids=["tabs", "commas", "confidence", "turned", "polygon with confidence", "key points"],
)
def test_yolo_lines(tmp_path: Path, form: Callable[[float, float, float, float], str]) -> None:
    root = pictures(tmp_path / "set", "images")
    write(root / "data.yaml", "names: [cat, dog]\n")
    for name in BOXES:
        write(root / "labels" / f"{name}.txt", lines(name, form).replace("\n", "\r\n"))
    same(root)


LAYOUTS: dict[str, tuple[str, str, str, str]] = {
    "roboflow": ("valid/images", "valid/labels", "train: ../train/images\nval: ../valid/images\n", ".png"),
    "ultralytics": ("images/val", "labels/val", "path: ../datasets/x\ntrain: images/train\nval: images/val\n", ".png"),
    "absolute": ("images/val", "labels/val", "path: /nowhere/x\nval: /nowhere/x/images/val\n", ".png"),
    "images twice": ("images/train/images", "images/train/labels", "val: images/train/images\n", ".png"),
    "images twice, beside": ("images/a/images", "images/a/images", "val: [images/a/images]\n", ".png"),
    "upper case": ("Images", "Labels", "val: Images\n", ".PNG"),
    "Windows": ("valid/images", "valid/labels", "val: ..\\valid\\images\n", ".png"),
    "no splits": ("images", "labels", "", ".png"),
    "list": ("images", "labels", "val: val.txt\n", ".png"),
    "deep": ("a/b/c/images", "a/b/c/labels", "", ".png"),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_yolo_layouts_and_where_a_sheet_says_that_pictures_lie(tmp_path: Path, case: str) -> None:
    images, labels, text, suffix = LAYOUTS[case]
    root = pictures(tmp_path / "set", images, suffix)
    for name in BOXES:
        write(root / labels / f"{name}.txt", lines(name))
    write(root / "val.txt", "".join(f"./data/{images}/{name}{suffix}\n" for name in BOXES))
    write(root / "data.yaml", f"{text}names: {{0: cat, '1': dog}}\n")
    told = tuple(
        f"data.yaml: {line} is not there" for line in (("train: ../train/images",) if case == "roboflow" else ())
    )
    told += ("data.yaml: train: images/train is not there",) if case == "ultralytics" else ()
    for path in (root, root / "data.yaml"):
        same(path, told=told, suffix=suffix)
    same(root / "val.txt", suffix=suffix)


def test_yolo_names_that_are_words_of_yaml_stay_words(tmp_path: Path) -> None:
    assert read(yolo(tmp_path / "set", "names: [no, 1_0]\n")).classes == ("no", "1_0")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("names: [a, b\nval: x", "data.yaml cannot be read as YAML at line 2"),
        ("a: &a [x]\nb: [*a, *a]\nnames: [cat, dog]\n", "it refers to parts of itself"),
        ("x: " + "[" * 50 + "]" * 50, "it is nested too deep"),
        ("- cat\n- dog\n", "it is not a mapping"),
        ("names: 'a\ufffe", "data.yaml cannot be read as YAML"),
    ],
)
def test_a_sheet_that_cannot_be_read_is_said_and_the_boxes_stay(tmp_path: Path, text: str, why: str) -> None:
    truth = read(yolo(tmp_path / "set", text))
    assert truth.boxes == 2 and truth.classes == ("0", "1") and why in "\n".join(truth.left_out)


def test_a_sheet_is_read_in_linear_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    steps = []
    parse = yaml.parse
    monkeypatch.setattr(yaml, "parse", lambda *a, **k: (steps.append(1) or event for event in parse(*a, **k)))
    for spaces in (60_000, 600_000):
        steps.clear()
        root = yolo(tmp_path / str(spaces), f"names: [cat, dog]\nx:{' ' * spaces}'a'\n- {' ' * spaces}")
        assert read(root).boxes == 2 and len(steps) < 100
    big = read(yolo(tmp_path / "big", "names: [cat]\n#" + "x" * 2_000_000))
    assert "2.0 MB long" in big.left_out[0]


def test_pictures_and_texts_without_each_other_are_named(tmp_path: Path) -> None:
    root = yolo(tmp_path / "set")
    picture(root / "images" / "bare.png")
    picture(root / "more" / "images" / "c.png")
    picture(root / "more" / "images" / "d.png")
    write(root / "labels" / "gone.txt", "0 0.1 0.1 0.1 0.1\n")
    truth = read(root)
    assert len(truth.pictures) == 2 and set(truth.left_out) == {
        "bare.png: it has no text file, so its objects are unknown",
        "more/images: 2 pictures have no text files, so their objects are unknown",
        "gone.txt: there is no picture with this name",
    }


def test_boxes_that_were_cut_are_named(tmp_path: Path) -> None:
    root = yolo(tmp_path / "set")
    write(root / "labels" / "a.txt", "1 0.0 0.5 0.2 0.5\n")
    (line,) = read(root).cut
    assert line == "a.txt: line 1 reached beyond the picture: x -10 to 10, y 20 to 60, cut to x 0 to 10, y 20 to 60"


def test_pipes_and_devices_are_refused_wherever_ground_truth_is_read(tmp_path: Path) -> None:
    for at in (
        "set.json",
        "data.yaml",
        "x/Annotations/a.xml",
        "y/labels/a.txt",
        "z/data.yaml",
        "w/ImageSets/Main/t.txt",
    ):
        (tmp_path / at).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(tmp_path / at)
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    picture(tmp_path / "x" / "a.png")
    picture(tmp_path / "y" / "images" / "a.png")
    for path in ("set.json", "data.yaml", "x", "y", "z", "w/ImageSets/Main/t.txt", "zero.json"):
        with pytest.raises(Refusal, match=r"not an ordinary file|no picture with ground truth"):
            read(tmp_path / path)


def test_coco_in_another_reader_counts_the_same(tmp_path: Path) -> None:
    path = sheet(pictures(tmp_path, ".") / "set.json", lambda note: {**note, "id": id(note), "area": 1})
    assert len(COCO(str(path)).anns) == read(path).boxes
