"""The Model panel: what is known of the model, its device and precision, assumptions about its file, and its card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from models import model_name
from models.cards import card, form
from models.inspection import Description
from models.params import Parameter
from models.requests import Request
from models.types import Refusal, Result
from viewer.engine_texts import named, shown
from viewer.panels.base import GAP, Panel
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.translation import tr
from viewer.widgets.controls.class_names_editor import ClassNames
from viewer.widgets.controls.elided_label import plain
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.unknown_weights import UnknownWeights
from viewer.widgets.controls.wrapped_label import WrappedLabel
from viewer.widgets.tables.fact_card import Card

WEIGHTS = "weights"
LONGEST = 30  # characters of a name
TASKS = {
    "": tr("as recognised"),
    "classification": "classification",
    "detection": "detection",
    "generation": "generation",
    "likelihood": "likelihood",
}
NO_FILE = tr("This model is not a file of yours, so its card cannot be edited.")
DEVICE = Parameter("device", tr("Runs on"), "choice", "", help=tr("Chosen automatically unless you choose."))
PRECISION = Parameter(
    "precision",
    tr("Precision"),
    "choice",
    "float32",
    help=tr("Layers calculate in it; weights and results stay float32."),
)


class ModelPanel(Panel):
    """Facts, choices that reopen the model, and a form to edit its card."""

    id: ClassVar[str] = "model"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.facts = Card(tr("No model yet"))
        self.note = WrappedLabel(tr("About the model"))
        self.closed = WrappedLabel(tr("What is closed to the model"))
        self.choices: Form | None = None
        self.section = Section(tr("Card: preprocessing and names"))
        self.task = QComboBox()
        self.task.setAccessibleName(tr("Task of the model"))
        for value, words in TASKS.items():
            self.task.addItem(shown(words), value)
        self.preprocessing = Form([named(each) for each in form.PARAMETERS])
        self.preprocessing.reset.setText(tr("Reset to the card's own values"))
        self.preprocessing.reset.setAccessibleName(tr("Reset to the card's own values"))
        self.names = ClassNames()
        self.save = QPushButton(tr("Save card and apply"))
        self.save.setToolTip(tr("Write it beside the weights and reopen the model"))
        self.revert = QPushButton(tr("Revert"))
        self.revert.setToolTip(tr("Show what the card says"))
        self.said = WrappedLabel(tr("About the card"))
        self._shown: tuple[str, object] = ("", None)
        self._offered: tuple[Parameter, ...] = ()
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(GAP, GAP, GAP, GAP)
        self._column.setSpacing(GAP)
        self.unknown = self._unknown_weights_controls()
        for part in (self.facts, self.note, self.closed, self.unknown, self.section):
            self._column.addWidget(part)
        self._column.addStretch(1)
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(QLabel(tr("Task")))
        line.addWidget(self.task, 1)
        self._task_line = QWidget()
        self._task_line.setLayout(line)
        line.setContentsMargins(0, 0, 0, 0)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addWidget(self.save)
        buttons.addWidget(self.revert)
        buttons.addStretch(1)
        self._buttons = QWidget()
        self._buttons.setLayout(buttons)
        buttons.setContentsMargins(0, 0, 0, 0)
        for part in (self._task_line, self.preprocessing, self.names, self._buttons, self.said):
            self.section.add(part)
        self.fill(inside, tr("Model"))
        self.save.clicked.connect(self._save)
        self.revert.clicked.connect(self._revert)
        self.preprocessing.reset_requested.connect(self._revert)

    def _unknown_weights_controls(self) -> UnknownWeights:
        """Return the controls for weights whose network is unknown, hidden at first."""
        made = UnknownWeights()
        made.hide()
        made.architecture_chosen.connect(lambda name: self._choose("architecture", name))
        made.code_wanted.connect(lambda: self.command_wanted.emit("open-code"))
        made.card_wanted.connect(lambda: self.section.set_open(True))
        return made

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the architectures that are like weights of an unknown network."""
        if description is None or not description.about.get("unknown"):
            return None
        return request_plan.about("likeness", document, description)

    def view_changed(self, in_view: bool) -> None:
        """Make requests only while the panel is in view."""
        self.store.update(self.store.document.with_inside(self.id, in_view))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Offer the architectures that are alike."""
        if slot == self.id:
            shares = (float(share) for share in result.arrays["shares"])
            self.unknown.set_similar(list(zip(result.meta["names"], shares, strict=True)))

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show what is known of the document's model, once it is described."""
        if description is None or self._shown == (document.model, description):
            return
        self._shown = (document.model, description)
        about = description.about
        self.facts.set_title(_short(description.name))
        self.facts.setToolTip(plain(str(card.file_of(document.model) or description.name)))
        self.facts.set_facts(_facts(document, description))
        said = [
            str(text)
            for text in (about.get("note", ""), about.get("readings", ""), *about.get("behaviour", ()))
            if text
        ]
        self.note.setText("\n\n".join(said))
        self.note.setVisible(bool(said))
        self.closed.setText(str(about.get("confinement", "")))
        self.unknown.setVisible(bool(about.get("unknown")))
        self.unknown.set_similar(about.get("alike", ()))
        self._build(description)
        self._show_card(description)

    def _build(self, description: Description) -> None:
        """Build the choices that this model offers, unless they are shown already."""
        offered = _offered(description)
        if offered != self._offered:
            self._offered = offered
            if self.choices is not None:
                self._column.removeWidget(self.choices)
                self.choices.deleteLater()
            self.choices = Form(offered)
            self.choices.reset.setText(tr("Open it with its own choices"))
            self.choices.reset.setAccessibleName(tr("Open it with its own choices"))
            self.choices.committed.connect(self._choose)
            self.choices.reset_requested.connect(lambda: self._open({}))
            self._column.insertWidget(3, self.choices)
        if self.choices is not None:
            self.choices.set_values(_current_choices(description))

    def _choose(self, name: str, value: object) -> None:
        _, given = model_name.split(self.store.document.model)
        own = {p.name: p.default for p in self._offered}
        chosen = {key: text for key, text in {**given, name: str(value)}.items() if own.get(key) != text}
        self._open(chosen, title=tr("Choose {name} {value}", name=name, value=value))

    def _open(self, chosen: dict[str, str], *, title: str = tr("Open with automatic choices")) -> None:
        """Reopen the model with other choices; keep its weights, drop all other options."""
        base, given = model_name.split(self.store.document.model)
        kept = {key: value for key, value in given.items() if key == WEIGHTS}
        document = self.store.document.with_model(model_name.join(base, {**kept, **chosen}))
        self.store.update(document, title=title)

    def _revert(self) -> None:
        """Show what the card says now."""
        if isinstance(self._shown[1], Description):
            self.said.setText("")
            self._show_card(self._shown[1])

    def _show_card(self, description: Description) -> None:
        editable = card.file_of(self.store.document.model) is not None
        about = description.about
        given = about.get("preprocessing")
        self.preprocessing.setVisible(given is not None)
        if given is not None:
            values = form.values(given)
            self.preprocessing.set_defaults(values)
            self.preprocessing.set_values(values)
        self.names.expect(0 if about.get("free classes") else len(description.classes))
        self.names.set_names(description.classes)
        self.names.setVisible(bool(_named(description)))
        self.task.setCurrentIndex(max(0, self.task.findData(str(about.get("task", "")))))
        for part in (self._task_line, self.preprocessing, self.names, self._buttons):
            part.setEnabled(editable)
        if not editable or self.said.text() == NO_FILE:
            self.said.setText("" if editable else NO_FILE)

    def _save(self) -> None:
        file = card.file_of(self.store.document.model)
        _, description = self._shown
        if file is None or not isinstance(description, Description):
            return
        changed: dict[str, Any] = {}
        try:
            if (names := self.names.names) and names != description.classes:
                changed["classes"] = list(names)
            if "preprocessing" in description.about:
                changed["preprocessing"] = form.preprocessing(self.preprocessing.values)  # pyright: ignore[reportArgumentType]
            if task := str(self.task.currentData()):
                changed["task"] = task
            written = form.written(file, changed)
        except Refusal as refusal:
            self.said.setText(f"{refusal} {refusal.advice}")
            return
        where = tr("beside the weights") if written.parent == file.parent else tr("in {parent}", parent=written.parent)
        self.said.setText(tr("Saved as {written} {where}.", written=written.name, where=where))
        self.command_wanted.emit("again")


