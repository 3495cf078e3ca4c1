"""Sets of pictures from folders as a model's inputs, and the layers that concepts are sought in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from models.pictures import images
from models.runtime.context import Context
from models.runtime.stage_cache import Cache, CachedStages
from models.subject import Subject
from models.tracing.layers import automatic, on_picture, trace_of
from models.tracing.traced_calls import Call
from models.types import Pixels, Refusal

LEAST = 10  # pictures of a concept
LAYERS = 5  # chosen by themselves


@dataclass(frozen=True)
class PictureSet:
    """Inputs (1, 3, h, w) each, the files they come from, and how many could not be read."""

    inputs: tuple[Tensor, ...]
    paths: tuple[str, ...]
    unreadable: int = 0

    @property
    def nbytes(self) -> int:
        """Size of the inputs in bytes."""
        return sum(x.nbytes for x in self.inputs)


def folder_of(text: str, what: str) -> Path:
    """Return a folder. Raises Refusal that says which one is missing."""
    path = Path(text).expanduser()
    if not text:
        raise Refusal(f"No folder with {what} is chosen.", advice="Choose one.")
    if not path.is_dir():
        raise Refusal(f"{text} is not a folder with {what}.", advice="Choose a folder of pictures.")
    return path


def listed(folder: Path, *, most: int) -> list[Path]:
    """Return up to `most` pictures of a folder, spread evenly over its files."""
    found = images.pictures_in(folder)
    return [found[i] for i in np.linspace(0, len(found) - 1, min(most, len(found))).round().astype(int)]


def read(model: Any, paths: Sequence[Path], what: str, stages: Any) -> PictureSet:
    """Return pictures as the model's inputs, those that can be read."""
    made, kept = [], []
    for number, path in enumerate(paths):
        stages.progress(number / max(len(paths), 1), f"read {what}: {number:,} of {len(paths):,}")
        try:
            pixels = images.read(path).pixels
        except Refusal:
            continue
        made.append(input_of(model, pixels, stages))
        kept.append(str(path))
    return PictureSet(tuple(made), tuple(kept), len(paths) - len(made))


def input_of(model: Any, pixels: Pixels, stages: Any) -> Tensor:
    """Return a picture as the model's input, leaving nothing in the cache."""
    own = CachedStages(Cache(), "set", Context(cancelled=stages.context.cancelled))
    return model.subject(pixels, own).input


def overlap(one: PictureSet, other: PictureSet) -> list[str]:
    """Return the names of the files of `other` that give the input of one of `one`, in whatever format they are."""
    known = {_digest(x) for x in one.inputs}
    return [Path(path).name for path, x in zip(other.paths, other.inputs, strict=True) if _digest(x) in known]


def _digest(x: Tensor) -> tuple[object, bytes]:
    return tuple(x.shape), hashlib.sha256(x.detach().float().cpu().numpy().tobytes()).digest()


def layers_of(subject: Subject, text: str, stages: Any) -> list[Call]:
    """Return the calls named in `text`, separated by commas, or some spread over the network's depth.

    Raises Refusal for one that does not exist or has no map of the picture.
    """
    from models.tracing.layers import call_of

    if text.strip():
        return [call_of(subject, name.strip(), stages, spatial=True) for name in text.split(",") if name.strip()]
    calls = [c for c in trace_of(subject, stages).calls if on_picture(subject, c) and not c.same]
    if not calls:
        raise Refusal("No layer of this network has a map of the picture.", advice="Concepts need a layer with places.")
    last = automatic(subject, stages)
    # A network's own blocks: the shallowest level of modules that has a few of them.
    every = [c for c in trace_of(subject, stages).calls if on_picture(subject, c)]
    depth = next((d for d in (1, 2, 3) if sum(c.depth == d for c in every) >= 3), 0)
    blocks = [c for c in every if c.depth == depth] or calls
    holders = {name.rpartition(".")[0] for name, _ in subject.net.named_modules()}
    whole = [c for c in blocks if c.module in holders]
    blocks = whole if len(whole) >= 3 else blocks  # rather whole blocks than the convolutions before them
    ids = [c.id for c in blocks]
    until = ids.index(last) + 1 if last in ids else len(blocks)
    blocks = blocks[:until] or calls
    rows = np.unique(np.linspace(0, len(blocks) - 1, min(LAYERS, len(blocks))).round().astype(int))
    return [blocks[row] for row in rows]
