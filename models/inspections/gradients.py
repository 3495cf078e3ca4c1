"""Gradients: their size and that of the weights by layer, for two losses and their sum, and how autograd gets there.

Arrays of the Result, by layer (L,) in the order of the calls: `weights` and the gradients `first`, `second` and `both`
(of the sum of the losses) as lengths; `cosine` between the first two; `random`, the first loss's gradient in the same
network with random weights, and `random_weights`, the length of these; `evaluation` and `training`, the cosine between
accumulated small batches and one large batch in either mode, and `modes`, that between the two modes (zeros where meta
`accumulated` is not set); `steps` (S, L), the lengths of `.grad` after each step of `stepper`, -1 where it is None.

Meta: `layers` and their `kinds`; `losses`, those that may be chosen as (id, title, help), with `loss` and `other`;
`values` of the two; `sum_difference`, how far the gradient of the sum is from the sum of the gradients, relative;
`conflict`, the cosine over the whole network; `depth` and `random_depth`, by which factor gradient over weight grows
from the last layer back to the first; `stepper`, `vector`, `tape` and `tape_nodes` as in
`models.features.autograd_steps`; `code`, programs to copy; `notes` and `text`, what was found in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.attributions import picture_sets
from models.attributions.attribution import scores_of, subject_of
from models.attributions.random_twin import twin
from models.attributions.target import TargetParams
from models.capabilities import provides
from models.features import autograd_steps, gradient_accumulation, gradient_code, losses
from models.features import weight_gradients as grads
from models.features.gradient_accumulation import Accumulated
from models.features.weight_gradients import Gradients, Layer, Leaves
from models.inspection import Inspection
from models.params import param
from models.runtime.network_state import PARAMETERS
from models.tracing.backward_pass import no_gradient
from models.tracing.layers import hidden
from models.types import Float, Pixels, Refusal, Result, Source

EXACT = 1e-5  # relative: what rounding in single precision may add up to
STEEP = 100.0  # times the factor of random weights


@dataclass(frozen=True)
class Params:
    """Two losses, and how batches are accumulated."""

    loss: str = param("", "Loss", "The id of a loss, as listed in the answer; empty is the usual one.")
    other: str = param("", "Second loss", "The id of another loss to set beside it; empty is the usual one.")
    box: int = param(
        -1,
        "Box",
        "Of a detector without losses of its own: which detection, by its id.",
        low=-1,
        high=2**31 - 1,
        step=1,
    )
    truth: str = param("", "Ground truth", "Its objects are those that a detector's own losses are about.")
    accumulate: bool = param(True, "Accumulate", "Compare small batches with one large batch, in both modes.")
    batch: int = param(
        4, "Batch", "How many pictures are one large batch.", low=2, high=256, step=1, only=("accumulate", True)
    )
    part: int = param(
        2, "Small batch", "How many of them are taken at a time.", low=1, high=128, step=1, only=("accumulate", True)
    )
    folder: str = param(
        "",
        "Pictures",
        "Where the other pictures of the batch come from; empty is the folder of the picture.",
        only=("accumulate", True),
    )
    seed: int = param(
        0, "Seed of the losses", "Another number draws other random numbers and codes.", low=0, high=2**31 - 1
    )


@dataclass
class _Found:
    """The gradients of one request, with the leaves they belong to."""

    leaves: Leaves
    layers: list[Layer]
    values: tuple[float, float]
    first: Gradients
    second: Gradients
    both: Gradients
    random: Gradients
    redrawn: dict[str, torch.Tensor]

    @property
    def nbytes(self) -> int:
        """Size of the gradients in bytes."""
        parts = (self.leaves.weights, self.first, self.second, self.both, self.random, self.redrawn)
        return sum(value.nbytes for part in parts for value in part.values())


def lacks(model: Any) -> dict[str, str]:
    """Return why there are no gradients: a network that cannot be hooked, or nothing a loss could be computed from."""
    if told := hidden(model):
        return told
    explains = provides(model, "Explains")
    if not explains and not provides(model, "Generates"):
        return {"": f"{model.card.name} has no scores that a loss could be computed from."}
    own = losses.has_own_losses(model.net)
    greyed = {} if own else {"truth": "Only torchvision's detectors have losses of their own."}
    if own or not hasattr(model, "candidates"):
        greyed["box"] = "The losses are not about a single box."
    if own or hasattr(model, "candidates") or not explains:
        greyed |= dict.fromkeys(("accumulate", "batch", "part", "folder"), "This model is not run on batches here.")
    return greyed


def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
    """Return the gradients. Raises Refusal for an unknown loss, or if no gradient arrives at the weights."""
    changing = getattr(getattr(model, "behaviour", None), "changing", ())
    written = [place.title for place in changing if place.kind == PARAMETERS]
    if written:
        raise Refusal(
            f"{model.card.name} writes into its own weights ({written[0]}) while it runs: they have no gradient that "
            "would stay.",
            advice="Open a network whose weights only its training changes.",
        )
    subject = scores = None
    explains = provides(model, "Explains")
    if explains and not losses.has_own_losses(model.net):
        subject = subject_of(model, pixels, TargetParams(box=params.box), stages)
        scores = scores_of(subject, stages)
    known = losses.of_model(model, pixels, subject, scores, truth=params.truth, source=stages.source, seed=params.seed)
    one, other = known.named(params.loss, known.usual[0]), known.named(params.other, known.usual[1])
    stages.progress(0.05, "forward pass")
    found = _gradients(model, known, (one.id, other.id), params.seed, stages)
    arrays, meta = _compared(found)
    stages.progress(0.4, "step by step")
    arrays["steps"], meta["stepper"] = autograd_steps.backward_twice(
        found.leaves, known, one.id, found.layers, params.seed
    )
    meta["vector"] = autograd_steps.vector_output(found.leaves, known, _about_answer(found, known, one.id), params.seed)
    meta["tape"], meta["tape_nodes"] = autograd_steps.tape(found.leaves, known, one.id, params.seed)
    notes = [known.about] if known.about else []
    if found.leaves.constant:
        notes.append("The file has no weights that are learnt: its constants are taken for them.")
    batched = {"evaluation": np.zeros_like(arrays["cosine"])}
    batched |= {"training": batched["evaluation"], "modes": batched["evaluation"]}
    meta["accumulated"] = False
    if params.accumulate and subject is not None and known.of_batch is not None:
        told, more = _accumulated(model, subject, known.of_batch, found, params=params, stages=stages)
        meta["accumulated"], meta["accumulation"] = bool(more), told
        batched |= more
    arrays |= batched
    example = next((layer.path for layer in found.layers if layer.path != grads.ROOT), "")
    meta |= {
        "kind": "gradients",
        "layers": tuple(layer.path for layer in found.layers),
        "kinds": tuple(layer.kind for layer in found.layers),
        "losses": tuple((loss.id, loss.title, loss.help) for loss in known.offered),
        "loss": one.id,
        "other": other.id,
        "titles": (one.title, other.title),
        "values": found.values,
        "constant": found.leaves.constant,
        "code": tuple(gradient_code.programs(example)),
        "notes": tuple(notes),
    }
    meta["text"] = _words(meta, arrays)
    return Result(arrays, meta)


def _gradients(model: Any, known: losses.Losses, chosen: tuple[str, str], seed: int, stages: Any) -> _Found:
    leaves = Leaves(model.net)
    with grads.steady(seed):
        layers = leaves.layers(grads.call_order(leaves, known))
        values = leaves.losses(known)
        one, other = values[chosen[0]], values[chosen[1]]
        for value in (one, other):
            if not value.requires_grad:
                raise no_gradient(grads.WEIGHTS)
        first = grads.of(one, leaves.weights, keep=True)
        stages.progress(0.15, "second loss")
        second = grads.of(other, leaves.weights, keep=True)
        stages.progress(0.2, "sum of the losses")
        both = grads.of(one + other, leaves.weights)
    stages.progress(0.3, "random weights")
    names = {id(parameter): name for name, parameter in model.net.named_parameters()}
    redrawn = {names[key]: value for key, value in twin(model.net, seed=seed).tensors.items() if key in names}
    with torch.inference_mode(False):
        redrawn = {n: redrawn[n].requires_grad_() for n in leaves.weights if n in redrawn}
    random: Gradients = {}
    if redrawn:
        with grads.steady(seed):
            try:
                random = grads.of(leaves.losses(known, {**leaves.weights, **redrawn})[chosen[0]], redrawn)
            except Refusal:  # such as a loss that is infinite with these weights
                random = {}
    plain = {name: value.detach() for name, value in redrawn.items()}
    return _Found(leaves, layers, (float(one.detach()), float(other.detach())), first, second, both, random, plain)


def _compared(found: _Found) -> tuple[dict[str, Float], dict[str, Any]]:
    layers, weights = found.layers, {name: value.detach() for name, value in found.leaves.weights.items()}
    summed = grads.added(found.first, found.second)
    arrays = {
        "weights": grads.norms(weights, layers),
        "first": grads.norms(found.first, layers),
        "second": grads.norms(found.second, layers),
        "both": grads.norms(found.both, layers),
        "cosine": grads.cosines(found.first, found.second, layers),
        "random": grads.norms(found.random, layers),
        "random_weights": grads.norms(found.redrawn, layers),
    }
    meta = {
        "sum_difference": grads.difference(found.both, summed),
        "conflict": grads.cosine(found.first, found.second),
        "depth": _depth(arrays["first"], arrays["weights"]),
        "random_depth": _depth(arrays["random"], arrays["random_weights"]),
    }
    return arrays, meta


def _depth(gradients: Float, weights: Float) -> float:
    """Return by which factor gradient over weight grows from the last layer back to the first, 0 if unknown.

    The median of the first and of the last fifth of the layers that have both.
    """
    rows = (gradients > 0) & (weights > 0)
    ratios = gradients[rows].astype(np.float64) / weights[rows]
    if len(ratios) < 2:
        return 0.0
    part = max(1, len(ratios) // 5)
    return float(np.median(ratios[:part]) / np.median(ratios[-part:]))


def _about_answer(found: _Found, known: losses.Losses, chosen: str) -> Gradients:
    """Return the gradient of the answer's cross-entropy, which Jᵀv is compared with."""
    if chosen == "answer" or "answer" not in [loss.id for loss in known.offered]:
        return found.first
    with grads.steady(0):
        return grads.of(found.leaves.losses(known)["answer"], found.leaves.weights)


