"""Read torch.export programs that are not trusted: anything that a network's program does not contain is refused.

A .pt2 file is an archive of JSON and tensors. The JSON is validated against a schema and written anew
(`torch_export_schema`), tensors are read here with the sizes the archive really has, and nothing else in the archive is
used: no pickles, no sample inputs.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import files
from models.exported import torch_export_schema
from models.loading import weights
from models.types import Refusal

MODEL = "models/model.json"
SAMPLES = "data/sample_inputs/model.pt"
WEIGHTS, CONSTANTS = "data/weights/", "data/constants/"
CONFIGS = {WEIGHTS: f"{WEIGHTS}model_weights_config.json", CONSTANTS: f"{CONSTANTS}model_constants_config.json"}
BESIDE = re.compile(
    r"data/(weights/weight|constants/tensor)_\d+|data/sample_inputs/model\.pt|archive_\w+|byteorder|version|\.data/\w+"
    r"|\.format_version|extra/.*",
    re.ASCII,
)
ADVICE = "Nothing of it was run. Export it again, or open its weights instead."
AGAIN = "Copy or export it again."
INFLATED = 64 * 2**20
MOST_JSON_BYTES = 48 * 2**20
MOST_JSON_PARTS = 4_000_000
RATIO, ROOM_BYTES = 8, 1 << 24
TYPES = {
    **{1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16},
    **{7: torch.float32, 8: torch.float64, 10: torch.complex64, 11: torch.complex128, 12: torch.bool},
    **{13: torch.bfloat16},
}


@dataclass(frozen=True)
class Exported:
    """A torch.export program, and the dynamic dimensions of its tensors by name."""

    program: Any
    free: dict[str, tuple[int, ...]]


def exported(path: Path) -> Exported:
    """Return the program of a .pt2 file. Raises Refusal if it is broken or contains more than a network does."""
    reader = opened(path)
    names = set(reader.get_all_records())
    if any(name.startswith("data/aotinductor") for name in names):
        raise Refusal(f"{path.name} holds compiled code.", advice="Save the program with torch.export.save instead.")
    if MODEL not in names:
        raise Refusal(
            f"{path.name} contains no torch.export program that can be read.",
            advice="Save it again with torch.export.save of torch 2.8 or newer.",
        )
    known = {MODEL, *CONFIGS.values()}
    if strange := sorted(name for name in names if name not in known and not BESIDE.fullmatch(name)):
        raise Refusal(f"{path.name} holds {ascii(strange[0])[:80]}, which no plain program does.", advice=ADVICE)
    if SAMPLES in names and (foreign := weights.imports(record(reader, SAMPLES, path.name))):
        # These members would not be read, but no exporter writes them: refuse the file.
        said = ascii(foreign[0])[1:-1][:80]
        raise Refusal(f"{path.name} has sample inputs that could run code ({said}).", advice=ADVICE)
    given = _json(reader, MODEL, path)
    try:
        program = torch_export_schema.program(given)
        configs = {
            folder: torch_export_schema.payload(_json(reader, name, path)) if name in names else {"config": {}}
            for folder, name in CONFIGS.items()
        }
    except torch_export_schema.WrongError as error:
        raise _wrong(path, error) from error
    tensors = {folder: _tensors(reader, folder, config["config"], path) for folder, config in configs.items()}
    from torch._export.serde.serialize import SerializedArtifact, deserialize

    state, constants = tensors[WEIGHTS], tensors[CONSTANTS]
    artifact = SerializedArtifact(json.dumps(program).encode(), state, constants, None)  # type: ignore[arg-type]
    try:
        with files.Quiet():
            return Exported(deserialize(artifact), torch_export_schema.free_sides(given))
    except Exception as error:  # torch may raise anything for a broken graph
        raise broken(path, error) from error


def broken(path: Path, error: Exception) -> Refusal:
    """Return the refusal of a program that torch cannot load, with the error in its details."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = ascii(lines[-1] if lines else "")[1:-1][:200]
    text = f"{path.name} is broken: {type(error).__name__}{': ' if said else ''}{said}"
    return Refusal(text, advice="Export it again.", details=str(error)[:20_000])


