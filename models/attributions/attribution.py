"""The interface of an attribution method, and the inspection built from it.

A method is one file in `attributions/methods/`: a frozen `Params` and a decorated `attribute(probe, params) ->
Heatmap`. A minimal one:

    @dataclass(frozen=True)
    class Params(TargetParams):
        pass

    @attribution(
        id="gradient",
        title="Gradient",
        help="The gradient of the score, summed over colours.",
        cite="Simonyan et al. 2013.",
        params=Params,
        verdict=gradients.verdict,
    )
    def attribute(probe: Probe, params: Params) -> Heatmap:
        return Heatmap(gradients.of_input(probe).sum(1)[0].cpu().numpy(), probe.subject.extent)

The verdict runs first; the map is computed only if the verdict is not "never".

Arrays of the Result: `map` (h, w) float32, signed, at the map's own resolution. Meta: `extent` x0, y0, x1, y1 of the
map in pixels of the original picture; `target` as text; `score` and `probability` of the target; `quantity`, "score" or
"value"; `verdict` and `reason`; `signed`; `delta` for methods that guarantee completeness; `input` (h, w); and whatever
the method adds in `Heatmap.more`, such as `layer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from models.attributions.target import Target, TargetParams, region_of, resolve
from models.inspection import Inspection
from models.params import param, parameters
from models.quantity import SCORE, VALUE
from models.subject import PARTS, Rect, Subject
from models.tracing.layers import earlier, hidden
from models.tracing.traced_calls import gradients, traced
from models.types import Float, Pixels, Refusal, Result

Level = Literal["applies", "partial", "never"]
KIND = "attribution"


@dataclass(frozen=True)
class LayerParams(TargetParams):
    """A target, and the layer whose activations the map is computed from."""

    layer: str = param(
        "", "Layer", "A call from the list of layers, by its id; empty chooses the best one automatically."
    )


@dataclass(frozen=True)
class Verdict:
    """Whether a method is valid for a model and layer, and why; "partial" is shown with the map, "never" is refused."""

    level: Level = "applies"
    reason: str = ""


@dataclass(frozen=True)
class Heatmap:
    """Attributions (h, w), signed, at their own resolution.

    `extent` is their position in pixels of the original picture. `delta` is the relative error of their sum against the
    value that completeness requires; None for methods that do not guarantee completeness. `more` is added to the
    Result's meta, `arrays` to its arrays. `partial` marks a preliminary map that better ones will replace. `blank`
    names the layer the map was computed from if the target's gradient there is zero everywhere, which makes the map
    zero.
    """

    values: Float
    extent: Rect
    delta: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Any] = field(default_factory=dict)
    partial: bool = False
    blank: str = ""


@dataclass(frozen=True)
class Probe:
    """The input of a method: the subject, the target, the picture's scores (1, C), the cache of stages, the picture.

    Gradients are enabled while the method runs. Parameters are frozen, so a graph is built only from tensors that the
    method sets to require gradients.
    """

    subject: Subject
    target: Target
    scores: Tensor
    stages: Any
    pixels: Pixels

    @property
    def score(self) -> float:
        """The target's value for the picture."""
        return float(self.target.of(self.scores)[0])

    def of(self, x: Tensor) -> Tensor:
        """Return the target's value (N,) for inputs (N, 3, h, w)."""
        return self.target.of(self.subject.scores(x))


