"""Opens exported programs: ONNX files, torch.export programs (.pt2) and TorchScript. Their code is their graph.

None of them is run before what it says has been read. What was exported has no class that anybody knows, so what a
network is for is found out by running it once; what that leaves open is assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from models import cards, files
from models.context import Context
from models.opened import Opened
from models.programs import converted, proto


def match(base: str) -> bool:
    """Tell whether this names a file that holds a program and not weights alone."""
    path = Path(base)
    return path.suffix.lower() in files.PROGRAM_SUFFIXES | files.WEIGHTS_SUFFIXES and files.is_program(path)


def open_model(base: str, assumed: Mapping[str, str], context: Context) -> Opened:
    """Return the program as a network.

    Raises Refusal for a file that is broken, could run code, or holds what cannot be told as a network of one picture.
    """
    file = files.check(Path(base))
    card = cards.of_file(file)
    with context.stage("read program"):
        model, more = proto.read(file)
        net, shape = converted.convert(model, name=file.name)
    about = {"program": "onnx", "input": shape, **card.about}
    return Opened(
        net, replace(card, sha256=files.sha256(file), about=about), (cards.place(file), *more), assumed=assumed
    )
