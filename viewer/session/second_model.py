"""The second model, beside the document's: its own document made of the first one's, and what it wants. No Qt.

A is the document's model, B the one beside it. B's slots bear a prefix that makes them one queue: they are asked one
after the other and make way for A's, so that A waits for no more than one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from models import model_name
from models.capabilities import lacks
from models.detection.suppression import columns_of, overlap
from models.inspection import Description, Offer
from models.latent.space import SEED, Space
from models.params import Parameter, Value
from models.requests import Request
from models.types import Failure, Refusal, Result
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.lookup import name_of, row_of, title_for, word_for
from viewer.session.request_plan import DESCRIBE_SLOT, DETECT_SLOT, Wants
from viewer.session.state import SessionState

PREFIX = "beside."
LAYERS, GENERATED = "layers", "generated"
GENERATES = "Generates"
KINDS = ("Detects", "Classifies", GENERATES)
SAME_PLACE_IOU = 0.5
# What of a detection's settings names classes, and what parts the names.
NAMING = {"hidden": ",", "class_scores": ",", "groups": ";"}


def slot_of(slot: str) -> str:
    """Return the slot of a panel that a slot of B is for, "" for one of A."""
    return slot.removeprefix(PREFIX) if slot.startswith(PREFIX) else ""


class SecondModel:
    """B of a session: its `store` holds B's document, `wants` are the slots of panels that answer for B too.

    `replan` asks for what both documents want.
    """

    def __init__(self, state: SessionState, *, replan: Callable[[], None]) -> None:
        self._state, self._replan = state, replan
        self.store = Store()
        self.wants: Sequence[tuple[str, Wants]] = ()
        self._failures: dict[str, Failure] = {}
        self._following = False
        self.store.listen(self._told)
        state.store.listen(self._changed)
        state.on.result.append(self._answered)
        state.on.failure.append(self._failed)

    @property
    def on(self) -> bool:
        """Whether there is a second model."""
        return bool(self._state.store.document.beside)

    @property
    def description(self) -> Description | None:
        """What is known of B, once the engine opened it."""
        return self._state.descriptions.get(self._state.store.document.beside)

    def again(self) -> None:
        """Ask of B once more what failed."""
        for slot in [slot for slot in self._state.failed if slot_of(slot)]:
            del self._state.failed[slot]
        self._replan()

    def answer(self, slot: str) -> tuple[Request, Result] | None:
        """Return B's answer in a slot of a panel, with what it answers."""
        return self._state.results.get(PREFIX + slot)

    @property
    def failures(self) -> list[Failure]:
        """Why B has no answer to what is wanted of it now."""
        failed, wanted = self._state.failed, self._state.wanted
        return [f for slot, f in self._failures.items() if slot in wanted and failed.get(slot) == wanted[slot]]

    def wanted(self) -> dict[str, Request]:
        """Return the wanted request of each of B's slots: first of all its description, and without it nothing else."""
        self.follow()
        description = self.description
        if not self.on:
            return {}
        asked = request_plan.plan(self.store.document, description, self._slots() if description else ())
        if description is not None:
            asked.pop(DESCRIBE_SLOT)
        return {PREFIX + slot: request for slot, request in asked.items()}

    def follow(self) -> None:
        """Bring B's document up to date with A's."""
        if not self.on:
            return
        document = self._state.store.document
        found = self.answer(LAYERS)
        calls = {c["id"] for c in found[1].meta["calls"] if c["map"]} if found is not None else set()
        made = derived(document, self._state.description, self.description, calls=calls)
        own = self.store.document
        same = (own.model, own.source) == (made.model, made.source)
        if same:
            made = made.with_view(judged=own.view.judged, unfit=own.view.unfit)
        self._following = True
        self.store.update(made)
        self._following = False

    def _slots(self) -> list[tuple[str, Wants]]:
        own = [(slot, wants) for slot, wants in self.wants if slot not in (LAYERS, GENERATED)]
        return [(LAYERS, self._layers), (GENERATED, self._generated), *own]

    def _layers(self, document: Document, description: Description | None) -> Request | None:
        """Want the calls of a B of another network, to know whether it has the layer that is chosen of A."""
        chosen = self._state.store.document.layer
        return request_plan.explain(LAYERS, document.explaining(layer=""), description) if chosen else None

    def _generated(self, document: Document, description: Description | None) -> Request | None:
        return (
            request_plan.generated(document, description)
            if description and not code_reason(document, description)
            else None
        )

    def _told(self, before: Document, after: Document) -> None:
        """Ask what follows from what B's own panels found out, such as which methods hold."""
        if not self._following:
            self._replan()

    def _answered(self, slot: str, request: Request, result: Result) -> None:
        own = slot_of(slot)
        if own == LAYERS:
            self._replan()
        if DETECT_SLOT in (slot, own):
            self._select()

    def _failed(self, slot: str, failure: Failure) -> None:
        if slot_of(slot):
            self._failures[slot] = failure

    def _changed(self, before: Document, after: Document) -> None:
        if before.beside != after.beside:
            for slot in [slot for slot in self._state.results if slot_of(slot)]:
                del self._state.results[slot]
        else:
            self._select()

    def _select(self) -> None:
        """Select of B what is where the selected box of A is, unless another one was chosen there."""
        results, document = self._state.results, self._state.store.document
        a, b = results.get(DETECT_SLOT), self.answer(DETECT_SLOT)
        if document.selected < 0 or not document.beside or a is None or b is None or row_of(b[1], document.other) >= 0:
            return
        self._state.store.update(document.with_other(counterpart(a[1], document.selected, b[1])))


