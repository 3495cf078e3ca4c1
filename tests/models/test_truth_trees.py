"""Ground truth as data sets are downloaded: trees of folders, maps of instances, lists; what is not read is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from test_truth_formats import OBJECTS, pictures, same, write

from models.truth.read import read, recognise
from models.types import Refusal

CITY = "leftImg8bit/val/aachen/aachen_000000_000019_leftImg8bit.png"
LABELS = "gtFine/val/aachen/aachen_000000_000019_gtFine_"


def picture(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (120, 130, 140)).save(path)
    return path


@pytest.mark.parametrize("below", ["", "gtFine", "gtFine/val"])
def test_cityscapes_finds_its_pictures_in_the_other_tree(tmp_path: Path, below: str) -> None:
    picture(tmp_path / CITY)
    objects = [
        {"label": "car", "polygon": [[4, 5], [20, 5], [20, 15]]},
        {"label": "persongroup", "polygon": [[30, 5], [40, 5], [40, 30]]},
        {"label": "road", "polygon": [[0, 40], [63, 40], [63, 47], [0, 47]]},
    ]
    write(tmp_path / f"{LABELS}polygons.json", {"imgHeight": 48, "imgWidth": 64, "objects": objects})
    truth = read(tmp_path / below)
    (one,) = truth.pictures
    assert Path(one.path) == tmp_path / CITY
    np.testing.assert_array_equal(one.boxes, [[4, 5, 20, 15], [30, 5, 40, 30]])
    assert [truth.classes[label] for label in one.labels] == ["car", "person"] and one.crowd.tolist() == [False, True]
    assert "object 3" in truth.left_out[0] and "a surface, which has no box" in truth.left_out[0]


def test_cityscapes_maps_of_instances_are_boxes_and_maps_of_classes_are_refused(tmp_path: Path) -> None:
    picture(tmp_path / CITY)
    numbers = np.full((48, 64), 7, np.uint16)
    numbers[5:15, 4:20], numbers[20:30, 30:40], numbers[40:44, 50:60] = 26_000, 26_001, 24
    for name, values in (("instanceIds", numbers), ("labelIds", (numbers % 1000).astype(np.uint8))):
        at = tmp_path / f"{LABELS}{name}.png"
        at.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(at)
    assert recognise(tmp_path) and recognise(tmp_path / "gtFine")
    for place in (tmp_path, tmp_path / "gtFine", tmp_path / f"{LABELS}instanceIds.png"):
        truth = read(place)
        (one,) = truth.pictures
        boxes = [[50, 40, 60, 44], [4, 5, 20, 15], [30, 20, 40, 30]]
        np.testing.assert_array_equal(one.boxes, boxes)
        assert [truth.classes[label] for label in one.labels] == ["person", "car", "car"]
        assert one.crowd.tolist() == [True, False, False]  # a pixel without an instance's number is of a group
    with pytest.raises(Refusal, match="the class of each pixel") as told:
        read(tmp_path / f"{LABELS}labelIds.png")
    assert "gtFine_polygons.json" in told.value.advice


def kitti(root: Path) -> Path:
    pictures(root, "training/image_2")
    for name, (_, objects) in OBJECTS.items():
        rows = [f"{label} 0 0 0 {a} {b} {c} {d} 1 1 1 1 1 1 1" for label, (a, b, c, d) in objects]
        write(root / "training" / "label_2" / f"{Path(name).stem}.txt", "\n".join(rows))
    return root


def wider(root: Path) -> Path:
    rows = []
    for name, (_, objects) in OBJECTS.items():
        picture(root / "WIDER_val" / "images" / "0--Parade" / name, OBJECTS[name][0])
        rows += [f"0--Parade/{name}", str(len(objects))]
        rows += [f"{a} {b} {c - a} {d - b} 0 0 0 0 0 0" for _, (a, b, c, d) in objects]
    write(root / "wider_face_split" / "wider_face_val_bbx_gt.txt", "\n".join(rows))
    return root


def crowd_human(root: Path) -> Path:
    pictures(root, "Images")
    rows = []
    for name, (_, objects) in OBJECTS.items():
        boxes = [f'{{"tag": "{label}", "fbox": [{a}, {b}, {c - a}, {d - b}]}}' for label, (a, b, c, d) in objects]
        rows.append(f'{{"ID": "{Path(name).stem}", "gtboxes": [{", ".join(boxes)}]}}')
    write(root / "annotation_val.odgt", "\n".join(rows))
    return root


def open_images(root: Path) -> Path:
    pictures(root, "validation")
    rows = ["ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf"]
    for name, ((w, h), objects) in OBJECTS.items():
        for label, (a, b, c, d) in objects:
            rows.append(f"{Path(name).stem},x,/m/{label},1,{a / w},{c / w},{b / h},{d / h},0")
    write(root / "validation-annotations-bbox.csv", "\n".join(rows))
    write(root / "class-descriptions-boxable.csv", "/m/cat,cat\n/m/dog,dog\n")
    return root


def labelbox(root: Path, *, old: bool = False) -> Path:
    pictures(root, "images")
    rows: list[Any] = []
    for name, ((w, h), objects) in OBJECTS.items():
        boxes = [
            {"name": label, "title": label, key: {"left": a, "top": b, "width": c - a, "height": d - b}}
            for label, (a, b, c, d) in objects
            for key in ["bbox" if old else "bounding_box"]
        ]
        if old:
            rows.append(
                {"ID": "x", "External ID": name, "Labeled Data": f"https://host/{name}", "Label": {"objects": boxes}}
            )
        else:
            labels = [{"annotations": {"objects": boxes, "classifications": []}}]
            row = {"id": "y", "external_id": name, "row_data": f"https://host/{name}"}
            rows.append(
                {"data_row": row, "media_attributes": {"width": w, "height": h}, "projects": {"p": {"labels": labels}}}
            )
    if old:
        write(root / "export.json", rows)
    else:
        import json

        write(root / "export.ndjson", "\n".join(map(json.dumps, rows)))
    return root


def supervisely(root: Path) -> Path:
    pictures(root, "ds0/img")
    for name, ((w, h), objects) in OBJECTS.items():
        marks = [
            {"classTitle": label, "geometryType": "rectangle", "points": {"exterior": [[a, b], [c, d]], "interior": []}}
            for label, (a, b, c, d) in objects
        ]
        write(root / "ds0" / "ann" / f"{name}.json", {"size": {"width": w, "height": h}, "objects": marks})
    write(root / "meta.json", {"classes": [{"title": "cat"}, {"title": "dog"}], "tags": []})
    return root


def darknet(root: Path) -> Path:
    pictures(root, "data/obj")
    for name, ((w, h), objects) in OBJECTS.items():
        rows = [
            f"{int(label == 'dog')} {(a + c) / 2 / w} {(b + d) / 2 / h} {(c - a) / w} {(d - b) / h}"
            for label, (a, b, c, d) in objects
        ]
        write(root / "data" / "obj" / f"{Path(name).stem}.txt", "\n".join(rows))
    write(root / "data" / "train.txt", "".join(f"data/obj/{name}\n" for name in OBJECTS))
    write(root / "data" / "obj.names", "cat\ndog\n")
    write(root / "data" / "obj.data", "classes=2\ntrain=data/train.txt\nnames=data/obj.names\n")
    return root


TREES = {
    "KITTI": (kitti, ""),
    "CrowdHuman": (crowd_human, ""),
    "Open Images": (open_images, "validation-annotations-bbox.csv"),
    "Labelbox": (labelbox, ""),
    "Labelbox, older": (lambda root: labelbox(root, old=True), "export.json"),
    "Supervisely by its list of classes": (supervisely, "meta.json"),
    "Darknet": (darknet, ""),
    "Darknet's list": (darknet, "data/train.txt"),
}


@pytest.mark.parametrize("name", TREES)
def test_a_data_set_opens_as_it_was_downloaded(name: str, tmp_path: Path) -> None:
    make, file = TREES[name]
    make(tmp_path)
    if name != "Open Images":  # a folder with one table beside pictures opens, and is taken for pictures if dropped
        assert recognise(tmp_path / file)
    same(tmp_path / file)
    same(tmp_path / file)


@pytest.mark.parametrize("below", ["", "wider_face_split"])
def test_wider_face_is_found_beside_its_pictures(tmp_path: Path, below: str) -> None:
    same(wider(tmp_path) / below, names=("face", "face"))


def test_several_lists_are_named_not_guessed(tmp_path: Path) -> None:
    crowd_human(tmp_path)
    write(tmp_path / "annotation_train.odgt", (tmp_path / "annotation_val.odgt").read_text())
    with pytest.raises(Refusal, match="several sets") as told:
        read(tmp_path)
    assert "annotation_train.odgt, annotation_val.odgt" in told.value.advice


LISTS = {
    "commas": lambda name, box, label: f"{name},{box[0]},{box[1]},{box[2]},{box[3]},{label}",
    "spaces": lambda name, box, label: f"{name} {box[0]} {box[1]} {box[2]} {box[3]} {label}",
    "class first": lambda name, box, label: f"{name} {label} {box[0]} {box[1]} {box[2]} {box[3]}",
    "tabs": lambda name, box, label: f"{name}\t{box[0]}\t{box[1]}\t{box[2]}\t{box[3]}\t{label}",
    "in a folder": lambda name, box, label: f"./data/{name};{box[0]};{box[1]};{box[2]};{box[3]};{label}",
}


@pytest.mark.parametrize("suffix", [".txt", ".csv"])
@pytest.mark.parametrize("name", LISTS)
def test_lists_without_a_header(name: str, suffix: str, tmp_path: Path) -> None:
    rows = [LISTS[name](picture, box, label) for picture, (_, objects) in OBJECTS.items() for label, box in objects]
    same(write(pictures(tmp_path) / f"labels{suffix}", "\n".join(rows)))


@pytest.mark.parametrize("suffix", [".txt", ".csv"])
def test_a_number_of_boxes_is_not_taken_for_one_of_them(suffix: str, tmp_path: Path) -> None:
    rows = [
        " ".join([name, str(len(objects)), *(str(side) for _, box in objects for side in box)])
        for name, (_, objects) in OBJECTS.items()
    ]
    truth = read(write(pictures(tmp_path) / f"labels{suffix}", "\n".join(rows)))
    assert truth.classes == ("object",)
    for each in truth.pictures:
        np.testing.assert_array_equal(each.boxes, [box for _, box in OBJECTS[Path(each.path).name][1]])


NOT_READ = {
    "train.tfrecord": "CSV",
    "train-00000-of-00010": "COCO",
    "labels.parquet": "metadata.jsonl",
    "gt.mat": "plain text",
    "labels.pkl": "COCO",
    "sheet.xlsx": "CSV",
    "labels.zip": "Unpack",
}


@pytest.mark.parametrize("name", NOT_READ)
def test_what_is_not_read_is_told_with_what_to_do(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"\x10\0\0\0\0\0\0\0abcd")
    for place in (tmp_path / name, tmp_path):
        with pytest.raises(Refusal, match=name) as told:
            read(place)
        assert NOT_READ[name] in told.value.advice
