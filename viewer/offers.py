"""What is said of a model with a way on: let its code run, open it elsewhere, flip what is assumed of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox

from models import assume, consent
from models.inspection import Description
from models.types import Failure
from viewer import beside

if TYPE_CHECKING:
    from viewer.window import Window

Open = Callable[[str], None]
Buttons = QMessageBox.StandardButton


def tell(window: Window, slot: str, failure: Failure) -> None:
    """Say what went wrong, with a button for the way out, if there is one that can be taken at once."""
    second = bool(beside.slot_of(slot))
    if second and not failure.offer:
        return  # told in the second model's own pane
    open_again = window.panes.put_beside if second else window.session.open_model
    if failure.offer[:1] == ("allow",):
        _, path, sha256 = failure.offer
        model = window.session.failed[slot].model
        # Asked once the answer has been dealt with: a dialog would hold the engine's messages up.
        window.session.jobs.later(lambda: ask(window, model, Path(path), sha256, open_again))
        window.note(failure.text)
        return
    action = None
    if failure.offer[:1] == ("model",):
        _, name, words = failure.offer
        action = (words, lambda: open_again(name))
    if failure.offer[:1] == ("download",):
        _, name = failure.offer
        action = ("Download", lambda: window.verbs.zoo.open_model(name, as_second=second))
    window.tell(failure.text, details=failure.details, severity="error", key=failure.message, action=action)


def describe(window: Window, description: Description) -> None:
    """Say of a model that has no weights, or of which something is assumed, what there is to know and to flip."""
    note = str(description.about.get("note", ""))
    if description.about.get("weights") == "none":
        window.tell(f"{description.name}: {note}", severity="warning", key=note)
    assumed = description.about.get("assumptions", {})
    if assumed and not assume.split(window.session.store.document.model)[1]:
        words = ", ".join(f"{str(item['title']).lower()} {item['value']}" for item in assumed.values())
        show = ("Look at the model", lambda: window.docks.show("model"))
        window.tell(f"{description.name}: {note} Assumed: {words}.", key=f"assumed {description.name}", action=show)


def ask(window: Window, model: str, path: Path, sha256: str, open_again: Open) -> None:
    """Ask whether a file of code may run, and open the model again if so."""
    text = f"{path.name} is code, and opening this model runs it with all that you may do on this machine."
    box = QMessageBox(QMessageBox.Icon.Question, "Run this code?", text, parent=window)
    box.setInformativeText(f"{path}\nSHA-256 {sha256}\n\nYou are asked again when the file changes.")
    run = box.addButton("Run it", QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton(Buttons.Cancel))
    box.finished.connect(lambda: _answered(window, model, path, sha256, open_again, yes=box.clickedButton() is run))
    box.open()


def _answered(window: Window, model: str, path: Path, sha256: str, open_again: Open, *, yes: bool) -> None:
    if not yes:
        window.tell(f"{path.name} was not run.", key="allow")
        return
    try:
        consent.allow(path, sha256)
    except OSError as error:
        window.tell(f"That {path.name} may run could not be written down: {error}.", severity="error")
        return
    open_again(model)
