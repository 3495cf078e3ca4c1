"""Parameters of inspections, declared as a frozen dataclass and read as descriptions for forms, flags and checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast, get_type_hints

from models.types import Refusal

Kind = Literal["float", "int", "bool", "choice", "text"]
Value = float | int | bool | str
AUTOMATIC = "automatic"


@dataclass(frozen=True)
class Parameter:
    """One control: its type, range, unit, default and help. `needs` names the capability or stage it belongs to.

    `titles` are readable names of the `choices`, one each, or empty if the choices are readable themselves; a number's
    one title is what its lowest value is called, where that stands for something else than a number. `only`
    names another parameter, followed by those of its values at which this one has an effect; empty means always.
    """

    name: str
    title: str
    kind: Kind
    default: Value
    low: float = 0.0
    high: float = 1.0
    step: float = 0.01
    unit: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    needs: str = ""
    titles: tuple[str, ...] = ()
    only: tuple[Value, ...] = ()

    def check(self, value: Any) -> Value:
        """Convert `value` to this parameter's type. Raises Refusal that names the valid values."""
        try:
            match self.kind:
                case "bool":
                    return _boolean(value)
                case "int":
                    number: float = int(str(value))
                case "float":
                    number = float(value)
                case _:
                    if self.choices and str(value) not in self.choices:
                        raise ValueError
                    return str(value)
        except (TypeError, ValueError):
            raise Refusal(f"{self.name} cannot be {value!r}.", advice=f"It takes {self.range_text}.") from None
        if not self.low <= number <= self.high:
            raise Refusal(f"{self.name}={value} is out of range.", advice=f"It takes {self.range_text}.")
        return number

    @property
    def range_text(self) -> str:
        """The valid values, in words."""
        match self.kind:
            case "bool":
                return "true or false"
            case "int":
                return f"a whole number from {self.low:g} to {self.high:g}"
            case "float":
                return f"a number from {self.low:g} to {self.high:g}"
            case _:
                return "one of " + ", ".join(self.choices) if self.choices else "a text"

    @property
    def lowest(self) -> str:
        """What the lowest value of a number is called, "" if it is a number like the others."""
        return self.titles[0] if self.kind in ("int", "float") and self.titles else ""

    def text(self, value: object) -> str:
        """Return a value in readable form: a choice's title, on or off, a number without needless digits."""
        if self.titles and value in self.choices:
            return self.titles[self.choices.index(str(value))]
        if self.lowest and not isinstance(value, str) and value == self.low:
            return self.lowest
        if isinstance(value, bool):
            return "on" if value else "off"
        return f"{value:g}" if isinstance(value, float) else str(value)


def param(
    default: Value,
    title: str,
    help: str,  # noqa: A002 - the field's own name
    *,
    low: float = 0.0,
    high: float = 1.0,
    step: float = 0.01,
    unit: str = "",
    choices: tuple[str, ...] = (),
    needs: str = "",
    titles: tuple[str, ...] = (),
    only: tuple[Value, ...] = (),
) -> Any:
    """Declare a field of a frozen `Params` dataclass."""
    extra = {"title": title, "help": help, "low": low, "high": high, "step": step, "unit": unit}
    more = {"choices": choices, "needs": needs, "titles": titles, "only": only}
    return dataclasses.field(default=default, metadata={**extra, **more})


@cache
def parameters(params: type) -> tuple[Parameter, ...]:
    """Return the declared parameters of a `Params` dataclass, in order; `from_` declares "from", a Python keyword."""
    hints = get_type_hints(params)
    kinds: dict[Any, Kind] = {float: "float", int: "int", bool: "bool", str: "text"}
    found = []
    for item in dataclasses.fields(params):
        kind: Kind = "choice" if item.metadata.get("choices") else kinds[hints[item.name]]
        found.append(
            Parameter(item.name.removesuffix("_"), kind=kind, default=cast(Value, item.default), **item.metadata)
        )
    return tuple(found)


def build(params: type, values: Mapping[str, Any]) -> Any:
    """Build a `Params` from values by the names that `parameters` returns."""
    fields = {item.name.removesuffix("_"): item.name for item in dataclasses.fields(params)}
    return params(**{fields[name]: value for name, value in values.items()})


def parse(declared: tuple[Parameter, ...], given: Mapping[str, Any]) -> dict[str, Value]:
    """Check `given` against the declared parameters and convert the values to their types.

    Raises Refusal that names the valid parameters, or the valid range.
    """
    known = {p.name: p for p in declared}
    checked = {}
    for name, value in given.items():
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise Refusal(f"There is no parameter {name!r}.{hint}", advice=f"Valid names: {', '.join(known)}.")
        checked[name] = known[name].check(value)
    return checked


def ineffective(declared: Sequence[Parameter], values: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters that have no effect at these values of the others, each with the reason."""
    known = {p.name: p for p in declared}
    reasons = {}
    for parameter in declared:
        if not parameter.only:
            continue
        name, *wanted = parameter.only
        other = known.get(str(name))
        if other is not None and (now := values.get(other.name, other.default)) not in wanted:
            state = f"{other.title} {other.text(now)}" if other.kind == "bool" else other.text(now)
            reasons[parameter.name] = f"Not used with {state}."
    return reasons


def _boolean(value: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]