def _accumulated(
    model: Any, subject: Any, of_batch: Callable[[Tensor], Tensor], found: _Found, *, params: Params, stages: Any
) -> tuple[list[str], dict[str, Float]]:
    """Return what accumulation did in words, and its cosines by layer, {} if a batch could not be run."""
    others = _others(model, params, stages)
    x, real = gradient_accumulation.batch_of(subject.input, others, params.batch)
    part = min(params.part, params.batch)
    made: dict[bool, Accumulated] = {}
    for at, training in enumerate((False, True)):

        def told(share: float, text: str, at: int = at) -> None:
            stages.progress(0.5 + (at + share) / 4, text)

        made[training] = gradient_accumulation.accumulate(
            found.leaves, of_batch, x, part, training=training, seed=params.seed, progress=told
        )
    coupling = gradient_accumulation.coupled(model.net)
    said = gradient_accumulation.words(made[False], made[True], coupling, batch=len(x), part=part)
    copies = params.batch - 1 - real
    said.append(
        f"The batch: this picture, {real} of its folder"
        + (f", and {copies} mirrored and shifted copies." if copies else ".")
        + " The labels are what the model takes them for."
    )
    if subject.alone:
        said.append("This network takes one picture at a time, so a batch is run picture by picture.")
    if made[False].failed or made[True].failed:
        return said, {}
    layers = found.layers
    arrays = {
        "evaluation": grads.cosines(made[False].whole, made[False].summed, layers),
        "training": grads.cosines(made[True].whole, made[True].summed, layers),
        "modes": grads.cosines(made[False].whole, made[True].whole, layers),
    }
    return said, arrays


