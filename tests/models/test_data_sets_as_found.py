"""Labels of whole pictures as they are found outside: lists, tables, JSON, nested folders; and packed data sets."""

from __future__ import annotations

import gzip
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.datasets.opening import open_data_set
from models.types import Refusal

LABELS = {"a": "dog", "b": "cat", "c": "dog"}
Maker = Callable[[Path], Path]


def pictures(folder: Path, *names: str) -> Path:
    for name in names or tuple(f"{name}.png" for name in LABELS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 12), (9, 99, 9)).save(folder / name)
    return folder


def put(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))
    return path


def rows(line: str) -> str:
    return "".join(line.format(name, label, int(label == "cat"), int(label == "dog")) for name, label in LABELS.items())


def nested(d: Path, *, above: str) -> Path:
    for name, label in LABELS.items():
        pictures(d / above / label, f"{name}.png")
    return d


def studio(name: str, label: str) -> dict[str, object]:
    result = [{"type": "choices", "value": {"choices": [label]}}]
    return {"data": {"image": f"/data/upload/1/0123abcd-{name}.png"}, "annotations": [{"result": result}]}


FORMS: dict[str, Maker] = {
    "one column a class": lambda d: put(pictures(d) / "l.csv", "image,cat,dog\n" + rows("{0},{2}.0,{3}.0\n")),
    "Roboflow's in its folder": lambda d: (
        put(pictures(d) / "_classes.csv", "filename, cat, dog\n" + rows("{0}.png, {2}, {3}\n")).parent
    ),
    "Hugging Face's in its folder": lambda d: (
        put(pictures(d) / "metadata.jsonl", rows('{{"file_name": "{0}.png", "label": "{1}"}}\n')).parent
    ),
    "blanks": lambda d: put(pictures(d / "images").parent / "val.txt", rows("images/{0}.png {1}\n")),
    "commas in a text": lambda d: put(pictures(d) / "val.txt", rows("{0}.png,{1}\n")),
    "Oxford's list": lambda d: put(
        pictures(d / "images").parent / "annotations" / "list.txt", "#Image CLASS SPECIES\n" + rows("{0} {1} 1 1\n")
    ),
    "JSON by name": lambda d: put(
        pictures(d) / "l.json", json.dumps({f"{name}.png": label for name, label in LABELS.items()})
    ),
    "JSON objects": lambda d: put(
        pictures(d) / "l.json", json.dumps([{"image": f"{n}.png", "label": label} for n, label in LABELS.items()])
    ),
    "Label Studio's choices": lambda d: put(pictures(d) / "l.json", json.dumps([studio(*e) for e in LABELS.items()])),
    "a folder around the classes": lambda d: nested(d, above="dataset"),
    "folders around the splits": lambda d: nested(d, above="download/set/train"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_each_picture_its_label(tmp_path: Path, form: str) -> None:
    found = open_data_set(FORMS[form](tmp_path))
    assert {Path(path).stem: found.label(row) for row, path in enumerate(found.paths)} == LABELS


def test_a_korean_table_in_its_old_encoding(tmp_path: Path) -> None:
    table = put(pictures(tmp_path) / "l.csv", "파일명,라벨\na.png,강아지\nb.png,고양이\nc.png,강아지\n", "cp949")
    found = open_data_set(table)
    assert [found.label(row) for row in range(3)] == ["강아지", "고양이", "강아지"]


def test_several_labels_and_columns_that_could_be_labels_are_said(tmp_path: Path) -> None:
    several = put(pictures(tmp_path) / "l.csv", "image,cat,dog\na,1,1\nb,1,0\nc,0,1\n")
    found = open_data_set(several)
    assert found.classes == () and "1 pictures have several labels each (cat, dog)" in found.notes[0]
    found = open_data_set(put(tmp_path / "m.csv", "id,colour,shape\na,red,round\nb,blue,flat\nc,red,flat\n"))
    assert found.classes == () and "name one label. There are: colour, shape." in found.notes[0]


def cifar(d: Path) -> Path:
    place = d / "data_batch_1"
    with place.open("wb") as file:
        pickle.dump({b"data": np.zeros((1, 3072), np.uint8), b"labels": [1]}, file)
    return place


def archive(d: Path) -> Path:
    with zipfile.ZipFile(d / "set.zip", "w") as made:
        made.writestr("a.txt", "x")
    return d / "set.zip"


def shard(d: Path) -> Path:
    pictures(d)
    with tarfile.open(d / "shard-000000.tar", "w") as made:
        made.add(d / "a.png", "a.png")
    return d / "shard-000000.tar"


def idx(d: Path, *, packed: bool) -> Path:
    content = struct.pack(">IIII", 2051, 1, 28, 28) + bytes(784)
    place = d / ("t10k-images-idx3-ubyte" + ".gz" * packed)
    place.write_bytes(gzip.compress(content) if packed else content)
    return place


def arrays(d: Path) -> Path:
    np.savez(d / "mnist.npz", x=np.zeros((1, 28, 28), np.uint8))
    return d / "mnist.npz"


def cells(d: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"image": [{"bytes": b"x", "path": "a.png"}], "label": [1]}), d / "t.parquet")
    return d / "t.parquet"


PACKED: dict[str, tuple[Maker, str]] = {
    "CIFAR": (cifar, "a pickle, which could run code"),
    "CIFAR's folder": (lambda d: cifar(d).parent, "holds data_batch_1: a batch of CIFAR"),
    "CIFAR's binary": (lambda d: put(d / "data_batch_1.bin", "x" * 3073), "CIFAR in binary form"),
    "MNIST": (lambda d: idx(d, packed=False), "in one file .IDX"),
    "MNIST packed": (lambda d: idx(d, packed=True), "in one file .IDX"),
    "MNIST's folder": (lambda d: idx(d, packed=True).parent, "holds t10k-images-idx3-ubyte.gz"),
    "arrays": (arrays, "arrays of NumPy"),
    "HDF5": (lambda d: put(d / "d.h5", "\x89HDF", "latin-1"), "HDF5"),
    "an archive": (archive, "an archive"),
    "WebDataset": (shard, "an archive"),
    "TFRecord": (lambda d: put(d / "train.tfrecord", "x"), "TensorFlow's records"),
    "Parquet with pictures": (cells, "holds its pictures in its own cells"),
}


@pytest.mark.parametrize("what", PACKED)
def test_packed_data_sets_are_told_with_what_to_do(tmp_path: Path, what: str) -> None:
    make, words = PACKED[what]
    with pytest.raises(Refusal, match=words) as told:
        open_data_set(make(tmp_path))
    assert any(advice in told.value.advice for advice in ("Unpack it", "in a folder for each class"))
