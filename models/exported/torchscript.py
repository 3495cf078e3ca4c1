"""Open TorchScript, which is code: check its source and pickles before torch loads it, and its graphs afterwards.

TorchScript has operators that read and write files, classes that reach further, and methods that run during loading. So
the source is compared with what networks contain (`torchscript_source`), the pickles likewise (`torchscript_objects`),
and after loading every node of every function with an allow-list (`allowed_operators`).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import torch
import torchvision  # noqa: F401 - registers its operators
from torch.jit._recursive import wrap_cpp_module

from models import files
from models.exported import allowed_operators, torch_archive, torchscript_objects, torchscript_source
from models.types import Refusal

PICKLES = ("data.pkl", "constants.pkl")
BESIDE = re.compile(
    r"(data|constants)/\d+|(data|constants|attributes)\.pkl|traced_inputs(/\d+|\.pkl)|code/__torch__(/\w+)*\.py|.*\.debug_pkl|version|byteorder"
    r"|\.data/\w+|\.format_version|extra/.*|model\.json|bytecode\.pkl|attributes/.*",
    re.ASCII,
)
METADATA, MOST_METADATA = "extra/config.txt", 1 << 20
MOST_SOURCE_BYTES = 16 << 20
MOST_FUNCTIONS = 100_000
ADVICE = "Nothing of it was run. Save it again without that, or open the network's weights or its own code instead."


def opened(content: bytes, *, name: str) -> torch.jit.ScriptModule:
    """Return the module of a TorchScript file, on the CPU, from the file's bytes; `name` is used in messages.

    Raises Refusal if it is broken, or calls or contains what no network does.
    """
    reader = torch_archive.opened(io.BytesIO(content), name=name, size=len(content))
    names = reader.get_all_records()
    if strange := [one for one in names if not BESIDE.fullmatch(one)]:
        raise _refusal(name, f"holds {ascii(strange[0])[:80]}")
    try:
        torchscript_source.check(_sources(reader, names, name))
    except torchscript_source.ForeignError as error:
        raise _refusal(name, f"says {error} in its code") from error
    for pickle in PICKLES:
        if pickle in names:
            folder = pickle.removesuffix(".pkl")
            sizes = {
                one.removeprefix(f"{folder}/"): int(reader.get_record_size(one))
                for one in names
                if one.startswith(f"{folder}/")
            }
            try:
                torchscript_objects.check(torch_archive.record(reader, pickle, name), sizes, file_bytes=len(content))
            except torchscript_objects.ForeignError as error:
                raise _refusal(name, f"keeps {ascii(str(error))[1:-1][:80]}") from error
    del reader
    try:
        with files.Quiet():
            unit = torch._C.CompilationUnit()
            found = torch._C.import_ir_module_from_buffer(unit, content, torch.device("cpu"), {}, False)  # type: ignore[call-arg]
            module = wrap_cpp_module(found)
            functions: Any = unit.get_functions()
            nodes = [node for function in functions for node in _nodes(function.graph)]
    except Exception as error:  # torch may raise anything for a broken file
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        said = ascii(lines[0] if lines else "")[1:-1][:200]
        raise Refusal(f"{name} is broken: {said}", advice="Save it again.") from error
    for node in nodes:
        space, _, kind = node.kind().partition("::")
        if not allowed_operators.script_operator(space, kind):
            raise _refusal(name, f"calls {ascii(node.kind())[1:-1][:80]}")
    return module


def metadata(content: bytes, *, name: str) -> dict[str, str]:
    """Return what ultralytics writes beside a network (names, imgsz, task), as ONNX files hold it; {} for nothing."""
    reader = torch_archive.opened(io.BytesIO(content), name=name, size=len(content))
    if METADATA not in reader.get_all_records() or reader.get_record_size(METADATA) > MOST_METADATA:
        return {}
    try:
        found = json.loads(torch_archive.record(reader, METADATA, name))
    except (ValueError, RecursionError):
        return {}
    return {str(key): repr(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _refusal(name: str, what: str) -> Refusal:
    return Refusal(f"{name} {what}, which no network does.", advice=ADVICE)


def _sources(reader: Any, names: list[str], name: str) -> list[tuple[str, str]]:
    """Return the source files of an archive. Raises Refusal for more than a network has, or for invalid text."""
    found, total = [], 0
    for one in names:
        if not one.startswith("code/") or not one.endswith(".py"):
            continue
        total += int(reader.get_record_size(one))
        if total > MOST_SOURCE_BYTES:
            raise _refusal(name, "has more code than can be looked through")
        try:
            found.append((one, torch_archive.record(reader, one, name).decode("ascii")))
        except UnicodeDecodeError as error:
            raise _refusal(name, "has code with characters that no printer writes") from error
    return found


def _nodes(graph: Any) -> Iterator[Any]:
    """Yield every node of a graph, including those in its blocks and in graphs held as attributes."""
    waiting = [graph]
    while waiting:
        for node in waiting.pop().nodes():
            yield node
            waiting += node.blocks()
            for attribute in node.attributeNames():
                match node.kindOf(attribute):
                    case "g":
                        waiting.append(node.g(attribute))
                    case "gs":
                        waiting += node.gs(attribute)
