"""A form built from declared parameters: a row for each, and a button to reset them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from models.params import Parameter, ineffective
from viewer.engine_texts import shown
from viewer.translation import tr
from viewer.widgets.controls.fields import CheckRow, ChoiceRow, TextRow
from viewer.widgets.controls.row import Row
from viewer.widgets.controls.section import Section
from viewer.widgets.controls.slider import SliderRow

GAP = 8
LABEL_MOST = 96  # pixels; longer titles wrap
RESET_TITLE = tr("Reset to the model's own settings")
ALL_OWN = tr("All settings are the model's own")


class Form(QWidget):
    """A row per parameter, in order. Signals report the user's edits by parameter name.

    `sections` maps titles to the names of the parameters that fold away under them; sections come after other rows.
    """

    changed = Signal(str, object)
    committed = Signal(str, object)
    reset_requested = Signal()
    folded = Signal(str, bool)

    def __init__(
        self,
        parameters: Sequence[Parameter],
        *,
        sections: Mapping[str, Sequence[str]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.rows: dict[str, Row] = {p.name: _row(p, parent=self) for p in parameters}
        self.sections = {title: Section(title, parent=self) for title in sections or {}}
        self._of = {name: self.sections[title] for title, names in (sections or {}).items() for name in names}
        self._parameters = tuple(parameters)
        self._reasons: dict[str, str] = {}
        self.reset = QPushButton(RESET_TITLE, self)
        self.reset.setAccessibleName(RESET_TITLE)
        self.reset.clicked.connect(self._reset)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        for name, row in self.rows.items():
            if name in self._of:
                self._of[name].add(row)
            else:
                column.addWidget(row)
            row.reported.connect(self._reported)
        for section in self.sections.values():
            column.addWidget(section)
            section.toggled.connect(self.folded)
        column.addSpacing(GAP)
        column.addWidget(self.reset, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        self._align()
        self._update()

    def name_of(self, whole: str) -> None:
        """Tell screen readers what the rows are of, where forms of other panels have rows of the same titles."""
        for row in self.rows.values():
            row.name_of(whole)

    @property
    def values(self) -> dict[str, object]:
        """Return all values by name."""
        return {name: row.value for name, row in self.rows.items()}

    def set_values(self, values: Mapping[str, object]) -> None:
        """Show values without emitting signals; ignore names that are not in the form."""
        for name in self.rows.keys() & values.keys():
            self.rows[name].set_value(values[name])
        self._update()

    def set_defaults(self, values: Mapping[str, object]) -> None:
        """Set the default values, to which a double click and the button reset."""
        for name in self.rows.keys() & values.keys():
            self.rows[name].set_default(values[name])
        self._update()

    def set_named(self, title: str) -> None:
        """Set the word for the defaults, for forms whose defaults are not the model's own values."""
        for row in self.rows.values():
            row.default_title = title
            row.set_default(row.default)

    def set_applicable(self, reasons: Mapping[str, str]) -> None:
        """Disable the parameters with a reason, and enable those whose reason is empty.

        Neighbouring rows with the same reason show it once, under the last of them.
        """
        self._reasons.update({name: reasons[name] for name in self.rows.keys() & reasons.keys()})
        self._update()

    def reveal(self, name: str) -> None:
        """Unfold the section that contains a parameter."""
        if name in self._of:
            self._of[name].set_open(True)

    def least_width(self) -> int:
        """Return the width in pixels below which some control, folded or not, would be cut off."""
        return max((row.minimumSizeHint().width() for row in self.rows.values()), default=0) + GAP

    def changeEvent(self, event: QEvent) -> None:
        """Align the rows again when the font changes."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange) and hasattr(self, "rows"):
            self._align()

    def _reported(self, name: str, value: object, final: bool) -> None:
        self._update()
        (self.committed if final else self.changed).emit(name, value)

    def _reset(self) -> None:
        self.reset_requested.emit()

    def _grey(self) -> None:
        """Disable parameters that do not apply to this model, or have no effect given the other values."""
        reasons = {
            **{n: shown(r) for n, r in ineffective(self._parameters, self.values).items()},
            **{n: r for n, r in self._reasons.items() if r},
        }
        names = list(self.rows)
        for name, after in zip(names, [*names[1:], ""][: len(names)], strict=True):
            reason = reasons.get(name, "")
            self.rows[name].set_enabled_reason(not reason, reason, quiet=reason == reasons.get(after))

    def _update(self) -> None:
        self._grey()
        changed = [name for name, row in self.rows.items() if row.differs and not self._reasons.get(name)]
        for section in self.sections.values():
            count = sum(self._of.get(name) is section for name in changed)
            section.set_note(tr("· {count} changed", count=count) if count else "")
        differs = bool(changed)
        self.reset.setEnabled(differs)
        self.reset.setToolTip("" if differs else ALL_OWN)
        self.reset.setAccessibleDescription("" if differs else ALL_OWN)

    def _align(self) -> None:
        label = min(LABEL_MOST, max((row.label_hint() for row in self.rows.values()), default=0))
        sliders = [row for row in self.rows.values() if isinstance(row, SliderRow)]
        entry = max((row.entry_hint() for row in sliders), default=0)
        for row in self.rows.values():
            row.set_label_width(label)
        for row in sliders:
            row.set_entry_width(entry)


def _row(parameter: Parameter, *, parent: QWidget) -> Row:
    """Create the row for one parameter."""
    p, value = parameter, parameter.default
    match p.kind:
        case "float" | "int":
            return SliderRow(
                p.title,
                low=p.low,
                high=p.high,
                step=p.step,
                value=float(value),
                whole=p.kind == "int",
                unit=p.unit,
                lowest=p.lowest,
                help=p.help,
                key=p.name,
                parent=parent,
            )
        case "bool":
            return CheckRow(p.title, value=bool(value), help=p.help, key=p.name, parent=parent)
        case "choice":
            words = {"choices": p.choices, "titles": p.titles, "value": str(value)}
            return ChoiceRow(p.title, **words, help=p.help, key=p.name, parent=parent)
        case "text":
            return TextRow(p.title, value=str(value), help=p.help, key=p.name, parent=parent)
