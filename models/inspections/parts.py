"""Parts: where a network splits, joins, adds and gates its maps, recognised by the form, with receptive fields.

Arrays of the Result, by part (P,): `channels` that leave it, `past`, how many of them came by without convolutions,
`branches`, `before` and `after`, receptive fields in pixels of the network's input, -1 where a cell sees all.
Meta: `parts`, each with its kind, title, the module that joins it, the one it begins with, and the size of its maps;
`counts` by kind; `text`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.attributions.attribution import subject_of
from models.attributions.target import TargetParams
from models.features import function_graph, network_parts
from models.features.network_parts import TITLES, Part
from models.inspection import Inspection
from models.tracing.layers import hidden
from models.types import Pixels, Result

EVERYTHING = -1.0  # the receptive field of a cell that sees the whole input


@dataclass(frozen=True)
class Params:
    """No parameters: every part of the pass is listed."""


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the parts of the network that the pass over `pixels` (H, W, 3) uint8 RGB goes through."""
    subject = subject_of(model, pixels, TargetParams(), stages)
    graph = stages.run("functions", lambda: function_graph.of(subject), subject.key)
    stages.progress(None, "parts")
    found = network_parts.find(graph)
    arrays = {
        name: np.array([getattr(part, name) for part in found], kind)
        for name, kind in (
            ("channels", np.int64),
            ("past", np.int64),
            ("branches", np.int64),
            ("before", np.float32),
            ("after", np.float32),
        )
    }
    for name in ("before", "after"):
        arrays[name] = np.where(np.isfinite(arrays[name]), arrays[name], np.float32(EVERYTHING))
    counts = Counter(part.kind for part in found)
    meta = {"parts": tuple(_plain(part) for part in found), "counts": dict(counts), "kind": "parts"}
    if not found:
        text = f"{model.card.name} joins no maps: it is a plain chain of layers."
    else:
        listed = ", ".join(f"{count} × {TITLES[kind]}" for kind, count in counts.most_common())
        text = f"{len(found)} parts, recognised by their form: {listed}."
    return Result(arrays, {**meta, "text": text})


def _plain(part: Part) -> dict[str, Any]:
    return {
        "kind": part.kind,
        "title": TITLES[part.kind],
        "joined": part.joined,
        "begins": part.begins,
        "size": part.size,
    }


INSPECTION = Inspection(
    id="parts",
    title="Parts of the network",
    help="Where maps are split, joined, added and gated (CSP, SPP, FPN, PAN, shortcuts), with receptive fields.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    lacks=hidden,
)
