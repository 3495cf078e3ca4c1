"""What the window knows of a panel before it is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.inspection import Description
from viewer.engine_texts import lacking
from viewer.session import request_plan
from viewer.session.document import Document

Condition = Callable[[Document], bool]
ALL = "all"
WITH_ANSWERS = ("find", "explain", "compare", "evaluate")  # workspaces that show what the model answers


@dataclass(frozen=True)
class PanelEntry:
    """One panel: its `id`, `title`, the name of its `icon`, and its `place`, "module.Class" in this folder.

    `workspace` is the one it belongs to, of those in viewer/window/workspaces.py, "all" for one that serves every work;
    `opened` are the workspaces in which it is open at first. `area` is the dock area, and `height_px` the minimum
    height on opening. A panel with `beside` set also paints over the second model's picture.

    `needs` are the capabilities a model must have, unless it has one of those in `suffices`; `inspection` names an
    inspection that must apply to it as well. `asks` says whether the panel may have requests for a document; by
    default it may while it is in view, as the document records in `view.inside` (see `Panel.seen`). `paints` says
    whether the document holds something that the panel paints even if it was never opened. One with `described` set has
    no requests before the model is described.
    """

    id: str
    title: str
    icon: str
    place: str
    workspace: str = ""
    opened: tuple[str, ...] = ()
    area: str = "right"
    height_px: int = 0
    needs: tuple[str, ...] = ()
    suffices: tuple[str, ...] = ()
    inspection: str = ""
    beside: bool = False
    described: bool = False
    asks: Condition | None = None
    paints: Condition | None = None

    def may_ask(self, document: Document) -> bool:
        """Return whether the panel may have requests for a document."""
        return self.asks(document) if self.asks is not None else self.id in document.view.inside

    def may_paint(self, document: Document) -> bool:
        """Return whether the panel paints something for a document even if it was never opened."""
        return self.paints is not None and self.paints(document)

    def lacking(self, description: Description) -> str:
        """Return why the panel cannot be used with a model, "" if it can."""
        if {*self.suffices} & {*description.capabilities}:
            return ""
        missing = [need for need in self.needs if need not in description.capabilities]
        reasons = [description.stages[need] for need in missing if need in description.stages]
        if missing:
            return reasons[0] if reasons else lacking(description.name, missing)
        return request_plan.reason(self.inspection, description) if self.inspection else ""


def always(document: Document) -> bool:
    """Return that a panel may have requests for every document."""
    return True
