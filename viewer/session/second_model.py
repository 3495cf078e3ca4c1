"""The second model: its own document, derived from the first model's, and its requests.

A is the document's model, B the one beside it. B's slots have a prefix that makes them one queue: they are answered one
at a time and make way for A's, so that A waits for at most one of them.
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
from viewer.translation import tr

PREFIX = "beside."
LAYERS, GENERATED = "layers", "generated"
GENERATES = "Generates"
KINDS = ("Detects", "Classifies", GENERATES)
SAME_PLACE_IOU = 0.5
# Settings of the detection that contain class names, and the separator between names.
NAMING = {"hidden": ",", "class_scores": ",", "groups": ";"}


def slot_of(slot: str) -> str:
    """Return the panel's slot that a slot of B stands for, "" for a slot of A."""
    return slot.removeprefix(PREFIX) if slot.startswith(PREFIX) else ""


class SecondModel:
    """B in a session: its `store` holds B's document, `wants` are the slots of panels that also show B.

    `replan` submits the requests of both documents.
    """

    def __init__(self, state: SessionState, *, replan: Callable[[], None]) -> None:
        self._state, self._replan = state, replan
        self.store = Store()
        self.wants: Sequence[tuple[str, Wants]] = ()
        self._failures: dict[str, Failure] = {}
        self._following = False
        self.store.listen(self._ask_further)
        state.store.listen(self._changed)
        state.on.result.append(self._answered)
        state.on.failure.append(self._failed)

    @property
    def on(self) -> bool:
        """Whether there is a second model."""
        return bool(self._state.store.document.beside)

    @property
    def description(self) -> Description | None:
        """The description of B, once the engine has opened it."""
        return self._state.descriptions.get(self._state.store.document.beside)

    def again(self) -> None:
        """Submit B's failed requests again."""
        for slot in [slot for slot in self._state.failed if slot_of(slot)]:
            del self._state.failed[slot]
        self._replan()

    def answer(self, slot: str) -> tuple[Request, Result] | None:
        """Return B's request and result in a panel's slot."""
        return self._state.results.get(PREFIX + slot)

    @property
    def failures(self) -> list[Failure]:
        """Why B has no result for its current requests."""
        failed, wanted = self._state.failed, self._state.wanted
        return [f for slot, f in self._failures.items() if slot in wanted and failed.get(slot) == wanted[slot]]

    def wanted(self) -> dict[str, Request]:
        """Return the wanted request of each of B's slots.

        Until B is described, only the request for its description.
        """
        self.follow()
        description = self.description
        if not self.on:
            return {}
        asked = request_plan.plan(self.store.document, description, self._slots() if description else ())
        if description is not None:
            asked.pop(DESCRIBE_SLOT)
        return {PREFIX + slot: request for slot, request in asked.items()}

    def follow(self) -> None:
        """Update B's document from A's."""
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
        """Return the request for B's calls, to find out whether B has the layer chosen for A."""
        chosen = self._state.store.document.layer
        return request_plan.explain(LAYERS, document.explaining(layer=""), description) if chosen else None

    def _generated(self, document: Document, description: Description | None) -> Request | None:
        return (
            request_plan.generated(document, description)
            if description and not code_reason(document, description)
            else None
        )

    def _ask_further(self, before: Document, after: Document) -> None:
        """Continue with requests that depend on results of B's own panels, such as which methods are valid."""
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
        """Select B's box at the place of A's selected one, unless another one was selected there."""
        results, document = self._state.results, self._state.store.document
        a, b = results.get(DETECT_SLOT), self.answer(DETECT_SLOT)
        if document.selected < 0 or not document.beside or a is None or b is None or row_of(b[1], document.other) >= 0:
            return
        self._state.store.update(document.with_other(counterpart(a[1], document.selected, b[1])))


def derived(
    document: Document, a: Description | None, b: Description | None, *, calls: set[str] | frozenset[str] = frozenset()
) -> Document:
    """Return B's document: A's with the other model, and those of A's settings that B has, in B's ranges and classes.

    For the detection, every value shown in A's panel applies to B, including A's defaults; for everything else, the
    user's changes. `calls` are the ids of B's calls, needed if B is another network, to check a layer chosen for A.
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
    """Return the values that suit an offer: within its parameters' ranges, and with class names that exist.

    Values equal to the offer's defaults are left out. Values that are not parameters are kept: panels store values of
    their own there, and the first model's values apply again when the two are swapped back.
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
    """Return the id of the detection in `b` of the same class name with the largest overlap with `selected`, -1 for
    none.
    """
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
    """Return why a model cannot generate a picture of the document's code, "" if it can.

    A seed suits any code length.
    """
    code, blocks = document.latent.code, description.about.get("latent")
    if blocks is None or code.startswith(SEED):
        return ""
    try:
        size = Space.of(blocks).size
    except Refusal as refusal:
        return str(refusal)
    given = code.count(",") + 1
    return (
        ""
        if given == size
        else tr("Its code has {size} numbers, this one {given}. Go to a seed: both have one.", size=size, given=given)
    )


def differing(a: Description | None, b: Description, document: Document) -> str:
    """Return what A does and B cannot, or does with another code; "" if they can be compared. `document` is B's."""
    kinds = [kind for kind in KINDS if a is not None and kind in a.capabilities and kind not in b.capabilities]
    if kinds:
        return f"{b.name} {lacks(kinds)}."
    if a is None or GENERATES not in b.capabilities or GENERATES not in a.capabilities:
        return ""
    if reason := code_reason(document, b):
        return reason
    sizes = [Space.of(each.about["latent"]).size for each in (a, b)]
    return (
        ""
        if sizes[0] == sizes[1]
        else tr("The same seed, but codes of {sizes} and {sizes_2} numbers.", sizes=sizes[0], sizes_2=sizes[1])
    )


def swapped(document: Document, own: Document) -> Document:
    """Return the document with A and B swapped; `own` is B's document, whose settings then apply."""
    made = own.with_view(judged=None, unfit=(), unit=document.view.unit, patch=document.view.patch)
    kept = tuple(item for item in document.settings if item[0][0] != model_name.split(own.model)[0])
    return replace(
        made,
        beside=document.model,
        other=document.selected,
        settings=tuple(sorted((*kept, *own.settings))),
    )


def _within(value: Any, parameter: Parameter) -> Value | None:
    """Return a value clipped to a parameter's range, None if it has the wrong type."""
    if parameter.kind in ("int", "float"):
        value = min(max(value, parameter.low), parameter.high)
    try:
        return parameter.check(value)
    except Refusal:
        return None


def _known(text: str, separator: str, classes: Sequence[str]) -> str:
    """Return a setting's text with only those parts whose classes exist."""
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
    """Return B's word for the class that `word` denotes for A, "" if B has no class of that name."""
    name = title_for(word, a)
    return word_for(list(b).index(name), b) if word and name in b else ""