def _others(model: Any, params: Params, stages: Any) -> list[torch.Tensor]:
    """Return other pictures of the folder as inputs of the model."""
    source: Source | None = stages.source
    if params.folder:
        folder = picture_sets.folder_of(params.folder, "pictures")
    elif source is not None and source.path and Path(source.path).is_file():
        folder = Path(source.path).parent
    else:
        return []
    opened = Path(source.path).absolute() if source is not None and source.path else None
    paths = [path for path in picture_sets.listed(folder, most=4 * params.batch) if path.absolute() != opened]
    return list(picture_sets.read(model, paths[: params.batch - 1], "pictures of the batch", stages).inputs)


def _words(meta: dict[str, Any], arrays: dict[str, Float]) -> str:
    one, other = meta["titles"]
    equal = meta["sum_difference"] <= EXACT
    said = [
        f"The gradient of the sum of both losses {'equals' if equal else 'is not'} the sum of their gradients: "
        f"{meta['sum_difference']:.1e} apart, relative"
        + (", which is rounding." if equal else ". Single precision or less rounds more, or the network is random.")
    ]
    conflict = meta["conflict"]
    against = int((arrays["cosine"] < 0).sum())
    pulls = "pull in opposite directions" if conflict < -0.05 else "agree" if conflict > 0.05 else "hardly meet"
    said.append(
        f"{one} and {other} {pulls}: cosine {conflict:.2f} over all weights, below 0 in {against} of "
        f"{len(arrays['cosine'])} layers."
    )
    silent = int((arrays["first"] == 0).sum())
    if silent:
        said.append(f"{one} does not reach {silent} of {len(arrays['first'])} layers.")
    if meta["depth"] and meta["random_depth"]:
        own, by_chance = meta["depth"], meta["random_depth"]
        verdict = (
            "it vanishes on its way back"
            if own * STEEP < by_chance and own < 1
            else "it explodes on its way back"
            if own > STEEP * by_chance and own > 1
            else "neither vanishing nor exploding"
        )
        said.append(
            f"From the last layers back to the first, gradient over weight changes by a factor of {own:.3g} (with "
            f"random weights {by_chance:.3g}): {verdict}."
        )
    return " ".join(said)


INSPECTION = Inspection(
    id="gradients",
    title="Gradients",
    help="The size of gradients and weights by layer, for two losses and their sum, and how autograd gets there.",
    needs=(),
    params=Params,
    answer=answer,
    lacks=lacks,
)