def derived(
    document: Document, a: Description | None, b: Description | None, *, calls: set[str] | frozenset[str] = frozenset()
) -> Document:
    """Return B's document: A's with the other model, and of A's settings what B has, in B's ranges and classes.

    Of the detection every value that A's panel shows holds for B, also A's own; of all else what the user changed.
    `calls` are the calls of B that a layer chosen of A can be, where the two are different networks.
    """
    settings: list[tuple[tuple[str, str], tuple[tuple[str, Value], ...]]] = []
    for inspection, offer in b.offers.items() if b is not None else ():
        values = document.values(inspection)
        if inspection == DETECT_SLOT and a is not None and not a.offers[inspection].reason:
            known = {parameter.name for parameter in offer.parameters}
            shown = a.offers[inspection].defaults
            values = {**{name: shown[name] for name in shown.keys() & known}, **values}
        if kept := suited(values, offer, b.classes if b is not None else ()):
            settings.append(((model_name.split(document.beside)[0], inspection), tuple(sorted(kept.items()))))
    names = [(a.classes if a else ()), (b.classes if b else ())]
    target, against, wrong = (
        _class_of(word, *names) for word in (document.target, document.against, document.region_label)
    )
    same_network = model_name.split(document.model)[0] == model_name.split(document.beside)[0]
    return replace(
        document,
        model=document.beside,
        beside="",
        settings=tuple(sorted(settings)),
        view=replace(document.view, judged=None, unfit=(), unit=None, patch=-1),
        selected=document.other,
        other=-1,
        second=-1,
        pinned=None,
        target=target,
        against=against,
        region_label=wrong,
        layer=document.layer if same_network or document.layer in calls else "",
    )


def suited(values: Mapping[str, Value], offer: Offer, classes: Sequence[str]) -> dict[str, Value]:
    """Return the values that suit an offer: those of its parameters in its range, and of class names those there are.

    What is the offer's own value anyway is left out; what is no parameter of it stays, for panels keep values of their
    own there, and the first model's come into force again when the two are swapped back.
    """
    declared = {parameter.name for parameter in offer.parameters}
    kept = {name: value for name, value in values.items() if name not in declared}
    for parameter in offer.parameters:
        if parameter.name not in values or parameter.name in offer.greyed:
            continue
        value = _within(values[parameter.name], parameter)
        if offer.id == DETECT_SLOT and parameter.name in NAMING:
            value = _known(str(value), NAMING[parameter.name], classes)
        if value is not None and value != parameter.default:
            kept[parameter.name] = value
    return kept


