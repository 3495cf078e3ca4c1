"""Assumptions that a model's card states: they hold unless the user chooses others, and stay open to choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from models.capabilities import CAPABILITIES
from models.cards.card import Card
from models.interpretation import network_reading
from models.types import Refusal

KEY, DOUBT = "assume", "doubt"
CLOSE = 0.05  # of the fit of two readings
Adapt = Callable[[nn.Module, Card, Mapping[str, str]], Any]


def adapted(adapt: Adapt, net: nn.Module, card: Card, given: Mapping[str, str]) -> Any:
    """Return the adapter of a network under what its card states and what the user gave.

    What the card states comes first among the choices. Where neither says anything, the card tells of a `doubt` that
    only a user can settle. Raises Refusal, also for a statement that does not apply.
    """
    stated = in_force(card.about.get(KEY, {}), given)
    if not stated:
        model = adapt(net, card, given)
        doubt = "" if given else reading_doubt(model)
        if doubt:
            model.card = replace(model.card, about={**model.card.about, DOUBT: doubt})
        return model
    try:
        model = adapt(net, card, {**stated, **given})
    except Refusal as refusal:
        where = card.about.get("read by", "its card")
        text = ", ".join(f"{key} {value}" for key, value in stated.items())
        refusal.advice = f"{refusal.advice} It assumes {text}, as {where} says: correct or delete that.".strip()
        raise
    offered = model.card.about.get("assumptions", {})
    text = {key: _first(offered[key], str(value)) if key in offered else None for key, value in stated.items()}
    about = {**model.card.about, "assumptions": {**offered, **{k: v for k, v in text.items() if v is not None}}}
    model.card = replace(model.card, about=about)
    return model


def reading_doubt(model: Any) -> str:
    """Return why a user should judge how a network's outputs are read, "" where the numbers alone suffice."""
    if not isinstance(model, CAPABILITIES["Interpreted"]):
        return ""
    found: Any = model
    found = found.interpretation
    if found.question:
        return str(found.question)
    best, others = found.reading, [each for each in found.readings if each.id != found.reading.id]
    if best.kind == network_reading.FEATURES:
        return ""
    if best.fit < network_reading.SURE:
        return f"Nothing fits its outputs well: they are read as {best.title}."
    close = next((each for each in others if each.fit > best.fit - CLOSE), None)
    return f"Its outputs may as well be {close.title} as {best.title}." if close is not None else ""


def in_force(stated: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return what is stated of what the user did not choose; another reading makes what depended on it void."""
    own = {str(key): str(value) for key, value in stated.items() if key not in given}
    reading = given.get(network_reading.KEY)
    if reading is not None and reading != stated.get(network_reading.KEY):
        own = {key: value for key, value in own.items() if key not in network_reading.DEPENDENT}
    return own


def _first(item: Mapping[str, Any], value: str) -> dict[str, Any]:
    """Return an assumption with a value first among its choices, and known, so that it is not asked about again."""
    others = (choice for choice in item["choices"] if choice != value)
    return {**item, "choices": (value, *others), "known": True}
