"""Recognition of published architectures from a state dict, by a hash of its tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from models.cards import zoo_catalogue

COUNTER = ".num_batches_tracked"
DIGITS = 10
# Heads used only in training, and often missing from saved weights.
AUXILIARY = ("aux_classifier.", "aux1.", "aux2.", "AuxLogits.")
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Candidate:
    """A zoo architecture with the tensors of a state dict.

    `name` opens it without weights; `classes` is the number of classes of the state's head, 0 if the head is missing.
    """

    name: str
    classes: int


def candidates(shapes: Shapes) -> list[Candidate]:
    """Return the architectures that have these tensors, torchvision's first, sorted by name within a library.

    `shapes` holds the shapes of the state dict's tensors by name, in any order. The head is compared by its tensors'
    names alone; a mismatch in its shapes shows when the state is loaded.
    """
    found: list[Candidate] = []
    for heads, by_print in _known().items():
        there = [head for head in heads if any(name.startswith(f"{head}.") for name in shapes)]
        if len(there) in (0, len(heads)):
            names = by_print.get(fingerprint(shapes, heads), ())
            classes = _classes(shapes, there[0]) if there else 0
            found += [Candidate(name, classes) for name in names]
    return sorted(found, key=lambda candidate: (":" in candidate.name, candidate.name))


def fingerprint(shapes: Shapes, heads: Iterable[str] = ()) -> str:
    """Return a hash of the names and shapes of tensors, without the modules in `heads`, which depend on the classes.

    Auxiliary heads are left out, and counters of batches seen, which old files lack.
    """
    left_out = (*AUXILIARY, *(f"{head}." for head in heads))
    lines = sorted(
        f"{name} {'x'.join(map(str, shape))}"
        for name, shape in shapes.items()
        if not name.endswith(COUNTER) and not name.startswith(left_out)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGITS]


def _classes(shapes: Shapes, head: str) -> int:
    """Return the number of classes of a head, 0 if none of its tensors shows it."""
    return next((shapes[name][0] for name in (f"{head}.weight", f"{head}.bias") if shapes.get(name)), 0)


@cache
def _known() -> dict[tuple[str, ...], dict[str, list[str]]]:
    """Return the names of architectures by their heads and fingerprints."""
    known: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for library in (zoo_catalogue.TORCHVISION, zoo_catalogue.TIMM):
        for name, row in zoo_catalogue.raw(library)["models"].items():
            if "fingerprint" in row:
                heads = tuple(head for head in row["heads"] if not f"{head}.".startswith(AUXILIARY))
                bare = name if library == zoo_catalogue.TORCHVISION else f"{zoo_catalogue.TIMM}:{name}"
                known.setdefault(heads, {}).setdefault(row["fingerprint"], []).append(bare)
    return known
