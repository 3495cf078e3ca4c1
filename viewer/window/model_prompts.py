"""Messages and questions about models: allow their code, open them elsewhere or partly, change assumptions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QDialog

from models import model_name
from models.inspection import Description
from models.types import Failure, Refusal
from models.user_code import consent
from viewer.session import second_model
from viewer.session.request_plan import DESCRIBE_SLOT
from viewer.translation import tr
from viewer.window.context import WindowContext
from viewer.window.model_zoo import ModelZoo

if TYPE_CHECKING:
    from viewer.widgets.dialogs.allow_code import Code

Open = Callable[[str], None]


class ModelPrompts:
    """Reports on models in one window, and asks what is necessary before one opens."""

    def __init__(self, context: WindowContext, zoo: ModelZoo, *, put_beside: Open) -> None:
        self._context, self._zoo, self._put_beside = context, zoo, put_beside
        self._doubted: set[str] = set()  # models whose interpretation was shown already

    def tell(self, slot: str, failure: Failure) -> None:
        """Report a failure, with a button for the remedy if it can be applied at once."""
        second = bool(second_model.slot_of(slot))
        if second and not failure.offer:
            return  # reported in the second model's own pane
        open_again = self._put_beside if second else self._context.session.open_model
        if failure.offer[:1] in (("allow",), ("choose",)):
            kind, path, model = failure.offer[0], failure.offer[1], self._context.session.failed[slot].model
            question = self.ask if kind == "allow" else self.choose
            # Ask later, after this message has been handled: a dialog would block the engine's messages.
            self._context.session.jobs.later(lambda: question(model, Path(path), open_again))
            self._context.messages.note(failure.text)
            return
        action = None
        if failure.offer[:1] == ("model",):
            _, name, words = failure.offer
            action = (words, lambda: open_again(name))
        if failure.offer[:1] == ("layer",):
            _, layer, words = failure.offer
            store = self._context.session.store
            action = (
                words,
                lambda: store.update(store.document.explaining(layer=layer), title=tr("Layer {layer}", layer=layer)),
            )
        if failure.offer[:1] == ("download",):
            _, name = failure.offer
            action = (tr("Download"), lambda: self._zoo.open_model(name, as_second=second))
        text, stays = failure.text, slot == DESCRIBE_SLOT
        if stays and not action:
            text += tr(" {model_name} stays open instead.", model_name=model_name.title(self._context.session.good))
        more = {"details": failure.details, "severity": "error", "key": failure.message, "action": action}
        self._context.messages.tell(text, **more, stays=stays)

    def describe(self, description: Description) -> None:
        """Report that a model has no weights, or on which assumptions its results depend and how to change them."""
        note = str(description.about.get("note", ""))
        if description.about.get("weights") == "none":
            self._context.messages.tell(f"{description.name}: {note}", severity="warning", key=note)
        opened = self._context.session.store.document.model

        def holds() -> bool:
            return self._context.session.store.document.model == opened

        show = (tr("Look at the model"), lambda: self._context.docks.show("model"))
        if "Interpreted" in description.capabilities:
            show = (tr("See what it may be"), lambda: self._context.docks.show("interpretation"))
        if behaviour := description.about.get("behaviour", ()):
            text = f"{description.name}: {' '.join(behaviour)}"
            key = f"behaviour {description.name}"
            self._context.messages.tell(text, severity="warning", key=key, action=show, holds=holds)
        if description.about.get("unknown"):
            more = {"details": str(description.about.get("differences", "")), "severity": "warning", "stays": True}
            ways = (tr("Say what it is"), lambda: self._context.docks.show("model"))
            self._context.messages.tell(f"{description.name}: {note}", key="unknown", action=ways, holds=holds, **more)
            return
        doubt, base = str(description.about.get("doubt", "")), self._context.session.store.document.model
        if doubt and base not in self._doubted:
            self._doubted.add(base)
            self._context.docks.show("interpretation")
            text = tr(
                "{description}: {doubt} Press the reading that is right on your picture.",
                description=description.name,
                doubt=doubt,
            )
            self._context.messages.tell(text, severity="warning", key=f"doubt {description.name}")
        offered = description.about.get("assumptions", {})
        assumed = {key: item for key, item in offered.items() if not item.get("known")}
        if (
            assumed
            and not description.about.get("knows")
            and not model_name.split(self._context.session.store.document.model)[1]
        ):
            said = {key: item.get("titles", {}).get(item["value"], item["value"]) for key, item in assumed.items()}
            words = ", ".join(f"{str(item['title']).lower()} {said[key]}" for key, item in assumed.items())
            text = " ".join(filter(None, (f"{description.name}:", note, tr("Assumed: {words}.", words=words))))
            self._context.messages.tell(text, key=f"assumed {description.name}", action=show, holds=holds)

    def ask(self, model: str, path: Path, open_again: Open) -> None:
        """Ask whether a file of code may run in its current form, and if so open the model again."""
        from viewer.widgets.dialogs.allow_code import Allow, Code  # rarely shown

        if any(isinstance(child, Allow) and child.isVisible() for child in self._context.frame.children()):
            return
        try:
            code = Code.read(path)
        except (OSError, Refusal) as error:
            self._context.messages.tell(
                tr("{path} cannot be read: {error}.", path=path.name, error=error), severity="error"
            )
            return
        dialog = Allow(code, parent=self._context.frame)
        yes = QDialog.DialogCode.Accepted
        dialog.finished.connect(lambda answer: self._answered(model, code, open_again, yes=answer == yes))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def choose(self, model: str, path: Path, open_again: Open) -> None:
        """Ask what in a file of code is the model, and open that."""
        self.open_code(str(path), model_name.split(model)[1].get("weights", ""), open_it=open_again)

    def open_code(self, file: str = "", weights: str = "", *, open_it: Open | None = None) -> None:
        """Ask what in the user's code to open, and open it."""
        from viewer.widgets.dialogs.open_code import OpenCode

        dialog = OpenCode(file, weights, folder=self._context.settings.last_folder, parent=self._context.frame)

        def chosen() -> None:
            self._context.settings.last_folder = str(Path(dialog.file.text()).absolute().parent)
            (open_it or self._context.session.open_model)(dialog.name)

        dialog.accepted.connect(chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _answered(self, model: str, code: Code, open_again: Open, *, yes: bool) -> None:
        if not yes:
            self._context.messages.tell(tr("{path} was not run.", path=code.path.name), key="allow")
            return
        try:
            for one in (code, *code.helpers):
                consent.allow(one.path, one.sha256)
        except OSError as error:
            self._context.messages.tell(
                tr("The permission for {path} could not be saved: {error}.", path=code.path.name, error=error),
                severity="error",
            )
            return
        open_again(model)
