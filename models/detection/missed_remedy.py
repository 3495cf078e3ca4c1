"""Find the smallest change of a control, in the control's own steps, that brings a missed object back.

The search predicts decisions from boxes that are already scored, nearest value first. Each hit is then verified by a
real decision at the changed settings; only verified changes are returned.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.detection.classes import label_ids
from models.detection.evidence import Evidence
from models.detection.first_stage import pooled, ranked
from models.detection.suppression import SuppressionGraph, plain
from models.params import Parameter, Value
from models.types import Bool, Candidates, Int

CONTROLS = ("score", "iou", "agnostic", "hidden", "max_detections", "rpn_score", "rpn_iou", "rpn_top_n")
FREEST: dict[str, Value] = {"score": 0.0, "iou": 1.0, "agnostic": False, "hidden": "", "max_detections": 10**9}
FREEST |= {"rpn_score": 0.0, "rpn_iou": 1.0, "rpn_top_n": 10**9}


@dataclass(frozen=True)
class Remedy:
    """Settings that bring a matching box back: `change`, and its `distance` in fractions of the controls' ranges.

    `back` are the ids of the matching boxes it shows, `others` the ids of other boxes it shows too, `lost` those it
    hides.
    """

    change: Mapping[str, Value]
    distance: float
    back: tuple[int, ...]
    others: tuple[int, ...]
    lost: tuple[int, ...]


@dataclass
class Prediction:
    """Predict which boxes would be shown at any settings, from boxes that are already scored.

    `candidates` are those of the whole pool for two stages (where `evidence` is given), else the present ones.
    `matching` (N,) marks those that are the object; `names` are the class names by label.
    """

    candidates: Candidates
    matching: Bool
    names: Sequence[str]
    evidence: Evidence | None = None
    graph: SuppressionGraph | None = None
    _ranked: dict[float, Int] = field(default_factory=dict)

    def would_show(self, settings: Any) -> bool:
        """Return whether a matching box would be shown."""
        place = self.place(settings)
        return 0 <= place < settings.max_detections

    def place(self, settings: Any) -> int:
        """Return the rank, from 0, that the best matching box would have without a maximum; -1 for none."""
        rows = np.flatnonzero(self.candidates.score > settings.score)
        rows = rows[self.proposed(settings)[rows]] if self.evidence is not None else rows
        if not self.matching[rows].any():
            return -1
        columns = self.candidates
        group = None if settings.agnostic else columns.label[rows]
        kept = rows[plain(columns.boxes[rows], columns.score[rows], group, settings.iou).kept]
        kept = kept[~np.isin(columns.label[kept], self.labels(settings.hidden))]
        at = np.flatnonzero(self.matching[kept])
        return int(at[0]) if len(at) else -1

    def proposed(self, settings: Any) -> Bool:
        """Return the candidates (N,) whose proposals the RPN would pass on."""
        assert self.evidence is not None
        places, objectness = self._places(settings.rpn_iou)
        most = min(int((objectness >= settings.rpn_score).sum()), settings.rpn_top_n)
        at = places[self.candidates.anchor]
        return (at >= 0) & (at < most)

    def tops(self, settings: Any) -> list[int]:
        """Return the values of Proposals kept at which a box above the score appears or disappears."""
        places, _ = self._places(settings.rpn_iou)
        at = places[self.candidates.anchor[self.candidates.score > settings.score]]
        at = np.unique(at[at >= 0])
        return sorted({*(at + 1).tolist(), *at.tolist()})

    def labels(self, hidden: str) -> list[int]:
        """Return the labels of comma-separated class names."""
        return sorted(label_ids(hidden, tuple(self.names)))

    def _places(self, iou: float) -> tuple[Int, np.ndarray]:
        """Return the rank (N,) of every anchor after the RPN's suppression, -1 for none, and the objectness by rank."""
        assert self.evidence is not None and self.evidence.pool is not None
        if iou not in self._ranked:
            usable = self.graph is not None and iou >= self.graph.floor
            self._ranked[iou] = self.graph.tick(iou).kept if usable and self.graph else ranked(self.evidence, iou=iou)
        rows, (_, objectness, _) = self._ranked[iou], pooled(self.evidence)
        places = np.full(len(self.evidence.origins.boxes), -1, np.int64)
        places[self.evidence.pool[rows]] = np.arange(len(rows))
        return places, objectness[rows]


def search(
    settings: Any,
    controls: Iterable[Parameter],
    prediction: Prediction,
    verify: Callable[[Any], tuple[frozenset[int], frozenset[int]]],
    *,
    check: Callable[[str], None] = lambda name: None,
) -> list[Remedy]:
    """Return for each control the smallest change of it alone that brings a matching box back, nearest first.

    Equally near changes are ordered by how many other boxes they show or hide. `settings` is a frozen dataclass with a
    field for each control. `verify(settings)` makes the real decision and returns the ids of all shown boxes and of the
    matching ones. `check` is called with each control's title and may raise.
    """
    search_in = _Search(settings, {c.name: c for c in controls if c.name in CONTROLS}, prediction, verify, check)
    return search_in.nearest(search_in.single(name) for name in search_in.controls)


