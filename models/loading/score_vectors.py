"""Which of a network's vectors of numbers are looked at, and what their names tell where numbers leave it open.

Exporters name outputs: a regression of ages ends in `age`, a face network in `landmarks` or `embedding`. Values outrank
names, so these count only for numbers that nothing bounds, which may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from models.interpretation.network_reading import FEATURES, POINTS, VALUES
from models.loading.first_pass import Output
from models.loading.returned_tensors import is_vector
from models.loading.wanted_inputs import Size

NAMED = ("logits", "scores", "out", "output", "probabilities", "probs")
WORDS = {
    VALUES: re.compile(
        "age|angles?|yaw|pitch|roll|euler|pose|rotation|translation|bbox|steering|distance|depth|price|weight|height|"
        "quality|valence|arousal|regress(ion|or)|values?|temperature|count|offsets?"
    ),
    POINTS: re.compile("landmarks?|landms|lmks?|lms|key_?points?|kpts?|kps|points?|pts|coords|mesh|joints|vertices"),
    FEATURES: re.compile("embeddings?|embeds?|emb|features?|feats?|descriptors?|representation|latent"),
}
SEPARATORS = re.compile(r"[^a-z]+")


def scores_of(output: Output, *, size: Size, made: Mapping[int, tuple[str, int]]) -> tuple[int, list[int]]:
    """Return the index of the scores among the tensors of one picture, -1 if there are none, and those of all vectors.

    Among several vectors, one with a telling name is chosen, else the one computed last, because the others led to it;
    a single number comes after those of more.
    """
    tensors = output.tensors
    rows = [i for i, (_, t) in enumerate(tensors) if is_vector(t)]
    named = [i for i in rows if tensors[i][0].rpartition(".")[2] in NAMED]
    redrawn = any(t.ndim == 4 and t.shape[2:] == size and t.shape[1] in (1, 3) for _, t in tensors)
    if named or (rows and (len(rows) == 1 or not redrawn)):
        main = [i for i in rows if not _aside(tensors[i][0])] or rows
        main = [i for i in main if tensors[i][1].numel() > 1] or main
        return (named or [max(main, key=lambda i: (made.get(id(tensors[i][1]), ("", 0))[1], i))])[0], rows
    return -1, rows


def told_by_name(name: str) -> str:
    """Return the kind of reading that an output's name tells (values, points or features), "" for none."""
    words = set(SEPARATORS.split(name.lower()))
    return next((kind for kind, known in WORDS.items() if any(known.fullmatch(word) for word in words)), "")


def name_of(tensors: list[tuple[str, Tensor]], part: int, single: str) -> str:
    """Return the name of an output, where there is one alone the `single` one that its file gives it."""
    return tensors[part][0] or (single if len(tensors) == 1 else "")


def _aside(name: str) -> bool:
    """Return whether a part of the output has an auxiliary head's name."""
    return name.rpartition(".")[2].lower().startswith("aux")
