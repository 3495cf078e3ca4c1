"""Activation functions: every call with its inputs over curve and derivative, dead units, and what another one does.

Arrays of the Result, by call (A,) in the order of the pass: `counts` (A, 64) a histogram of the inputs from -`span` to
`span` (A,), `outside` the share beyond; `x`, `curve` and `slope` (A, 161), the function and its derivative; `flat` the
share of inputs where the derivative is below 0.01, `below` the share below zero, `units` how many channels there are
and `dead` how many of them are in the flat zone at every place of every picture.

Meta: `calls`, their `titles`, and whether a call was found by its `form`; `pictures`, how many were passed; `replaced`
and `by`; `before` and `after`, the best classes with their probabilities without and with the replacement, `change`,
the largest difference of a probability (or value); `text`, in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.attributions.attribution import scores_of, subject_of
from models.attributions.target import TargetParams
from models.features import passes_of_a_folder
from models.features.activation_functions import REPLACEMENTS, Functions
from models.features.passes_of_a_folder import Listed
from models.inspection import Inspection
from models.params import param
from models.subject import Subject
from models.tracing.layers import hidden
from models.types import Pixels, Refusal, Result

NOTHING = "none"
BEST = 3


@dataclass(frozen=True)
class Params:
    """How many pictures are passed, and which function is replaced by which."""

    pictures: int = param(
        8, "Pictures passed", "How many are passed: this one, and others.", low=1, high=10_000, step=1
    )
    folder: str = param("", "Folder", "Where the others come from; empty is the folder of the picture.")
    by: str = param(
        NOTHING,
        "Replace by",
        "Another activation function in place of the network's own, to see what that does to the answer.",
        choices=(NOTHING, *REPLACEMENTS),
        titles=("Nothing", *REPLACEMENTS),
    )
    call: str = param("", "Which one", "The call to replace, by its id; empty is every call.")
    box: int = param(-1, "Box", "Of a detector: which detection's scores, by its id.", low=-1, high=2**31 - 1, step=1)


def lacks(model: Any) -> dict[str, str]:
    """Return why functions cannot be seen, or why other pictures are not passed."""
    if told := hidden(model):
        return told
    if not hasattr(model, "candidates"):
        return {"box": "The scores are not those of a box."}
    return dict.fromkeys(("pictures", "folder"), "A detector's box is that of this picture alone.")


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the calls. Raises Refusal if there are none, or for an unknown one."""
    subject = subject_of(model, pixels, TargetParams(box=params.box), stages)
    boxed = hasattr(model, "candidates")
    listed = Listed((), ())
    if not boxed:
        listed = passes_of_a_folder.listed(params.folder, stages.source, most=params.pictures - 1)
    stamps = tuple((str(path), path.stat().st_mtime_ns) for path in listed.paths)

    def collect() -> tuple[Functions, int]:
        with torch.inference_mode(False), torch.no_grad():
            functions, passed = Functions(subject, subject.input), 0
            for _, x in passes_of_a_folder.inputs(model, subject, listed, stages, what="Activation functions"):
                functions.collect(x)
                passed += 1
        return functions, passed

    functions, passed = stages.run("activation functions", collect, subject.key, stamps)
    calls = list(functions.calls.values())
    if not calls:
        raise Refusal(
            f"This question does not apply to {model.card.name}. It calls no activation function that is known by its "
            "name or form.",
            advice="Functions of its own are listed under Layers.",
        )
    if params.call and params.call not in functions.calls:
        known = ", ".join(list(functions.calls)[:8])
        raise Refusal(f"There is no activation function called {params.call!r}.", advice=f"Known: {known}…")
    curves = [call.curves() for call in calls]
    shares = {name: [getattr(c, name) / max(c.values, 1) for c in calls] for name in ("flat", "below", "outside")}
    arrays = {
        "counts": np.stack([call.counts for call in calls]),
        "span": np.array([call.span for call in calls], np.float32),
        **{name: np.array(values, np.float32) for name, values in shares.items()},
        **{name: np.stack([each[row] for each in curves]) for row, name in enumerate(("x", "curve", "slope"))},
        "units": np.array([call.units for call in calls], np.int64),
        "dead": np.array([call.dead for call in calls], np.int64),
    }
    meta: dict[str, Any] = {
        "kind": "activation functions",
        "calls": tuple(call.id for call in calls),
        "titles": tuple(call.title for call in calls),
        "form": tuple(call.form for call in calls),
        "pictures": passed,
        "replaced": params.call,
        "by": params.by,
        "quantity": "value" if subject.link == "none" else "probability",
    }
    if params.by != NOTHING:
        meta |= _changed(subject, functions, params, stages)
    meta["text"] = _words(meta, arrays)
    return Result(arrays, meta)


def _changed(subject: Subject, functions: Functions, params: Params, stages: Any) -> dict[str, Any]:
    """Return the answer with and without the replacement."""
    before = scores_of(subject, stages)
    with torch.inference_mode(False), torch.no_grad():
        after = functions.replaced(subject.input, params.call or "*", params.by)
    if not torch.isfinite(after).all():
        raise Refusal(
            f"With {params.by} the network's output is not a number (NaN or infinite).", advice="Replace a single call."
        )
    one, other = (subject.probabilities(scores)[0].float().cpu() for scores in (before, after))
    return {
        "before": best(subject, one),
        "after": best(subject, other),
        "change": float((one - other).abs().max()),
        "same": int(one.argmax()) == int(other.argmax()),
    }


def best(subject: Subject, chances: Tensor) -> tuple[tuple[str, float], ...]:
    """Return the best classes with their probabilities, or the values."""
    order = chances.argsort(descending=True, stable=True)[:BEST].tolist()
    return tuple((subject.classes[row], float(chances[row])) for row in order)


def _words(meta: dict[str, Any], arrays: dict[str, Any]) -> str:
    kinds = {title: meta["titles"].count(title) for title in meta["titles"]}
    listed = ", ".join(f"{count} × {title}" for title, count in kinds.items())
    dead, units = int(arrays["dead"].sum()), int(arrays["units"].sum())
    said = [f"{len(meta['calls'])} calls of activation functions: {listed}."]
    said.append(
        f"In {meta['pictures']} pictures {dead:,} of {units:,} units are dead: their input stays where the derivative "
        "is below 0.01."
    )
    if meta["by"] != NOTHING:
        which = meta["replaced"] or "every one"
        (old, was), (new, now) = meta["before"][0], meta["after"][0]
        said.append(
            f"With {meta['by']} in place of {which}, the answer is {new} ({now:.3g}) rather than {old} ({was:.3g})."
        )
    return " ".join(said)


INSPECTION = Inspection(
    id="activation_functions",
    title="Activation functions",
    help="Every activation function with its inputs over curve and derivative, dead units, and what another one does.",
    needs=("Explains",),
    params=Params,
    answer=answer,
    lacks=lacks,
)
