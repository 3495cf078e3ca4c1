"""Recognise models of other frameworks by their content: what a file is, and the command that makes one that opens.

Files are only looked at, within bounds; nothing in them is run. Safe to ask about any path.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from models.types import Refusal

HEAD, MOST_JSON, MOST_MEMBERS, MOST_UNPACKED = 1 << 20, 64 << 20, 2000, 256 << 20
ORIGINAL = "export the network that it was made from: torch.onnx.export(model, picture, 'model.onnx')"
ULTRALYTICS = "export the network that it was made from: yolo export model=WEIGHTS.pt format=onnx"
INSIDE = (".onnx", ".pt", ".pth", ".pt2", ".ckpt", ".safetensors", ".h5", ".keras", ".tflite", ".pb", ".xml", ".param")
INSIDE += (".mlmodel", ".pdmodel", ".engine", ".gguf", ".weights", ".cfg")
TORCH = ("data.pkl", "archive_format", "constants.pkl", "/version", "/byteorder", "model.json")
SIMPLE = re.compile(r"[\w.-]+")


@dataclass(frozen=True)
class Foreign:
    """What a file is, in words with an article, and what to do to get one that opens."""

    what: str
    help: str

    def refusal(self, name: str) -> Refusal:
        """Return the refusal of a file of this name."""
        return Refusal(
            f"{name} is {self.what}, which does not open here.", advice=f"{self.help[:1].upper()}{self.help[1:]}."
        )


def recognise(path: Path) -> Foreign | None:
    """Return what a file or folder of another framework is, None for any other, and for what cannot be read."""
    try:
        if path.is_dir():
            return _folder(path)
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(HEAD)
        for known in (_binary, _archive, _text, _protobuf, _beside):
            if found := known(path, head):
                return found
    except (OSError, ValueError, RecursionError, zipfile.BadZipFile, tarfile.TarError, EOFError):
        pass
    return None


def is_foreign(path: Path) -> bool:
    """Return whether a path is a model of another framework."""
    return recognise(path) is not None


def _folder(path: Path) -> Foreign | None:
    if (path / "saved_model.pb").is_file():
        return _saved_model(path)
    if (path / "Manifest.json").is_file() and (path / "Data").is_dir():
        return Foreign("a Core ML package (.mlpackage)", f"Core ML does not convert back: {ORIGINAL}")
    return None


def _saved_model(folder: Path) -> Foreign:
    command = f"python -m tf2onnx.convert --saved-model {folder.name} --output model.onnx"
    return Foreign("TensorFlow's SavedModel", f"convert it to ONNX (pip install tf2onnx): {command}")


def _keras(path: Path, form: str) -> Foreign:
    code = f"import keras; keras.models.load_model('{path.name}').export('model.onnx', format='onnx')"
    return Foreign(f"a Keras model ({form})", f'convert it to ONNX where Keras is: python -c "{code}"')


def _binary(path: Path, head: bytes) -> Foreign | None:
    """Recognise files by their first bytes."""
    name = path.name
    if head.startswith(b"\x89HDF"):
        if any(mark in head for mark in (b"keras", b"model_weights", b"layer_names", b"model_config")):
            return _keras(path, "HDF5, .h5")
        whole = path.suffix.lower() in (".h5", ".keras")
        return _keras(path, "HDF5, .h5") if whole else Foreign("an HDF5 file", f"if a network is in it, {ORIGINAL}")
    if head[4:8] == b"TFL3":
        command = f"python -m tf2onnx.convert --tflite {name} --output model.onnx"
        return Foreign("a TFLite model", f"convert it to ONNX (pip install tf2onnx): {command}")
    if head[4:8] == b"ORTM":
        return Foreign("a model in onnxruntime's own form (.ort)", "open the .onnx file that it was made from")
    if head.startswith(b"GGUF"):
        return Foreign(
            "a GGUF file of a language model (llama.cpp)", "it sees no picture; open a vision model's weights"
        )
    if head[:4] in (b"ptrt", b"ftrt") or (head[4:5] == b"{" and b'"stride"' in head[:4096] and b"names" in head[:4096]):
        return Foreign("a TensorRT engine, which runs on one kind of GPU only", ULTRALYTICS)
    if path.suffix.lower() == ".pkl" and head.startswith(b"\x80") and _of_detectron(path, head):
        stem = path.stem if SIMPLE.fullmatch(path.stem) else "FILE"  # it stands between quotes of Python and the shell
        code = f"import pickle, torch; m = pickle.load(open('{stem}.pkl', 'rb'))['model']; "
        code += f"torch.save({{k: torch.as_tensor(v) for k, v in m.items()}}, '{stem}.pth')"
        return Foreign(
            "a pickle of Detectron2's weights, which could run code",
            f'if you trust it, save its tensors: python -c "{code}"',
        )
    if head.startswith(b"RKNN"):
        return Foreign("an RKNN model", "open the .onnx file that it was made from")
    if head.startswith(struct.pack("<Q", 0x112)):
        symbol = f"{path.stem.rpartition('-')[0] or path.stem}-symbol.json"
        command = f"mxnet.onnx.export_model('{symbol}', '{name}', [(1, 3, 224, 224)])"
        return Foreign("weights of MXNet", f"convert them to ONNX where MXNet is: {command}")
    if head.startswith(struct.pack("<I", 7767517)):
        return _ncnn()
    if len(head) >= 20 and path.suffix.lower() == ".weights" and struct.unpack("<2i", head[:8]) in ((0, 1), (0, 2)):
        return _darknet(path)
    return None


def _of_detectron(path: Path, head: bytes) -> bool:
    """Return whether a pickle names its author, as those of Detectron2's model zoo do, before or after the tensors."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        ends = head[:4096] + file.read()
    return b"__author__" in ends and b"model" in ends


