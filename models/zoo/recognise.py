"""Which published architectures a state dict may belong to, by a hash of its tensors. Builds no network. No torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from models.cards import zoo_catalogue

COUNTER = ".num_batches_tracked"
DIGITS = 10
# What helps only in training, and is often left out of what is saved.
AUXILIARY = ("aux_classifier.", "aux1.", "aux2.", "AuxLogits.")
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Candidate:
    """An architecture of the zoo that has the tensors of a state dict: the name that opens it without weights, and the
    number of classes of the state's head, 0 where that was left out.
    """

    name: str
    classes: int


def candidates(shapes: Shapes) -> list[Candidate]:
    """Return the architectures that have these tensors, torchvision's first, those of one library by name.

    `shapes` are those of a state dict's tensors by name, in any order. The tensors of the head count by their names
    alone; whether their shapes fit as well is seen when the state is loaded.
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
    """Return a hash of names and shapes of tensors, less those of the modules in `heads`, which depend on the classes.

    Counters of seen batches are left out, as old files lack them, and auxiliary heads.
    """
    left_out = (*AUXILIARY, *(f"{head}." for head in heads))
    lines = sorted(
        f"{name} {'x'.join(map(str, shape))}"
        for name, shape in shapes.items()
        if not name.endswith(COUNTER) and not name.startswith(left_out)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:DIGITS]


def _classes(shapes: Shapes, head: str) -> int:
    """Return the number of classes of a head, 0 where none of its tensors tells."""
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
