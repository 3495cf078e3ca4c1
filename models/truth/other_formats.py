"""Files of annotations that are not read, told by name, each with what to do instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from models.types import Refusal

BOXES = "Export the annotations as COCO, Pascal VOC, YOLO or a table (CSV), and open that."
SHARD = re.compile(r"-\d{5}-of-\d{5}(\.tfrecord)?$")
MOST_SEEN = 2000
# What a file is by its suffix, and what to do.
ANNOTATIONS: dict[str, tuple[str, str]] = {
    "det.txt": ("a tracker's detections, which are not ground truth", "Open gt/gt.txt of the sequence instead."),
}
KINDS: dict[tuple[str, ...], tuple[str, str]] = {
    (".tfrecord", ".tfrecords", ".record"): (
        "TensorFlow's records (TFRecord), which are not read",
        "Open what they were made from: COCO's JSON, Pascal VOC's XML or a table (CSV).",
    ),
    (".parquet", ".arrow", ".feather"): (
        "a table in columns (Parquet, Arrow), which is not read as ground truth",
        "Save it as metadata.jsonl, one JSON a line with file_name and objects, beside the pictures.",
    ),
    (".pts",): (
        "landmarks of one face (300-W), which have no box",
        "Export the points as COCO: each annotation with a list keypoints of x, y, v, and a bbox.",
    ),
    (".mat",): (
        "a MATLAB file, which is not read",
        "Many data sets with one have a list in plain text as well, such as WIDER FACE's bbx_gt.txt: open that.",
    ),
    (".pkl", ".pickle", ".p", ".joblib"): ("a pickle, which could run code and is never read", BOXES),
    (".npy", ".npz"): ("arrays of NumPy, which are not read as ground truth", BOXES),
    (".h5", ".hdf5", ".mdb", ".lmdb", ".sqlite", ".db"): ("a database, which is not read as ground truth", BOXES),
    (".xlsx", ".xls", ".ods"): ("a spreadsheet, which is not read", "Save the sheet as CSV, and open that."),
    (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"): (
        "an archive, which is not unpacked here",
        "Unpack it, and open the folder.",
    ),
    (".vbb", ".seq"): ("a file of the Caltech pedestrians in their own format, which is not read", BOXES),
}


def refusal(path: Path) -> Refusal | None:
    """Return the sentence on a file, or on a folder that holds such files, None for others."""
    if not path.is_dir():
        found = _kind(path)
        return Refusal(f"{path.name} is {found[0]}.", advice=found[1]) if found is not None else None
    for each in _files(path):
        if (found := _kind(each)) is not None:
            return Refusal(f"{path.name} holds {each.name}: {found[0]}.", advice=found[1])
    return None


def _kind(path: Path) -> tuple[str, str] | None:
    if path.name in ANNOTATIONS:
        return ANNOTATIONS[path.name]
    if "ellipselist" in path.name.lower():
        return "a list of ellipses (FDDB), which is not read", BOXES
    if "list_attr" in path.name.lower():
        return "a table of attributes without boxes", "Open it as a data set, or list_bbox_celeba.txt as ground truth."
    if "landmarks" in path.name.lower() and path.suffix.lower() == ".txt":
        return "a table of landmarks without boxes", f"Open list_bbox_celeba.txt for boxes. {BOXES}"
    suffix = ".tfrecord" if SHARD.search(path.name) else path.suffix.lower()
    return next((about for suffixes, about in KINDS.items() if suffix in suffixes), None)


def _files(folder: Path) -> Iterator[Path]:
    return islice((each for each in sorted(folder.iterdir()) if each.is_file()), MOST_SEEN)
