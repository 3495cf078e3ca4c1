"""Settings B of a document: the detection's settings, pinned to compare the current ones, A, with them."""

from __future__ import annotations

from models.params import Value
from viewer.session.document import Document
from viewer.session.request_plan import DETECT_SLOT

APART = ("suppressed",)  # how boxes are shown, not which are found


def pin(document: Document) -> Document:
    """Return the document with its settings pinned as B and the differences shown."""
    return document.with_pinned(_shared(document.values(DETECT_SLOT))).with_view(compare="difference")


def swap(document: Document) -> Document:
    """Return the document with current and pinned settings swapped."""
    return as_b(document).with_pinned(_shared(document.values(DETECT_SLOT)))


def flip(document: Document) -> Document:
    """Return the document showing B, or A if it showed B."""
    return document.with_view(compare="a" if document.view.compare == "b" else "b")


def _shared(values: dict[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in APART}


def as_b(document: Document) -> Document:
    """Return the document with the pinned settings in use."""
    apart = {name: value for name, value in document.values(DETECT_SLOT).items() if name in APART}
    return document.with_own(DETECT_SLOT).with_value(DETECT_SLOT, **{**dict(document.pinned or ()), **apart})
