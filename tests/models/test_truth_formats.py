"""Ground truth of tools other than COCO's, Pascal VOC's and YOLO's: the same objects, written in each format."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.truth.read import read, recognise
from models.types import Refusal

Object = tuple[str, tuple[int, int, int, int]]
OBJECTS: dict[str, tuple[tuple[int, int], list[Object]]] = {
    "a.png": ((64, 48), [("cat", (10, 12, 22, 24)), ("dog", (40, 20, 48, 36))]),
    "b.png": ((32, 24), [("cat", (5, 6, 11, 12))]),
}
NUMBER = {"cat": 0, "dog": 1}


def pictures(root: Path, below: str = "") -> Path:
    for name, (size, _) in OBJECTS.items():
        at = root / below / name
        at.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (120, 130, 140)).save(at)
    return root


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def table(root: Path, header: list[str], row: Callable[..., list[Any]], *, name: str = "t.csv", by: str = ",") -> Path:
    with (root / name).open("w", newline="") as file:
        writer = csv.writer(file, delimiter=by)
        writer.writerows([header] if header else [])
        for picture, (size, objects) in OBJECTS.items():
            writer.writerows(row(picture, *size, label, *box) for label, box in objects)
    return root / name


def same(path: Path, *, names: tuple[str, str] = ("cat", "dog")) -> None:
    """Hold what is read at a path against the objects, to a pixel, and that nothing was left out."""
    truth = read(path)
    assert not truth.left_out and len(truth.pictures) == 2
    for each in truth.pictures:
        size, objects = OBJECTS[Path(each.path).name]
        assert each.size == size and not each.crowd.any()
        assert [truth.classes[label] for label in each.labels] == [names[NUMBER[label]] for label, _ in objects]
        np.testing.assert_allclose(each.boxes, [box for _, box in objects], atol=1e-3)


Row = Callable[..., list[Any]]
TABLES: dict[str, tuple[list[str], Row]] = {
    "TensorFlow": (["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax"], lambda n, *r: [n, *r]),
    "no header": ([], lambda n, w, h, c, *b: [f"pictures/{n}", *b, c]),
    "x y w h of a stem": (
        ["image_id", "x", "y", "w", "h", "label"],
        lambda n, w, h, c, x, y, u, v: [n[:-4], x, y, u - x, v - y, c],
    ),
    "shares": (
        ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"],
        lambda n, w, h, c, x, y, u, v: [n[:-4], c, x / w, u / w, y / h, v / h],
    ),
    "one column of sizes": (
        ["image_id", "width", "height", "bbox", "class"],
        lambda n, w, h, c, x, y, u, v: [n, w, h, f"[{x}, {y}, {u - x}.0, {v - y}]", c],
    ),
    "one column of corners": (
        ["image", "width", "height", "box", "class"],
        lambda n, w, h, c, x, y, u, v: [n, w, h, f"{x} {y} {u} {v}", c],
    ),
    "centres": (
        ["img", "x_center", "y_center", "width", "height", "category"],
        lambda n, w, h, c, x, y, u, v: [n, (x + u) / 2, (y + v) / 2, u - x, v - y, c],
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_by_their_columns(tmp_path: Path, case: str) -> None:
    same(table(pictures(tmp_path), *TABLES[case]))


def test_tables_with_numbers_semicolons_and_another_encoding(tmp_path: Path) -> None:
    pictures(tmp_path)
    numbers = lambda n, w, h, c, *b: [n, NUMBER[c], *b]  # noqa: E731
    same(
        table(tmp_path, ["Filename", "ClassId", "Roi.X1", "Roi.Y1", "Roi.X2", "Roi.Y2"], numbers, by=";"),
        names=("0", "1"),
    )
    same(table(tmp_path, [], lambda n, w, h, c, *b: [n, *b, NUMBER[c]]), names=("0", "1"))
    text = "파일,label,xmin,ymin,xmax,ymax,filename\n" + "\n".join(
        f"x,{'고양이' if c == 'cat' else '개'},{','.join(map(str, b))},{n}"
        for n, (_, o) in OBJECTS.items()
        for c, b in o
    )
    (tmp_path / "k.csv").write_bytes(text.encode("cp949"))
    same(tmp_path / "k.csv", names=("고양이", "개"))


def test_a_table_in_a_folder_and_tables_that_hold_no_boxes(tmp_path: Path) -> None:
    same(table(pictures(tmp_path), *TABLES["TensorFlow"], name="_annotations.csv").parent)
    write(tmp_path / "c.csv", "image,label\na.png,cat\n")
    with pytest.raises(Refusal, match="pictures and classes, but no boxes"):
        read(tmp_path / "c.csv")
    with pytest.raises(Refusal, match="no columns of boxes"):
        read(write(tmp_path / "d.csv", "epoch,loss\n1,0.5\n"))
    with pytest.raises(Refusal, match="several tables"):
        read(tmp_path)


def test_names_of_classes_beside_a_table(tmp_path: Path) -> None:
    write(tmp_path / "class-descriptions-boxable.csv", "/m/0,cat\n/m/1,dog\n")
    coded = lambda n, w, h, c, *b: [n, f"/m/{NUMBER[c]}", *b]  # noqa: E731
    same(table(pictures(tmp_path), ["filename", "LabelName", "xmin", "ymin", "xmax", "ymax"], coded))


def _labelme(n: str, size: tuple[int, int], objects: list[Object]) -> dict[str, Any]:
    shapes = [
        {"label": c, "points": [[x, y], [u, v]] if row else [[x, y], [u, y], [u, v], [x, v]]}
        | {"shape_type": "rectangle" if row else "polygon"}
        for row, (c, (x, y, u, v)) in enumerate(objects)
    ]
    return {
        "version": "5",
        "shapes": shapes,
        "imagePath": f"..\\lost\\{n}",
        "imageWidth": size[0],
        "imageHeight": size[1],
    }


def _via(n: str, objects: list[Object]) -> dict[str, Any]:
    regions = [
        {"shape_attributes": {"name": "rect", "x": x, "y": y, "width": u - x, "height": v - y}}
        | {"region_attributes": {"kind": {c: True}}}
        for c, (x, y, u, v) in objects
    ]
    return {"filename": n, "size": 7, "regions": regions}


def _studio(n: str, size: tuple[int, int], objects: list[Object], *, short: bool) -> dict[str, Any]:
    w, h = size
    values = [
        {"x": x / w * 100, "y": y / h * 100, "width": (u - x) / w * 100, "height": (v - y) / h * 100, "rotation": 0}
        | {"rectanglelabels": [c]}
        for c, (x, y, u, v) in objects
    ]
    about = {"original_width": w, "original_height": h}
    if short:
        return {"image": f"/data/local-files/?d=set/{n}", "id": 1, "label": [{**about, **value} for value in values]}
    result = [{"type": "rectanglelabels", **about, "value": value} for value in values]
    return {"data": {"image": f"/data/upload/1/3f2a9b1c-{n}"}, "annotations": [{"result": result}]}


def _sized(b: tuple[int, ...]) -> list[int]:
    return [b[0], b[1], b[2] - b[0], b[3] - b[1]]


def _centred(b: tuple[int, ...]) -> list[float]:
    return [(b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b[2] - b[0], b[3] - b[1]]


CENTRE = ("x", "y", "width", "height")
EACH = OBJECTS.items()
JSON: dict[str, Any] = {
    "VIA": {f"{n}7": _via(n, o) for n, (_, o) in EACH},
    "VIA's project": {"_via_settings": {}, "_via_img_metadata": {f"{n}7": _via(n, o) for n, (_, o) in EACH}},
    "Label Studio": [_studio(n, s, o, short=False) for n, (s, o) in EACH],
    "Label Studio, short": [_studio(n, s, o, short=True) for n, (s, o) in EACH],
    "CreateML": [
        {"image": n, "annotations": [
            {"label": c, "coordinates": dict(zip(CENTRE, _centred(b), strict=True))} for c, b in o
        ]}
        for n, (_, o) in EACH
    ],
    "BDD100K": [
        {"name": n, "labels": [
            {"category": c, "box2d": dict(zip(("x1", "y1", "x2", "y2"), b, strict=True))} for c, b in o
        ] + [{"category": "lane", "poly2d": []}]}
        for n, (_, o) in EACH
    ],
    "VoTT": {"assets": {
        n: {"asset": {"name": n, "size": {"width": s[0], "height": s[1]}}, "regions": [
            {"tags": [c], "boundingBox": dict(zip(("left", "top", "width", "height"), _sized(b), strict=True))}
            for c, b in o
        ]}
        for n, (s, o) in EACH
    }},
    "Datumaro": {
        "categories": {"label": {"labels": [{"name": "cat"}, {"name": "dog"}]}},
        "items": [
            {"id": n[:-4], "image": {"path": n, "size": s[::-1]}, "annotations": [
                {"type": "bbox", "label_id": NUMBER[c], "bbox": _sized(b)} for c, b in o
            ]}
            for n, (s, o) in EACH
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("case", JSON)
def test_json_of_many_pictures(tmp_path: Path, case: str) -> None:
    same(write(pictures(tmp_path) / "export.json", JSON[case]))
    same(tmp_path)


SINGLE: dict[str, tuple[str, Callable[[str, tuple[int, int], list[Object]], Any]]] = {
    "LabelMe": ("{stem}.json", _labelme),
    "Supervisely": ("ds/ann/{name}.json", lambda n, s, o: {
        "size": {"width": s[0], "height": s[1]},
        "objects": [
            {"classTitle": c, "geometryType": "rectangle", "points": {"exterior": [b[:2], b[2:]], "interior": []}}
            for c, b in o
        ],
    }),
    "Darwin": ("ann/{stem}.json", lambda n, s, o: {
        "item": {"name": n, "slots": [{"width": s[0], "height": s[1]}]},
        "annotations": [
            {"name": c, "bounding_box": dict(zip("xywh", _sized(b), strict=True))} for c, b in o
        ],
    }),
}  # fmt: skip


@pytest.mark.parametrize("case", SINGLE)
def test_json_of_one_picture_each(tmp_path: Path, case: str) -> None:
    form, made = SINGLE[case]
    pictures(tmp_path, "ds/img" if case == "Supervisely" else "")
    write(tmp_path / "meta.json", {"classes": [], "tags": []})
    for name, (size, objects) in OBJECTS.items():
        write(tmp_path / form.format(name=name, stem=name[:-4]), made(name, size, objects))
    same(tmp_path)
    one = read(tmp_path / form.format(name="a.png", stem="a"))
    assert len(one.pictures) == 1 and one.boxes == 2


LINES: dict[str, Callable[[str, tuple[int, int], list[Object]], dict[str, Any]]] = {
    "metadata.jsonl": lambda n, s, o: {
        "file_name": n,
        "objects": {"bbox": [_sized(b) for _, b in o], "categories": [c for c, _ in o]},
    },
    "output.manifest": lambda n, s, o: {
        "source-ref": f"s3://bucket/{n}",
        "job": {"image_size": [{"width": s[0], "height": s[1]}], "annotations": [
            {"class_id": NUMBER[c], **dict(zip(("left", "top", "width", "height"), _sized(b), strict=True))}
            for c, b in o
        ]},
        "job-metadata": {"class-map": {"0": "cat", "1": "dog"}},
    },
    "all.odgt": lambda n, s, o: {"ID": n[:-4], "gtboxes": [{"tag": c, "fbox": _sized(b)} for c, b in o]},
}  # fmt: skip


@pytest.mark.parametrize("case", LINES)
def test_one_json_a_line(tmp_path: Path, case: str) -> None:
    made = [json.dumps(LINES[case](n, s, o)) for n, (s, o) in EACH]
    same(write(pictures(tmp_path) / case, "\n".join(made) + "\n"))


def test_cvat_and_dlib(tmp_path: Path) -> None:
    box = "<box label='{0}' xtl='{1}' ytl='{2}' xbr='{3}' ybr='{4}' occluded='0'/>"
    made = "".join(
        f"<image name='{n}' width='{s[0]}' height='{s[1]}'>{''.join(box.format(c, *b) for c, b in o)}</image>"
        for n, (s, o) in EACH
    )
    same(
        write(
            pictures(tmp_path / "cvat") / "annotations.xml", f"<annotations><version>1.1</version>{made}</annotations>"
        )
    )
    same(tmp_path / "cvat")
    at = "<box frame='{0}' xtl='1' ytl='2' xbr='9' ybr='8' outside='{1}'/>"
    track = f"<annotations><track id='0' label='cat'>{at.format(0, 1)}{at.format(1, 0)}</track></annotations>"
    Image.new("RGB", (20, 20)).save(tmp_path / "frame_000001.png")
    truth = read(write(tmp_path / "video.xml", track))
    assert truth.boxes == 1 and Path(truth.pictures[0].path).name == "frame_000001.png"
    rows = "".join(
        f"<image file='{n}'>"
        + "".join(
            f"<box left='{x}' top='{y}' width='{u - x}' height='{v - y}'><label>{c}</label></box>"
            for c, (x, y, u, v) in o
        )
        + "</image>"
        for n, (_, o) in EACH
    )
    same(write(pictures(tmp_path / "dlib") / "train.xml", f"<dataset><name>x</name><images>{rows}</images></dataset>"))


def test_lines_of_text(tmp_path: Path) -> None:
    for name, (_, objects) in EACH:
        stem = name[:-4]
        kitti = [f"{c} 0.00 0 -1.57 {' '.join(map(str, b))} 1.5 1.6 3.9 1.0 1.5 20.0 -1.5" for c, b in objects]
        write(tmp_path / "kitti" / "label_2" / f"{stem}.txt", "\n".join(kitti))
        corners = [(x, y, u, y, u, v, x, v) for _, (x, y, u, v) in objects]
        dota = [f"{' '.join(map(str, p))} {c} 0" for p, (c, _) in zip(corners, objects, strict=True)]
        write(tmp_path / "dota" / "labelTxt" / f"{stem}.txt", "imagesource:x\ngsd:0.1\n" + "\n".join(dota))
        drone = [f"{','.join(map(str, _sized(b)))},1,{1 + 3 * NUMBER[c]},0,0" for c, b in objects]
        write(tmp_path / "drone" / "annotations" / f"{stem}.txt", "\n".join(drone))
    pictures(tmp_path / "kitti", "image_2")
    same(tmp_path / "kitti")
    same(pictures(tmp_path / "dota", "images"))
    same(pictures(tmp_path / "drone", "images"), names=("pedestrian", "car"))


def test_what_kitti_ignores_counts_as_neither(tmp_path: Path) -> None:
    pictures(tmp_path, "image_2")
    write(tmp_path / "label_2" / "a.txt", "DontCare -1 -1 -10 5.0 5.0 9.0 9.0 -1 -1 -1 -1000 -1000 -1000 -10\n")
    assert read(tmp_path).pictures[0].crowd.tolist() == [True]


def test_lists_of_pictures_with_their_boxes(tmp_path: Path) -> None:
    pictures(tmp_path)
    rows = [f"images/{n} " + " ".join(f"{','.join(map(str, b))},{NUMBER[c]}" for c, b in o) for n, (_, o) in EACH]
    same(write(tmp_path / "train.txt", "\n".join(rows)), names=("0", "1"))
    write(tmp_path / "_classes.txt", "cat\ndog\n")
    same(tmp_path / "train.txt")
    pictures(tmp_path, "WIDER/images/0--Parade")
    wider = "".join(
        f"0--Parade/{n}\n{len(o)}\n" + "".join(f"{' '.join(map(str, _sized(b)))} 0 0 0 0 0 0 \n" for _, b in o)
        for n, (_, o) in EACH
    )
    empty = "0--Parade/gone.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n"
    truth = read(write(tmp_path / "WIDER" / "wider_face_train_bbx_gt.txt", empty + wider))
    assert truth.classes == ("face",) and truth.boxes == 3 and truth.omitted == 1


def test_mot_names_its_frames(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(pictures(tmp_path / "MOT17-02", "img1") / "img1" / "000001.jpg")
    rows = "1,1,2,3,10,12,1,1,1\n1,2,5,6,10,12,0,8,1\n2,1,5,6,10,12,1,1,1\n"
    truth = read(write(tmp_path / "MOT17-02" / "gt" / "gt.txt", rows))
    assert truth.boxes == 2 and truth.pictures[0].crowd.tolist() == [False, True] and truth.omitted == 1


def test_folders_of_voc_and_yolo_as_people_have_them(tmp_path: Path) -> None:
    def xml(name: str, objects: list[Object]) -> str:
        corners = ("xmin", "ymin", "xmax", "ymax")
        made = "".join(
            f"<object><name>{c}</name><bndbox>{''.join(f'<{k}>{v}</{k}>' for k, v in zip(corners, b, strict=True))}"
            "</bndbox></object>"
            for c, b in objects
        )
        return f"<annotation><filename>{name}</filename>{made}</annotation>"

    def rows(size: tuple[int, int], objects: list[Object]) -> str:
        w, h = size
        return "\n".join(
            f"{NUMBER[c]} {(x + u) / 2 / w} {(y + v) / 2 / h} {(u - x) / w} {(v - y) / h}"
            for c, (x, y, u, v) in objects
        )

    for name, (size, objects) in EACH:
        for folder in ("lower/annotations", "pets/annotations/xmls", "split/train"):
            write(tmp_path / folder / f"{name[:-4]}.xml", xml(name, objects))
        for folder in ("flat", "halves/train/labels"):
            write(tmp_path / folder / f"{name[:-4]}.txt", rows(size, objects))
    for folder, below in (("lower", "images"), ("pets", "images"), ("split", "train")):
        same(pictures(tmp_path / folder, below))
    assert read(tmp_path / "lower" / "annotations" / "a.xml").boxes == 2
    same(pictures(tmp_path / "flat"), names=("0", "1"))
    same(pictures(tmp_path / "halves", "train/images"), names=("0", "1"))
    same(tmp_path / "halves" / "train" / "images", names=("0", "1"))


def test_lvis_names_its_pictures_by_address(tmp_path: Path) -> None:
    images = [
        {"id": n, "coco_url": f"http://images.cocodataset.org/val2017/{name}", "width": s[0], "height": s[1]}
        for n, (name, (s, _)) in enumerate(EACH)
    ]
    rows = [(n, c, b) for n, (_, (_, o)) in enumerate(EACH) for c, b in o]
    annotations = [
        {"id": k, "image_id": n, "category_id": NUMBER[c], "bbox": _sized(b)} for k, (n, c, b) in enumerate(rows)
    ]
    categories = [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]
    made = {"images": images, "annotations": annotations, "categories": categories}
    same(write(pictures(tmp_path, "val2017") / "lvis_v1_val.json", made))


def test_data_sets_side_by_side_keep_their_own_pictures(tmp_path: Path) -> None:
    for name in ("one", "two"):
        pictures(tmp_path / name, "img")
    same(write(tmp_path / "one" / "export.json", JSON["Label Studio"]))
    paths = [Path(each.path) for each in read(tmp_path / "one" / "export.json").pictures]
    assert all(path.is_relative_to(tmp_path / "one") for path in paths)


@pytest.mark.parametrize(
    ("case", "content", "words"),
    [
        ("labelme.json", {"shapes": [{"label": "x"}], "imagePath": "a.png"}, "object 1"),
        ("createml.json", [{"image": "a.png", "annotations": [{"label": "x", "coordinates": 3}]}], "object 1"),
        ("via.json", {"k": {"filename": "a.png", "regions": [{"shape_attributes": {"name": "point"}}]}}, "region 1"),
        ("t.csv", "filename,class,xmin,ymin,xmax,ymax\na.png,x,1,2,many,4\n", "line 2"),
        ("darwin.json", {"item": {"name": "a.png"}, "annotations": [{"name": "x"}]}, "object 1"),
    ],
    ids=["LabelMe", "CreateML", "VIA", "table", "Darwin"],
)
def test_objects_that_cannot_be_used_are_named(tmp_path: Path, case: str, content: Any, words: str) -> None:
    truth = read(write(pictures(tmp_path) / case, content))
    assert truth.boxes == 0 and truth.omitted == 1 and words in truth.left_out[0]


@pytest.mark.parametrize(
    "content",
    [
        {"item": {}, "annotations": 3},
        {"categories": 1, "items": [1]},
        [{"ID": 1, "gtboxes": 1}],
        {"assets": {"a": 1}},
        [{"source-ref": 1}],
        {"shapes": [1], "imagePath": 1},
        {"a": {"filename": 1, "regions": 1}},
        [{"file_name": "a", "objects": {"bbox": 1}}],
        [{"data": 1, "annotations": 1}],
        {"size": {}, "objects": 1},
    ],
    ids=list("abcdefghij"),
)
def test_what_is_not_laid_out_as_its_kind_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(Refusal):
        read(write(pictures(tmp_path) / "x.json", content))


def test_masks_are_told_and_drops_are_recognised_by_name(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(pictures(tmp_path, "images") / "images" / "m.png")
    (tmp_path / "masks").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "masks" / "m.png")
    with pytest.raises(Refusal, match="holds masks"):
        read(tmp_path)
    assert not recognise(tmp_path / "images") and not recognise(write(tmp_path / "notes.txt", "hello\n"))
    assert recognise(write(tmp_path / "t.csv", "a,b\n")) and recognise(write(tmp_path / "t.xml", "<x/>"))
