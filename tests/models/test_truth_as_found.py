"""Ground truth as it is found outside: each set with its right boxes known, none of them read as another thing."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.truth.read import read
from models.types import Refusal

Box = tuple[int, int, int, int]
WIDE, HIGH = 120, 80
OBJECTS: dict[str, list[tuple[str, Box]]] = {
    "a": [("dog", (10, 20, 50, 60)), ("cat", (60, 10, 100, 70))],
    "b": [("dog", (5, 5, 30, 40))],
}
NUMBER = {"cat": 0, "dog": 1}
Maker = Callable[[Path], Path]
ROWS = [(f"{name}.png", label, box) for name, objects in OBJECTS.items() for label, box in objects]


def pictures(folder: Path, *, suffix: str = ".png") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in OBJECTS:
        Image.new("RGB", (WIDE, HIGH), (90, 90, 90)).save(folder / f"{name}{suffix}")


def put(path: Path, content: Any, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((content if isinstance(content, str) else json.dumps(content)).encode(encoding))
    return path


def by_picture(make: Callable[[str, Box], Any]) -> dict[str, list[Any]]:
    return {f"{name}.png": [make(label, box) for label, box in objects] for name, objects in OBJECTS.items()}


def near(box: Box) -> list[int]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def shares(box: Box) -> list[float]:
    return [box[0] / WIDE, box[1] / HIGH, box[2] / WIDE, box[3] / HIGH]


def coco(make: Callable[[Box], dict[str, Any]]) -> dict[str, Any]:
    images = [{"id": n, "file_name": f"{name}.png", "width": WIDE, "height": HIGH} for n, name in enumerate(OBJECTS)]
    rows = [(n, label, box) for n, objects in enumerate(OBJECTS.values()) for label, box in objects]
    notes = [{"id": k, "image_id": n, "category_id": NUMBER[c]} | make(box) for k, (n, c, box) in enumerate(rows)]
    return {"images": images, "annotations": notes, "categories": [{"id": n, "name": c} for c, n in NUMBER.items()]}


def panoptic(d: Path) -> Path:
    whole = coco(lambda box: {"bbox": near(box)})
    stuff = {"id": 9, "category_id": 200, "bbox": [0, 0, WIDE, HIGH]}
    whole["annotations"] = [
        {"image_id": n, "segments_info": [*(a for a in whole["annotations"] if a["image_id"] == n), stuff]}
        for n in range(2)
    ]
    whole["categories"] = [each | {"isthing": 1} for each in whole["categories"]]
    whole["categories"].append({"id": 200, "name": "sky", "isthing": 0})
    return put(d / "panoptic.json", whole)


def table(d: Path, header: str, row: Callable[..., str], encoding: str = "utf-8") -> Path:
    lines = [row(name, label, *box) for name, label, box in ROWS]
    return put(d / "t.csv", "\n".join([header, *lines] if header else lines), encoding)


def prediction_strings(d: Path) -> Path:
    cells = [f"{n}," + " ".join(f"{c} {b[0]} {b[1]} {b[2]} {b[3]}" for c, b in o) for n, o in OBJECTS.items()]
    return put(d / "t.csv", "\n".join(["ImageId,PredictionString", *cells]))


def run_lengths(d: Path) -> Path:
    def runs(box: Box) -> str:
        mask = np.zeros((HIGH, WIDE), bool)
        mask[box[1] : box[3], box[0] : box[2]] = True
        flat = np.concatenate([[False], mask.T.reshape(-1), [False]])
        ends = np.flatnonzero(flat[1:] != flat[:-1])
        return " ".join(f"{a + 1} {b - a}" for a, b in zip(ends[::2], ends[1::2], strict=True))

    return table(d, "ImageId,EncodedPixels,class", lambda n, c, *box: f"{n},{runs(box)},{c}")  # type: ignore[arg-type]


def studio_table(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        x0, y0, x1, y1 = (100 * share for share in shares(box))
        sizes = {"original_width": WIDE, "original_height": HIGH}
        return {
            "x": x0,
            "y": y0,
            "width": x1 - x0,
            "height": y1 - y0,
            "rotation": 0,
            "rectanglelabels": [label],
        } | sizes

    rows = [
        f'/data/upload/1/0123abcd-{name},"{json.dumps(objects)}"'.replace('"[', "[").replace(']"', "]")
        for name, objects in by_picture(one).items()
    ]
    quoted = [row.partition(",")[0] + ',"' + row.partition(",")[2].replace('"', '""') + '"' for row in rows]
    return put(d / "t.csv", "\n".join(["image,label", *quoted]))


def via3(d: Path) -> Path:
    shapes = {
        f"{n}_{k}": {"vid": str(n), "xy": [2, *near(box)], "av": {"1": str(NUMBER[label])}}
        for n, objects in enumerate(OBJECTS.values())
        for k, (label, box) in enumerate(objects)
    }
    files = {str(n): {"fid": str(n), "fname": f"{name}.png"} for n, name in enumerate(OBJECTS)}
    attribute = {"1": {"aname": "class", "options": {"0": "cat", "1": "dog"}}}
    view = {key: {"fid_list": [key]} for key in files}
    return put(d / "via3.json", {"attribute": attribute, "file": files, "metadata": shapes, "view": view})


def fiftyone(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        x0, y0, x1, y1 = shares(box)
        return {"label": label, "bounding_box": [x0, y0, x1 - x0, y1 - y0]}

    samples = [{"filepath": f"data/{n}", "ground_truth": {"detections": o}} for n, o in by_picture(one).items()]
    put(d / "metadata.json", {"name": "set"})
    put(d / "samples.json", {"samples": samples})
    return d


def fiftyone_labels(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        x0, y0, x1, y1 = shares(box)
        return {"label": NUMBER[label], "bounding_box": [x0, y0, x1 - x0, y1 - y0]}

    labels = {name.removesuffix(".png"): objects for name, objects in by_picture(one).items()}
    return put(d / "labels.json", {"classes": ["cat", "dog"], "labels": labels})


def lines(d: Path, make: Callable[[str, list[Any]], Any], one: Callable[[str, Box], Any]) -> Path:
    return put(d / "l.jsonl", "\n".join(json.dumps(make(name, objects)) for name, objects in by_picture(one).items()))


def vertex(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        return {"displayName": label, **dict(zip(("xMin", "yMin", "xMax", "yMax"), shares(box), strict=True))}

    return lines(d, lambda n, o: {"imageGcsUri": f"gs://bucket/x/{n}", "boundingBoxAnnotations": o}, one)


def azure(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        return {"label": label, **dict(zip(("topX", "topY", "bottomX", "bottomY"), shares(box), strict=True))}

    return lines(d, lambda n, o: {"image_url": f"AmlDatastore://x/{n}", "label": o}, one)


def prodigy(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        x0, y0, x1, y1 = box
        return {"label": label, "points": [[x0, y0], [x0, y1], [x1, y1], [x1, y0]]}

    return lines(d, lambda n, o: {"image": n, "spans": o, "answer": "accept"}, one)


def superannotate(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        x0, y0, x1, y1 = box
        return {"type": "bbox", "className": label, "points": {"x1": x0, "y1": y0, "x2": x1, "y2": y1}}

    for name, objects in by_picture(one).items():
        put(d / f"{name}___objects.json", {"metadata": {"name": name}, "instances": objects})
    return d


def mmdetection(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        return {"bbox": list(box), "bbox_label": NUMBER[label], "ignore_flag": 0}

    data = [{"img_path": name, "instances": objects} for name, objects in by_picture(one).items()]
    return put(d / "m.json", {"metainfo": {"classes": ["cat", "dog"]}, "data_list": data})


def detectron(d: Path) -> Path:
    def one(label: str, box: Box) -> dict[str, Any]:
        return {"bbox": list(box), "bbox_mode": 0, "category_id": NUMBER[label]}

    put(d / "classes.txt", "cat\ndog\n")
    return put(d / "d.json", [{"file_name": n, "annotations": o} for n, o in by_picture(one).items()])


def mmdetection_list(d: Path) -> Path:
    put(d / "classes.txt", "cat\ndog\n")
    both = [(f"{name}.png", objects) for name, objects in OBJECTS.items()]
    made = [{"bboxes": [list(b) for _, b in objects], "labels": [NUMBER[c] for c, _ in objects]} for _, objects in both]
    return put(d / "m.json", [{"filename": n, "ann": ann} for (n, _), ann in zip(both, made, strict=True)])


def grouped(d: Path) -> Path:
    """Each object as two outlines of one group."""
    for name, objects in OBJECTS.items():
        shapes = []
        for group, (label, (x0, y0, x1, y1)) in enumerate(objects):
            for points in ([[x0, y0], [x0 + 9, y0], [x0 + 9, y1]], [[x1 - 8, y1], [x1, y1], [x1, y0 + 3]]):
                shapes.append({"label": label, "points": points, "shape_type": "polygon", "group_id": group})
        put(d / f"{name}.json", {"shapes": shapes, "imagePath": f"{name}.png", "imageData": None})
    return d


def web_labelme(d: Path) -> Path:
    for name, objects in OBJECTS.items():
        rows = []
        for label, (x0, y0, x1, y1) in [*objects, ("gone", (1, 1, 9, 9))]:
            points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
            deleted = int(label == "gone")
            rows.append(f"<object><name>{label}</name><deleted>{deleted}</deleted><polygon>{points}</polygon></object>")
        put(
            d / "Annotations" / "u" / f"{name}.xml",
            f"<annotation><filename>{name}.png</filename>{''.join(rows)}</annotation>",
        )
    pictures(d / "Images" / "u")
    return d


def xml(objects: list[tuple[str, Box]]) -> str:
    corners = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
    rows = [f"<object><name>{c}</name><bndbox>{corners.format(*b)}</bndbox></object>" for c, b in objects]
    return f"<annotation><filename>%s</filename>{''.join(rows)}</annotation>"


def dogs(d: Path) -> Path:
    for name, objects in OBJECTS.items():
        put(d / "Annotation" / "n1-breed" / name, xml(objects))
    pictures(d / "Images" / "n1-breed", suffix=".jpg")
    return d


def imagenet(d: Path) -> Path:
    for name, objects in OBJECTS.items():
        put(d / "Annotations" / "DET" / "val" / f"{name}.xml", xml(objects))
    pictures(d / "Data" / "DET" / "val", suffix=".JPEG")
    return d


def supervisely(d: Path) -> Path:
    for name, objects in OBJECTS.items():
        made = []
        for label, (x0, y0, x1, y1) in objects:
            content = io.BytesIO()
            mask = np.zeros((y1 - y0 + 4, x1 - x0 + 4), bool)
            mask[2:-2, 2:-2] = True
            Image.fromarray(mask).save(content, "PNG")
            data = base64.b64encode(zlib.compress(content.getvalue())).decode()
            made.append({"classTitle": label, "bitmap": {"data": data, "origin": [x0 - 2, y0 - 2]}})
        put(d / "ann" / f"{name}.png.json", {"size": {"width": WIDE, "height": HIGH}, "objects": made})
    pictures(d / "img")
    return d


def yolo(d: Path, line: Callable[[str, Box], str], texts: str = "labels", names: str = "cat\ndog\n") -> Path:
    pictures(d / "images")
    for name, objects in OBJECTS.items():
        put(d / texts / f"{name}.txt", "\n".join(line(label, box) for label, box in objects))
    if names:
        put(d / "classes.txt", names)
    return d


def centre(label: Any, box: Box, *, wide: int = WIDE, high: int = HIGH) -> str:
    x0, y0, x1, y1 = box
    return f"{label} {(x0 + x1) / 2 / wide} {(y0 + y1) / 2 / high} {(x1 - x0) / wide} {(y1 - y0) / high}"


def yolo_notes(d: Path) -> Path:
    yolo(d, lambda c, b: centre(NUMBER[c], b), names="")
    put(d / "notes.json", {"categories": [{"id": n, "name": c} for c, n in NUMBER.items()]})
    return d


def yolo_list(d: Path) -> Path:
    yolo(d, lambda c, b: centre(NUMBER[c], b))
    return put(d / "my_list.txt", "images/a.png\nC:\\data\\images\\b.png\n")


def label_tool(d: Path) -> Path:
    pictures(d / "Images" / "001")
    for name, objects in OBJECTS.items():
        rows = [f"{b[0]} {b[1]} {b[2]} {b[3]} {c}" for c, b in objects]
        put(d / "Labels" / "001" / f"{name}.txt", "\n".join([str(len(rows)), *rows]))
    return d


def turned(d: Path) -> Path:
    """CVAT's boxes, written upright and turned by a quarter."""
    rows = ""
    for name, objects in OBJECTS.items():
        boxes = ""
        for label, (x0, y0, x1, y1) in objects:
            x, y, w, h = (x0 + x1) / 2, (y0 + y1) / 2, (y1 - y0) / 2, (x1 - x0) / 2
            corners = f'xtl="{x - w}" ytl="{y - h}" xbr="{x + w}" ybr="{y + h}"'
            boxes += f'<box label="{label}" {corners} rotation="90"/>'
        rows += f'<image name="{name}.png" width="{WIDE}" height="{HIGH}">{boxes}</image>'
    return put(d / "annotations.xml", f"<annotations>{rows}</annotations>")


