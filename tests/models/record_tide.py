"""Writes tide.json: what tidecv 1.0.1 says of the random data sets. Run once, where `pip install tidecv` was done:

PYTHONPATH=.:tests/models python tests/models/record_tide.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets import CLASSES, Dataset, dataset, shown

CASES = [(seed, crowds, score) for seed in range(8) for crowds in (0.0, 0.4) for score in (0.0, 0.35, 0.7)]


def tidecv_figures(data: Dataset, score: float) -> dict[str, Any]:
    from tidecv import TIDE, Data

    truth, found = Data("truth"), Data("found")
    for label in range(1, CLASSES + 1):
        truth.add_class(label, str(label))
    for number, (picture, (boxes, scores, labels)) in enumerate(zip(data.truth, shown(data, score), strict=True)):
        truth.add_image(number, str(number))
        for box, label, crowd in zip(picture.boxes.astype(float), picture.labels.tolist(), picture.crowd, strict=True):
            add = truth.add_ignore_region if crowd else truth.add_ground_truth
            add(number, label + 1, box=[box[0], box[1], box[2] - box[0], box[3] - box[1]])
        for corners, confidence, label in zip(boxes.astype(float), scores.tolist(), labels.tolist(), strict=True):
            box = [corners[0], corners[1], corners[2] - corners[0], corners[3] - corners[1]]
            found.add_detection(number, label, confidence, box=box)
    tide = TIDE()
    run = tide.evaluate(truth, found, mode=TIDE.BOX)
    errors = tide.get_all_errors()
    counts = {kind.__name__: len(errors) for kind, errors in run.error_dict.items()}
    return {"ap": run.ap, "main": errors["main"]["found"], "special": errors["special"]["found"], "count": counts}


def main() -> None:
    rows = [
        {"seed": seed, "crowds": crowds, "score": score, **tidecv_figures(dataset(seed, crowds=crowds), score)}
        for seed, crowds, score in CASES
    ]
    text = ",\n".join(json.dumps(row) for row in rows)
    Path(__file__).with_name("tide.json").write_text(f"[\n{text}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
