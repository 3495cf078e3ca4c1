"""The photographs of BCCD (blood cells with Pascal VOC boxes), read from its archive and augmented for training."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from models.bundled.cells import CLASSES, LONG_PX, SHORT_PX

LEAST_SEEN = 0.4
SMALLEST_PX = 4
Rng = np.random.Generator


@dataclass(frozen=True)
class Photograph:
    """A picture (H, W, 3) RGB uint8 with `boxes` (N, 4) xyxy in its pixels and `labels` (N,) in 1..3."""

    name: str
    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]


def photographs(data: Path, *, splits: Sequence[str]) -> list[Photograph]:
    """Read the photographs of the named splits (`train`, `val`, `test`) of `bccd.zip` in the folder `data`.

    Two annotations without an area are left out. Raises FileNotFoundError saying what to do if the archive is missing.
    """
    path = Path(data) / "bccd.zip"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing. Put BCCD there as a zip file with its BCCD folder (MIT licence).")
    found = []
    with zipfile.ZipFile(path) as archive:
        for split in splits:
            for name in archive.read(f"BCCD/ImageSets/Main/{split}.txt").decode().split():
                root = ElementTree.fromstring(archive.read(f"BCCD/Annotations/{name}.xml"))
                rows = [_object(item) for item in root.iter("object")]
                kept = [(box, label) for box, label in rows if box[2] > box[0] and box[3] > box[1]]
                raw = np.frombuffer(archive.read(f"BCCD/JPEGImages/{name}.jpg"), np.uint8)
                picture = cv2.cvtColor(cv2.imdecode(raw, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
                boxes = np.array([box for box, _ in kept], np.float32).reshape(-1, 4)
                labels = np.array([label for _, label in kept], np.int64)
                found.append(Photograph(name, np.asarray(picture, np.uint8), boxes, labels))
    return found


def _object(item: ElementTree.Element) -> tuple[tuple[float, float, float, float], int]:
    x0, y0, x1, y1 = (float(item.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax"))
    return (x0, y0, x1, y1), CLASSES.index(item.findtext("name", ""))


def vary(photograph: Photograph, rng: Rng) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
    """Return an augmented view of 384x288 px: quarter turns, mirroring, scale, shift, light and colour."""
    image, boxes = photograph.image, photograph.boxes
    height, width = image.shape[:2]
    scale = SHORT_PX / height * rng.uniform(0.75, 1.35)
    turn = np.array([[1, 0], [0, 1]] if rng.random() < 0.6 else [[0, 1], [1, 0]], np.float64)
    matrix = np.diag(rng.choice([-1.0, 1.0], 2)) @ turn * scale
    extent = np.abs(matrix @ [width, height])
    room = np.array([LONG_PX, SHORT_PX]) - extent
    centre = np.array([LONG_PX, SHORT_PX]) / 2 + rng.uniform(-0.5, 0.5, 2) * np.maximum(np.abs(room), 40)
    shift = centre - matrix @ [width / 2, height / 2]
    paper = np.median(image.reshape(-1, 3)[::101], axis=0)
    affine = np.column_stack([matrix, shift])
    # `affine` maps corner coordinates. OpenCV's are pixel centres, half a pixel away, so its offset differs.
    affine[:, 2] += matrix @ [0.5, 0.5] - 0.5
    view = cv2.warpAffine(image, affine, (LONG_PX, SHORT_PX), flags=cv2.INTER_LINEAR, borderValue=paper.tolist())

    corners = boxes.reshape(-1, 2, 2) @ matrix.T + shift
    moved = np.concatenate([corners.min(1), corners.max(1)], 1)
    limit = np.array([LONG_PX, SHORT_PX] * 2)
    clipped = moved.clip(0, limit)
    area = np.prod(clipped[:, 2:] - clipped[:, :2], 1)
    seen = area > LEAST_SEEN * np.prod(moved[:, 2:] - moved[:, :2], 1)
    seen &= (clipped[:, 2:] - clipped[:, :2]).min(1, initial=np.inf) > SMALLEST_PX
    return _light(np.asarray(view, np.uint8), rng), clipped[seen].astype(np.float32), photograph.labels[seen]


def _light(view: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
    distorted = 255 * (view / 255.0) ** rng.uniform(0.8, 1.25) * gain + rng.uniform(-12, 12)
    if rng.random() < 0.25:
        distorted = cv2.GaussianBlur(distorted, (0, 0), rng.uniform(0.3, 1.1))
    return distorted.clip(0, 255).astype(np.uint8)


class Varied(IterableDataset[tuple[Tensor, dict[str, Tensor]]]):
    """An endless stream of augmented train and val photographs; view i depends only on the seed and i."""

    def __init__(self, data: Path, *, seed: int) -> None:
        cv2.setNumThreads(1)  # OpenCV's thread pool does not survive the fork into the loader's worker
        self.photographs = photographs(data, splits=("train", "val"))
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        index = 0
        while True:
            rng = np.random.default_rng((self.seed, index))
            round_, place = divmod(index, len(self.photographs))
            order = np.random.default_rng((self.seed, round_, 1)).permutation(len(self.photographs))
            index += 1
            view, boxes, labels = vary(self.photographs[order[place]], rng)
            if len(boxes):
                image = torch.from_numpy(view).permute(2, 0, 1).float() / 255
                yield image, {"boxes": torch.from_numpy(boxes), "labels": torch.from_numpy(labels)}
