"""The classes of a model's pixels, and settings that name classes: hidden ones, groups, thresholds per class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.cards import card
from models.types import Refusal

GROUPS_HELP = "Write names joined by +, groups separated by ;, as in cat+dog; car+truck."
SCORES_HELP = "Write name=threshold, separated by commas, as in cat=0.6, dog=0.3."


def label_ids(names: str, classes: tuple[str, ...]) -> frozenset[int]:
    """Return the label ids of comma-separated class names. Raises Refusal that lists the known classes."""
    return frozenset(label for name in _parts(names, ",") for label in _labels(name, classes))


def class_groups(text: str, classes: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the label ids of each group, as in "cat+dog; car+truck"; a class that is not named is in no group.

    Raises Refusal that lists the known classes, or names a class that occurs twice.
    """
    found = []
    seen: set[int] = set()
    for part in _parts(text, ";"):
        members: list[int] = []
        for name in _parts(part, "+"):
            labels = _labels(name, classes, advice=GROUPS_HELP)
            if seen.intersection(labels):
                raise Refusal(f"Class {name!r} is named twice.", advice="Each class belongs to one group.")
            seen.update(labels)
            members += labels
        if members:
            found.append(tuple(sorted(members)))
    return tuple(sorted(found))


def class_scores(text: str, classes: tuple[str, ...]) -> dict[int, float]:
    """Return the score thresholds by label id, as in "cat=0.6, dog=0.3".

    Raises Refusal that lists the known classes, or quotes an invalid threshold.
    """
    found: dict[int, float] = {}
    for part in _parts(text, ","):
        name, equals, number = part.rpartition("=")
        try:
            threshold = float(number)
        except ValueError:
            threshold = -1.0
        if not equals or not 0 <= threshold <= 1:
            raise Refusal(f"{part!r} is not a threshold for a class.", advice=f"{SCORES_HELP} They go from 0 to 1.")
        for label in _labels(name.strip(), classes, advice=SCORES_HELP):
            if label in found:
                raise Refusal(f"Class {name.strip()!r} has two thresholds.", advice="Leave one out.")
            found[label] = threshold
    return found


def can_be_named(name: str) -> bool:
    """Return whether a class name survives in a setting's text, where commas separate names and spaces are stripped."""
    return bool(name) and "," not in name and name == name.strip()


def write_scores(thresholds: Mapping[str, float]) -> str:
    """Write thresholds by class name as the text that `class_scores` reads."""
    return ", ".join(f"{name}={threshold:g}" for name, threshold in thresholds.items())


def check(settings: Mapping[str, object], classes: tuple[str, ...]) -> None:
    """Raise Refusal for a setting that names an unknown class or is otherwise invalid."""
    for name, read in (("hidden", label_ids), ("groups", class_groups), ("class_scores", class_scores)):
        read(str(settings.get(name, "")), classes)


def _parts(text: str, separator: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _labels(name: str, classes: tuple[str, ...], *, advice: str = "") -> list[int]:
    known = card.label_ids(classes)
    labels = [i for i in known if classes[i] == name]
    if not labels:
        listing = ", ".join(dict.fromkeys(classes[i] for i in known))
        raise Refusal(f"There is no class {name!r}.", advice=f"{advice} Classes: {listing}.".strip())
    return labels


def pixel_classes(model: Any) -> tuple[str, ...]:
    """Return the classes of a model's pixels: those of its boxes too, unless it names `pixel_classes` of their own."""
    return tuple(getattr(model, "pixel_classes", model.card.classes))
