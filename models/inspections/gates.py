"""Gates: the factors by which squeeze-and-excitation, ECA, CBAM and global context weigh channels and places.

Arrays of the Result: by gate (G,) in the order of the pass `mean`, `spread` (how much a factor differs between the
pictures, as a standard deviation, averaged) and `saturated` (the share below 0.01 or above 0.99); of the chosen gate
`values` (P, C), or `map` (h, w) for places, `by_class` (K, C) its mean in each class; `added` ones have plain values.

Meta: `gates`, each with its id, kind (channel, spatial, added), family and shape; `gate`, the chosen one; `extent` of
its map in pixels of the picture; `names`, the K classes, and `counts` of their pictures; `pictures`; `before` and
`after`, the best classes with and without the gates that are `off`, `change`; `text`, in words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from models.attributions.attribution import scores_of, subject_of
from models.attributions.target import TargetParams
from models.features import gates, passes_of_a_folder
from models.features.gates import ADDED, SPATIAL, Gate
from models.features.passes_of_a_folder import Listed
from models.inspection import Inspection
from models.params import param
from models.subject import Subject
from models.tracing.layers import hidden
from models.types import Float, Pixels, Refusal, Result

EVERY = "*"
BEST = 3
STILL = 0.01  # factors that differ by less between pictures are weights rather than attention
ENDS = (0.01, 0.99)
MOST_CLASSES = 32


@dataclass(frozen=True)
class Params:
    """Which gate is shown, over which pictures, and which are switched off."""

    gate: str = param("", "Gate", "The gate to show, by its id; empty is the first one.")
    off: str = param("", "Switched off", "The gate to leave out, by its id; * leaves out all; empty leaves out none.")
    pictures: int = param(
        16, "Pictures with gates", "How many are passed: this one, and others.", low=1, high=10_000, step=1
    )
    folder: str = param(
        "",
        "Folder of the others",
        "Where the others come from, with a folder for each class; empty is the folder of the picture.",
    )
    box: int = param(-1, "Box", "Of a detector: which detection's scores, by its id.", low=-1, high=2**31 - 1, step=1)


@dataclass
class _Seen:
    """The gates of the passes: those of the first, their values by picture, and the classes of the pictures."""

    gates: list[Gate]
    values: list[list[Float]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        """Size of the values in bytes."""
        return sum(value.nbytes for row in self.values for value in row)


def lacks(model: Any) -> dict[str, str]:
    """Return why gates cannot be seen, or why other pictures are not passed."""
    if told := hidden(model):
        return told
    if not hasattr(model, "candidates"):
        return {"box": "The scores are not those of a box."}
    return dict.fromkeys(("pictures", "folder"), "A detector's box is that of this picture alone.")


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the gates. Raises Refusal if there are none, or for an unknown one."""
    subject = subject_of(model, pixels, TargetParams(box=params.box), stages)
    listed = Listed((), ())
    if not hasattr(model, "candidates"):
        listed = passes_of_a_folder.listed(params.folder, stages.source, most=params.pictures - 1)
    stamps = tuple((str(path), path.stat().st_mtime_ns) for path in listed.paths)
    seen = stages.run("gates", lambda: _passed(model, subject, listed, stages), subject.key, stamps)
    if not seen.gates:
        raise Refusal(
            f"This question does not apply to {model.card.name}. It has no gates: nowhere is a map multiplied by "
            "factors between 0 and 1, one for each channel or place, that depend on the picture.",
            advice="Networks with squeeze-and-excitation have some, such as torchvision:efficientnet_b0.",
        )
    known = {gate.id: row for row, gate in enumerate(seen.gates)}
    for wanted in (params.gate, params.off):
        if wanted not in ("", EVERY, *known):
            raise Refusal(f"There is no gate {wanted!r}.", advice=f"Known: {', '.join(list(known)[:8])}…")
    row = known.get(params.gate, 0)
    arrays, meta = _described(subject, seen, row)
    meta |= {"kind": "gates", "off": params.off, "pictures": len(seen.values)}
    if params.off:
        before = scores_of(subject, stages)
        with torch.inference_mode(False):
            after, _ = gates.run(subject, subject.input, off=params.off, picks=False)
        one, other = (subject.probabilities(scores)[0].float().cpu() for scores in (before, after))
        meta |= {"before": _best(subject, one), "after": _best(subject, other)}
        meta["change"] = float((one - other).abs().max())
    meta["text"] = _words(meta, arrays)
    return Result(arrays, meta)