def pairs(
    settings: Any,
    controls: Iterable[Parameter],
    prediction: Prediction,
    verify: Callable[[Any], tuple[frozenset[int], frozenset[int]]],
    *,
    stages: Sequence[str],
    check: Callable[[str], None] = lambda name: None,
) -> list[Remedy]:
    """Return changes of two controls that bring a matching box back, for objects that no single change brings back.

    One of the two is among `stages`. It is changed as little as possible with the other wide open, then the other is
    changed as little as possible.
    """
    search_in = _Search(settings, {c.name: c for c in controls if c.name in CONTROLS}, prediction, verify, check)
    found = []
    for one in (name for name in stages if name in search_in.controls):
        found += [search_in.double(one, other) for other in search_in.controls if other != one]
    unique = {tuple(sorted(r.change.items())): r for r in found if r is not None}
    return search_in.nearest(unique.values())


def sentence(remedy: Remedy, settings: Any, controls: Mapping[str, Parameter]) -> str:
    """Return the instruction as shown on a button: "Set Score to 0.37"."""
    numbers, others = [], []
    for name, value in remedy.change.items():
        title = controls[name].title
        if name == "hidden":
            gone = {*str(getattr(settings, name)).split(",")} - {*str(value).split(",")}
            others.append(f"show class {', '.join(sorted(n.strip() for n in gone))}")
        elif controls[name].kind == "bool":
            others.append(f"switch {title} {'on' if value else 'off'}")
        else:
            numbers.append(f"{title} to {value:,}" if isinstance(value, int) else f"{title} to {value:g}")
    text = " and ".join([*(["set " + " and ".join(numbers)] if numbers else []), *others])
    return text[:1].upper() + text[1:]


@dataclass
class _Search:
    settings: Any
    controls: Mapping[str, Parameter]
    prediction: Prediction
    verify: Callable[[Any], tuple[frozenset[int], frozenset[int]]]
    check: Callable[[str], None]

    def single(self, name: str) -> Remedy | None:
        for value in self._values(name, self.settings):
            changed = dataclasses.replace(self.settings, **{name: value})
            remedy = self._verified({name: value}) if self.prediction.would_show(changed) else None
            if remedy is not None:
                return remedy
        return None

    def double(self, one: str, other: str) -> Remedy | None:
        wide = dataclasses.replace(self.settings, **{other: FREEST[other]})
        if not self.prediction.would_show(dataclasses.replace(wide, **{one: FREEST[one]})):
            return None
        first = next((v for v in self._values(one, wide) if self._would_show(wide, one, v)), None)
        if first is None:
            return None
        base = dataclasses.replace(self.settings, **{one: first})
        seconds = (v for v in self._values(other, base) if self._would_show(base, other, v))
        found = (self._verified({one: first, other: value}) for value in seconds)
        return next((remedy for remedy in found if remedy is not None), None)

    def nearest(self, found: Iterable[Remedy | None]) -> list[Remedy]:
        there = [remedy for remedy in found if remedy is not None]
        return sorted(there, key=lambda r: (round(r.distance, 6), len(r.others) + len(r.lost)))

    def _would_show(self, base: Any, name: str, value: Value) -> bool:
        return self.prediction.would_show(dataclasses.replace(base, **{name: value}))

    def _verified(self, change: dict[str, Value]) -> Remedy | None:
        shown, back = self.verify(dataclasses.replace(self.settings, **change))
        if not back:
            return None
        before, _ = self.verify(self.settings)
        distance = sum(self._distance(name, value) for name, value in change.items())
        others, lost = sorted(shown - before - back), sorted(before - shown)
        return Remedy(change, distance, tuple(sorted(back)), tuple(others), tuple(lost))

    def _distance(self, name: str, value: Value) -> float:
        """Return the distance of a value from the present one: 1 is a control's whole range, or all classes."""
        now, control = getattr(self.settings, name), self.controls[name]
        if name == "hidden":
            labels = self.prediction.labels
            return len({*labels(str(now))} ^ {*labels(str(value))}) / max(1, len(self.prediction.names) - 1)
        if control.kind == "bool":
            return 1.0
        return abs(float(value) - float(now)) / (control.high - control.low)

    def _values(self, name: str, settings: Any) -> Iterator[Value]:
        """Yield the values of a control that could bring a box back, nearest first."""
        control, now = self.controls[name], getattr(settings, name)
        for value in self._candidates(name, control, settings, now):
            self.check(control.title)
            yield value

    def _candidates(self, name: str, control: Parameter, settings: Any, now: Any) -> Iterator[Value]:
        match name:
            case "agnostic":
                yield not now
            case "hidden":
                hidden = self.prediction.labels(now)
                names = self.prediction.names
                for shown in hidden:
                    yield ",".join(names[label] for label in hidden if label != shown)
            case "max_detections":
                place = self.prediction.place(settings)
                if now <= place < control.high:
                    yield place + 1
            case "rpn_top_n":
                values = [v for v in self.prediction.tops(settings) if control.low <= v <= control.high and v != now]
                yield from sorted(values, key=lambda v: abs(v - now))
            case "score":
                # A lower score only adds boxes: if the lowest does not help, none does.
                if self._would_show(settings, name, control.low):
                    yield from (v for v in reversed(grid(control)) if v < now)
            case _:
                yield from sorted((v for v in grid(control) if v != now), key=lambda v: abs(v - now))


def grid(control: Parameter) -> list[float]:
    """Return the values of a slider, ascending: whole steps and both ends."""
    first, last = int(np.ceil(control.low / control.step - 1e-9)), int(np.floor(control.high / control.step + 1e-9))
    steps = {round(at * control.step, 10) for at in range(first, last + 1)}
    return sorted({*steps, float(control.low), float(control.high)})