def turned_studio(d: Path) -> Path:
    """Label Studio's rectangles, turned by a quarter about their near corner."""
    tasks = []
    for name, objects in OBJECTS.items():
        results = []
        for label, (x0, y0, x1, y1) in objects:
            value = {"x": 100 * x1 / WIDE, "y": 100 * y0 / HIGH, "rotation": 90, "rectanglelabels": [label]}
            value |= {"width": 100 * (y1 - y0) / WIDE, "height": 100 * (x1 - x0) / HIGH}
            results.append({"original_width": WIDE, "original_height": HIGH, "value": value})
        tasks.append({"data": {"image": f"{name}.png"}, "annotations": [{"result": results}]})
    return put(d / "ls.json", tasks)


def cub(d: Path) -> Path:
    pictures(d / "images" / "x")
    put(d / "images.txt", "1 x/a.png\n2 x/b.png\n")
    put(d / "bounding_boxes.txt", "1 10.0 20.0 40.0 40.0\n2 5.0 5.0 25.0 35.0\n")
    return d


FORMS: dict[str, Maker] = {
    "COCO in shares": lambda d: put(
        d / "c.json",
        coco(lambda b: {"bbox": [b[0] / WIDE, b[1] / HIGH, (b[2] - b[0]) / WIDE, (b[3] - b[1]) / HIGH]}),
    ),
    "COCO with corners": lambda d: put(d / "c.json", coco(lambda b: {"bbox": list(b)})),
    "COCO in cp949": lambda d: put(
        d / "c.json",
        json.dumps(coco(lambda b: {"bbox": near(b)}) | {"info": "한국어 자료"}, ensure_ascii=False),
        "cp949",
    ),
    "COCO panoptic": panoptic,
    "Make Sense": lambda d: table(d, "", lambda n, c, x, y, u, v: f"{c},{x},{y},{u - x},{v - y},{n},{WIDE},{HIGH}"),
    "sizes without a header": lambda d: table(d, "", lambda n, c, x, y, u, v: f"{n},{c},{x},{y},{u - x},{v - y}"),
    "AutoML, two corners": lambda d: table(
        d, "", lambda n, c, *b: "TRAIN,gs://bucket/{},{},{},{},,,{},{},,".format(n, c, *shares(b))
    ),
    "AutoML, four corners": lambda d: table(
        d,
        "",
        lambda n, c, *b: "TEST,gs://k/{0},{1},{2},{3},{4},{3},{4},{5},{2},{5}".format(n, c, *shares(b)),
    ),
    "RSNA": lambda d: table(
        d, "patientId,x,y,width,height,Target", lambda n, c, x, y, u, v: f"{n[:-4]},{x},{y},{u - x},{v - y},{c}"
    ),
    "a Korean header": lambda d: table(
        d, "파일명,클래스,xmin,ymin,xmax,ymax", lambda n, c, *b: ",".join(map(str, (n, c, *b))), "cp949"
    ),
    "PredictionString": prediction_strings,
    "run lengths": run_lengths,
    "Label Studio's table": studio_table,
    "VIA 3": via3,
    "FiftyOne's samples": fiftyone,
    "FiftyOne's labels": fiftyone_labels,
    "Vertex AI": vertex,
    "Azure ML": azure,
    "Prodigy": prodigy,
    "SuperAnnotate": superannotate,
    "MMDetection": mmdetection,
    "MMDetection's list": mmdetection_list,
    "Detectron2": detectron,
    "records": lambda d: put(
        d / "r.json",
        [{"image": n, "label": c, "xmin": b[0], "ymin": b[1], "xmax": b[2], "ymax": b[3]} for n, c, b in ROWS],
    ),
    "objects by picture": lambda d: put(d / "r.json", by_picture(lambda c, b: {"label": c, "bbox": list(b)})),
    "LabelMe's groups": grouped,
    "LabelMe of the web": web_labelme,
    "Stanford's dogs": dogs,
    "ImageNet's folders": imagenet,
    "Supervisely's bitmaps": supervisely,
    "YOLO in label": lambda d: yolo(d, lambda c, b: centre(NUMBER[c], b), "label"),
    "YOLO in annotations": lambda d: yolo(d, lambda c, b: centre(NUMBER[c], b), "annotations"),
    "YOLO counted from 1": lambda d: yolo(d, lambda c, b: centre(NUMBER[c] + 1, b)),
    "YOLO in pixels": lambda d: yolo(d, lambda c, b: centre(NUMBER[c], b, wide=1, high=1)),
    "YOLO with names and corners": lambda d: yolo(d, lambda c, b: f"{c} {b[0]} {b[1]} {b[2]} {b[3]}", names=""),
    "YOLO of Label Studio": yolo_notes,
    "YOLO by a list of any name": yolo_list,
    "BBox-Label-Tool": label_tool,
    "turned boxes of CVAT": turned,
    "turned boxes of Label Studio": turned_studio,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_boxes(tmp_path: Path, form: str) -> None:
    if form not in ("LabelMe of the web", "Stanford's dogs", "ImageNet's folders") and not form.startswith("YOLO"):
        pictures(tmp_path)
    truth = read(FORMS[form](tmp_path))
    assert {Path(each.path).stem for each in truth.pictures} == set(OBJECTS) and not truth.left_out
    for each in truth.pictures:
        found = sorted((truth.classes[k], box) for k, box in zip(each.labels, each.boxes.tolist(), strict=True))
        wanted = sorted((label, list(box)) for label, box in OBJECTS[Path(each.path).stem])
        assert [label for label, _ in found] == [label for label, _ in wanted]
        np.testing.assert_allclose([box for _, box in found], [box for _, box in wanted], atol=0.01)


@pytest.mark.parametrize(
    "form", ["COCO in shares", "COCO with corners", "sizes without a header", "YOLO counted from 1"]
)
def test_what_was_taken_another_way_than_the_format_says_is_said(tmp_path: Path, form: str) -> None:
    pictures(tmp_path)
    (remark,) = read(FORMS[form](tmp_path)).remarks
    assert "taken as" in remark or "counted from 1" in remark


def test_boxes_of_birds_have_their_pictures_classes(tmp_path: Path) -> None:
    put(tmp_path / "image_class_labels.txt", "1 2\n2 1\n")
    put(tmp_path / "classes.txt", "1 001.Auk\n2 002.Wren\n")
    truth = read(cub(tmp_path))
    assert {truth.classes[label] for each in truth.pictures for label in each.labels} == {"001.Auk", "002.Wren"}
    assert sum(len(each) for each in truth.pictures) == 2 and not truth.left_out


def test_celebrities_boxes_and_a_sequence_of_mot_open(tmp_path: Path) -> None:
    pictures(tmp_path / "faces")
    listed = "2\nimage_id x_1 y_1 width height\na.png    10  20  40  40\nb.png     5   5  25  35\n"
    truth = read(put(tmp_path / "faces" / "list_bbox_celeba.txt", listed))
    assert [each.boxes.tolist() for each in truth.pictures] == [[[10, 20, 50, 60]], [[5, 5, 30, 40]]]
    (tmp_path / "seq" / "img1").mkdir(parents=True)
    Image.new("RGB", (WIDE, HIGH)).save(tmp_path / "seq" / "img1" / "000001.jpg")
    put(tmp_path / "seq" / "gt" / "gt.txt", "1,1,10,20,40,40,1,1,1\n1,2,50,5,25,35,0,7,0.8\n")
    (frame,) = read(tmp_path / "seq").pictures
    assert frame.boxes.tolist() == [[10, 20, 50, 60], [50, 5, 75, 40]] and frame.crowd.tolist() == [False, True]


@pytest.mark.parametrize("encoding", ["cp949", "euc-kr"])
def test_korean_names_are_told_from_chinese_ones(tmp_path: Path, encoding: str) -> None:
    pictures(tmp_path)
    names = {"dog": "강아지", "cat": "고양이"}
    for name, objects in OBJECTS.items():
        plain = xml([(names[label], box) for label, box in objects]) % f"{name}.png"
        put(tmp_path / f"{name}.xml", f'<?xml version="1.0" encoding="utf-8"?>{plain}', encoding)
    truth = read(tmp_path)
    assert set(truth.classes) == {"강아지", "고양이"} and "read as CP949" in truth.remarks[0]


def test_boxes_that_could_be_either_are_left_as_the_format_says(tmp_path: Path) -> None:
    pictures(tmp_path)
    small = coco(lambda box: {"bbox": [box[0], box[1], 3, 2]})
    truth = read(put(tmp_path / "c.json", small))
    assert not truth.remarks and truth.pictures[1].boxes.tolist() == [[5, 5, 8, 7]]


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("det/det.txt", "1,-1,10,20,40,40,0.9,-1,-1,-1\n", "tracker's detections"),
        ("a.pts", "version: 1\nn_points: 1\n{\n1 2\n}\n", "landmarks of one face"),
        ("FDDB-fold-01-ellipseList.txt", "a\n1\n20 10 0.2 30 40  1\n", "list of ellipses"),
        ("list_attr_celeba.txt", "1\nSmiling Male\na.png -1 1\n", "attributes without boxes"),
        (
            "ls.json",
            json.dumps([{"data": {"image": "a.png"}, "annotations": [{"result": [{"value": {"choices": ["dog"]}}]}]}]),
            "classes of whole pictures",
        ),
    ],
)
def test_what_has_no_boxes_is_told_with_what_to_do(tmp_path: Path, name: str, content: str, what: str) -> None:
    pictures(tmp_path)
    with pytest.raises(Refusal, match=what) as told:
        read(put(tmp_path / name, content))
    assert told.value.advice


def test_a_bitmap_that_is_none_is_left_out(tmp_path: Path) -> None:
    pictures(tmp_path / "img")
    bomb = base64.b64encode(zlib.compress(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)).decode()
    made = [{"classTitle": "cat", "bitmap": {"data": data, "origin": [1, 1]}} for data in (bomb, "?", "")]
    put(tmp_path / "ann" / "a.png.json", {"size": {"width": WIDE, "height": HIGH}, "objects": made})
    truth = read(tmp_path)
    assert truth.omitted == 3 and not len(truth.pictures[0])
