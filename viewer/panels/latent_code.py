"""The Explore panel: the current latent code of a generative model, as a seed and a slider per dimension."""

from __future__ import annotations

from typing import ClassVar

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QApplication, QHBoxLayout, QLabel, QLineEdit, QPushButton, QSpinBox, QVBoxLayout, QWidget

from models.inspection import Description
from models.latent.space import SEED, Space, seed_of
from models.requests import Request
from models.types import Failure, Float, Refusal, Result
from viewer.panels.base import GAP, Panel
from viewer.presenters import latent_code
from viewer.session import request_plan
from viewer.session.document import Document
from viewer.session.history import Store
from viewer.session.request_plan import Wants
from viewer.translation import tr
from viewer.widgets.controls.form import Form
from viewer.widgets.controls.slider import SliderRow
from viewer.widgets.controls.wrapped_label import WrappedLabel

SLOT = "generated"
NO_SEED, MOST_SEED = -1, 999_999_999
MIDDLE = tr("Back to the middle of the prior")


class ExplorePanel(Panel):
    """The seed, the code's length compared with typical ones, and a slider for each dimension."""

    id: ClassVar[str] = "explore"

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.seed = QSpinBox()
        self.seed.setRange(NO_SEED, MOST_SEED)
        self.seed.setSpecialValueText(tr("none"))
        self.seed.setAccessibleName(tr("Seed"))
        self.seed.setToolTip(tr("The same seed is the same code on every machine"))
        self.fresh = QPushButton(tr("New sample"))
        self.fresh.setToolTip(tr("Draw the code of the next seed (N)"))
        self.code = QLineEdit()
        self.code.setAccessibleName(tr("Code"))
        self.code.setToolTip(tr("The code as text: copy it, or paste seed:NUMBER or numbers with commas"))
        self.remark = WrappedLabel(tr("Length of the code"))
        self.form: Form | None = None
        self._space: Space | None = None
        self._known: tuple[str, object] = ("", None)
        self._built: tuple[str, object, float] = ("", None, 0.0)
        self._spread: tuple[Float, Float] | None = None
        self._folder: tuple[float, float] | None = None
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(QLabel(tr("Seed")))
        line.addWidget(self.seed, 1)
        line.addWidget(self.fresh)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(GAP, GAP, GAP, GAP)
        self._column.setSpacing(GAP)
        self._column.addLayout(line)
        for part in (self.code, self.remark):
            self._column.addWidget(part)
        self._column.addStretch(1)
        self._scroll = self.fill(inside, tr("Latent code"))
        self.seed.valueChanged.connect(self.go_to_seed)
        self.fresh.clicked.connect(lambda: self.command_wanted.emit("latent-next"))
        self.code.editingFinished.connect(self._typed)

    @staticmethod
    def wants(document: Document, description: Description | None) -> Request | None:
        """Request the picture of the current code."""
        return request_plan.generated(document, description)

    @classmethod
    def slots(cls) -> list[tuple[str, Wants]]:
        """Return the slot whose picture the canvas shows."""
        return [(SLOT, cls.wants)]

    def refresh(self, document: Document, description: Description | None) -> None:
        """Show the model's controls and the current values."""
        space = latent_code.space_of(description)
        if description is None or space is None:
            return
        code = latent_code.code_of(document, space)
        known, reach = (document.model, description.about.get("latent")), latent_code.reach_of(code)
        if known == self._built[:2] and self._held():
            reach = max(reach, self._built[2])  # rebuilding the form would take away a slider that is being dragged
        if known != self._known:
            self._known, self._spread, self._folder = known, None, None
        if known != self._built[:2] or reach != self._built[2]:
            self._built, self._space = (*known, reach), space
            self._build(description, space, reach)
            self._draw_spread()
        text = document.latent.code
        with QSignalBlocker(self.seed):
            seed = seed_of(text)
            self.seed.setValue(seed if seed is not None and seed <= MOST_SEED else NO_SEED)
        if not self.code.hasFocus() or self.code.text() == text:
            self.code.setText(text)
            self.code.setCursorPosition(0)
        if code is not None and self.form is not None:
            self.form.set_values(latent_code.values(code, space))
            self.remark.setText(latent_code.typical(code, space, self._folder))
            self.remark.setVisible(bool(self.remark.text()))

    def show_result(self, slot: str, request: Request, result: Result) -> None:
        """Draw an encoded picture's posterior on the slider tracks."""
        if "band" in result.meta and "verdict" in result.meta:
            self._folder = result.meta["band"]
        if "mu" in result.arrays and "sigma" in result.arrays and request.model == self.store.document.model:
            self._spread = result.arrays["mu"], result.arrays["sigma"]
            self._draw_spread()

    def show_failure(self, slot: str, failure: Failure) -> bool | None:
        """Show in the panel why a code cannot be decoded."""
        if slot != SLOT or failure.cancelled:
            return None
        self.remark.setText(failure.text)
        self.remark.show()
        return True

    def forget(self) -> None:
        """Remove the posterior of the previous picture from the tracks."""
        self._spread = None
        self._draw_spread()

    def go_to_seed(self, seed: int) -> None:
        """Go to the code of a seed."""
        if seed == NO_SEED:
            return
        document = self.store.document.with_latent(code=f"{SEED}{seed}", at=-1)
        self.store.update(document, title=tr("Seed {seed}", seed=seed), merge="seed")

    def _held(self) -> bool:
        """Return whether a slider is being dragged."""
        focus = QApplication.focusWidget()
        return self.form is not None and focus is not None and self.form.isAncestorOf(focus)

    def _build(self, description: Description, space: Space, reach: float) -> None:
        """Build the controls for another model, or for codes outside the present range."""
        if self.form is not None:
            self._column.removeWidget(self.form)
            self.form.deleteLater()
        parameters, folded = latent_code.controls(description, space, reach=reach)
        self.form = Form(parameters, sections=folded)
        self.form.reset.setText(MIDDLE)
        self.form.reset.setAccessibleName(MIDDLE)
        self.form.changed.connect(lambda name, value: self._set(name, value, final=False))
        self.form.committed.connect(lambda name, value: self._set(name, value, final=True))
        self.form.reset_requested.connect(self._middle)
        self._column.insertWidget(self._column.count() - 1, self.form)
        bar = self._scroll.verticalScrollBar().sizeHint().width()
        self._scroll.setMinimumWidth(self.form.least_width() + 2 * GAP + bar)

    def _set(self, name: str, value: object, *, final: bool) -> None:
        document = self.store.document
        code = latent_code.code_of(document, self._space) if self._space else None
        if code is None or self._space is None:
            return
        changed = latent_code.changed(code, self._space, name, value)
        self.store.update(latent_code.at(document, changed), title=tr("Move {name}", name=name), merge=f"latent {name}")
        if final:
            self.store.settle()

    def _middle(self) -> None:
        if self._space is not None:
            document = latent_code.at(self.store.document, self._space.origin())
            self.store.update(document, title=tr("Middle of the prior"))

    def _typed(self) -> None:
        text = self.code.text().strip()
        if self._space is None or text == self.store.document.latent.code:
            return
        try:
            codes = self._space.one(text)
        except Refusal as refusal:
            self.remark.setText(f"{refusal} {refusal.advice}")
            self.remark.show()
            return
        moved = self.store.document.with_latent(code=f"{SEED}{text}", at=-1) if text.isdigit() else None
        self.store.update(moved or latent_code.at(self.store.document, codes[0]), title=tr("Enter a code"))

    def _draw_spread(self) -> None:
        if self.form is None:
            return
        for name, row in self.form.rows.items():
            if isinstance(row, SliderRow):
                at = int(name.removeprefix("z"))
                spread = self._spread
                known = spread is not None and at < len(spread[0])
                mean, sd = (float(spread[0][at]), float(spread[1][at])) if spread is not None and known else (0.0, 0.0)
                row.set_band((mean - sd, mean + sd) if known else None)


PANEL = ExplorePanel
