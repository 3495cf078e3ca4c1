"""Ground truth packed into a few columns for sending to another process: pickling thousands of arrays is slow."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np

from models.truth.types import Annotated, Truth


def packed(truth: Truth) -> tuple[Any, ...]:
    """Pack ground truth into plain values and whole arrays."""
    pictures = truth.pictures
    boxes = np.concatenate([np.zeros((0, 4), np.float32), *(picture.boxes for picture in pictures)])
    labels = np.concatenate([np.zeros(0, np.int64), *(picture.labels for picture in pictures)])
    crowd = np.concatenate([np.zeros(0, np.bool_), *(picture.crowd for picture in pictures)])
    start = np.cumsum([0, *(len(picture) for picture in pictures)])
    sizes = np.array([picture.size for picture in pictures], np.int64).reshape(-1, 2)
    about = {f.name: getattr(truth, f.name) for f in dataclasses.fields(truth) if f.name != "pictures"}
    return "\0".join(picture.path for picture in pictures), sizes, boxes, labels, crowd, start, about


def unpacked(columns: tuple[Any, ...]) -> Truth:
    """Restore what `packed` returned. The arrays of the pictures are views of the columns."""
    paths, sizes, boxes, labels, crowd, start, about = columns
    places = zip(paths.split("\0") if len(sizes) else [], sizes.tolist(), pairwise(start.tolist()), strict=True)
    pictures = tuple(
        Annotated(path, (size[0], size[1]), boxes[a:b], labels[a:b], crowd[a:b]) for path, size, (a, b) in places
    )
    return Truth(pictures=pictures, **about)