def opened(path: Path | io.BytesIO, *, name: str = "", size: int = 0) -> Any:
    """Return torch's own reader of an archive, so that the bytes checked are the bytes torch uses.

    Raises Refusal if the file is no archive, or unpacks to far more than its size.
    """
    if isinstance(path, Path):
        name, size = path.name, path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        packed = sum(one.file_size for one in members if one.compress_type != zipfile.ZIP_STORED)
        if packed > INFLATED or sum(one.file_size for one in members) > INFLATED + 2 * size:
            raise Refusal(f"{name} unpacks to far more than it is.", advice="It is not opened.")
        if isinstance(path, io.BytesIO):
            path.seek(0)
        return torch._C.PyTorchFileReader(str(path) if isinstance(path, Path) else path)
    except (zipfile.BadZipFile, RuntimeError, OSError, ValueError, NotImplementedError, OverflowError) as error:
        raise Refusal(f"{name} is not an archive, or a broken one.", advice=AGAIN) from error


def record(reader: Any, name: str, file: str) -> bytes:
    """Return a member of an archive. Raises Refusal if its checksum is wrong or it is truncated."""
    try:
        return reader.get_record(name)
    except (RuntimeError, ValueError, MemoryError) as error:
        raise Refusal(f"{file} is broken ({ascii(name)[1:60]}).", advice=AGAIN) from error


def _json(reader: Any, name: str, path: Path) -> Any:
    content = record(reader, name, path.name)
    parts = content.count(b",") + content.count(b"[") + content.count(b"{")
    if len(content) > MOST_JSON_BYTES or parts > MOST_JSON_PARTS:
        raise Refusal(f"{path.name} describes more than a network has.", advice="It is not opened.")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"{path.name} is broken ({name}).", advice="Export it again.") from error


def _wrong(path: Path, error: torch_export_schema.WrongError) -> Refusal:
    if error.field == "guards_code":
        return Refusal(f"{path.name} has guards of Python code.", advice=ADVICE)
    if error.field == "use_pickle":
        return Refusal(f"{path.name} keeps a tensor as a pickle, which could run code.", advice=ADVICE)
    return Refusal(f"{path.name} says {error}, which no network needs.", advice=ADVICE)


def _tensors(reader: Any, folder: str, config: dict[str, Any], path: Path) -> dict[str, Tensor]:
    """Return the tensors of a list as views of the archive's data. Raises Refusal for anything else."""
    flat: dict[tuple[str, torch.dtype], Tensor] = {}
    made, claimed = {}, 0
    for name, meta in config.items():
        if meta["use_pickle"] or meta.get("tensor_meta") is None:
            raise _wrong(path, torch_export_schema.WrongError("use_pickle", name))
        about = meta["tensor_meta"]
        kind = TYPES.get(about["dtype"])
        if kind is None or about["layout"] not in (0, 7):
            raise Refusal(f"{name} in {path.name} is not a tensor of plain numbers.", advice=AGAIN)
        size, stride = ([one["as_int"] for one in about[key]] for key in ("sizes", "strides"))
        offset = about["storage_offset"]["as_int"]
        key = (meta["path_name"], kind)
        if key not in flat:
            flat[key] = _numbers(reader, f"{folder}{key[0]}", kind, path)
        held = flat[key]
        last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=False))
        count = math.prod(size)
        bad = len(size) != len(stride) or len(size) > 64 or min([offset, *size, *stride]) < 0
        if bad or (count and last >= len(held)):
            raise Refusal(f"{path.name} is too short for {name}.", advice="Copy it again.")
        claimed += count * kind.itemsize
        if claimed > RATIO * path.stat().st_size + ROOM_BYTES:
            raise Refusal(f"The tensors of {path.name} claim far more than it holds.", advice="It is not opened.")
        tensor = held.as_strided(size, stride, offset) if count else held.new_empty(size)
        made[name] = nn.Parameter(tensor, requires_grad=_grows(kind)) if meta["is_param"] else tensor
    return made


def _grows(kind: torch.dtype) -> bool:
    return kind.is_floating_point or kind.is_complex


def _numbers(reader: Any, name: str, kind: torch.dtype, path: Path) -> Tensor:
    content = record(reader, name, path.name)
    whole = len(content) // kind.itemsize
    if not whole:
        return torch.empty(0, dtype=kind)
    return torch.frombuffer(bytearray(content), dtype=kind, count=whole)
