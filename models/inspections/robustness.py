"""Robustness: the smallest change of the picture that flips the answer, found with the network's own gradients.

Arrays of the Result: `picture` and `changed` (h, w, 3) uint8 RGB, as the network sees the picture, and `difference`
(h, w, 3) float32, what was added to each value, in pixel units. Meta: `found`; `epsilon`, the size of the change in
pixel units by the `norm`; `before` and `after`, the classes; `before_probability` and `after_probability`, of both;
`rounded`, whether the answer is still another one after the changed picture was rounded to 8 bits a value; `random`,
how many of `tries` random changes of the same size flip it as well; `text`, all of this in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from models.attributions import gradients
from models.attributions.adversarial import NORMS, RANDOM, Attack, Flip, pictures, smallest
from models.attributions.attribution import probe_of, subject_of
from models.attributions.target import TargetParams, column
from models.inspection import Inspection
from models.params import param
from models.subject import Subject
from models.tracing.traced_calls import gradients as allowed
from models.types import Pixels, Refusal, Result

NORM_WORDS = {"Linf": "L∞, no value changed by more", "L2": "L2, the root mean square change of a value"}


@dataclass(frozen=True)
class Params:
    """The answer to reach, the norm, and how far and how hard to search."""

    toward: str = param("", "Toward", "The class to be taken for; empty is any other than the answer.")
    norm: str = param(
        "Linf",
        "Norm",
        "How the size of a change is measured: by the largest change of a value, or by the root mean square.",
        choices=NORMS,
        titles=("Largest (L∞)", "Mean (L2)"),
    )
    most: float = param(
        16.0,
        "Up to",
        "The largest change that is tried, in pixel units.",
        low=0.25,
        high=255.0,
        step=0.25,
        unit="of 255",
    )
    steps: int = param(20, "Steps", "Gradient steps of each attack.", low=1, high=500, step=1)
    seed: int = param(0, "Seed", "Another number draws other random changes to compare with.", low=0, high=2**31 - 1)


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the smallest change found. Raises Refusal if there is no answer to flip, or no gradient to find it by."""
    subject = subject_of(model, pixels, TargetParams(), stages)
    if subject.link == "none" or len(subject.classes) < 2:
        raise Refusal(
            f"{model.card.name} gives values rather than classes: there is no answer to flip.",
            advice="Open a classifier of two classes or more.",
        )
    with allowed():
        if reason := gradients.missing(subject, stages):
            raise Refusal(f"PGD does not apply to {model.card.name}. {reason}")
        probe = probe_of(subject, TargetParams(), stages, pixels)
        label = int(probe.scores[0, : len(subject.classes)].argmax())
        toward = column(params.toward, subject.classes) if params.toward else -1
        if toward == label:
            raise Refusal(f"{subject.classes[label]} is the answer already.", advice="Choose another class.")
        attack = Attack(label, toward, params.norm, params.most, params.steps, params.seed)
        height, width = pixels.shape[:2]

        def make() -> Flip:
            return smallest(probe, model.preprocess, _seen(subject, width, height), attack)

        found = stages.run("smallest change", make, subject.key, attack)
    picture, changed, difference = pictures(found, model.preprocess)
    before = subject.probabilities(probe.scores)[0, label]
    after = int(found.scores.argmax())
    chances = subject.probabilities(found.scores[None])[0]
    names = subject.classes
    meta: dict[str, Any] = {
        "kind": "robustness",
        "found": found.found,
        "epsilon": found.epsilon,
        "norm": params.norm,
        "before": names[label],
        "after": names[after],
        "before_probability": (float(before), float(chances[label])),
        "after_probability": float(chances[after]),
        "rounded": bool(attack.flips(found.rounded_scores[None])[0]),
        "random": found.random_flips,
        "tries": RANDOM,
        "toward": names[toward] if toward >= 0 else "",
    }
    meta["text"] = _words(meta, params)
    return Result({"picture": picture, "changed": changed, "difference": difference}, meta)


def _seen(subject: Subject, width: int, height: int) -> Tensor:
    """Return where (1, 1, h, w) the network's input lies within the picture rather than in its padding."""
    (x0, y0, x1, y1), (h, w) = subject.extent, subject.size
    x = x0 + (torch.arange(w) + 0.5) / w * (x1 - x0)
    y = y0 + (torch.arange(h) + 0.5) / h * (y1 - y0)
    return (((y > 0) & (y < height))[:, None] & ((x > 0) & (x < width))).float()[None, None]


def _words(meta: dict[str, Any], params: Params) -> str:
    norm = NORM_WORDS[params.norm]
    if not meta["found"]:
        goal = f"to {meta['toward']}" if meta["toward"] else "to another class"
        return (
            f"No change of up to {params.most:g} of 255 ({norm}) was found that flips {meta['before']} {goal}. "
            "That does not prove that there is none: a stronger search (more steps) or a larger change may find one."
        )
    said = [
        f"{meta['before']} becomes {meta['after']} ({meta['after_probability']:.0%}) by a change of "
        f"{meta['epsilon']:.3g} of 255 ({norm}).",
        f"Of {meta['tries']} random changes of the same size {meta['random'] or 'none'} "
        f"flip{'' if meta['random'] != 1 else 's'} the answer.",
    ]
    if not meta["rounded"]:
        said.append("Rounded to 8 bits a value, as in a picture file, the answer stays.")
    return " ".join(said)


INSPECTION = Inspection(
    id="robustness",
    title="Robustness",
    help="The smallest change of the picture that flips the answer, by projected gradient descent (PGD).",
    needs=("Classifies", "Explains"),
    params=Params,
    answer=answer,
)