def _offered(description: Description) -> tuple[Parameter, ...]:
    """Return the choices that reopen a model: device, precision, and assumptions about its file."""
    runtime = description.about.get("runtime", {})
    devices = {str(name): str(what) for name, what in runtime.get("devices", {}).items()}
    precisions = tuple(runtime.get("precisions", {}).get(description.device, ()))
    found = []
    if devices:
        titles = tuple(f"{name} ({what})" for name, what in devices.items())
        found.append(_replaced(DEVICE, tuple(devices), titles))
    if precisions:
        found.append(_replaced(PRECISION, precisions))
    for key, item in description.about.get("assumptions", {}).items():
        choices = tuple(str(choice) for choice in item["choices"])
        words: dict[str, str] = item.get("titles", {})
        titles = tuple(shown(words.get(choice, choice.replace("_", " "))) for choice in choices)
        text = str(item["help"])
        found.append(
            Parameter(key, str(item["title"]), "choice", choices[0], help=text, choices=choices, titles=titles)
        )
    return tuple(found)


def _replaced(parameter: Parameter, choices: tuple[str, ...], titles: tuple[str, ...] = ()) -> Parameter:
    return replace(parameter, choices=choices, titles=titles, default=choices[0])


def _current_choices(description: Description) -> dict[str, object]:
    runtime = description.about.get("runtime", {})
    assumed = {key: str(item["value"]) for key, item in description.about.get("assumptions", {}).items()}
    return {"device": runtime.get("device", ""), "precision": runtime.get("precision", ""), **assumed}


