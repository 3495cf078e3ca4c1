"""Networks that are saved in parts: MTCNN's three lie in one file under three names, or in files side by side."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from models import files
from models.families import mtcnn
from models.loading import checkpoint, weights
from models.types import Refusal

MOST_FILES, MOST_BYTES = 40, 16 << 20
KEY, TOGETHER, ALONE = "parts", "together", "alone"
OFFERED = {
    "title": "Parts",
    "help": "Whether the other networks of the cascade, in files beside this one, are opened with it.",
    "choices": (TOGETHER, ALONE),
    "titles": {TOGETHER: "with the files beside it", ALONE: "this file alone"},
}


def joined(sets: Mapping[str, Mapping[str, Tensor]], file: Path) -> tuple[dict[str, Tensor], tuple[Path, ...]]:
    """Return the state dict of all parts, and the other files that they lie in; ({}, ()) for any other network."""
    states = [checkpoint.plain(state) for state in sets.values()]
    if len(states) > 1:
        return mtcnn.joined(states), ()
    own = mtcnn.layout_of(_shapes(states[0]))
    if own is None:
        return {}, ()
    found, places = {own.number: states[0]}, []
    for other in _beside(file):
        with suppress(Refusal):
            state = weights.read(other)
            layout = mtcnn.layout_of(_shapes(state))
            if layout is not None and layout.number not in found:
                found[layout.number] = state
                places.append(other)
    return (mtcnn.joined(list(found.values())), tuple(places)) if places else ({}, ())


def _beside(file: Path) -> list[Path]:
    """Return the small weights files in a file's folder, those whose names are most like its own first."""
    try:
        there = [one for one in file.absolute().parent.iterdir() if one.suffix.lower() in files.WEIGHTS_SUFFIXES]
        small = [one for one in sorted(there) if one.is_file() and one.stat().st_size <= MOST_BYTES]
    except OSError:
        return []
    others = [one for one in small if one.name != file.name]
    return sorted(others, key=lambda one: (one.suffix != file.suffix, -_alike(one.stem, file.stem), one.name))[
        :MOST_FILES
    ]


def _alike(one: str, other: str) -> int:
    """Return how many letters two names share at their ends."""
    count = 0
    for a, b in zip(reversed(one.lower()), reversed(other.lower()), strict=False):
        if a != b:
            break
        count += 1
    return count


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