def counterpart(a: Result, selected: int, b: Result) -> int:
    """Return the id of the detection of `b` of the same class name that overlaps one of `a` most, -1 for none."""
    row = row_of(a, selected)
    if row < 0 or not len(b.arrays["boxes"]):
        return -1
    name = name_of(a, row)
    same = np.array([name_of(b, other) == name for other in range(len(b.arrays["labels"]))])
    box, others = columns_of(a.arrays["boxes"][[row]]), columns_of(b.arrays["boxes"])
    iou = np.where(same, overlap(box[:, :, None], others[:, None])[0], 0.0)
    best = int(iou.argmax())
    return int(b.arrays["ids"][best]) if iou[best] >= SAME_PLACE_IOU else -1


def code_reason(document: Document, description: Description) -> str:
    """Return why a model can make no picture of the document's code, "" if it can: a seed is a code of any length."""
    code, blocks = document.latent.code, description.about.get("latent")
    if blocks is None or code.startswith(SEED):
        return ""
    try:
        size = Space.of(blocks).size
    except Refusal as refusal:
        return str(refusal)
    given = code.count(",") + 1
    return "" if given == size else f"Its code has {size} numbers, this one {given}. Go to a seed: both have one."


def differing(a: Description | None, b: Description, document: Document) -> str:
    """Return what A does and B cannot, or does with another code; "" where they can be compared. `document` is B's."""
    kinds = [kind for kind in KINDS if a is not None and kind in a.capabilities and kind not in b.capabilities]
    if kinds:
        return f"{b.name} {lacks(kinds)}."
    if a is None or GENERATES not in b.capabilities or GENERATES not in a.capabilities:
        return ""
    if reason := code_reason(document, b):
        return reason
    sizes = [Space.of(each.about["latent"]).size for each in (a, b)]
    return "" if sizes[0] == sizes[1] else f"The same seed, but codes of {sizes[0]} and {sizes[1]} numbers."


def swapped(document: Document, own: Document) -> Document:
    """Return the document with A and B in each other's place; `own` is B's document, whose settings come into force."""
    made = own.with_view(judged=None, unfit=(), unit=document.view.unit, patch=document.view.patch)
    kept = tuple(item for item in document.settings if item[0][0] != model_name.split(own.model)[0])
    return replace(
        made,
        beside=document.model,
        other=document.selected,
        settings=tuple(sorted((*kept, *own.settings))),
    )


def _within(value: Any, parameter: Parameter) -> Value | None:
    """Return a value moved into a parameter's range, None where it is no value of it."""
    if parameter.kind in ("int", "float"):
        value = min(max(value, parameter.low), parameter.high)
    try:
        return parameter.check(value)
    except Refusal:
        return None


def _known(text: str, separator: str, classes: Sequence[str]) -> str:
    """Return a setting's text about classes without the parts that name others than these."""
    inner = "+" if separator == ";" else ""
    found = []
    for part in filter(None, (part.strip() for part in text.split(separator))):
        names = [name.strip() for name in part.split(inner)] if inner else [part.rpartition("=")[0].strip() or part]
        there = [name for name in names if name in classes]
        if inner and len(there) > 1:
            found.append("+".join(there))
        elif not inner and there:
            found.append(part)
    return f"{separator} ".join(found) if inner else separator.join(found)


def _class_of(word: str, a: Sequence[str], b: Sequence[str]) -> str:
    """Return by what B is asked for a class that A is asked for by `word`, "" where it has none of that name."""
    name = title_for(word, a)
    return word_for(list(b).index(name), b) if word and name in b else ""