def _short(name: str) -> str:
    """Return a name elided in the middle if it is too long for the panel."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2 - 1]}…{name[-LONGEST // 2 :]}"


def _facts(document: Document, description: Description) -> list[tuple[str, str]]:
    about = description.about
    file = card.file_of(document.model)
    weights = str(about.get("weights", ""))
    count = int(about.get("parameters", 0))
    facts = [
        (tr("Title"), description.title if description.title != description.name else ""),
        (
            tr("Network"),
            " · ".join(dict.fromkeys(filter(None, (str(about.get("architecture", "")), description.family)))),
        ),
        (tr("Parameters"), f"{count:,} ({count * 4 / 1e6:,.1f} MB)" if count else ""),
        (_named(description), f"{len(description.classes):,}" if _named(description) else ""),
        (tr("File"), _short(file.name) if file else Path(weights).name if weights not in ("", "none") else ""),
        ("SHA-256", f"{description.sha256[:16]}…" if description.sha256 else ""),
        (tr("Licence"), str(about.get("licence", ""))),
        (tr("Knows"), str(about.get("knows", ""))),
        *_figures(about.get("figures", {})),
    ]
    return [fact for fact in facts if fact[1]]


def _named(description: Description) -> str:
    """Return what a model's class names stand for, "" if there are none: the colours of its pictures are no classes."""
    if not description.classes or {"Translates", "EstimatesDepth"} & {*description.capabilities}:
        return ""
    return tr("Points") if "FindsLandmarks" in description.capabilities else tr("Classes")


def _figures(given: object) -> list[tuple[str, str]]:
    """Return the first figure that a card states for each set of pictures."""
    found = []
    for pictures, figures in given.items() if isinstance(given, dict) else ():
        if isinstance(figures, dict) and figures:
            name, value = next(iter(figures.items()))
            found.append(("" if found else tr("Figures"), f"{name} {value}: {pictures}"))
    return found


PANEL = ModelPanel
