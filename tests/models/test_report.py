"""Detections as JSON, CSV and COCO read back by others; recipes read back by us; parameters checked."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import recipe
from models.detection import report
from models.detection.decision import Params, label_ids
from models.params import parameters, parse
from models.requests import Request
from models.types import Refusal, Result, Source

CLASSES = ("background", "cat, small", 'a "dog"')


def answered(tmp_path: Path, *, count: int = 3, name: str = "ü a.png") -> tuple[Request, Result]:
    path = tmp_path / name
    path.write_bytes(b"a picture")
    rng = np.random.default_rng(count)
    corners = np.sort(rng.uniform(0, 99, (count, 2, 2)), axis=1)
    arrays = {
        "boxes": corners.reshape(count, 4).astype(np.float32),
        "scores": np.sort(rng.random(count).astype(np.float32))[::-1],
        "labels": rng.integers(1, 3, count),
    }
    meta = {"size": (100, 80), "classes": CLASSES, "parameters": {"score": 0.25, "agnostic": True}, "sha256": "abc"}
    return Request.make("detect", "digits-ssd", Source.file(path)), Result(arrays, meta)


def test_json_holds_source_model_parameters_and_detections(tmp_path: Path) -> None:
    request, result = answered(tmp_path)
    body = json.loads(report.as_json(request, result))
    assert body["source"] == {"file": "ü a.png", "width": 100, "height": 80}
    assert body["model"] == {"name": "digits-ssd", "sha256": "abc"}
    assert body["parameters"] == {"score": 0.25, "agnostic": True}
    assert [d["label"] for d in body["detections"]] == [CLASSES[i] for i in result.arrays["labels"]]
    assert np.array_equal(np.float32([d["box"] for d in body["detections"]]), result.arrays["boxes"])
    assert np.array_equal(np.float32([d["score"] for d in body["detections"]]), result.arrays["scores"])


def test_csv_is_read_back_by_the_standard_reader(tmp_path: Path) -> None:
    answers = [answered(tmp_path), answered(tmp_path, count=2, name="b.png")]
    rows = list(csv.DictReader(io.StringIO(report.as_csv(answers))))
    assert [row["file"] for row in rows] == ["ü a.png"] * 3 + ["b.png"] * 2
    assert rows[0]["label"] == CLASSES[int(rows[0]["label_id"])]
    assert np.float32(rows[4]["x1"]) == answers[1][1].arrays["boxes"][1, 2]


def test_coco_is_read_back_by_a_coco_library(tmp_path: Path) -> None:
    from faster_coco_eval import COCO

    answers = [answered(tmp_path), answered(tmp_path, count=0, name="none.png")]
    data = COCO(json.loads(report.as_coco(answers)))
    assert {c["name"] for c in data.loadCats(data.getCatIds())} == set(CLASSES[1:])
    image = next(i for i in data.loadImgs(data.getImgIds()) if i["file_name"] == "ü a.png")
    assert (image["width"], image["height"]) == (100, 80)
    found = data.loadAnns(data.getAnnIds(imgIds=[image["id"]]))
    x, y, w, h = found[0]["bbox"]
    assert np.allclose([x, y, x + w, y + h], answers[0][1].arrays["boxes"][0])
    assert len(data.getAnnIds()) == 3


def test_a_recipe_reads_back_and_finds_its_picture_beside_it(tmp_path: Path) -> None:
    request, result = answered(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    recipe.write(out / "x.recipe.json", request, result)
    body = json.loads((out / "x.recipe.json").read_text(encoding="utf-8"))
    assert body["picture"]["file"] == "../ü a.png"
    assert str(tmp_path) not in (out / "x.recipe.json").read_text(encoding="utf-8")
    assert {"torch", "torchvision", "numpy"} <= set(body["versions"])
    found = recipe.read(out / "x.recipe.json")
    assert found.request.settings == {"score": 0.25, "agnostic": True}
    assert Path(found.request.source.path).samefile(tmp_path / "ü a.png")
    assert found.weights_sha256 == "abc"
    (tmp_path / "ü a.png").unlink()
    with pytest.raises(Refusal, match="is gone"):
        recipe.read(out / "x.recipe.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"vitrine_recipe": 99}', "\x00", '{"vitrine_recipe": 1, "picture": 3}']
)
def test_what_is_no_recipe_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(Refusal, match=r"r\.json"):
        recipe.read(tmp_path / "r.json")


DECLARED = parameters(Params)


@given(st.dictionaries(st.sampled_from([p.name for p in DECLARED]), st.one_of(st.floats(), st.text(), st.booleans())))
def test_parsing_gives_typed_values_in_range_or_a_refusal(given_values: dict[str, Any]) -> None:
    try:
        values = parse(DECLARED, given_values)
    except Refusal as refusal:
        assert refusal.advice
        return
    known = {p.name: p for p in DECLARED}
    for name, value in values.items():
        kinds = {"float": float, "int": int, "bool": bool, "text": str, "choice": str}
        assert type(value) is kinds[known[name].kind]
        if known[name].kind in ("float", "int"):
            assert known[name].low <= float(value) <= known[name].high


def test_label_ids_come_from_class_names() -> None:
    classes = ("background", "0", "1", "cat")
    assert label_ids("", classes) == frozenset()
    assert label_ids("0, cat", classes) == {1, 3}
    with pytest.raises(Refusal, match="dog"):
        label_ids("dog", classes)
    with pytest.raises(Refusal, match="background"):
        label_ids("background", classes)
