"""Figures of a COCO file with flaws equal faster-coco-eval's over the objects that can be used; the rest is named."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from faster_coco_eval import mask as runs

import main
from models.cards.card import BUNDLED
from models.engine.engine import Engine
from models.requests import Request
from models.types import Result, Source

SAMPLES = sorted((BUNDLED.parent / "samples").glob("*.png"))[:4]
SETTINGS = {"score": 0.05, "max_detections": 100}


def found_in(pictures: list[Path], engine: Engine) -> list[Result]:
    answers = [engine.run(Request.make("detect", "digits-ssd", Source.file(p), SETTINGS)) for p in pictures]
    assert all(isinstance(answer, Result) for answer in answers), answers
    return answers  # type: ignore[return-value]


def corners(box: np.ndarray) -> list[float]:
    """Return x, y, width, height."""
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]


@pytest.fixture(scope="module")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[Result]]:
    """A file, the same file as it is to be understood, and what the network finds.

    Objects lie near what is found, some a little, some far off; some are there as polygon or as runs of a mask alone,
    some are crowds, some reach over the edge, and some cannot be used at all.
    """
    folder = tmp_path_factory.mktemp("flawed")
    pictures = [Path(shutil.copy(p, folder / p.name)) for p in SAMPLES]
    answers, rng = found_in(pictures, Engine(threads=1)), np.random.default_rng(0)
    categories = [{"id": 1 + n, "name": str(n)} for n in range(10)]
    images, written, meant = [], [], []
    for number, (path, answer) in enumerate(zip(pictures, answers, strict=True), 1):
        width, height = answer.meta["size"]
        images.append({"id": number, "file_name": path.name, "width": width, "height": height})
        sure = np.flatnonzero(answer.arrays["scores"] > 0.4)
        for turn, row in enumerate(sure.tolist()):
            box = answer.arrays["boxes"][row].astype(float) + rng.normal(0, (1, 3, 8)[turn % 3], 4)
            box = np.round(np.clip(box, 0, [width, height, width, height]))
            entry = {"id": len(written) + 1, "image_id": number, "category_id": int(answer.arrays["labels"][row])}
            x0, y0, x1, y1 = box.tolist()
            crowd = turn % 5 == 4
            right = {**entry, "bbox": corners(box), "area": (x1 - x0) * (y1 - y0), "iscrowd": int(crowd)}
            form = turn % 4
            if form == 1:
                entry["segmentation"] = [[x0, y0, x1, y0, x1, y1, x0, y1]]
            elif form == 2:
                mask = np.zeros((height, width), np.uint8)
                mask[int(y0) : int(y1), int(x0) : int(x1)] = 1
                packed = runs.encode(np.asfortranarray(mask))
                entry["segmentation"] = {"size": [height, width], "counts": packed["counts"].decode()}
            else:
                entry["bbox"] = corners(box)
            written.append({**entry, "iscrowd": int(crowd)})
            meant.append(right)
        edge = {"image_id": number, "category_id": 1 + number, "iscrowd": 0}
        written.append({**edge, "id": len(written) + 1, "bbox": [-7, -5, 30, 25]})
        meant.append({**edge, "id": len(written), "bbox": [0, 0, 23, 20], "area": 23 * 20})
    base = {"image_id": 1, "category_id": 2, "iscrowd": 0}
    written += [
        {**base, "id": 901, "bbox": [10, 10, 0, 5]},
        {**base, "id": 902, "bbox": [10, 10, "wide", 5]},
        {**base, "id": 903, "bbox": [10, 10, 30, 30], "category_id": 77},
        {**base, "id": 904, "bbox": [10, 10, 30, 30], "image_id": 55},
        {**base, "id": 1, "bbox": [10, 10, 30, 30]},
        {**base, "id": 905},
        {**base, "id": 906, "bbox": [5000, 5000, 20, 20]},
    ]
    images.append({"id": 99, "file_name": "gone.png", "width": 100, "height": 100})
    whole = {"images": images[:-1], "categories": categories, "annotations": meant}
    path = folder / "instances.json"
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": written}))
    return path, whole, answers


def test_map_is_faster_coco_evals_over_the_same_objects_and_what_is_left_out_is_named(
    flawed: tuple[Path, dict[str, Any], list[Result]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, whole, answers = flawed
    rows = [
        {"image_id": n, "category_id": int(label), "bbox": corners(box.astype(float)), "score": float(score)}
        for n, answer in enumerate(answers, 1)
        for box, score, label in zip(*(answer.arrays[k] for k in ("boxes", "scores", "labels")), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = COCO(whole)
        evaluation = COCOeval_faster(oracle, oracle.loadRes(rows), "bbox", print_function=lambda *_: None)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    asked = ["run", "figures", str(path), "--model", "digits-ssd", "--out", str(tmp_path)]
    assert main.main([*asked, "--set", "score=0.05", "--set", "max_detections=100"]) == 0
    said = capsys.readouterr().err
    (file,) = [p for p in tmp_path.glob("*.json") if "recipe" not in p.name]
    body = json.loads(file.read_text(encoding="utf-8"))
    (everything,) = [row for row in body["classes"] if row["class"] == "all"]
    assert 0.2 < everything["ap"] < 0.95
    for name, value in zip(("ap", "ap50", "ap75"), evaluation.stats[:3], strict=True):
        assert everything[name] == pytest.approx(value, abs=1e-6)
    assert everything["objects"] == sum(not each["iscrowd"] for each in whole["annotations"])
    listed = "\n".join(body["left_out"])
    for number in (901, 902, 903, 904, 905, 906):
        assert f"annotation {number} " in listed
    assert "annotation 1 appears twice" in listed and "gone.png" in listed
    cut = [line for line in body["left_out"] if "cut" in line]
    assert cut, listed
    assert all(line in said for line in body["left_out"])
