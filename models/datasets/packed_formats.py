"""Data sets packed into files that are not opened: told by name and first bytes, each with what to do instead."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

from models import files
from models.types import Refusal

WRITE_OUT = "Write its pictures out as PNG, in a folder for each class, and open the folder above them."
UNPACK = "Unpack it, and open the folder."
MOST_SEEN = 2000
_BATCH = re.compile(r"^(data_batch_\d|test_batch|batches\.meta|train|test|meta)$")
_CIFAR = re.compile(r"^(data_batch_\d|test_batch|train|test)\.bin$")
# What a file is by its suffix, and what to do.
KINDS: dict[tuple[str, ...], tuple[str, str]] = {
    (".npz", ".npy"): ("arrays of NumPy, which are not opened as a data set", WRITE_OUT),
    (".h5", ".hdf5", ".mat"): ("a file of arrays (HDF5, MATLAB), which is not opened as a data set", WRITE_OUT),
    (".lmdb", ".mdb", ".sqlite", ".db"): ("a database, which is not opened as a data set", WRITE_OUT),
    (".tfrecord", ".tfrecords", ".record"): ("TensorFlow's records (TFRecord), which are not opened", WRITE_OUT),
    (".rec", ".beton", ".ffcv"): ("records of a training library, which are not opened", WRITE_OUT),
    (".arrow", ".feather"): ("a table of Arrow, which is not opened", "Save it as Parquet or CSV with a column path."),
    (".xlsx", ".xls", ".ods"): ("a spreadsheet, which is not opened", "Save the sheet as CSV, and open that."),
    (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".gz"): ("an archive, which is not unpacked here", UNPACK),
    (".pkl", ".pickle", ".p", ".joblib"): ("a pickle, which could run code and is never read", WRITE_OUT),
}


def refusal(path: Path) -> Refusal | None:
    """Return the sentence on a file, or on a folder that holds such files, None for others."""
    if path.is_dir():
        with os.scandir(path) as entries:
            listed = sorted(entry.path for entry in islice(entries, MOST_SEEN) if entry.is_file())
        for each in map(Path, listed):
            if (found := _kind(each)) is not None:
                return Refusal(f"{path.name} holds {each.name}: {found[0]}.", advice=found[1])
        return None
    found = _kind(path)
    return Refusal(f"{path.name} is {found[0]}.", advice=found[1]) if found is not None else None


def _kind(path: Path) -> tuple[str, str] | None:
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError:
        return None
    if _BATCH.match(path.name) and files.kind(path) == "a pickle":
        return "a batch of CIFAR as a pickle, which could run code and is never read", WRITE_OUT
    if _CIFAR.match(path.name):
        return "a batch of CIFAR in binary form, which is not opened", WRITE_OUT
    if "idx" in path.name and (head in (b"\0\0\x08\x03", b"\0\0\x08\x01") or path.suffix == ".gz"):
        return "MNIST's pictures or labels in one file (IDX), which are not opened", WRITE_OUT
    return next((about for suffixes, about in KINDS.items() if path.suffix.lower() in suffixes), None)
