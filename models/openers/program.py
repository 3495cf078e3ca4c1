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

import torch
from torch import nn

from models import files
from models.cards import card as cards
from models.exported import (
    onnx_file,
    onnx_graph,
    onnx_inputs,
    onnx_metadata,
    torch_archive,
    torch_export,
    torchscript,
)
from models.exported.operation_budget import Budget
from models.loading import code_autoencoders, code_inputs, code_networks, pass_behaviour, several_inputs, wanted_inputs
from models.loading.opened_model import Opened
from models.loading.unseen_inputs import Told, described
from models.runtime.context import Context
from models.types import Refusal
from models.user_code import consent

Shape = tuple[int, int, int]
STATED = "assume"  # of a card: assumptions that hold unless the user chooses others


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
        net, shape, more, kind, written, told = _read(file, context)
    names = onnx_metadata.names(written)
    about: dict[str, Any] = {"program": kind, "input": shape, **card.about}
    if kind == "ONNX" and len(written.graph.output) == 1:
        about["output name"] = written.graph.output[0].name
    if task := onnx_metadata.task(written):
        about["written task"] = task
    if onnx_metadata.is_classifier(written) and "preprocessing" not in about:
        about[STATED] = {"input": "zero_one", **about.get(STATED, {})}
    if onnx_graph.whole_numbers(net) and "preprocessing" not in about:
        about[STATED] = {"input": "zero_255", **about.get(STATED, {})}
    card = replace(card, sha256=files.sha256(file), about=about, classes=card.classes or names)
    places = (cards.place(file), *more)
    rest, whole = code_autoencoders.asked_whole(assumed)
    with Budget(_size(file, more), name=file.name, check=context.check):
        made = _of_codes(net, told, card, assumed)
        made = made or (None if whole else code_autoencoders.of_graph(net, shape, card, assumed))
        if made is None and kind == "TorchScript":
            net = several_inputs.wrapped(net, card)
    if made is not None:
        return Opened(*made, places)
    if told and kind != "TorchScript":
        raise described(file.name, told)
    return Opened(net, card, places, assumed=rest, measured=_size(file, more))


def _of_codes(
    net: nn.Module, told: Told, card: cards.Card, assumed: Mapping[str, str]
) -> tuple[nn.Module, cards.Card] | None:
    """Return the generator or decoder that a program is, with its card; None for one that sees pictures."""
    passes, rest = pass_behaviour.taken(assumed)
    if isinstance(net, torch.jit.ScriptModule):
        return code_networks.of_module(net, wanted_inputs.required(net), card, {**rest, **passes})
    return code_networks.of_program(net, told, card, rest) if told else None


def _size(file: Path, more: tuple[Path, ...]) -> int:
    """Return the size in bytes of a program and the files that belong to it."""
    return sum(one.stat().st_size for one in (file, *more))


def _read(file: Path, context: Context) -> tuple[nn.Module, Shape, tuple[Path, ...], str, Any, Told]:
    """Return the network, its input shape (C, H, W), its other files, the name of the format, and its metadata.

    Of a program that may take codes and sees no picture, the last are its inputs, which it takes one by one.
    """
    match file.suffix.lower():
        case ".onnx":
            model, more = onnx_file.read(file)
            size, check = _size(file, more), context.check
            if not onnx_inputs.sees_picture(model.graph) and code_inputs.inputs_of(
                told := onnx_inputs.told(model.graph)
            ):
                try:
                    net = onnx_graph.convert_inputs(model, name=file.name, size=size, check=check)
                except Refusal:
                    if code_inputs.named_codes(told):
                        raise
                    raise described(file.name, told) from None
                return net, (0, 0, 0), more, "ONNX", model, told
            net, (channels, height, width) = onnx_graph.convert(model, name=file.name, size=size, check=check)
            stated = onnx_metadata.size(model) if not height and not width else (height, width)
            return net, (channels, *stated), more, "ONNX", model, ()
        case ".pt2":
            held = torch_archive.exported(file)
            if not torch_export.sees_picture(told := torch_export.told(held)) and code_inputs.inputs_of(told):
                return torch_export.unflatten_inputs(held), (0, 0, 0), (), "torch.export", {}, told
            return *torch_export.unflatten(held, name=file.name), (), "torch.export", {}, ()
        case _:
            content = file.read_bytes()
            consent.check(file, content, why="It is TorchScript: a program, not weights alone.")
            net = torchscript.opened(content, name=file.name)
            written = torchscript.metadata(content, name=file.name)
            return net, (0, *onnx_metadata.size(written)), (), "TorchScript", written, ()
