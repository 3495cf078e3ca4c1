"""Inspections: what one declares (parameters and a function that answers), and what one offers for a model.

A minimal inspection, a file of `models/inspections`:

    @dataclass(frozen=True)
    class Params:
        bins: int = param(16, "Bins", "How many bins the histogram has.", low=2, high=256, step=1)

    def answer(model: Any, pixels: Pixels, params: Params, stages: Any) -> Result:
        counts, edges = np.histogram(model.logits(pixels, stages), params.bins)
        return Result({"counts": counts, "edges": edges}, {"classes": model.card.classes})

    INSPECTION = Inspection(
        id="score_histogram",
        title="Score histogram",
        help="The distribution of the scores over all classes.",
        needs=("Classifies",),
        params=Params,
        answer=answer,
    )

The window, the command line and sessions get its controls from `params`. An `Offer` is pickled to the window's process.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.capabilities import CAPABILITIES, lacks
from models.params import Parameter, Value, parameters, parse
from models.types import Refusal, Result


@dataclass(frozen=True)
class Inspection:
    """One kind of question. `needs` names capabilities; `answer(model, pixels, params, stages)` returns a Result.

    `reads` says what `answer` gets as its second argument: for "picture" the pixels, for "nothing" None, for "folder"
    the Source of the request, such as the ground truth of a data set, whose pictures it reads itself. `spared` says
    that it also answers without a picture, and then gets None. For a model that
    it applies to, `own` returns default values that are not in the adapter's `defaults`, and `lacks` returns by
    parameter why it has no effect, or under "" why the whole inspection does not apply. Attribution methods have a
    `group` and a source to `cite`.
    """

    id: str
    title: str
    help: str
    needs: tuple[str, ...]
    params: type
    answer: Callable[[Any, Any, Any, Any], Result]
    reads: Literal["picture", "folder", "nothing"] = "picture"
    spared: bool = False
    own: Callable[[Any], Mapping[str, Value]] = lambda model: {}
    lacks: Callable[[Any], Mapping[str, str]] = lambda model: {}
    group: str = ""
    cite: str = ""

    def offer(self, model: Any) -> Offer:
        """Return whether this applies to an opened model, with its parameters in the model's ranges and defaults."""
        lacking = [need for need in self.needs if not isinstance(model, CAPABILITIES[need])]
        reasons = [model.stages[need].format(name=model.card.name) for need in lacking if need in model.stages]
        reason = f"{model.card.name} {lacks(lacking)}." if lacking else ""
        reason = reasons[0] if reasons else reason
        defaults: Mapping[str, Value] = getattr(model, "defaults", {})
        own = defaults if reason else {**defaults, **self.own(model)}
        declared, greyed = [], {} if reason else dict(self.lacks(model))
        reason = greyed.pop("", reason)
        for parameter in parameters(self.params):
            default = own.get(parameter.name, parameter.default)
            low, high = parameter.low, parameter.high
            if parameter.name == "score":
                low = getattr(model, "floor", low)
            if parameter.kind in ("int", "float"):
                high = max(high, float(default))
            declared.append(dataclasses.replace(parameter, default=default, low=low, high=high))
            if parameter.needs in model.stages:
                greyed[parameter.name] = model.stages[parameter.needs].format(name=model.card.name)
        return Offer(self.id, self.title, self.help, reason, tuple(declared), greyed, self.group, self.cite)


@dataclass(frozen=True)
class Offer:
    """An inspection for one model: `reason` says why it does not apply, "" if it does; `greyed` the same by parameter.

    Only attribution methods have a `group`.
    """

    id: str
    title: str
    help: str
    reason: str
    parameters: tuple[Parameter, ...]
    greyed: Mapping[str, str]
    group: str = ""
    cite: str = ""

    def check(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """Return the given parameters, converted to their types.

        Raises Refusal if the inspection or a parameter does not apply, is unknown or out of range.
        """
        if self.reason:
            raise Refusal(self.reason)
        values = parse(self.parameters, given)
        for name in values:
            if name in self.greyed:
                raise Refusal(f"{name} does not apply. {self.greyed[name]}")
        return values

    @property
    def defaults(self) -> dict[str, Value]:
        """The model's own values of the parameters that apply."""
        return {p.name: p.default for p in self.parameters if p.name not in self.greyed}


@dataclass(frozen=True)
class Description:
    """An opened model as described to the window: its names, capabilities, and what each inspection offers on it."""

    name: str
    title: str
    family: str
    classes: tuple[str, ...]
    capabilities: tuple[str, ...]
    stages: Mapping[str, str]
    offers: Mapping[str, Offer]
    device: str
    sha256: str
    about: Mapping[str, Any]
