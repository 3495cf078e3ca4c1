"""Detections as JSON, CSV and COCO; findings as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from models.cards import card
from models.requests import Request
from models.types import Result

VISIBLE = 0.5
FIELDS = ("file", "x0", "y0", "x1", "y1", "score", "label", "label_id")


def detections(result: Result) -> list[dict[str, Any]]:
    """Return the shown detections, best first: id, box in pixels of the original image, score, label, label_id.

    `--set box=` of lineage and of the attributions takes this id. Where suppression changed a score, the model's own is
    added as original_score. `angle` is that of an oriented box in radians, clockwise around its centre; `points` are
    the x, y and visibility of its points.
    """
    classes = result.meta["classes"]
    columns = zip(result.arrays["boxes"], result.arrays["scores"], result.arrays["labels"], strict=True)
    found = [
        {
            "box": [float(v) for v in box],
            "score": float(score),
            "label": classes[label] if label < len(classes) else str(label),
            "label_id": int(label),
        }
        for box, score, label in columns
    ]
    for each, number in zip(found, result.arrays.get("ids", ()), strict=False):
        each["id"] = int(number)
    for each, score in zip(found, result.arrays.get("original_scores", ()), strict=False):
        each["original_score"] = float(score)
    for each, angle in zip(found, result.arrays.get("angles", ()), strict=False):
        each["angle"] = float(angle)
    for each, points in zip(found, result.arrays.get("points", ()), strict=False):
        each["points"] = [[float(v) for v in point] for point in points]
    return found


def as_json(request: Request, result: Result) -> str:
    """Write one image's detections with the image, the model and every parameter."""
    body = {**_about(request, result), "detections": detections(result)}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_finding(request: Request, result: Result) -> str:
    """Write an inspection's numeric findings (`meta["finding"]`) with its arrays, image, model and parameters."""
    arrays = {name: values.tolist() for name, values in result.arrays.items()}
    body = {**_about(request, result), "finding": result.meta["finding"], "arrays": arrays}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_plain_json(request: Request, result: Result) -> str:
    """Write every number of a result but pictures, with the model and every parameter."""
    kept = {key: value for key, value in result.meta.items() if key not in ("timings", "total_ms", "size", "sha256")}
    body = {
        "file": request.source.name if request.source else "",
        "model": {"name": request.model, "sha256": result.meta.get("sha256", "")},
        **kept,
        **{name: array.tolist() for name, array in result.arrays.items() if array.shape[-1:] != (3,) or array.ndim < 3},
    }
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_map(request: Request, result: Result, *, name: str) -> str:
    """Write target, verdict, scale and placement of a heat map whose values are in the file `name`."""
    kept = {key: value for key, value in result.meta.items() if key not in ("timings", "total_ms", "size", "sha256")}
    values = result.arrays["map"]
    placed = {
        "file": name,
        "shape": list(values.shape),
        "extent": list(result.meta["extent"]),
        "extent_unit": "x0 y0 x1 y1 in pixels of the original picture",
        "lowest": float(values.min()),
        "highest": float(values.max()),
    }
    kept.pop("extent")
    body = {**_about(request, result), **kept, "map": placed}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def as_line(request: Request, result: Result, *, fps: float) -> str:
    """Write the detections of one video frame as a line of JSON, with the frame's number and its time in seconds."""
    frame = request.source.frame if request.source else 0
    body = {"frame": frame, "time_s": round(frame / fps, 6), "detections": detections(result)}
    return json.dumps(body, ensure_ascii=False) + "\n"


def as_csv(answers: Sequence[tuple[Request, Result]]) -> str:
    """Write one line per detection, with the name of its image file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    for request, result in answers:
        name = request.source.name if request.source else ""
        for found in detections(result):
            writer.writerow([name, *found["box"], found["score"], found["label"], found["label_id"]])
    return text.getvalue()


def as_coco(answers: Sequence[tuple[Request, Result]]) -> str:
    """Write a COCO data set: images, categories, and annotations with scores; boxes are x, y, width, height."""
    images, annotations, categories = [], [], {}
    for number, (request, result) in enumerate(answers, 1):
        width, height = result.meta["size"]
        name = request.source.name if request.source else ""
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        names = result.meta["classes"]
        categories |= {i: names[i] for i in card.label_ids(names)}
        for found in detections(result):
            x0, y0, x1, y1 = found["box"]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": found["label_id"],
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "iscrowd": 0,
                    "score": found["score"],
                    **_keypoints(found.get("points")),
                }
            )
    named = [{"id": i, "name": name} for i, name in sorted(categories.items())]
    body = {"images": images, "annotations": annotations, "categories": named}
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _keypoints(points: Sequence[Sequence[float]] | None) -> dict[str, Any]:
    """Return COCO's fields for the points of a box: x, y and 2 for visible or 1 for hidden, one after the other."""
    if points is None:
        return {}
    flat = [value for x, y, seen in points for value in (x, y, 2 if seen >= VISIBLE else 1)]
    return {"keypoints": flat, "num_keypoints": len(points)}


def _about(request: Request, result: Result) -> dict[str, Any]:
    width, height = result.meta["size"]
    name = request.source.name if request.source else ""
    return {
        "source": {"file": name, "width": width, "height": height},
        "model": {"name": request.model, "sha256": result.meta.get("sha256", "")},
        "parameters": dict(result.meta["parameters"]),
    }