def _passed(model: Any, subject: Subject, listed: Listed, stages: Any) -> _Seen:
    seen: _Seen | None = None
    for row, x in passes_of_a_folder.inputs(model, subject, listed, stages, what="Gates"):
        scores, found = gates.run(subject, x)
        if seen is None:
            seen = _Seen(found)
        same = [(g.id, g.value.shape) for g in found] == [(g.id, g.value.shape) for g in seen.gates]
        if not same:  # a network that branches by its picture
            continue
        best = int(scores[0, : len(subject.classes)].argmax())
        folder = listed.folders[row] if row >= 0 else ""
        seen.values.append([g.value.cpu().numpy() for g in found])
        seen.classes.append(folder or subject.classes[best])
    assert seen is not None
    return seen


def _described(subject: Subject, seen: _Seen, row: int) -> tuple[dict[str, Float], dict[str, Any]]:
    """Return the arrays and the meta of all gates, and of the one at `row`."""
    every = [np.stack([values[at] for values in seen.values]) for at in range(len(seen.gates))]
    low, high = ENDS
    arrays: dict[str, Float] = {
        "mean": np.array([v.mean() for v in every], np.float32),
        "spread": np.array([v.std(0).mean() for v in every], np.float32),
        "saturated": np.array(
            [
                0.0 if g.kind == ADDED else ((v < low) | (v > high)).mean()
                for g, v in zip(seen.gates, every, strict=True)
            ],
            np.float32,
        ),
    }
    gate, values = seen.gates[row], every[row]
    names = sorted(set(seen.classes), key=lambda name: (-seen.classes.count(name), name))[:MOST_CLASSES]
    meta: dict[str, Any] = {
        "gates": tuple({"id": g.id, "kind": g.kind, "family": g.family, "shape": g.shape} for g in seen.gates),
        "gate": gate.id,
        "gate_kind": gate.kind,
        "names": tuple(names),
        "counts": tuple(seen.classes.count(name) for name in names),
        "extent": subject.extent,
    }
    if gate.kind == SPATIAL:
        arrays["map"] = values[0].astype(np.float32)
    else:
        arrays["values"] = values.astype(np.float32)
        rows = [[at for at, c in enumerate(seen.classes) if c == name] for name in names]
        arrays["by_class"] = np.stack([values[r].mean(0) for r in rows]).astype(np.float32)
    return arrays, meta


def _best(subject: Subject, chances: torch.Tensor) -> tuple[tuple[str, float], ...]:
    order = chances.argsort(descending=True, stable=True)[:BEST].tolist()
    return tuple((subject.classes[row], float(chances[row])) for row in order)


def _words(meta: dict[str, Any], arrays: dict[str, Float]) -> str:
    families = [gate["family"] for gate in meta["gates"]]
    listed = ", ".join(f"{families.count(name)} × {name}" for name in dict.fromkeys(families))
    said = [f"{len(families)} gates, found by their form: {listed}."]
    at = next(row for row, gate in enumerate(meta["gates"]) if gate["id"] == meta["gate"])
    if meta["pictures"] > 1:
        spread = float(arrays["spread"][at])
        said.append(
            f"Over {meta['pictures']} pictures the factors of {meta['gate']} differ by {spread:.3g} on average."
        )
        if spread < STILL:
            said.append("They are about the same for every picture: a weight rather than attention.")
    if meta["gate_kind"] != ADDED and arrays["saturated"][at] > 0.5:
        said.append(f"{float(arrays['saturated'][at]):.0%} of them are at 0 or 1.")
    if meta["off"]:
        which = "all gates" if meta["off"] == EVERY else meta["off"]
        (old, was), (new, now) = meta["before"][0], meta["after"][0]
        said.append(f"Without {which}, {old} ({was:.3g}) becomes {new} ({now:.3g}).")
    return " ".join(said)


INSPECTION = Inspection(
    id="gates",
    title="Gates",
    help="The factors by which squeeze-and-excitation, ECA, CBAM and global context weigh channels and places.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    lacks=lacks,
)
