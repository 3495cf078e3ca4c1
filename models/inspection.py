"""What an inspection is: a question with declared parameters; and what the window and command line read of it.

No torch: a catalogue travels to the window's process.
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

    What `reads` a "picture" gets its pixels, what reads "nothing" gets None; what reads a "folder" gets the Source of a
    request instead of pixels, for example that of a data set's ground truth, and reads the pictures itself. Of a model
    that it applies to, `own` tells values that stand in no adapter's defaults, and `lacks` why a parameter, or under ""
    all of it, is of no use. Methods of attribution belong to a `group` and have a source to `cite`.
    """

    id: str
    title: str
    help: str
    needs: tuple[str, ...]
    params: type
    answer: Callable[[Any, Any, Any, Any], Result]
    reads: Literal["picture", "folder", "nothing"] = "picture"
    own: Callable[[Any], Mapping[str, Value]] = lambda model: {}
    lacks: Callable[[Any], Mapping[str, str]] = lambda model: {}
    group: str = ""
    cite: str = ""

    def offer(self, model: Any) -> Offer:
        """Say whether this applies to an opened model, with its parameters in the model's own ranges and defaults."""
        lacking = [need for need in self.needs if not isinstance(model, CAPABILITIES[need])]
        told = [model.stages[need].format(name=model.card.name) for need in lacking if need in model.stages]
        reason = f"{model.card.name} {lacks(lacking)}." if lacking else ""
        reason = told[0] if told else reason
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
    """An inspection for one model: `reason` says why it does not apply ("" = it does), `greyed` for a parameter.

    Methods of attribution, and nothing else, have a `group`.
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
        """Return the given parameters in their types.

        Raises Refusal when the inspection or a parameter does not apply, is not known or is out of range.
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
    """An opened model, told to the window: its names, capabilities, and what each inspection offers on it."""

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