def _ncnn() -> Foreign:
    return Foreign("a model of ncnn", f"ncnn does not convert back: {ORIGINAL}")


def _darknet(path: Path) -> Foreign:
    command = f"python demo_darknet2onnx.py {path.stem}.cfg NAMES {path.stem}.weights PICTURE 1"
    return Foreign("a network of Darknet", f"convert cfg and weights to ONNX with pytorch-YOLOv4's script: {command}")


def _archive(path: Path, head: bytes) -> Foreign | None:
    """Recognise models packed into archives, and archives that are models."""
    if head.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:MOST_MEMBERS]
        if path.suffix.lower() == ".pt2" or any(name.endswith(TORCH) for name in names):
            return None
        if "model.weights.h5" in names or {"config.json", "metadata.json"} <= set(names):
            return _keras(path, ".keras")
        if names and all(name.endswith(".npy") for name in names):
            return Foreign("a set of NumPy arrays (.npz)", f"they hold no network: {ORIGINAL}")
        return _packed(names)
    if head[257:262] == b"ustar" or head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
        return _packed(list(_members(path, head)))
    return None


def _packed(names: list[str]) -> Foreign | None:
    inner = next((name for name in names if name.lower().endswith(INSIDE)), "")
    if any(Path(name).name == "saved_model.pb" for name in names):
        return Foreign("an archive with TensorFlow's SavedModel in it", "unpack it, and open its folder")
    return Foreign("an archive with a model in it", f"unpack it, and open {Path(inner).name}") if inner else None


