"""Parameters of inspections: declared once as a frozen dataclass, read here into forms, flags and checks."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, cast, get_type_hints

from models.types import Refusal

Kind = Literal["float", "int", "bool", "choice", "text"]
Value = float | int | bool | str


@dataclass(frozen=True)
class Parameter:
    """One control: its type, range, unit, default and help. `needs` names the capability or stage it belongs to."""

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

    def check(self, value: Any) -> Value:
        """Return `value` in this parameter's type, or raise Refusal naming what is valid."""
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
) -> Any:
    """Declare a field of a frozen `Params` dataclass."""
    extra = {"title": title, "help": help, "low": low, "high": high, "step": step}
    return dataclasses.field(default=default, metadata={**extra, "unit": unit, "choices": choices, "needs": needs})


@cache
def parameters(params: type) -> tuple[Parameter, ...]:
    """Return the declared parameters of a `Params` dataclass, in order."""
    hints = get_type_hints(params)
    kinds: dict[Any, Kind] = {float: "float", int: "int", bool: "bool", str: "text"}
    found = []
    for item in dataclasses.fields(params):
        kind: Kind = "choice" if item.metadata.get("choices") else kinds[hints[item.name]]
        found.append(Parameter(item.name, kind=kind, default=cast(Value, item.default), **item.metadata))
    return tuple(found)


def parse(declared: tuple[Parameter, ...], given: Mapping[str, Any]) -> dict[str, Value]:
    """Check `given` against the declared parameters and return it in their types.

    Raises Refusal that names the valid parameters, or the valid range.
    """
    known = {p.name: p for p in declared}
    checked = {}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise Refusal(f"There is no parameter {name!r}.{hint}", advice=f"Valid names: {', '.join(known)}.")
        checked[name] = known[name].check(value)
    return checked


def _boolean(value: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]
