"""Opens exported programs: ONNX files, torch.export programs (.pt2) and TorchScript.

A program's operators are checked before it runs, and TorchScript, which is code, runs only after the user has allowed
it. An exported program carries no class name to recognise it by, so its task is found by running it once, within a
budget; what that leaves open is an assumption the user can change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from models import files
from models.cards import card as cards
from models.exported import onnx_file, onnx_graph, onnx_metadata, torch_archive, torch_export, torchscript
from models.loading.opened_model import Opened
from models.runtime.context import Context
from models.user_code import consent

Shape = tuple[int, int, int]


def match(base: str) -> bool:
    """Return whether this names a file that holds a program, as opposed to weights alone."""
    path = Path(base)
    return path.suffix.lower() in files.PROGRAM_SUFFIXES | files.WEIGHTS_SUFFIXES and files.is_program(path)


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return the program as a network.

    Raises Refusal for a file that is broken, could run code, or does not hold a network that takes one picture.
    """
    file = files.check(Path(base))
    card = cards.of_file(file)
    with context.stage("read program"):
        net, shape, more, kind, names = _read(file, context)
    about: dict[str, Any] = {"program": kind, "input": shape, **card.about}
    card = replace(card, sha256=files.sha256(file), about=about, classes=card.classes or names)
    return Opened(net, card, (cards.place(file), *more), assumed=assumed, measured=_size(file, more))


def _size(file: Path, more: tuple[Path, ...]) -> int:
    """Return the size in bytes of a program and the files that belong to it."""
    return sum(one.stat().st_size for one in (file, *more))


def _read(file: Path, context: Context) -> tuple[nn.Module, Shape, tuple[Path, ...], str, tuple[str, ...]]:
    """Return the network, its input shape (C, H, W), its other files, the name of the format, and its class names."""
    match file.suffix.lower():
        case ".onnx":
            model, more = onnx_file.read(file)
            size, check = _size(file, more), context.check
            net, (channels, height, width) = onnx_graph.convert(model, name=file.name, size=size, check=check)
            told = onnx_metadata.size(model) if not height and not width else (height, width)
            return net, (channels, *told), more, "ONNX", onnx_metadata.names(model)
        case ".pt2":
            return *torch_export.unflatten(torch_archive.exported(file), name=file.name), (), "torch.export", ()
        case _:
            content = file.read_bytes()
            consent.check(file, content, why="It is TorchScript: a program, not weights alone.")
            return torchscript.opened(content, name=file.name), (0, 0, 0), (), "TorchScript", ()
