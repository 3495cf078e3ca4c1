"""What a failure offers to do about it: let a file of code run, choose what of it is the model, run elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog

from models import assume, consent
from models.types import Failure
from viewer.widgets.allow import Allow, Code
from viewer.widgets.opencode import OpenCode

if TYPE_CHECKING:
    from viewer.window import Window


def tell(window: Window, slot: str, failure: Failure) -> None:
    """Say what went wrong, with a button for the way out, if there is one that can be taken at once."""
    request = window.session.failed.get(slot)
    model = request.model if request is not None else ""
    # Asked once the answer has been dealt with: a dialog would hold the engine's messages up.
    match failure.offer:
        case ("allow", path, *_):
            window.session.jobs.later(lambda: ask(window, model, Path(path)))
            window.note(failure.text)
        case ("choose", path):
            given = assume.split(model)[1]
            window.session.jobs.later(lambda: open_code(window, path, given.get("weights", "")))
            window.note(failure.text)
        case ("model", name, words):
            action = (words, lambda: window.session.open_model(name))
            window.tell(failure.text, details=failure.details, severity="error", key=failure.message, action=action)
        case _:
            window.tell(failure.text, details=failure.details, severity="error", key=failure.message)


def ask(window: Window, model: str, path: Path) -> None:
    """Ask whether a file of code may run, as it is now, and open the model again if so."""
    if any(isinstance(child, Allow) and child.isVisible() for child in window.children()):
        return
    try:
        code = Code.read(path)
    except OSError as error:
        window.tell(f"{path.name} cannot be read: {error}.", severity="error")
        return
    earlier, text = consent.before(path)
    dialog = Allow(code, changed=bool(earlier) and earlier != code.sha256, before=text, parent=window)
    dialog.finished.connect(lambda answer: _answered(window, model, code, yes=answer == QDialog.DialogCode.Accepted))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def open_code(window: Window, file: str = "", weights: str = "") -> None:
    """Ask what to open of the user's code, and open it."""
    dialog = OpenCode(file, weights, folder=window.settings.last_folder, parent=window)

    def chosen() -> None:
        window.settings.last_folder = str(Path(dialog.file.text()).absolute().parent)
        window.session.open_model(dialog.name)

    dialog.accepted.connect(chosen)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _answered(window: Window, model: str, code: Code, *, yes: bool) -> None:
    if not yes:
        window.tell(f"{code.path.name} was not run.", key="allow")
        return
    try:
        consent.allow(code.path, code.sha256)
    except OSError as error:
        window.tell(f"That {code.path.name} may run could not be written down: {error}.", severity="error")
        return
    window.session.open_model(model)
