"""Draw the bundled sample pictures of puppets, their key points and points of their surface, and their segments.

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
from models.bundled.puppet_parts import CLASSES, SEMANTIC
from models.detection.skeleton import limbs
from models.output_files import write_whole
from models.pictures.images import save_png
from models.training.puppets import Scene, compose, compose_crop
from models.types import Pixels

TRUTH = "key-points.json"
GROUPS = {"meadow": 2, "shore": 9}
SINGLE = {"dancer": 3}
WIDTH_PX, HEIGHT_PX, SIDE_PX = 320, 240, 192
SEGMENTS = "segments"
SURFACE_POINTS = 60  # of each figure


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
        entry |= surface(scene, row, entry["bbox"], np.random.default_rng((80, image, row)))
        made.append({**entry, "keypoints": [v if t[2] else 0 for t in triples for v in t]})
    return made


def surface(scene: Scene, which: int, box: list[float], rng: np.random.Generator) -> dict[str, list[float]]:
    """Return places on a figure with their part (from 1), u and v, as DensePose-COCO writes them."""
    y, x = np.nonzero(scene.figure == which + 1)
    some = rng.permutation(len(y))[:SURFACE_POINTS]
    y, x = y[some], x[some]
    columns = {
        "dp_x": (x + 0.5 - box[0]) / box[2] * 256,
        "dp_y": (y + 0.5 - box[1]) / box[3] * 256,
        "dp_I": scene.part[y, x],
        "dp_U": scene.chart[y, x, 0],
        "dp_V": scene.chart[y, x, 1],
    }
    return {name: [round(float(v), 3) for v in values] for name, values in columns.items()}


def segments_of(scenes: dict[str, Scene]) -> tuple[dict[str, Any], dict[str, Pixels]]:
    """Return the segments of scenes by the names of their pictures in COCO's panoptic format: the JSON and the maps."""
    images, rows, maps = [], [], {}
    for number, (name, scene) in enumerate(scenes.items(), 1):
        height, width = scene.image.shape[:2]
        images.append({"id": number, "file_name": f"{name}.png", "width": width, "height": height})
        ids, infos = np.zeros((height, width), np.int64), []
        kinds = [(k, len(SEMANTIC) - 1, scene.figure == k) for k in range(1, len(scene.boxes) + 1)]
        behind = scene.figure == 0
        kinds += [(100 + c, c, behind & (scene.stuff == c)) for c in range(len(SEMANTIC) - 1)]
        for segment, category, mask in kinds:
            if not mask.any():
                continue
            ids[mask] = 40 * segment
            (y0, y1), (x0, x1) = ((int(at.min()), int(at.max()) + 1) for at in np.nonzero(mask))
            info = {"id": 40 * segment, "category_id": category + 1, "area": int(mask.sum()), "iscrowd": 0}
            infos.append({**info, "bbox": [x0, y0, x1 - x0, y1 - y0]})
        rows.append({"image_id": number, "file_name": f"{name}.png", "segments_info": infos})
        maps[f"{name}.png"] = np.stack([ids % 256, ids // 256 % 256, ids // 65_536], -1).astype(np.uint8)
    kinds = [{"id": c + 1, "name": name, "isthing": int(name in CLASSES)} for c, name in enumerate(SEMANTIC)]
    return {"images": images, "annotations": rows, "categories": kinds}, maps


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
    told, maps = segments_of(drawn)
    (folder / SEGMENTS).mkdir(exist_ok=True)
    for name, ids in maps.items():
        save_png(ids, folder / SEGMENTS / name)
    write_whole(folder / f"{SEGMENTS}.json", json.dumps(told, indent=1) + "\n")
    write_whole(folder / TRUTH, json.dumps(truth_of(drawn), indent=1) + "\n")
