"""Reads torch.export programs and TorchScript without trusting them: what could run code or touch files is refused.

A .pt2 holds its graph as JSON, which torch takes far: names of functions are looked up in `torch` whatever they are,
sizes are evaluated as Python by SymPy, guards are executed, type names are imported, and tensors of unusual types and
sample inputs are unpickled. So each of these is held against what a network needs before torch sees the file. (torch
2.15 unpickles sample inputs in the safe way first: only what passes that is let through.)

TorchScript is a language of its own, without Python's functions, but it has operators that write and read files.
"""

from __future__ import annotations

import json
import math
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from models import files
from models.loading import weights
from models.types import Refusal

MODEL = "models/model.json"
SAMPLES = "data/sample_inputs/model.pt"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
PLAIN = re.compile(
    r"data/(weights/weight|constants/tensor)_\d+|archive_\w+|byteorder|version|\.data/\w+|\.format_version"
)
OPERATORS = r"torch\.ops\.(aten|prims|torchvision|higher_order)\.\w+(\.\w+)?"
TARGET = re.compile(rf"{OPERATORS}|torch\._?sym_\w+|_operator\.\w+|math\.\w+")
FILE_OPERATORS = ("from_file", "save", "load")
NAME = re.compile(r"[A-Za-z_]\w*")
SYMBOL = re.compile(
    r"Symbol\('[suz]\d+'(, (positive|nonnegative|integer)=True)*\)|\b[suz]\d+\b|\b\d+\.?\d*(e[+-]?\d+)?"
)
EXPRESSION = re.compile(r"[\w\s+\-*/(),<>=!&|~%]*")
SIZES = {
    "Max",
    "Min",
    "Mod",
    "PythonMod",
    "FloorDiv",
    "CleanDiv",
    "CeilDiv",
    "ModularIndexing",
    "Where",
    "PowByNatural",
}
SIZES |= {"TruncToInt", "CeilToInt", "FloorToInt", "RoundToInt", "ToFloat", "IntTrueDiv", "FloatTrueDiv", "int_oo"}
SIZES |= {"Add", "Mul", "Pow", "Integer", "Float", "Rational", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "oo"}
SPECS = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
NAMESPACES = {"aten", "prim", "prims", "quantized", "torchvision"}
ADVICE = "Nothing of it was run. Export it again, or open its weights instead."
INFLATED = 64 * 2**20


def exported(path: Path) -> Any:
    """Return the ExportedProgram of a .pt2 file. Raises Refusal for one that is broken or could run code."""
    reader = _reader(path)
    names = reader.get_all_records()
    if any(name.startswith("data/aotinductor") for name in names):
        raise Refusal(f"{path.name} holds compiled code.", advice="Save the program with torch.export.save instead.")
    if MODEL not in names:
        raise Refusal(
            f"{path.name} holds no program of torch.export that can be read.",
            advice="Save it again with torch.export.save of torch 2.8 or newer.",
        )
    strange = [name for name in names if name not in (MODEL, SAMPLES, *CONFIGS) and not PLAIN.fullmatch(name)]
    if strange := [name for name in strange if not name.startswith("extra/")]:
        raise Refusal(f"{path.name} holds {strange[0]}, which no plain program does.", advice=ADVICE)
    for config in CONFIGS:
        _check_config(_json(reader, config, path) if config in names else {}, path)
    _check_samples(reader.get_record(SAMPLES) if SAMPLES in names else b"", path)
    _check_graph(_json(reader, MODEL, path), path)
    from torch.export.pt2_archive._package import load_pt2

    try:
        with files.Quiet(), path.open("rb") as file:
            return load_pt2(file).exported_programs["model"]
    except Exception as error:  # torch raises whatever a broken graph leads to
        said = (str(error).splitlines() or [""])[0][:200]
        raise Refusal(f"{path.name} is broken: {type(error).__name__}: {said}", advice="Export it again.") from error


def scripted(path: Path) -> torch.jit.ScriptModule:
    """Return the TorchScript module of a file, on the CPU. Raises Refusal for one that is broken or touches files."""
    reader = _reader(path)
    for name in (n for n in reader.get_all_records() if n.startswith("code/") and n.endswith(".py")):
        code = reader.get_record(name).decode("utf-8", "replace")
        used = set(NAME.findall(code))
        if found := [word for word in FILE_OPERATORS if word in used]:
            raise Refusal(f"{path.name} would read or write files ({', '.join(found)}).", advice=ADVICE)
        others = {space for space in re.findall(r"\bops\s*\.\s*(\w+)", code) if space not in NAMESPACES}
        if others:
            raise Refusal(f"{path.name} calls operators that are no network's ({', '.join(others)}).", advice=ADVICE)
    try:
        with files.Quiet():
            return torch.jit.load(str(path), map_location="cpu")
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0][:200]
        raise Refusal(f"{path.name} is broken: {said}", advice="Save it again.") from error


