"""Models of other frameworks are recognised by their content and answered with what they are and what to do."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from models.cards.foreign_files import recognise
from models.cards.model_folder import is_model
from models.engine.engine import Engine
from models.requests import Request
from models.types import Failure


def field(number: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def zipped(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return made.getvalue()


def tarred(name: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return made.getvalue()


HDF5 = b"\x89HDF\r\n\x1a\n" + b"\0" * 500
GRAPH = field(1, field(1, b"input") + field(2, b"Placeholder")) + field(1, field(1, b"w") + field(2, b"Const"))
PADDLE = field(1, b"\x08\x00" + field(3, b"feed") + field(3, b"fetch") + field(3, b"op_role"))
INDEX = json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})
OPENVINO = b'<?xml version="1.0"?>\n<net name="n" version="11"><layers><layer id="0"/></layers></net>'
MXNET = json.dumps({"nodes": [{"op": "null", "name": "data"}], "arg_nodes": [0], "heads": [[0, 0, 0]]}).encode()

FILES: dict[str, tuple[str, bytes, str, str]] = {
    "Keras 2": ("net.h5", HDF5 + b"keras_version model_config", "a Keras model (HDF5, .h5)", "format='onnx'"),
    "Keras 2, misnamed": ("net.pth", HDF5 + b"layer_names keras", "a Keras model (HDF5, .h5)", "format='onnx'"),
    "Keras 3": ("net.keras", zipped(config_dot_json=b"{}", metadata_dot_json=b"{}"), "a Keras model (.keras)", "keras"),
    "SavedModel": ("saved_model.pb", b"\x08\x01\x12\x05\x0a\x03serve", "TensorFlow's SavedModel", "--saved-model"),
    "frozen graph": ("net.pb", GRAPH, "a frozen graph of TensorFlow", "--graphdef net.pb"),
    "TFLite": ("net.tflite", b"\x1c\0\0\0TFL3" + b"\0" * 90, "a TFLite model", "--tflite net.tflite"),
    "TFLite, misnamed": ("net.onnx", b"\x1c\0\0\0TFL3" + b"\0" * 90, "a TFLite model", "--tflite net.onnx"),
    "Core ML": ("net.mlmodel", b"\x08\x05\x12\x10com.github.apple.coremltools", "a Core ML model", "torch.onnx.export"),
    "OpenVINO": ("net.xml", OPENVINO, "a network of OpenVINO", "torch.onnx.export"),
    "TensorRT": ("net.engine", b"ptrt" + b"\0" * 90, "a TensorRT engine", "yolo export"),
    "TensorRT, unmarked": ("net.trt", b"\1\2\3\4" * 9, "a TensorRT engine", "torch.onnx.export"),
    "Paddle": ("inference.pdmodel", PADDLE, "a network of Paddle", "paddle2onnx --model_dir . --model_filename"),
    "Paddle's weights": ("inference.pdiparams", b"\0" * 90, "a network of Paddle", "inference.pdiparams"),
    "MXNet": ("net-symbol.json", MXNET, "a network of MXNet", "net-symbol.json"),
    "MXNet's weights": ("net-0000.params", struct.pack("<QQ", 0x112, 0), "weights of MXNet", "net-symbol.json"),
    "ncnn": ("net.param", b"7767517\n2 2\nInput data 0 1 data\n", "a model of ncnn", "torch.onnx.export"),
    "Darknet": (
        "yolo.cfg",
        b"# yolo\n[net]\nwidth=416\n\n[convolutional]\nfilters=16\n",
        "a network of Darknet",
        "yolo.cfg",
    ),
    "Darknet's weights": (
        "yolo.weights",
        struct.pack("<3iq", 0, 2, 0, 0) + b"\0" * 40,
        "a network of Darknet",
        "darknet2onnx",
    ),
    "Caffe": ("net.prototxt", b'name: "net"\nlayer {\n  name: "data"\n}\n', "a network of Caffe", "caffe2onnx"),
    "GGUF": ("net.gguf", b"GGUF\3\0\0\0", "a GGUF file of a language model", "sees no picture"),
    "GGUF, misnamed": ("net.bin", b"GGUF\3\0\0\0", "a GGUF file of a language model", "sees no picture"),
    "index": (
        "model.safetensors.index.json",
        INDEX.encode(),
        "the index of 2 files of weights, of which 2",
        "ownload model-00001",
    ),
    "ONNX in a zip": ("net.zip", zipped(a__net_dot_onnx=b"x"), "an archive with a model in it", "open net.onnx"),
    "PyTorch in a tar": (
        "net.tar.gz",
        gzip.compress(tarred("a/net.pth")),
        "an archive with a model in it",
        "open net.pth",
    ),
    "SavedModel in a tar": ("net.tar", tarred("a/saved_model.pb"), "an archive with TensorFlow's", "open its folder"),
    "NumPy": ("net.npz", zipped(a_dot_npy=b"", b_dot_npy=b""), "a set of NumPy arrays (.npz)", "hold no network"),
    "Detectron2": (
        "model_final.pkl",
        pickle.dumps({"model": {"backbone.bottom_up.stem.conv1.weight": b"0" * 9000}, "__author__": "Zoo"}),
        "a pickle of Detectron2's weights",
        "'model_final.pth'",
    ),
    "ORT": ("net.ort", b"\x1c\0\0\0ORTM", "onnxruntime's own form", ".onnx file that it was made from"),
}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=1)


@pytest.mark.parametrize("kind", FILES)
def test_a_model_of_another_framework_is_said_with_the_command_that_helps(
    kind: str, engine: Engine, tmp_path: Path
) -> None:
    name, content, what, command = FILES[kind]
    path = tmp_path / name
    path.write_bytes(content)
    answer = engine.run(Request.make("describe", str(path)))
    assert isinstance(answer, Failure)
    assert what in answer.message and answer.message.startswith(name) and command in answer.advice
    assert answer.message.count(". ") == 0, "one sentence"
    assert is_model(path), "dropped on the window, it is opened as a model, which says this"


def test_folders_and_weights_beside_their_network_are_recognised(engine: Engine, tmp_path: Path) -> None:
    for folder, inner in (("saved", "saved_model.pb"), ("net.mlpackage", "Manifest.json")):
        (tmp_path / folder / "Data").mkdir(parents=True)
        (tmp_path / folder / inner).write_bytes(b"\x08\x01")
        answer = engine.run(Request.make("describe", str(tmp_path / folder)))
        assert isinstance(answer, Failure)
        assert ("SavedModel" if folder == "saved" else "Core ML") in answer.message
    (tmp_path / "net.bin").write_bytes(b"\0" * 64)
    assert recognise(tmp_path / "net.bin") is None
    (tmp_path / "net.xml").write_bytes(OPENVINO)
    found = recognise(tmp_path / "net.bin")
    assert found is not None and "OpenVINO" in found.what


def test_an_index_whose_shards_are_there_says_to_open_the_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(INDEX)
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"\0")
    found = recognise(tmp_path / "model.safetensors.index.json")
    assert found is not None and "of which 1" in found.what and "model-00002-of-00002.safetensors" in found.help
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"\0")
    found = recognise(tmp_path / "model.safetensors.index.json")
    assert found is not None and "open its folder" in found.help


OTHERS: dict[str, Callable[[], bytes]] = {
    "picture.png": lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 50,
    "truth.json": lambda: json.dumps({"images": [], "annotations": [], "categories": []}).encode(),
    "voc.xml": lambda: b"<annotation><object><name>a</name></object></annotation>",
    "pictures.zip": lambda: zipped(a_dot_png=b"x"),
    "weights.pth": lambda: zipped(w__data_dot_pkl=b"", w__version=b"3"),
    "net.onnx": lambda: b"\x08\x08\x12\x07pytorch\x1a\x052.0.0:\x05",
    "notes.txt": lambda: b"[net] is the first line of a file of Darknet's",
    "setup.cfg": lambda: b"[metadata]\nname = a\n",
    "labels.bin": lambda: b"\0" * 40,
    "empty.pb": lambda: b"",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_not_taken_for_one(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(OTHERS[name]())
    assert recognise(tmp_path / name) is None


def test_an_archive_that_would_unpack_to_gigabytes_is_read_no_further_than_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.cards.foreign_files.MOST_UNPACKED", 1 << 16)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for number in range(200):
            one = tarfile.TarInfo(f"{number}.txt")
            one.size = 4096
            archive.addfile(one, io.BytesIO(bytes(4096)))
        archive.addfile(tarfile.TarInfo("net.pth"), io.BytesIO())
    (tmp_path / "net.tar.gz").write_bytes(gzip.compress(made.getvalue()))
    assert recognise(tmp_path / "net.tar.gz") is None, "the model stands behind the bound"
    monkeypatch.setattr("models.cards.foreign_files.MOST_UNPACKED", 1 << 24)
    assert recognise(tmp_path / "net.tar.gz") is not None
