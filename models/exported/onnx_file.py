"""Read an ONNX file that is not trusted: size limits first, external data only from the file's own folder."""

from __future__ import annotations

import importlib
import math
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models import files
from models.types import Refusal

MOST_BYTES = 2**31 - 1  # protobuf's limit for a message
MOST_PIECES = 2_000_000
MOST_VALUES = 2**28
MOST_PLACE = 1024  # characters in a path of external data
CHUNKED = 2
GRAPH, INITIALIZER = 7, 5
INSTALL = 'Install it with pip install "vitrine[onnx]", or pip install onnx.'


def read(path: Path) -> tuple[Any, tuple[Path, ...]]:
    """Return the ModelProto in a file with all tensors loaded, and the files of external data they came from.

    Raises Refusal if the onnx package is missing, if the file is not ONNX or has an excessive number of messages, and
    if external data is missing, too short, or outside the file's own folder.
    """
    onnx = package()
    path = files.check(path)
    if path.stat().st_size > MOST_BYTES:
        raise Refusal(f"{path.name} is larger than 2 GB.", advice="Save its tensors beside it as external data.")
    content = path.read_bytes()
    _bounded(content, path)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's errors have no common base class
        raise Refusal(
            f"{path.name} is not an ONNX file, or a broken one.", advice="Export or download it again."
        ) from error
    if not len(model.graph.node):
        raise Refusal(f"{path.name} is not an ONNX file, or has no nodes.", advice="Export it again.")
    return model, _take_in(onnx, model, path)


def package(name: str = "onnx") -> Any:
    """Return a module of the onnx package. Raises Refusal with instructions if it is not installed."""
    try:
        with files.Quiet():
            return importlib.import_module(name)
    except ImportError as error:
        raise Refusal("ONNX files need the package onnx, which is not installed.", advice=INSTALL) from error


def tensors(onnx: Any, graph: Any) -> Iterator[Any]:
    """Yield every tensor of a graph, including those in attributes of nodes and in nested graphs."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield sparse.values
        yield sparse.indices
    for node in graph.node:
        yield from _of_node(onnx, node)


def _of_node(onnx: Any, node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield sparse.values
            yield sparse.indices
        for inner in ((attribute.g,) if attribute.HasField("g") else (), attribute.graphs):
            for graph in inner:
                yield from tensors(onnx, graph)


def _take_in(onnx: Any, model: Any, path: Path) -> tuple[Path, ...]:
    """Load external data into the model, after checking every location it names."""
    found: dict[Path, int] = {}
    every = [*tensors(onnx, model.graph), *(t for f in model.functions for n in f.node for t in _of_node(onnx, n))]
    outside = [tensor for tensor in every if tensor.data_location == onnx.TensorProto.EXTERNAL]
    pieces = [(tensor, *_piece(onnx, tensor, path)) for tensor in outside]
    if sum(length for *_, length in pieces) > MOST_BYTES:
        raise Refusal(f"The tensors of {path.name} take more than 2 GB.", advice="So large a network is not opened.")
    for tensor, place, offset, length in pieces:
        with place.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
        found[place] = 1
    return tuple(found)


def _piece(onnx: Any, tensor: Any, path: Path) -> tuple[Path, int, int]:
    """Return file, offset and length of a tensor's external data, checked before anything is read. Raises Refusal."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    if len(location) > MOST_PLACE:
        raise Refusal(f"{path.name} wants data from a place with a name too long.", advice="Nothing was read.")
    parts = Path(location.replace("\\", "/")).parts
    if not parts or location.startswith(("/", "\\")) or ":" in location or "\0" in location or ".." in parts:
        raise Refusal(
            f"{path.name} wants data from {location!r}, outside its own folder.",
            advice="Nothing was read. External data must lie beside the file.",
        )
    folder = path.parent.resolve()
    place = folder.joinpath(*parts)
    try:
        status = place.lstat()
    except (OSError, ValueError) as error:
        raise Refusal(
            f"{path.name} keeps tensors in {location}, which is not there.", advice=f"Put it into {folder}."
        ) from error
    if place.resolve() != place or not stat.S_ISREG(status.st_mode):
        raise Refusal(
            f"{path.name} wants data from {location}, which is a link or no ordinary file.",
            advice="Nothing was read. Put the data itself beside the file.",
        )
    try:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        needed = math.prod(tensor.dims) * kind.itemsize
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", needed))
    except (ValueError, TypeError, KeyError) as error:
        raise Refusal(f"{path.name} is broken: {tensor.name} has no size.", advice="Export it again.") from error
    if offset < 0 or length != needed or offset + length > status.st_size:
        raise Refusal(
            f"{location} is too short for {tensor.name}: {needed:,} bytes from {offset:,} of {status.st_size:,}.",
            advice="Copy both files again.",
        )
    return place, offset, length


def _bounded(content: bytes, path: Path) -> None:
    """Raise Refusal for more messages than a network has.

    A parsed message takes many times the two bytes it needs in the file.
    """
    pieces = 0
    for number, chunk in _fields(memoryview(content)):
        pieces += 1
        if number == GRAPH:
            for inner, part in _fields(chunk):
                pieces += 1
                # The raw data of a tensor counts as one message; any other field may hold a message in every second
                # byte.
                pieces += sum(1 for _ in _fields(part)) if inner == INITIALIZER else len(part) // 16
                if pieces > MOST_PIECES:
                    break
        else:
            pieces += len(chunk) // 16
        if pieces > MOST_PIECES:
            raise Refusal(f"{path.name} has more parts than a network has.", advice="It is not opened.")


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield number and content of a message's fields; stop at malformed data, which protobuf will report."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == CHUNKED:
            size, at = _varint(data, at)
            if size > len(data) - at:
                return
        elif kind == 0:
            _, at = _varint(data, at)
            size = 0
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            return
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            break
    return value, at
