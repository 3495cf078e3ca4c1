"""Draw the bundled sample pictures of puppets, and their key points as a COCO file.

Run: python -m models.training.puppet_samples --out assets/puppets
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.bundled.hourglass import POINTS
from models.detection.skeleton import limbs
from models.output_files import write_whole
from models.pictures.images import save_png
from models.training.puppets import Scene, compose, compose_crop

TRUTH = "key-points.json"
GROUPS = {"meadow": 2, "shore": 9}
SINGLE = {"dancer": 3}
WIDTH_PX, HEIGHT_PX, SIDE_PX = 320, 240, 192


def annotations(scene: Scene, image: int, first: int) -> list[dict[str, Any]]:
    """Return the figures of a scene as entries of a COCO file, ids counting from `first`."""
    made = []
    for row, (points, visible, box) in enumerate(zip(scene.points, scene.visible, scene.boxes, strict=True)):
        height, width = scene.figure.shape
        inside = ((points >= 0) & (points < (width, height))).all(1)
        flags = np.where(inside, np.where(visible, 2, 1), 0)
        triples = [(round(float(x), 2), round(float(y), 2), int(v)) for (x, y), v in zip(points, flags, strict=True)]
        x0, y0, x1, y1 = (round(float(v), 2) for v in box)
        entry = {"id": first + row, "image_id": image, "category_id": 1, "iscrowd": 0}
        entry |= {"bbox": [x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)]}
        entry |= {"area": int((scene.figure == row + 1).sum()), "num_keypoints": int((flags > 0).sum())}
        made.append({**entry, "keypoints": [v if t[2] else 0 for t in triples for v in t]})
    return made


def truth_of(scenes: dict[str, Scene]) -> dict[str, Any]:
    """Return the key points of scenes by the names of their pictures, as a COCO file."""
    images, rows = [], []
    for number, (name, scene) in enumerate(scenes.items(), 1):
        height, width = scene.image.shape[:2]
        images.append({"id": number, "file_name": f"{name}.png", "width": width, "height": height})
        rows += annotations(scene, number, len(rows) + 1)
    edges = [[a + 1, b + 1] for a, b in limbs(POINTS)]
    category = {"id": 1, "name": "puppet", "keypoints": list(POINTS), "skeleton": edges}
    return {"images": images, "annotations": rows, "categories": [category]}


if __name__ == "__main__":
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {name: compose_crop(np.random.default_rng((78, seed)), side=SIDE_PX)[0] for name, seed in SINGLE.items()}
    for name, seed in GROUPS.items():
        rng = np.random.default_rng((79, seed))
        drawn[name] = compose(rng, width=WIDTH_PX, height=HEIGHT_PX, count=(3, 3))
    for name, scene in drawn.items():
        save_png(scene.image, folder / f"{name}.png")
    write_whole(folder / TRUTH, json.dumps(truth_of(drawn), indent=1) + "\n")