@dataclass(frozen=True)
class Attribution:
    """A registered method: names, citation, parameters, verdict, signed or not, with or without gradients."""

    id: str
    title: str
    help: str
    cite: str
    params: type
    attribute: Callable[[Probe, Any], Heatmap]
    verdict: Callable[[Subject, Any, Any], Verdict]
    signed: bool
    group: str
    gradient: bool

    @property
    def layered(self) -> bool:
        """Whether the method has a layer parameter."""
        return any(parameter.name == "layer" for parameter in parameters(self.params))

    @property
    def inspection(self) -> Inspection:
        """The inspection that runs this method."""
        about = f"{self.help} {self.cite}"
        kind: dict[str, Any] = {"group": self.group, "cite": self.cite}
        kind |= {"lacks": hidden} if self.layered else {}
        return Inspection(self.id, self.title, about, ("Explains",), self.params, self._answer, **kind)

    def _answer(self, model: Any, pixels: Pixels, params: Any, stages: Any) -> Result:
        subject = subject_of(model, pixels, params, stages)
        with gradients() if self.gradient else torch.inference_mode():
            verdict = self.verdict(subject, params, stages)
            if verdict.level == "never":
                raise Refusal(f"{self.title} does not apply to {model.card.name}. {verdict.reason}")
            probe = probe_of(subject, params, stages, pixels)
            heat = self.attribute(probe, params)
            refuse_empty(heat, self, probe)
        if not np.isfinite(heat.values).all():
            raise Refusal(f"{self.title} came out with NaN or infinite values.", advice="Try another layer or method.")
        plus = probe.target.plus
        chances = subject.probabilities(probe.scores)[0]
        meta = {
            "kind": KIND,
            "method": self.title,
            "extent": heat.extent,
            "target": probe.target.title,
            "score": probe.score,
            "quantity": VALUE if plus >= len(chances) or subject.link == "none" else SCORE,
            "probability": float(chances[plus]) if plus < len(chances) and subject.link != "none" else None,
            "verdict": verdict.level,
            "reason": verdict.reason,
            "signed": self.signed,
            "delta": heat.delta,
            "input": subject.size,
            **heat.more,
            **({"partial": True} if heat.partial else {}),
        }
        return Result({"map": np.ascontiguousarray(heat.values, np.float32), **heat.arrays}, meta)


def always(subject: Subject, params: Any, stages: Any) -> Verdict:
    """Return the verdict of a method that is valid for every model."""
    return Verdict()


def attribution(
    *,
    id: str,  # noqa: A002 - the field's own name
    title: str,
    help: str,  # noqa: A002
    cite: str,
    params: type,
    verdict: Callable[[Subject, Any, Any], Verdict] = always,
    signed: bool = True,
    group: str = "Gradients",
    gradient: bool = True,
) -> Callable[[Callable[[Probe, Any], Heatmap]], Attribution]:
    """Register a function as a method. With `gradient=False` it runs in inference mode, which is faster."""

    def decorate(function: Callable[[Probe, Any], Heatmap]) -> Attribution:
        return Attribution(id, title, help, cite, params, function, verdict, signed, group, gradient)

    return decorate


def subject_of(model: Any, pixels: Pixels, params: TargetParams, stages: Any) -> Subject:
    """Return the subject (network input, scores, classes) that the parameters select.

    Raises Refusal if a box coordinate is the target and the model has no boxes.
    """
    if params.part in PARTS and not hasattr(model, "candidates"):
        raise Refusal(f"{model.card.name} has no boxes: it has no {params.part} either.", advice="Use part=score.")
    return model.subject(pixels, stages, box=params.box, region=region_of(params.region))


def scores_of(subject: Subject, stages: Any) -> Tensor:
    """Return the picture's scores (1, C).

    Raises Refusal if a score is NaN or infinite, and names the first layer that produced such a value.
    """

    def make() -> Tensor:
        with torch.no_grad():
            scores = subject.scores(subject.input)
        if not torch.isfinite(scores).all():
            raise Refusal(f"The network's output is not a number (NaN or infinite){_first_bad(subject)}.")
        return scores

    return stages.run("scores", make, subject.key)


def refuse_empty(heat: Heatmap, method: Attribution, probe: Probe) -> None:
    """Raise Refusal for a map that is zero because the layer's gradient is.

    Suggest the last earlier layer where it is not.
    """
    if not heat.blank:
        return
    better = earlier(probe.subject, heat.blank, probe.stages)
    target = probe.target.title
    raise Refusal(
        f"{method.title} of {heat.blank} is zero everywhere: {target} has no gradient at any of its places.",
        advice=f"Take {better}, which comes before it." if better else "Use a method without a layer.",
        offer=("layer", better, f"Take {better}") if better else (),
    )


def probe_of(subject: Subject, params: TargetParams, stages: Any, pixels: Pixels) -> Probe:
    """Return the Probe for a subject and parameters."""
    scores = scores_of(subject, stages)
    target = resolve(subject, params, scores[0].cpu().numpy())
    return Probe(subject, target, scores, stages, pixels)


def _first_bad(subject: Subject) -> str:
    """Return the first layer with a NaN or infinite output, as the end of a sentence; "" if none is found."""
    found: list[str] = []

    def see(call: Any, value: Tensor) -> None:
        if not found and not torch.isfinite(value).all():
            found.append(call.id)

    with torch.no_grad(), traced(subject.net, size=subject.size, see=see):
        subject.scores(subject.input)
    return f", first after layer {found[0]}" if found else ""