def _reader(path: Path) -> Any:
    """Return torch's own reader, so that what is checked is what torch will see. Raises Refusal for a bomb."""
    try:
        with zipfile.ZipFile(path) as archive:
            packed = [one for one in archive.infolist() if one.compress_type != zipfile.ZIP_STORED]
            large = sum(one.file_size for one in packed) > INFLATED
            large = large or sum(one.file_size for one in archive.infolist()) > INFLATED + 2 * path.stat().st_size
        if large:
            raise Refusal(f"{path.name} unpacks to far more than it is.", advice="It is not opened.")
        return torch._C.PyTorchFileReader(str(path))
    except (zipfile.BadZipFile, RuntimeError, OSError, ValueError) as error:
        raise Refusal(f"{path.name} is no archive, or a broken one.", advice="Copy or export it again.") from error


def _json(reader: Any, name: str, path: Path) -> Any:
    try:
        return json.loads(reader.get_record(name))
    except (ValueError, RecursionError, RuntimeError) as error:
        raise Refusal(f"{path.name} is broken ({name}).", advice="Export it again.") from error


def _check_config(config: Any, path: Path) -> None:
    """Raise Refusal for tensors that are pickled, or larger than the file."""
    for name, item in (config.get("config", {}) if isinstance(config, dict) else {}).items():
        if item.get("use_pickle") or not re.fullmatch(r"(weight|tensor)_\d+", str(item.get("path_name"))):
            raise Refusal(f"{path.name} keeps {name} as a pickle, which could run code.", advice=ADVICE)
        sizes = [size.get("as_int", 0) for size in (item.get("tensor_meta") or {}).get("sizes", ())]
        if not all(isinstance(size, int) and size >= 0 for size in sizes) or math.prod(sizes) > path.stat().st_size:
            raise Refusal(f"{path.name} is too short for {name}.", advice="Copy it again.")


def _check_samples(content: bytes, path: Path) -> None:
    """Raise Refusal for sample inputs that the safe unpickler does not take."""
    if content and not weights.plain(content):
        raise Refusal(f"{path.name} has sample inputs that could run code.", advice=ADVICE)


def _check_graph(program: Any, path: Path) -> None:
    """Raise Refusal for anything in the graph that torch would look up, evaluate, import or execute."""
    if not isinstance(program, dict) or program.get("guards_code"):
        raise Refusal(f"{path.name} has guards of Python code.", advice=ADVICE)
    for key, value in _leaves(program):
        wrong = False
        if key == "target":
            parts = value.split(".")
            wrong = not TARGET.fullmatch(value) or any(p.startswith("__") for p in parts) or parts[-1] in FILE_OPERATORS
            wrong = wrong or any(part in FILE_OPERATORS for part in parts)
        elif key == "expr_str":
            wrong = not _harmless(value)
        elif key in ("in_spec", "out_spec"):
            wrong = not _plain_spec(value)
        if wrong:
            raise Refusal(f"{path.name} names {value[:80]!r}, which no network needs.", advice=ADVICE)


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text in JSON with the key that it stands under."""
    waiting = [(key, value)]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(str(k), v) for k, v in value.items()]
        elif isinstance(value, list):
            waiting += [(key, v) for v in value]
        elif isinstance(value, str):
            yield key, value


def _harmless(expression: str) -> bool:
    """Tell whether a size is made of symbols, numbers and functions of sizes alone."""
    rest = SYMBOL.sub("0", expression)
    return EXPRESSION.fullmatch(rest) is not None and all(name in SIZES for name in NAME.findall(rest))


def _plain_spec(text: str) -> bool:
    """Tell whether a description of containers names none but plain ones."""
    if not text:
        return True
    try:
        waiting = [json.loads(text)]
    except (ValueError, RecursionError):
        return False
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            if one.get("type") not in SPECS or "__enum__" in str(one.get("context")):
                return False
            waiting += one.get("children_spec", [])
    return True
