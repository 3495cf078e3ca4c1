"""What is said of a model with a way on: let its code run, open it elsewhere or in part, flip what is assumed of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog

from models import model_name
from models.inspection import Description
from models.types import Failure
from models.user_code import consent
from viewer.session import second_model
from viewer.session.request_plan import DESCRIBE_SLOT

if TYPE_CHECKING:
    from viewer.widgets.dialogs.allow_code import Code
    from viewer.window.main_window import Window

Open = Callable[[str], None]


def tell(window: Window, slot: str, failure: Failure) -> None:
    """Say what went wrong, with a button for the way out, if there is one that can be taken at once."""
    second = bool(second_model.slot_of(slot))
    if second and not failure.offer:
        return  # told in the second model's own pane
    open_again = window.panes.put_beside if second else window.session.open_model
    if failure.offer[:1] in (("allow",), ("choose",)):
        kind, path, model = failure.offer[0], failure.offer[1], window.session.failed[slot].model
        question = ask if kind == "allow" else choose
        # Asked once the answer has been dealt with: a dialog would hold the engine's messages up.
        window.session.jobs.later(lambda: question(window, model, Path(path), open_again))
        window.note(failure.text)
        return
    action = None
    if failure.offer[:1] == ("model",):
        _, name, words = failure.offer
        action = (words, lambda: open_again(name))
    if failure.offer[:1] == ("download",):
        _, name = failure.offer
        action = ("Download", lambda: window.verbs.zoo.open_model(name, as_second=second))
    text, stays = failure.text, slot == DESCRIBE_SLOT
    if stays and not action:
        text += f" {model_name.title(window.session.good)} stays open instead."
    more = {"details": failure.details, "severity": "error", "key": failure.message, "action": action}
    window.tell(text, **more, stays=stays)


def describe(window: Window, description: Description) -> None:
    """Say of a model that has no weights, or of which something is assumed, what there is to know and to flip."""
    note = str(description.about.get("note", ""))
    if description.about.get("weights") == "none":
        window.tell(f"{description.name}: {note}", severity="warning", key=note)
    assumed = description.about.get("assumptions", {})
    if assumed and not model_name.split(window.session.store.document.model)[1]:
        said = {key: item.get("titles", {}).get(item["value"], item["value"]) for key, item in assumed.items()}
        words = ", ".join(f"{str(item['title']).lower()} {said[key]}" for key, item in assumed.items())
        show = ("Look at the model", lambda: window.docks.show("model"))
        window.tell(f"{description.name}: {note} Assumed: {words}.", key=f"assumed {description.name}", action=show)


def ask(window: Window, model: str, path: Path, open_again: Open) -> None:
    """Ask whether a file of code may run, as it is now, and open the model again if so."""
    from viewer.widgets.dialogs.allow_code import Allow, Code  # shown by few runs

    if any(isinstance(child, Allow) and child.isVisible() for child in window.children()):
        return
    try:
        code = Code.read(path)
    except OSError as error:
        window.tell(f"{path.name} cannot be read: {error}.", severity="error")
        return
    earlier, text = consent.before(path)
    dialog = Allow(code, changed=bool(earlier) and earlier != code.sha256, before=text, parent=window)
    yes = QDialog.DialogCode.Accepted
    dialog.finished.connect(lambda answer: _answered(window, model, code, open_again, yes=answer == yes))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def choose(window: Window, model: str, path: Path, open_again: Open) -> None:
    """Ask what of a file of code is the model, and open that."""
    open_code(window, str(path), model_name.split(model)[1].get("weights", ""), open_it=open_again)


def open_code(window: Window, file: str = "", weights: str = "", *, open_it: Open | None = None) -> None:
    """Ask what to open of the user's code, and open it."""
    from viewer.widgets.dialogs.open_code import OpenCode

    dialog = OpenCode(file, weights, folder=window.settings.last_folder, parent=window)

    def chosen() -> None:
        window.settings.last_folder = str(Path(dialog.file.text()).absolute().parent)
        (open_it or window.session.open_model)(dialog.name)

    dialog.accepted.connect(chosen)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _answered(window: Window, model: str, code: Code, open_again: Open, *, yes: bool) -> None:
    if not yes:
        window.tell(f"{code.path.name} was not run.", key="allow")
        return
    try:
        consent.allow(code.path, code.sha256)
    except OSError as error:
        window.tell(f"That {code.path.name} may run could not be written down: {error}.", severity="error")
        return
    open_again(model)