class _Bounded:
    """The first bytes of a stream, however far a compressed one would grow."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MOST_UNPACKED

    def read(self, size: int) -> bytes:
        """Return the next bytes, none after the bound."""
        found = self._stream.read(min(size, self._left))
        self._left -= len(found)
        return found


def _members(path: Path, head: bytes) -> Iterator[str]:
    """Yield the names in a tar archive, as far as its first bytes reach."""
    openers = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
    with openers.get(head[:2], open)(path, "rb") as stream, suppress(tarfile.TarError, OSError, EOFError):
        bounded: Any = _Bounded(stream)
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for member, _ in zip(archive, range(MOST_MEMBERS), strict=False):
                yield member.name


def _text(path: Path, head: bytes) -> Foreign | None:
    """Recognise descriptions of networks in text: XML, JSON and the layers of ncnn, Darknet and Caffe."""
    begin = head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin.startswith((b"<?xml", b"<net ")) and b"<net " in begin and b"<layer" in head:
        return Foreign("a network of OpenVINO", f"OpenVINO does not convert back: {ORIGINAL}")
    if begin.startswith(b"7767517"):
        return _ncnn()
    if begin.startswith(b"{"):
        return _json(path, head)
    lines = [line.strip() for line in begin.splitlines() if line.strip() and not line.lstrip().startswith(b"#")]
    if lines and lines[0] in (b"[net]", b"[network]") and b"[convolutional]" in head:
        return _darknet(path)
    if any(line.startswith((b"layer {", b"layers {", b"layer{")) for line in lines[:200]):
        return _caffe(path)
    return None


def _caffe(path: Path) -> Foreign:
    return Foreign("a network of Caffe", f"convert it to ONNX with caffe2onnx, or {ORIGINAL}")


def _json(path: Path, head: bytes) -> Foreign | None:
    if b'"arg_nodes"' in head or (b'"nodes"' in head and b'"op": "null"' in head):
        command = f"mxnet.onnx.export_model('{path.name}', 'NAME-0000.params', [(1, 3, 224, 224)])"
        return Foreign("a network of MXNet", f"convert it to ONNX where MXNet is: {command}")
    if b'"modelTopology"' in head:
        return Foreign(
            "a model of TensorFlow.js", "convert the Keras model or SavedModel that it was made from to ONNX"
        )
    if b'"weight_map"' not in head or path.stat().st_size > MOST_JSON:
        return None
    told = json.loads(path.read_bytes())
    shards = sorted({str(name) for name in told.get("weight_map", {}).values()}) if isinstance(told, dict) else []
    missing = [name for name in shards if not (path.parent / Path(name).name).is_file()]
    if not shards or (not missing and (path.parent / "config.json").is_file()):
        return None
    count = f"{len(shards)} files of weights"
    if missing:
        named = ", ".join(Path(name).name for name in missing[:3]) + (", …" if len(missing) > 3 else "")
        return Foreign(
            f"the index of {count}, of which {len(missing)} are not beside it", f"download {named} into its folder"
        )
    return Foreign(f"the index of {count}", "open its folder, with the network's config.json in it")


def _protobuf(path: Path, head: bytes) -> Foreign | None:
    """Recognise messages of protobuf that are no ONNX, by what stands first in them."""
    low, suffix = head[: 1 << 16], path.suffix.lower()
    if head.startswith(b"\x08\x01\x12") and (
        path.name == "saved_model.pb" or b"serve" in head or b"SavedModel" in head
    ):
        return _saved_model(path.parent)
    if b"com.github.apple.coremltools" in head or (suffix == ".mlmodel" and head.startswith(b"\x08")):
        return Foreign("a Core ML model", f"Core ML does not convert back: {ORIGINAL}")
    inner = dict(_fields(head[:4096]))
    if head.startswith(b"\x0a") and 1 in inner:
        node = dict(_fields(inner[1]))
        if node.get(2, b"") in (b"Placeholder", b"Const", b"VariableV2", b"PlaceholderV2", b"NoOp", b"Identity"):
            command = (
                f"python -m tf2onnx.convert --graphdef {path.name} --output model.onnx --inputs IN:0 --outputs OUT:0"
            )
            return Foreign("a frozen graph of TensorFlow", f"convert it to ONNX (pip install tf2onnx): {command}")
        if suffix == ".caffemodel" or (b"Convolution" in low and b"InnerProduct" in low):
            return _caffe(path)
    if (
        head.startswith(b"\x0a")
        and b"feed" in low
        and b"fetch" in low
        and (suffix == ".pdmodel" or b"pool2d" in head or b"op_role" in head)
    ):
        return _paddle(path)
    if suffix == ".caffemodel":
        return _caffe(path)
    return None


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and content of the fields of a message that are chunks, the first ones; cut ones as they are."""
    at = 0
    while at < len(data):
        key = data[at]
        size, shift, at = 0, 0, at + 1
        while at < len(data):
            byte = data[at]
            size, shift, at = size | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128 or shift > 63:
                break
        if key & 7 == 2:
            yield key >> 3, data[at : at + size]
            at += size
        elif key & 7:
            return


def _paddle(path: Path) -> Foreign:
    names = f"--model_filename {path.stem}.pdmodel --params_filename {path.stem}.pdiparams"
    command = f"paddle2onnx --model_dir . {names} --save_file model.onnx"
    return Foreign("a network of Paddle", f"convert it to ONNX (pip install paddle2onnx): {command}")


# Weights without a mark of their own, by their suffix and, for .bin, by the network that lies beside them.
SUFFIXES: dict[str, Callable[[Path], Foreign]] = {
    ".pdiparams": _paddle,
    ".pdparams": lambda path: Foreign("weights of Paddle", "export the network with paddle.jit.save, then paddle2onnx"),
    ".engine": lambda path: Foreign("a TensorRT engine, which runs on one kind of GPU only", ULTRALYTICS),
    ".plan": lambda path: Foreign("a TensorRT engine, which runs on one kind of GPU only", ORIGINAL),
    ".trt": lambda path: Foreign("a TensorRT engine, which runs on one kind of GPU only", ORIGINAL),
    ".msgpack": lambda path: Foreign("weights of Flax", f"convert them to PyTorch with transformers, or {ORIGINAL}"),
    ".mnn": lambda path: Foreign("a model of MNN", f"MNN does not convert back: {ORIGINAL}"),
}


def _beside(path: Path, head: bytes) -> Foreign | None:
    del head
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix](path)
    if suffix == ".bin":
        for other in (".xml", ".param"):
            beside = path.with_suffix(other)
            if beside.is_file():
                with beside.open("rb") as file:
                    return _text(beside, file.read(HEAD))
    return None
