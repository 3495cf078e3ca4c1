"""The plan: a pure function from a Document to the requests that it wants answered, one per slot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from models.cards.card import task
from models.inspection import Description
from models.params import Value
from models.requests import Request
from models.types import Source
from viewer.session.document import Document
from viewer.translation import tr

# What is requested of a classifier before the engine has described it; of a detector, everything is.
CLASSIFIER_FIRST = ("classify",)
AFTER = ("segment",)  # never requested before the model is described
# Tasks for which nothing is requested before that.
LATER = ("generation", "likelihood", "segmentation", "features", "picture to picture", "landmarks")
DESCRIBE_SLOT, DETECT_SLOT = "describe", "detect"
Wanted = Request | Mapping[str, Request] | None
Wants = Callable[[Document, Description | None], Wanted]


def plan(document: Document, description: Description | None, wants: Iterable[tuple[str, Wants]]) -> dict[str, Request]:
    """Return the wanted request of each slot: the model's description first, then what each panel wants.

    A panel with several requests names their slots itself, "queue.name"; those are answered one at a time. A panel may
    have requests before the model is described: the engine uses the model's own values for parameters that are not
    given, so the first result need not wait. Nothing is requested of a playing video: its frames come with results.
    """
    wanted = {DESCRIBE_SLOT: Request("describe", document.model)}
    for slot, want in wants:
        asked = want(document, description)
        for name, request in (asked if isinstance(asked, Mapping) else {slot: asked}).items():
            if request is not None and not (request.source is not None and request.source.moving):
                wanted[name] = request
    return wanted


def given(document: Document, inspection: str, description: Description | None) -> dict[str, Value]:
    """Return the parameters for a request: the user's changes, without those that this model does not have."""
    values = document.values(inspection)
    offer = description.offers.get(inspection) if description else None
    if offer is None:
        return values
    declared = {p.name for p in offer.parameters}
    return {k: v for k, v in values.items() if k in declared and k not in offer.greyed}


def detect(document: Document, description: Description | None) -> Request | None:
    """Return the request for the current picture's detections."""
    return ask("detect", document, description)


def classify(document: Document, description: Description | None) -> Request | None:
    """Return the request for the current picture's classes."""
    return ask("classify", document, description)


def anchors(document: Document, description: Description | None) -> Request | None:
    """Return the request for the anchors, while the anchor layer is shown."""
    if document.view.anchors in ("here", "density", "all"):
        return ask("anchors", document, description)
    return None


def match(document: Document, description: Description | None) -> Request | None:
    """Return the request for which anchors would be matched to which object, while that is shown."""
    if document.view.anchors != "match" or document.truth is None:
        return None
    return ask("match", document, description, extra={"truth": document.truth.path})


def coverage(document: Document, description: Description | None) -> Request | None:
    """Return the request for the fit of the anchors to the whole data set, while it is shown."""
    if document.view.anchors != "match" or document.truth is None:
        return None
    shared = given(document, "match", description)
    extra = {name: shared[name] for name in ("fg", "scales", "ratios") if name in shared}
    return ask("coverage", document, description, extra=extra, source=document.truth)


def explain(
    inspection: str,
    document: Document,
    description: Description | None,
    *,
    extra: Mapping[str, Value] | None = None,
) -> Request | None:
    """Return a request about the document's target: class, selected box or drawn region, and layer, if it has one.

    `extra` takes precedence over them. None before the model is described.
    """
    if description is None:
        return None
    offer = description.offers.get(inspection)
    declared = {p.name for p in offer.parameters} - offer.greyed.keys() if offer else set()
    region = ",".join(f"{v:.1f}" for v in document.region) if document.region else ""
    about: dict[str, Value] = {
        "target": document.region_label if region and document.region_label else document.target,
        "against": document.against,
        "part": document.part if document.part != "score" else "",
        "layer": document.layer,
        "region": region,
        # If no object can have been missed, a rectangle marks the region to be hidden.
        "mask": region if "region" not in declared else "",
        "box": document.selected if document.selected >= 0 and not region else "",
    }
    wanted = {name: value for name, value in about.items() if name in declared and value != ""}
    return ask(inspection, document, description, extra={**wanted, **(extra or {})})


def beyond(document: Document) -> str:
    """Return why the figures and the search for a miss cannot use the detection's settings, "" if they can."""
    values = document.values("detect")
    asked = {
        "greedy NMS only": values.get("method", "greedy") != "greedy",
        "no scores of single classes": bool(values.get("class_scores")),
        "no class groups": bool(values.get("groups")) and not values.get("agnostic"),
    }
    wanted = next((words for words, on in asked.items() if on), "")
    return tr("This follows {wanted}: change that to go on.", wanted=wanted) if wanted else ""


def ask(
    inspection: str,
    document: Document,
    description: Description | None,
    *,
    settings: str = "",
    extra: Mapping[str, Value] | None = None,
    source: Source | None = None,
) -> Request | None:
    """Return a request for the current picture, or for `source`; None if the inspection does not apply.

    `settings` names an inspection whose settings it shares, such as "detect"; `extra` are further parameters.
    """
    source = source or document.source
    if source is None or (description is not None and reason(inspection, description)):
        return None
    if description is None and inspection in AFTER:
        return None
    if description is None and (kind := task(document.model)):
        if kind in LATER or (kind == "classification") != (inspection in CLASSIFIER_FIRST):
            return None
    elif description is None and inspection in CLASSIFIER_FIRST:
        return None
    values = given(document, settings or inspection, description)
    return Request.make(inspection, document.model, source, {**values, **(extra or {})})


def ask_with_truth(inspection: str, document: Document, description: Description | None) -> Request | None:
    """Return a request for the current picture that names the open ground truth, if there is any."""
    extra = {"truth": document.truth.path} if document.truth is not None else {}
    return ask(inspection, document, description, extra=extra)


def in_view(
    how: Callable[..., Request | None],
    inspection: str,
    document: Document,
    description: Description | None,
    **more: Any,
) -> Request | None:
    """Return what `how`, such as `ask`, requests while the panel named like the inspection is in view, else None."""
    if inspection not in document.view.inside or description is None:
        return None
    return how(inspection, document, description, **more)


def generated(document: Document, description: Description | None) -> Request | None:
    """Return the request for the picture of the document's latent code, if the model generates pictures."""
    return about("decode", document, description, extra={"code": document.latent.code})


def about(
    inspection: str,
    document: Document,
    description: Description | None,
    *,
    settings: str = "",
    extra: Mapping[str, Value] | None = None,
) -> Request | None:
    """Return a request about the model, without a picture; None if the inspection does not apply."""
    if reason(inspection, description) if description else task(document.model) != "generation":
        return None
    values = given(document, settings or inspection, description)
    return Request.make(inspection, document.model, None, {**values, **(extra or {})})


def reason(inspection: str, description: Description) -> str:
    """Return why an inspection does not apply to a model, "" if it does."""
    offer = description.offers.get(inspection)
    return offer.reason if offer else tr("This Vitrine has no {inspection}.", inspection=inspection)
